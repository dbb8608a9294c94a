# SPDX-License-Identifier: Apache-2.0
"""Small, fast rotation helpers. Quaternions are (4,) arrays in the order x, y, z, w, as in geometry_msgs."""

from __future__ import annotations

import math

import numpy as np


def matrix(quaternion_xyzw: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of a unit quaternion (4,)."""
    x, y, z, w = np.asarray(quaternion_xyzw).tolist()  # floats are several times faster than NumPy's scalars
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion(rotation: np.ndarray) -> np.ndarray:
    """Unit quaternion (4,) with w >= 0 of a rotation matrix (3, 3).

    Source: Shepperd, "Quaternion from rotation matrix", J. Guidance and Control 1(3), 1978.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    candidates = (a, e, i, a + e + i)
    k = candidates.index(max(candidates))
    if k == 3:
        q = (h - f, c - g, d - b, 1 + a + e + i)
    elif k == 0:
        q = (1 + a - e - i, b + d, c + g, h - f)
    elif k == 1:
        q = (b + d, 1 - a + e - i, f + h, c - g)
    else:
        q = (c + g, f + h, 1 - a - e + i, d - b)
    scale = math.copysign(1.0 / math.sqrt(q[0] ** 2 + q[1] ** 2 + q[2] ** 2 + q[3] ** 2), q[3])
    return np.array(q) * scale


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product (4,): the rotation b, then a."""
    ax, ay, az, aw = np.asarray(a).tolist()
    bx, by, bz, bw = np.asarray(b).tolist()
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


def inverse(q: np.ndarray) -> np.ndarray:
    """Inverse (4,) of a unit quaternion."""
    return np.array([-q[0], -q[1], -q[2], q[3]])


def exp(vector: np.ndarray) -> np.ndarray:
    """Unit quaternion (4,) of a rotation vector (3,) [rad]."""
    x, y, z = np.asarray(vector).tolist()
    angle_ = math.sqrt(x * x + y * y + z * z)
    scale = 0.5 - angle_ * angle_ / 48.0 if angle_ < 1e-4 else math.sin(0.5 * angle_) / angle_
    return np.array([scale * x, scale * y, scale * z, math.cos(0.5 * angle_)])


def log(q: np.ndarray) -> np.ndarray:
    """Rotation vector (3,) [rad], at most pi long, of a unit quaternion (4,)."""
    x, y, z, w = np.asarray(q).tolist()
    sine = math.sqrt(x * x + y * y + z * z)
    sign = math.copysign(1.0, w)
    scale = 2.0 * sign if sine < 1e-9 else 2.0 * math.atan2(sine * sign, abs(w)) / sine
    return np.array([scale * x, scale * y, scale * z])


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle [rad], 0..pi, between two unit quaternions (4,)."""
    return float(np.linalg.norm(log(multiply(inverse(a), b))))


def slerp(a: np.ndarray, b: np.ndarray, fraction: float) -> np.ndarray:
    """Unit quaternion (4,) at `fraction` 0..1 of the shortest way from a to b."""
    return multiply(a, exp(fraction * log(multiply(inverse(a), b))))


def normalised(q: np.ndarray) -> np.ndarray | None:
    """The unit quaternion (4,) nearest to q; None where q is not finite or far from unit length (half to twice)."""
    length = float(np.linalg.norm(q))
    if not 0.5 < length < 2.0:  # also refuses NaN
        return None
    return q / length
