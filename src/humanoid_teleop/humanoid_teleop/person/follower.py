# SPDX-License-Identifier: Apache-2.0
"""From mapped poses of a hand, the chest or the head, now and then, to a moving target: filter, prediction, clutch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.compiled import between, compiled, dot, exp, multiply
from humanoid_teleop.person.filtering import STANDSTILL, Bank, PoseFilter, predict
from humanoid_teleop.settings import Settings

IDLE, FOLLOWING, HOLDING = "idle", "following", "holding"


class Target(NamedTuple):
    """Where to be and how fast that place moves.

    Attributes:
        position: (3,) [m].
        rotation: Quaternion xyzw (4,).
        velocity: (3,) [m/s]: mean over the step that leads there.
        turn_rate: (3,) [rad/s] likewise, in the frame that the rotation is given in.
    """

    position: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    turn_rate: np.ndarray


def no_target() -> Target:
    """Room for a target."""
    return Target(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3), np.zeros(3))


class PoseFollower:
    """One pose that the robot follows while engaged.

    The target is the filtered pose with an offset: on engaging the offset takes it to where the robot is, so that
    nothing moves; clutched, it stays, otherwise it fades.

    Args:
        settings: Prediction, clutch and ramp.
        smoothing: Longest time constant of the filter [s].
        clutched: Whether the offset stays.
        out: Room for targets; None: its own.
    """

    def __init__(self, settings: Settings, smoothing: float, clutched: bool, out: Target | None = None) -> None:
        self._settings = settings
        self._clutched = clutched
        self._filter = PoseFilter(smoothing, settings.smoothing_fast, settings.lead)
        self._period = 0.0
        self.seen = -math.inf  # time of the newest good pose [s]
        self.engaged_at = 0.0
        self.state = IDLE
        self._target = no_target() if out is None else out
        self._offset = np.zeros(3)
        self._turn = np.zeros(3)
        self._ahead = np.zeros(5)
        self._move = _moves(self._filter.bank, self._ahead, self._offset, self._turn, self._target)
        self._faded_from = 0.0
        self._fade_time = 0.0

    def measured(self, time: float, position: np.ndarray, rotation: np.ndarray, jumped: bool) -> None:
        """Take in a mapped pose: time [s], position (3,) [m], quaternion xyzw (4,)."""
        gap = time - self.seen
        if gap > self._settings.hold_after:
            self._filter.reset(time, position, rotation)
        elif jumped:
            before = self.target(time)
            place, turned = before.position.copy(), before.rotation.copy()
            self._filter.reset(time, position, rotation)
            if self.state == FOLLOWING:
                self._anchor(time, place, turned)
        else:
            self._filter.update(time, position, rotation)
            self._period = gap if self._period == 0.0 else 0.9 * self._period + 0.1 * gap
        self.seen = time

    def engage(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Follow from now on, starting where the robot is: position (3,) [m] and quaternion xyzw (4,)."""
        self._anchor(time, position, rotation)
        self.engaged_at = time
        self.state = FOLLOWING

    def target(self, time: float, dt: float = 0.0) -> Target:
        """Where to be at `time` [s], the end of a step of dt [s]: the same object each time."""
        share, change = (1.0, 0.0) if self._clutched else self._fading(time)
        self._predict(time, dt, share, change)
        return self._target

    def progress(self, time: float) -> float:
        """How far engaging has come, 0..1, without a jump in speed or acceleration."""
        return 1.0 - self._fading(time)[0]

    def slide(self, shift: np.ndarray) -> None:
        """Move a clutched anchor by (3,) [m]."""
        self._offset += shift

    def _predict(self, time: float, dt: float, share: float, change: float) -> None:
        settings = self._settings
        horizon = time - self._filter.time + settings.lead
        longest = min(settings.lead + 1.5 * self._period, settings.prediction_limit)
        self._ahead[:] = horizon, longest, dt, share, change
        next(self._move)

    def _anchor(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        self._predict(time, 0.0, 0.0, 0.0)
        mapped, turned = self._target.position, self._target.rotation
        self._offset[:] = position - mapped
        self._turn[:] = rotations.log(rotations.multiply(rotation, rotations.inverse(turned)))
        distance = math.sqrt(float(self._offset @ self._offset))
        self._faded_from = time
        self._fade_time = max(self._settings.engage_time, distance / self._settings.engage_speed)

    def _fading(self, time: float) -> tuple[float, float]:
        """Share of the offset that is left, 1..0, and its change [1/s]: a minimum-jerk course."""
        if self._fade_time <= 0.0:
            return 0.0, 0.0
        x = min(max((time - self._faded_from) / self._fade_time, 0.0), 1.0)
        return 1.0 - x * x * x * (10.0 - x * (15.0 - 6.0 * x)), -30.0 * (x * (1.0 - x)) ** 2 / self._fade_time


@compiled
def _moves(bank: Bank, ahead: np.ndarray, offset: np.ndarray, turn: np.ndarray, out: Target) -> Iterator[bool]:
    """See `_moved`, whenever the next is asked for: a generator keeps its arguments as machine values."""
    while True:
        _moved(bank, ahead[0], ahead[1], ahead[2], offset, turn, ahead[3], ahead[4], out)
        yield True


@compiled
def _moved(
    bank: Bank,
    horizon: float,
    longest: float,
    dt: float,
    offset: np.ndarray,
    turn: np.ndarray,
    share: float,
    change: float,
    out: Target,
) -> None:
    """The filtered pose `horizon` [s] ahead, at most about `longest`, moved by a share of the offset and turn."""
    slowed = 1.0
    if horizon > longest:
        slowed = math.exp((longest - horizon) / STANDSTILL)
        horizon = longest + STANDSTILL * (1.0 - slowed)
    predict(bank, horizon, 0.5 * dt, out.position, out.rotation, out.velocity, out.turn_rate)
    for k in range(3):
        out.position[k] += share * offset[k]
        out.velocity[k] = slowed * out.velocity[k] + change * offset[k]
        out.turn_rate[k] = slowed * out.turn_rate[k] + change * turn[k]
    if share > 0.0:
        moved = np.empty(4)
        exp(turn, share, moved)
        multiply(moved, out.rotation, out.rotation)


@compiled
def turn_to_difference(rotation: np.ndarray, start: np.ndarray, end: np.ndarray, longest: float) -> bool:
    """Turn a quaternion (4,) by at most `longest` [rad] towards the rotation that takes `start` (4,) to `end` (4,).

    Returns:
        Whether it got there.
    """
    back, goal, change = np.empty(4), np.empty(4), np.empty(3)
    back[0], back[1], back[2], back[3] = -start[0], -start[1], -start[2], start[3]
    multiply(end, back, goal)
    between(rotation, goal, change)
    angle = math.sqrt(dot(change, change))
    if angle <= longest:
        rotation[:] = goal
    else:
        exp(change, longest / angle, back)
        multiply(back, rotation, rotation)
    return angle <= longest


@compiled
def soft_reach(vector: np.ndarray, soft: float, hard: float, out: np.ndarray) -> bool:
    """Shorten a vector (3,) that is longer than `soft`, so that it never reaches `hard`; smooth at `soft` [m].

    Returns:
        Whether it was shortened.
    """
    length = math.sqrt(dot(vector, vector))
    factor = 1.0
    if length > soft:
        span = hard - soft
        factor = (soft + span * (1.0 - math.exp(-(length - soft) / span))) / length
    for k in range(3):
        out[k] = factor * vector[k]
    return length > soft


@compiled
def homing(error: np.ndarray, gain: float, acceleration: float, dt: float) -> float:
    """Speed over length [1/s] along an error (3,): in proportion, and never so fast that one could not stop at its end.

    Args:
        error: To go (3,).
        gain: Velocity over error [1/s].
        acceleration: To brake with [1/s2].
        dt: Length of the tick [s].
    """
    length = math.sqrt(dot(error, error))
    if length < 1e-12:
        return 0.0
    step = acceleration * dt
    braking = math.sqrt(step * step + 2.0 * acceleration * length) - step
    return min(gain * length, braking) / length


@compiled
def limit(vector: np.ndarray, longest: float) -> float:
    """Shorten a vector (3,) to `longest`; the factor taken."""
    length = math.sqrt(dot(vector, vector))
    factor = 1.0 if length <= longest else longest / length
    for k in range(3):
        vector[k] *= factor
    return factor
