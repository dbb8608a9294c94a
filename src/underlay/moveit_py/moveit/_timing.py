# SPDX-License-Identifier: Apache-2.0
"""From a path of straight pieces to a motion that keeps velocity, acceleration and jerk of every joint.

Corners are rounded by curves whose direction turns from one piece's to the next with a smoothstep; they are passed at
constant speed, so that the joints' accelerations and jerks there follow from that speed alone. Straight pieces are run
with ruckig's time-optimal profile along the piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruckig

_SAME = 1e-9
_LOOKS = 65  # at a rounded corner, at most
_HALVINGS = 6  # a corner that cannot be rounded freely even so is stopped at


@dataclass(frozen=True)
class Limits:
    """Of n joints, each (n,): [rad/s], [rad/s2], [rad/s3]."""

    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray

    def along(self, way: np.ndarray) -> np.ndarray:
        """Speed, acceleration and jerk along a direction (n,), (3,)."""
        share = np.maximum(np.abs(way), 1e-12)
        return np.array([(limit / share).min() for limit in (self.velocity, self.acceleration, self.jerk)])


@dataclass(frozen=True)
class _Corner:
    """Rounded over `half` on either side of a point, from direction `before` to `after`, at `speed`."""

    half: float
    start: np.ndarray
    before: np.ndarray
    after: np.ndarray
    speed: float

    def at(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, and first and second derivative by u in 0 .. 2 half, (k,) each."""
        x, turn = (u / (2 * self.half))[:, None], self.after - self.before
        position = self.start + u[:, None] * self.before + 2 * self.half * turn * (x**3 - 0.5 * x**4)
        return position, self.before + turn * (3 * x**2 - 2 * x**3), turn * (6 * x - 6 * x**2) / (2 * self.half)


