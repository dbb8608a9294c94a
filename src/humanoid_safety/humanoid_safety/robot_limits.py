# SPDX-License-Identifier: Apache-2.0
"""What the limiter takes from the robot's description."""

from __future__ import annotations

import math

import numpy as np

from humanoid_description import Robot
from humanoid_safety.limits import JointLimits


def commanded_limits(robot: Robot) -> JointLimits:
    """Limits of the joints that may be commanded."""
    joints = robot.group(*robot.config.commanded)
    limits = robot.limits(joints)
    return JointLimits(joints, limits.lower, limits.upper, limits.velocity, limits.acceleration)


def other_joints(robot: Robot) -> tuple[str, ...]:
    """The robot's joints that may not be commanded."""
    commanded = set(robot.group(*robot.config.commanded))
    return tuple(joint for joint in robot.joints if joint not in commanded)


def allowed_deviation(robot: Robot, limit: float) -> np.ndarray:
    """Allowed difference of measured and commanded position of the joints that may be commanded, (n,) [rad].

    Infinite for fingers: what they hold keeps them from closing.
    """
    fingers = {joint for hand in robot.config.hands.values() for joint in robot.config.groups[hand.group]}
    return np.array([math.inf if j in fingers else limit for j in robot.group(*robot.config.commanded)])
