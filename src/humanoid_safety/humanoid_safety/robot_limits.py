# SPDX-License-Identifier: Apache-2.0
"""What the limiter takes from the robot's description."""

from __future__ import annotations

import math

import numpy as np

from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_safety.body_model import BodyModel, BodySettings, body_model
from humanoid_safety.limits import JointLimits
from humanoid_safety.self_distance import SelfDistance
from humanoid_safety.surroundings import Surroundings


def commanded_limits(robot: Robot) -> JointLimits:
    """Limits of the joints that may be commanded.

    Raises:
        ConfigError: a joint is allowed more than by the URDF, or its margin leaves nothing of its range.
    """
    joints = robot.group(*robot.config.commanded)
    model = robot.pinocchio()
    for joint, place in zip(joints, robot.index(joints).tolist()):
        entry, key = robot.config.joints[joint], f"joints.{joint}"
        for word, found, most in (
            ("velocity", entry.velocity, float(model.velocityLimit[place])),
            ("torque", entry.torque, float(model.effortLimit[place])),
        ):
            if not 0.0 < found <= most * (1.0 + 1e-9):
                raise ConfigError(robot.config_path, f"{key}.{word}", found, f"above 0, up to the URDF's {most:g}")
        low, high = float(model.lowerPositionLimit[place]), float(model.upperPositionLimit[place])
        if not 2.0 * entry.margin < high - low:
            raise ConfigError(
                robot.config_path, f"{key}.margin", entry.margin, f"something left of the URDF's {low:g} to {high:g}"
            )
    limits = robot.limits(joints)
    return JointLimits(
        joints, limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, limits.torque
    )


def bodies(robot: Robot, surroundings: Surroundings, settings: BodySettings) -> BodyModel:
    """The robot's bodies, for distances, speeds and torques."""
    return body_model(robot, robot.group(*robot.config.commanded), fingers(robot), surroundings, settings)


def other_joints(robot: Robot) -> tuple[str, ...]:
    """The robot's joints that may not be commanded."""
    commanded = set(robot.group(*robot.config.commanded))
    return tuple(joint for joint in robot.joints if joint not in commanded)


def has_legs(robot: Robot) -> bool:
    """Whether its legs are handed over: then the centre of mass is ours to keep."""
    return any("leg" in group and robot.config.groups[group] for group in robot.config.commanded)


def fingers(robot: Robot) -> set[str]:
    """Joints that move fingers."""
    return {joint for hand in robot.config.hands.values() for joint in robot.config.groups[hand.group]}


def self_distance(robot: Robot) -> SelfDistance:
    """Distances between the bodies that the joints that may be commanded move."""
    return SelfDistance(robot, robot.group(*robot.config.commanded), fingers(robot))


def allowed_deviation(robot: Robot, limit: float) -> np.ndarray:
    """Allowed difference of measured and commanded position of the joints that may be commanded, (n,) [rad].

    Infinite for fingers: what they hold keeps them from closing.
    """
    may_be_blocked = fingers(robot)
    return np.array([math.inf if j in may_be_blocked else limit for j in robot.group(*robot.config.commanded)])