def timed(
    points: np.ndarray, limits: Limits, dt: float, tolerance: float, free: Callable[[np.ndarray], bool]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Time a path.

    Args:
        points: Corners of the path, (k, n) [rad].
        limits: Of the joints.
        dt: Between samples [s]; the motion is slowed down to a whole number of them.
        tolerance: Rounded corners stay so close to the path [rad].
        free: Whether positions (m, n) on a rounded corner are free of collisions.

    Returns:
        Times (m,), positions, velocities and accelerations, (m, n) each. The motion begins and ends at rest.

    Source: the limits of a corner, with turn = |after - before|: acceleration 1.5 turn v^2 / (2 half), jerk
        6 turn v^3 / (2 half)^2, the largest slope and curvature of the smoothstep.
    """
    kept = [points[0]] + [b for a, b in pairwise(points) if np.linalg.norm(b - a) > _SAME]
    if len(kept) < 2:
        return np.zeros(1), points[:1].copy(), np.zeros((1, points.shape[1])), np.zeros((1, points.shape[1]))
    corners_at = np.array(kept)
    lengths = np.linalg.norm(np.diff(corners_at, axis=0), axis=1)
    ways = np.diff(corners_at, axis=0) / lengths[:, None]
    corners = [
        _rounded(corners_at[i + 1], ways[i], ways[i + 1], min(lengths[i], lengths[i + 1]), limits, tolerance, free)
        for i in range(len(ways) - 1)
    ]
    halves = np.array([0.0, *(corner.half for corner in corners), 0.0])
    straight = np.maximum(lengths - halves[:-1] - halves[1:], 0.0)
    along = [limits.along(way) for way in ways]
    speeds = _reachable(np.array([0.0, *(corner.speed for corner in corners), 0.0]), straight, along)
    pieces: list[tuple[float, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]]] = []
    for i, way in enumerate(ways):
        begin = corners_at[i] + halves[i] * way
        pieces.append(_straight(begin, way, straight[i], speeds[i], speeds[i + 1], along[i]))
        if i < len(corners) and corners[i].half > 0.0:
            pieces.append(_curved(corners[i], speeds[i + 1]))
    ends = np.cumsum([duration for duration, _ in pieces])
    count = max(1, int(np.ceil(ends[-1] / dt - 1e-9)))
    slower = count * dt / ends[-1]
    times = np.minimum(np.linspace(0.0, ends[-1], count + 1), ends[-1])
    which = np.minimum(np.searchsorted(ends, times, side="left"), len(pieces) - 1)
    out = [np.zeros((count + 1, points.shape[1])) for _ in range(3)]
    for k, (duration, motion) in enumerate(pieces):
        rows = np.flatnonzero(which == k)
        if len(rows):
            for values, part in zip(out, motion(np.clip(times[rows] - (ends[k] - duration), 0.0, duration))):
                values[rows] = part
    return times * slower, out[0], out[1] / slower, out[2] / slower**2


def _rounded(
    point: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    shorter: float,
    limits: Limits,
    tolerance: float,
    free: Callable[[np.ndarray], bool],
) -> _Corner:
    turn = np.abs(after - before)
    if turn.max() < _SAME:
        return _Corner(0.0, point, before, after, float(limits.along(before)[0]))
    # In the middle the curve is 3/16 of half * turn away from the corner.
    half = min(0.5 * shorter, tolerance / (0.1875 * float(np.linalg.norm(turn))))
    share = np.maximum(turn, 1e-12)
    for _ in range(_HALVINGS):
        speed = min(
            float((limits.velocity / np.maximum(np.maximum(np.abs(before), np.abs(after)), 1e-12)).min()),
            float(np.sqrt(limits.acceleration * 2 * half / (1.5 * share)).min()),
            float(np.cbrt(limits.jerk * (2 * half) ** 2 / (6.0 * share)).min()),
        )
        corner = _Corner(half, point - half * before, before, after, speed)
        if free(corner.at(np.linspace(0.0, 2 * half, _LOOKS))[0]):
            return corner
        half *= 0.5
    return _Corner(0.0, point, before, after, 0.0)


def _reachable(speeds: np.ndarray, straight: np.ndarray, along: list[np.ndarray]) -> np.ndarray:
    """Speeds at the ends of the straight pieces, lowered until each piece is long enough for its change of speed."""
    speeds = speeds.copy()
    for i in [*range(len(straight)), *reversed(range(len(straight)))]:
        speeds[i], speeds[i + 1] = (min(v, along[i][0]) for v in (speeds[i], speeds[i + 1]))
        slow, fast = (i, i + 1) if speeds[i] < speeds[i + 1] else (i + 1, i)
        if _distance(speeds[slow], speeds[fast], along[i]) > straight[i]:
            low, high = speeds[slow], speeds[fast]
            for _ in range(50):
                middle = 0.5 * (low + high)
                low, high = (
                    (middle, high) if _distance(speeds[slow], middle, along[i]) <= straight[i] else (low, middle)
                )
            speeds[fast] = low
    return speeds


def _distance(slow: float, fast: float, along: np.ndarray) -> float:
    """Way that a change of speed takes, acceleration 0 at both ends."""
    _, acceleration, jerk = along
    change = fast - slow
    time = (
        2 * np.sqrt(change / jerk) if change <= acceleration**2 / jerk else change / acceleration + acceleration / jerk
    )
    return float(0.5 * (slow + fast) * time)


def _straight(
    begin: np.ndarray, way: np.ndarray, length: float, first: float, last: float, along: np.ndarray
) -> tuple[float, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    if length < _SAME:
        return 0.0, lambda t: (begin + 0 * t[:, None], first * way + 0 * t[:, None], 0 * t[:, None] * way)
    task = ruckig.InputParameter(1)
    task.current_position, task.current_velocity, task.current_acceleration = [0.0], [first], [0.0]
    task.target_position, task.target_velocity, task.target_acceleration = [length], [last], [0.0]
    task.max_velocity, task.max_acceleration, task.max_jerk = ([float(limit) * (1 + 1e-9)] for limit in along)
    profile = ruckig.Trajectory(1)
    result = ruckig.Ruckig(1).calculate(task, profile)
    if result not in (ruckig.Result.Working, ruckig.Result.Finished):
        raise RuntimeError(f"ruckig: {result} for {length} from {first} to {last} within {along}")

    def motion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        s = np.array([[part[0] for part in profile.at_time(float(one))[:3]] for one in t])
        return begin + s[:, :1] * way, s[:, 1:2] * way, s[:, 2:3] * way

    return float(profile.duration), motion


def _curved(
    corner: _Corner, speed: float
) -> tuple[float, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    def motion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        position, slope, bend = corner.at(speed * t)
        return position, speed * slope, speed**2 * bend

    return 2 * corner.half / speed, motion
