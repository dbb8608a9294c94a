# SPDX-License-Identifier: Apache-2.0
"""From mapped poses of one hand or the chest, now and then, to a moving target: filter, clutch, soft reach."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.filtering import PoseFilter
from humanoid_teleop.limits import approach_speed
from humanoid_teleop.settings import Settings

IDLE, FOLLOWING, HOLDING = "idle", "following", "holding"

_NOWHERE = np.zeros(3)


@dataclass(frozen=True)
class Target:
    """Where to be and how fast that place moves.

    Attributes:
        position: (3,) [m].
        rotation: Quaternion xyzw (4,).
        velocity: (3,) [m/s].
        turn_rate: (3,) [rad/s], in the frame that the rotation is given in.
    """

    position: np.ndarray
    rotation: np.ndarray
    velocity: np.ndarray
    turn_rate: np.ndarray


class PoseFollower:
    """One pose that the robot follows while engaged.

    The target is the filtered pose with an offset: on engaging the offset takes it to where the robot is, so that
    nothing moves; clutched, it stays, otherwise it fades.

    Args:
        settings: Prediction, clutch and ramp.
        smoothing: Time constant of the filter [s].
        clutched: Whether the offset stays.
    """

    def __init__(self, settings: Settings, smoothing: float, clutched: bool) -> None:
        self._settings = settings
        self._clutched = clutched
        self._filter = PoseFilter(smoothing)
        self._period = 0.0
        self.seen = -math.inf  # time of the newest good pose [s]
        self.engaged_at = 0.0
        self.state = IDLE
        self._offset = np.zeros(3)
        self._turn = np.zeros(3)
        self._faded_from = 0.0
        self._fade_time = 0.0

    def measured(self, time: float, position: np.ndarray, rotation: np.ndarray, jumped: bool) -> None:
        """Take in a mapped pose: time [s], position (3,) [m], quaternion xyzw (4,)."""
        gap = time - self.seen
        if gap > self._settings.hold_after:
            self._filter.reset(time, position, rotation)
        elif jumped:
            before = self.target(time)
            self._filter.reset(time, position, rotation)
            if self.state == FOLLOWING:
                self._anchor(time, before.position, before.rotation)
        else:
            self._filter.update(time, position, rotation)
            self._period = gap if self._period == 0.0 else 0.9 * self._period + 0.1 * gap
        self.seen = time

    def engage(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Follow from now on, starting where the robot is: position (3,) [m] and quaternion xyzw (4,)."""
        self._anchor(time, position, rotation)
        self.engaged_at = time
        self.state = FOLLOWING

    def target(self, time: float) -> Target:
        """Where to be, and how fast that place moves, at `time` [s]."""
        position, rotation, velocity, turn_rate = self._mapped(time)
        share, change = 1.0, 0.0
        if not self._clutched:
            share, change = self._fading(time)
        if share > 0.0:
            position = position + share * self._offset
            velocity = velocity + change * self._offset
            turn = share * self._turn
            rotation = rotations.multiply(rotations.exp(turn), rotation)
            turn_rate = turn_rate + change * self._turn
        return Target(position, rotation, velocity, turn_rate)

    def progress(self, time: float) -> float:
        """How far engaging has come, 0..1, without a jump in speed or acceleration."""
        return 1.0 - self._fading(time)[0]

    def slide(self, shift: np.ndarray) -> None:
        """Move a clutched anchor by (3,) [m]."""
        self._offset = self._offset + shift

    def _anchor(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        mapped, turned, _, _ = self._mapped(time)
        self._offset = position - mapped
        self._turn = rotations.log(rotations.multiply(rotation, rotations.inverse(turned)))
        distance = math.sqrt(float(self._offset @ self._offset))
        self._faded_from = time
        self._fade_time = max(self._settings.engage_time, distance / self._settings.engage_speed)

    def _fading(self, time: float) -> tuple[float, float]:
        """Share of the offset that is left, 1..0, and its change [1/s]: a minimum-jerk course."""
        if self._fade_time <= 0.0:
            return 0.0, 0.0
        x = min(max((time - self._faded_from) / self._fade_time, 0.0), 1.0)
        return 1.0 - x * x * x * (10.0 - x * (15.0 - 6.0 * x)), -30.0 * (x * (1.0 - x)) ** 2 / self._fade_time

    def _mapped(self, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Position (3,), quaternion (4,), velocity (3,) and turn rate (3,) of the filtered pose."""
        filter_ = self._filter
        horizon = time - filter_.time + self._settings.lead
        longest = min(self._settings.lead + 1.5 * self._period, self._settings.prediction_limit)
        if horizon > longest:
            return *filter_.predict(filter_.time + longest), _NOWHERE, _NOWHERE
        return *filter_.predict(filter_.time + horizon), filter_.velocity, filter_.turn_rate


def soft_reach(vector: np.ndarray, soft: float, hard: float) -> np.ndarray:
    """Shorten a vector (3,) that is longer than `soft`, so that it never reaches `hard`; smooth at `soft` [m]."""
    length = math.sqrt(float(vector @ vector))
    if length <= soft:
        return vector
    span = hard - soft
    return vector * ((soft + span * (1.0 - math.exp(-(length - soft) / span))) / length)


def homing(error: np.ndarray, gain: float, acceleration: float, dt: float) -> np.ndarray:
    """Velocity (3,) [1/s] along an error (3,): in proportion, and never so fast that one could not stop at its end.

    Args:
        error: To go (3,).
        gain: Velocity over error [1/s].
        acceleration: To brake with [1/s2].
        dt: Length of the tick [s].
    """
    length = math.sqrt(float(error @ error))
    if length < 1e-12:
        return _NOWHERE
    return error * (min(gain * length, approach_speed(length, acceleration, dt)) / length)


def limited(vector: np.ndarray, longest: float) -> np.ndarray:
    """The vector (3,), shortened to `longest` where it is longer."""
    length = math.sqrt(float(vector @ vector))
    return vector if length <= longest else vector * (longest / length)
