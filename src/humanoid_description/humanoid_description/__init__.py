# SPDX-License-Identifier: Apache-2.0
"""Robot models: configuration, URDF, SRDF, pinocchio model, collision geometry."""

from humanoid_description.config import RobotConfig
from humanoid_description.errors import DescriptionError
from humanoid_description.robot import Arm, JointLimits, Mimic, Robot, load
from humanoid_description.sources import find_config

__all__ = ["Arm", "DescriptionError", "JointLimits", "Mimic", "Robot", "RobotConfig", "find_config", "load"]
