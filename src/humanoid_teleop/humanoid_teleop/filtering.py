# SPDX-License-Identifier: Apache-2.0
"""Input hygiene and a predicting filter for one tracked pose.

The filter is the critically damped g-h (alpha-beta) filter with fading memory: theta = exp(-dt / smoothing), g = 1 -
theta^2, h = (1 - theta)^2, so that one time constant serves devices of any rate. It has no lag at constant velocity.

Source: Brookner, "Tracking and Kalman Filtering Made Easy", 1998, section 1.2.6 (critically damped g-h filter).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humanoid_core import rotations


@dataclass(frozen=True)
class InputLimits:
    """What a person can do; faster is a tracking error.

    Attributes:
        speed: [m/s].
        turn_rate: [rad/s].
        persistence: Frames after which a jump that stays where it went is believed.
    """

    speed: float
    turn_rate: float
    persistence: int


GOOD, BAD, JUMPED = "good", "bad", "jumped"


class PoseGate:
    """Refuses poses that cannot be: not finite, no rotation, or a jump that does not persist.

    Args:
        limits: What to believe.
    """

    def __init__(self, limits: InputLimits) -> None:
        self._limits = limits
        self._time = 0.0
        self._position: np.ndarray | None = None
        self._rotation = np.array([0.0, 0.0, 0.0, 1.0])
        self._suspect: tuple[np.ndarray, np.ndarray, float] | None = None
        self._suspects = 0

    def check(self, time: float, position: np.ndarray, rotation: np.ndarray) -> str:
        """GOOD: use it. BAD: refuse it. JUMPED: use it, it is far from the last good one but persists.

        Args:
            time: Of measurement [s].
            position: (3,) [m].
            rotation: Unit quaternion xyzw (4,), already normalised.
        """
        if self._position is None:
            self._accept(time, position, rotation)
            return GOOD
        if self._near(time - self._time, self._position, self._rotation, position, rotation):
            self._accept(time, position, rotation)
            return GOOD
        if self._suspect is not None and self._near(time - self._suspect[2], *self._suspect[:2], position, rotation):
            self._suspects += 1
        else:
            self._suspects = 1
        self._suspect = (position, rotation, time)
        if self._suspects < self._limits.persistence:
            return BAD
        self._accept(time, position, rotation)
        return JUMPED

    def _accept(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        self._time, self._position, self._rotation = time, position, rotation
        self._suspect, self._suspects = None, 0

    def _near(
        self, dt: float, position: np.ndarray, rotation: np.ndarray, position2: np.ndarray, rotation2: np.ndarray
    ) -> bool:
        if math.dist(position, position2) > self._limits.speed * dt + 0.02:  # 2 cm: noise of fast devices
            return False
        cosine = min(1.0, abs(float(rotation @ rotation2)))
        return 2.0 * math.acos(cosine) <= self._limits.turn_rate * dt + 0.1


class PoseFilter:
    """Smooths and predicts one pose.

    Args:
        smoothing: Time constant [s]; 0: none.
    """

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing
        self.time = 0.0
        self.position = np.zeros(3)
        self.rotation = np.array([0.0, 0.0, 0.0, 1.0])
        self.velocity = np.zeros(3)
        self.turn_rate = np.zeros(3)

    def reset(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Start anew at a pose at rest."""
        self.time, self.position, self.rotation = time, position.copy(), rotation.copy()
        self.velocity, self.turn_rate = np.zeros(3), np.zeros(3)

    def shift(self, position: np.ndarray, rotation: np.ndarray) -> None:
        """Go on from another place with the velocity kept."""
        self.position, self.rotation = position.copy(), rotation.copy()

    def update(self, time: float, position: np.ndarray, rotation: np.ndarray) -> None:
        """Take in a measurement: time [s], position (3,), quaternion xyzw (4,)."""
        dt = time - self.time
        if dt <= 0.0:
            return
        theta = math.exp(-dt / self._smoothing) if self._smoothing > 0.0 else 0.0
        g, h = 1.0 - theta * theta, (1.0 - theta) ** 2
        guess, turned = self.predict(time)
        residual = position - guess
        turn = rotations.log(rotations.multiply(rotation, rotations.inverse(turned)))
        self.position = guess + g * residual
        self.velocity = self.velocity + (h / dt) * residual
        turned = rotations.multiply(rotations.exp(g * turn), turned)
        self.rotation = turned / math.sqrt(float(turned @ turned))
        self.turn_rate = self.turn_rate + (h / dt) * turn
        self.time = time

    def predict(self, time: float) -> tuple[np.ndarray, np.ndarray]:
        """Position (3,) and quaternion xyzw (4,) at `time` [s], at constant velocity and turn rate."""
        dt = time - self.time
        return self.position + dt * self.velocity, rotations.multiply(rotations.exp(dt * self.turn_rate), self.rotation)
