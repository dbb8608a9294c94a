# SPDX-License-Identifier: Apache-2.0
"""From mapped poses of one hand (or the chest), now and then, to a target that a robot can follow: filter, clutch, soft reach."""

from __future__ import annotations

import math

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.filtering import PoseFilter
from humanoid_teleop.limits import approach_speed
from humanoid_teleop.settings import Settings

IDLE, FOLLOWING, HOLDING = "idle", "following", "holding"

_NO_TURN = np.array([0.0, 0.0, 0.0, 1.0])


class PoseFollower:
    """One pose that the robot follows while engaged.

    The target is the filtered pose with an offset: on engaging the offset takes it to where the robot is, so that nothing moves;
    clutched, it stays, otherwise it fades.

    Args:
        settings: Filter, clutch and ramp.
        clutched: Whether the offset stays.
    """

    def __init__(self, settings: Settings, clutched: bool) -> None:
        self._settings = settings
        self._clutched = clutched
        self._filter = PoseFilter(settings.smoothing)
        self._period = 0.0
        self.seen = -math.inf  # time of the newest good pose [s]
        self.state = IDLE
        self._offset = np.zeros(3)
        self._turn = _NO_TURN
        self._faded_from = 0.0
        self._fade_time = 0.0

    def measured(self, time: float, position: np.ndarray, rotation: np.ndarray, jumped: bool) -> None:
        """Take in a mapped pose: time [s], position (3,) [m], quaternion xyzw (4,)."""
        gap = time - self.seen
        if gap > self._settings.hold_after:
            self._filter.reset(time, position, rotation)
        elif jumped:
            before, turned = self.target(time)
            self._filter.reset(time, position, rotation)
            if self.state == FOLLOWING:
                self._anchor(time, before, turned)
        else:
            self._filter.update(time, position, rotation)
            self._period = gap if self._period == 0.0 else 0.9 * self._period + 0.1 * gap
        self.seen = time

    def engage(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Follow from now on, starting where the robot is: position (3,) [m] and quaternion xyzw (4,)."""
        self._anchor(time, position, rotation)
        self.state = FOLLOWING

    def target(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) [m] and quaternion xyzw (4,) to be at, at `time` [s]."""
        position, rotation = self._mapped(time)
        share = 1.0 if self._clutched else 1.0 - self.progress(time)
        if share > 0.0:
            position = position + share * self._offset
            turn = self._turn if share == 1.0 else rotations.exp(share * rotations.log(self._turn))
            rotation = rotations.multiply(turn, rotation)
        return position, rotation

    def progress(self, time: float) -> float:
        """How far engaging has come, 0..1, without a jump in speed or acceleration."""
        if self._fade_time <= 0.0:
            return 1.0
        x = min(max((time - self._faded_from) / self._fade_time, 0.0), 1.0)
        return x * x * x * (10.0 - x * (15.0 - 6.0 * x))

    def slide(self, shift: np.ndarray) -> None:
        """Move a clutched anchor by (3,) [m]."""
        self._offset = self._offset + shift

    def _anchor(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        mapped, turned = self._mapped(time)
        self._offset = position - mapped
        self._turn = rotations.multiply(rotation, rotations.inverse(turned))
        distance = math.sqrt(float(self._offset @ self._offset))
        self._faded_from = time
        self._fade_time = max(self._settings.engage_time, distance / self._settings.engage_speed)

    def _mapped(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        horizon = time - self._filter.time + self._settings.lead
        longest = min(self._settings.lead + 1.5 * self._period, self._settings.prediction_limit)
        return self._filter.predict(self._filter.time + min(horizon, longest))


def soft_reach(vector: np.ndarray, soft: float, hard: float) -> np.ndarray:
    """Shorten a vector (3,) that is longer than `soft`, so that it never reaches `hard`; smooth at `soft` [m]."""
    length = math.sqrt(float(vector @ vector))
    if length <= soft:
        return vector
    span = hard - soft
    return vector * ((soft + span * (1.0 - math.exp(-(length - soft) / span))) / length)


def brakeable(error: np.ndarray, acceleration: float, dt: float) -> np.ndarray:
    """Velocity (3,) [1/s] along an error (3,) from which one can still stop at its end."""
    length = math.sqrt(float(error @ error))
    if length < 1e-12:
        return error * 0.0
    return error * (approach_speed(length, acceleration, dt) / length)


def limited(vector: np.ndarray, longest: float) -> np.ndarray:
    """The vector (3,), shortened to `longest` where it is longer."""
    length = math.sqrt(float(vector @ vector))
    return vector if length <= longest else vector * (longest / length)
