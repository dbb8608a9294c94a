# SPDX-License-Identifier: Apache-2.0
"""Base velocity through the same gate: one source, speed, acceleration and jerk limits, a stop where nothing comes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from humanoid_description.config import Drive
from humanoid_safety.limiter import Limiter
from humanoid_safety.limits import JointLimits

_AXES = ("x", "y", "turn")
_FREE = 1e6  # times the jerk limit: what the kernel calls jerk is the change of jerk here, which nothing limits


class DriveGate:
    """Velocities of the base, limited.

    A velocity, its acceleration and its jerk are to the limiter what a position, its velocity and its acceleration are:
    the same kernel keeps them, with the same room to brake.

    Args:
        drive: The base's limits.
        rate: Commands per second [Hz].
        deadline: Silence of the commanding source after which the base comes to rest [s].
        oldest: Commands that are older on arrival are refused [s].
    """

    def __init__(self, drive: Drive, rate: float, deadline: float, oldest: float) -> None:
        linear = (drive.linear_velocity, drive.linear_acceleration, drive.linear_jerk)
        angular = (drive.angular_velocity, drive.angular_acceleration, drive.angular_jerk)
        highest, acceleration, jerk = np.array([linear, linear if drive.sideways else (0.0, *linear[1:]), angular]).T
        limits = JointLimits(
            _AXES, -highest, highest, acceleration, jerk, _FREE * jerk, np.full(3, np.finfo(float).max)
        )
        self._limiter = Limiter(limits, 1.0 / rate, catch_up=1.0)
        self._limiter.begin(np.ones(3, dtype=bool))
        self._fastest = drive.linear_velocity
        self._deadline, self._oldest = deadline, oldest
        self._wanted: dict[str, tuple[float, np.ndarray]] = {}  # source -> when it came, what it wants
        self.refused: Counter[str] = Counter()

    def target(self, source: str, twist: np.ndarray, age: float, now: float) -> str:
        """Take a wanted velocity.

        Args:
            source: Who sent it.
            twist: x, y [m/s] and about z [rad/s], (3,).
            age: Of its stamp on arrival [s].
            now: Robot's steady time [s].

        Returns:
            "" if it was taken, otherwise why it was refused.
        """
        refusal = ""
        if not np.isfinite(twist).all():
            refusal = "not a finite number"
        elif not -self._oldest <= age <= self._oldest:
            refusal = f"stamp {age:.3f} s old"
        if refusal:
            self.refused[f"{source}: base velocity, {refusal.split(' ')[0]}"] += 1
            return refusal
        speed = float(np.hypot(twist[0], twist[1]))
        scale = min(1.0, self._fastest / max(speed, 1e-9))
        self._wanted[source] = now, np.array([scale * twist[0], scale * twist[1], twist[2]])
        return ""

    def step(self, active: str, now: float) -> np.ndarray:
        """The velocity to send: towards what the commanding source wants, or towards rest.

        Args:
            active: Source that is let through; empty: none.
            now: Robot's steady time [s].

        Returns:
            x, y [m/s] and about z [rad/s], (3,).
        """
        came, wanted = self._wanted.get(active, (-np.inf, np.zeros(3)))
        return self._limiter.follow(wanted if now - came <= self._deadline else np.zeros(3))
