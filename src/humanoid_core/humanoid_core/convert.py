# SPDX-License-Identifier: Apache-2.0
"""Messages from and to plain values. Time is an int of nanoseconds, quaternions are x, y, z, w."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose
from sensor_msgs.msg import JointState

from humanoid_core.errors import MessageError

NANOSECONDS = 1_000_000_000


def stamp_ns(stamp: Time) -> int:
    """Nanoseconds of a stamp."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def to_stamp(nanoseconds: int) -> Time:
    """Stamp of nanoseconds since the clock's zero."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)


def pose_arrays(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) [m] and quaternion xyzw (4,) of a pose, as they stand: not checked, not normalised."""
    p, q = pose.position, pose.orientation
    return np.array((p.x, p.y, p.z)), np.array((q.x, q.y, q.z, q.w))


def to_pose(position: np.ndarray, quaternion_xyzw: np.ndarray) -> Pose:
    """Pose of a position (3,) [m] and a unit quaternion (4,)."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = (float(value) for value in position)
    q = pose.orientation
    q.x, q.y, q.z, q.w = (float(value) for value in quaternion_xyzw)
    return pose


def joint_state(
    stamp: Time,
    names: Sequence[str],
    position: np.ndarray,
    velocity: np.ndarray | None = None,
    effort: np.ndarray | None = None,
) -> JointState:
    """A JointState.

    Args:
        stamp: Time of measurement, or that the set-point is meant for.
        names: n joint names.
        position: (n,) [rad or m].
        velocity: (n,) [rad/s or m/s], or None for an empty field.
        effort: (n,) [N m or N], or None for an empty field.
    """
    message = JointState()
    message.header.stamp = stamp
    message.name = list(names)
    message.position = position.tolist()
    if velocity is not None:
        message.velocity = velocity.tolist()
    if effort is not None:
        message.effort = effort.tolist()
    return message


def positions(message: JointState, joints: Sequence[str], topic: str = "joint_states") -> np.ndarray:
    """Positions (n,) [rad or m] of the named joints, by name, never by index.

    Raises:
        MessageError: a joint is missing or stands twice, or names and positions differ in number.
    """
    if len(message.name) != len(message.position):
        raise MessageError(topic, f"{len(message.name)} names, {len(message.position)} positions", "as many of each")
    by_name = dict(zip(message.name, message.position))
    if len(by_name) != len(message.name):
        twice = sorted({name for name in message.name if message.name.count(name) > 1})
        raise MessageError(topic, f"{', '.join(twice)} more than once", "each joint once")
    missing = [joint for joint in joints if joint not in by_name]
    if missing:
        raise MessageError(topic, f"no {', '.join(missing)}", f"all of {len(joints)} joints")
    return np.array([by_name[joint] for joint in joints], dtype=float)
