# SPDX-License-Identifier: Apache-2.0
"""What the inner loops are made of: the compiler's decorator, and mathematics of vectors and quaternions x, y, z, w.

Functions marked `compiled` are plain Python on NumPy arrays that numba turns into machine code when first called (some
seconds, once: the result is kept in the user's cache). They write their results into arrays that the caller hands them.
What is called in every step with many arrays is a generator: it keeps its arguments as machine values, and `next` does
the work. Handing over an array takes 0.2 us.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def _cache() -> Path:
    """A folder of its own for each state of the sources: numba notices changes of a function's own file only."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        text = source.read_bytes()
        if b"@compiled" in text:
            digest.update(text)
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "humanoid_teleop" / digest.hexdigest()[:16]


vars(numba.config)["CACHE_DIR"] = str(_cache())


def compiled(function: F) -> F:
    """The function as machine code; same arguments, same answers, no fast-math."""
    return cast(F, numba.njit(cache=True, error_model="numpy")(function))


@compiled
def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Of vectors (3,)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def norm(a: np.ndarray) -> float:
    """Length of a vector (3,)."""
    return math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


@compiled
def cross(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a x b."""
    x = a[1] * b[2] - a[2] * b[1]
    y = a[2] * b[0] - a[0] * b[2]
    z = a[0] * b[1] - a[1] * b[0]
    out[0], out[1], out[2] = x, y, z


@compiled
def turn(rotation: np.ndarray, a: np.ndarray, out: np.ndarray) -> None:
    """out = rotation (3, 3) a."""
    x = rotation[0, 0] * a[0] + rotation[0, 1] * a[1] + rotation[0, 2] * a[2]
    y = rotation[1, 0] * a[0] + rotation[1, 1] * a[1] + rotation[1, 2] * a[2]
    z = rotation[2, 0] * a[0] + rotation[2, 1] * a[1] + rotation[2, 2] * a[2]
    out[0], out[1], out[2] = x, y, z


@compiled
def turn_back(rotation: np.ndarray, a: np.ndarray, out: np.ndarray) -> None:
    """out = transposed rotation (3, 3) a."""
    x = rotation[0, 0] * a[0] + rotation[1, 0] * a[1] + rotation[2, 0] * a[2]
    y = rotation[0, 1] * a[0] + rotation[1, 1] * a[1] + rotation[2, 1] * a[2]
    z = rotation[0, 2] * a[0] + rotation[1, 2] * a[1] + rotation[2, 2] * a[2]
    out[0], out[1], out[2] = x, y, z


@compiled
def chain(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a b, rotations (3, 3); out is neither of them."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@compiled
def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a b, quaternions (4,)."""
    x = a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1]
    y = a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0]
    z = a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3]
    w = a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2]
    out[0], out[1], out[2], out[3] = x, y, z, w


@compiled
def exp(vector: np.ndarray, scale: float, out: np.ndarray) -> None:
    """out = quaternion of the rotation vector `scale` times (3,) [rad]."""
    angle = scale * norm(vector)
    factor = scale * (0.5 - angle * angle / 48.0 if abs(angle) < 1e-4 else math.sin(0.5 * angle) / angle)
    out[0], out[1], out[2] = factor * vector[0], factor * vector[1], factor * vector[2]
    out[3] = math.cos(0.5 * angle)


@compiled
def between(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = rotation vector (3,), at most pi long, that takes quaternion a to b: log(b a^-1) [rad]."""
    w = b[3] * a[3] + b[0] * a[0] + b[1] * a[1] + b[2] * a[2]
    x = -b[3] * a[0] + b[0] * a[3] - b[1] * a[2] + b[2] * a[1]
    y = -b[3] * a[1] + b[0] * a[2] + b[1] * a[3] - b[2] * a[0]
    z = -b[3] * a[2] - b[0] * a[1] + b[1] * a[0] + b[2] * a[3]
    sine = math.sqrt(x * x + y * y + z * z)
    sign = 1.0 if w >= 0.0 else -1.0
    factor = 2.0 * sign if sine < 1e-9 else 2.0 * math.atan2(sine * sign, abs(w)) / sine
    out[0], out[1], out[2] = factor * x, factor * y, factor * z


@compiled
def normalise(q: np.ndarray) -> None:
    """Make a quaternion (4,) unit."""
    factor = 1.0 / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    for i in range(4):
        q[i] *= factor


@compiled
def to_matrix(q: np.ndarray, out: np.ndarray) -> None:
    """out = rotation matrix (3, 3) of a unit quaternion (4,)."""
    x, y, z, w = q[0], q[1], q[2], q[3]
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)


@compiled
def to_quaternion(m: np.ndarray, out: np.ndarray) -> None:
    """out = unit quaternion (4,) of a rotation matrix (3, 3). Source: Shepperd, J. Guidance and Control 1(3), 1978."""
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    if trace >= m[0, 0] and trace >= m[1, 1] and trace >= m[2, 2]:
        out[0], out[1], out[2], out[3] = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1.0 + trace
    elif m[0, 0] >= m[1, 1] and m[0, 0] >= m[2, 2]:
        out[0], out[1] = 1.0 + m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0]
        out[2], out[3] = m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]
    elif m[1, 1] >= m[2, 2]:
        out[0], out[1] = m[0, 1] + m[1, 0], 1.0 - m[0, 0] + m[1, 1] - m[2, 2]
        out[2], out[3] = m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]
    else:
        out[0], out[1] = m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
        out[2], out[3] = 1.0 - m[0, 0] - m[1, 1] + m[2, 2], m[1, 0] - m[0, 1]
    normalise(out)
