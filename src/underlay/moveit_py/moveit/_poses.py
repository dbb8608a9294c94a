# SPDX-License-Identifier: Apache-2.0
"""Poses as messages and as matrices."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from geometry_msgs.msg import Pose


def matrix(message: Pose) -> np.ndarray:
    """Homogeneous matrix (4, 4) of a pose; an all-zero quaternion means no rotation, as upstream reads it."""
    p, q = message.position, message.orientation
    quaternion = np.array((q.x, q.y, q.z, q.w))
    norm = np.linalg.norm(quaternion)
    out = np.eye(4)
    if norm > 0:
        out[:3, :3] = pin.Quaternion(quaternion / norm).matrix()
    out[:3, 3] = p.x, p.y, p.z
    return out


def pose(transform: np.ndarray) -> Pose:
    """Pose of a homogeneous matrix (4, 4)."""
    message = Pose()
    p, q = message.position, message.orientation
    p.x, p.y, p.z = (float(value) for value in transform[:3, 3])
    q.x, q.y, q.z, q.w = (float(value) for value in pin.Quaternion(transform[:3, :3]).coeffs())
    return message
