# SPDX-License-Identifier: Apache-2.0
"""A wheeled base: cmd_vel to where the base and its wheels should be. No physics here, no ROS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from humanoid_core.errors import MessageError
from humanoid_description.config import Drive

_STANDING = 1e-3  # [m/s] under which a wheel keeps its direction


class DriveSetPoints:
    """Where the base should be, in the plane, and how its wheels turn for that.

    Accelerations are those of the configuration, whatever is asked for; without commands for `timeout` the base brakes.

    Args:
        drive: What it may do, and its wheels.
        places: Of each wheel's steering or rolling joint in the base, by joint name (2,) [m].
        timeout: Silence that counts as the end of commands [s].

    Attributes:
        pose: Set-point x, y [m] and heading [rad] in odom (3,).
        twist: Its velocity in the base: x, y [m/s], about z [rad/s] (3,).
    """

    def __init__(self, drive: Drive, places: Mapping[str, np.ndarray], timeout: float) -> None:
        self._drive = drive
        self._places = [np.asarray(places[wheel.rolling]) for wheel in drive.wheels]
        self._timeout_ns = round(timeout * 1e9)
        self._received_ns: int | None = None
        self._wanted = np.zeros(3)
        self._angles = {joint: 0.0 for joint in drive.joints}
        self._rates = {joint: 0.0 for joint in drive.joints}
        self.pose = np.zeros(3)
        self.twist = np.zeros(3)

    def receive(self, now_ns: int, twist: Sequence[float]) -> None:
        """Take a command: x, y [m/s] and about z [rad/s], in the base; cut to what the drive may do.

        Raises:
            MessageError: numbers that are not finite, or sideways where it cannot. Nothing of the command is used.
        """
        wanted = np.asarray(twist, dtype=float)
        if wanted.shape != (3,) or not np.isfinite(wanted).all():
            raise MessageError("cmd_vel", f"{list(twist)}", "3 finite numbers")
        if wanted[1] and not self._drive.sideways:
            raise MessageError("cmd_vel", f"{wanted[1]:.3f} m/s sideways", "0: this base does not move sideways")
        speed = math.hypot(wanted[0], wanted[1])
        wanted[:2] *= min(1.0, self._drive.linear_velocity / max(speed, 1e-9))
        wanted[2] = np.clip(wanted[2], -self._drive.angular_velocity, self._drive.angular_velocity)
        self._wanted, self._received_ns = wanted, now_ns

    def advance(self, now_ns: int, period: float) -> None:
        """Go on for a period [s]."""
        if self._received_ns is None or now_ns - self._received_ns > self._timeout_ns:
            self._wanted = np.zeros(3)
        change = self._wanted - self.twist
        step = math.hypot(change[0], change[1])
        change[:2] *= min(1.0, self._drive.linear_acceleration * period / max(step, 1e-12))
        turn = self._drive.angular_acceleration * period
        change[2] = np.clip(change[2], -turn, turn)
        self.twist = self.twist + change
        middle = self.pose[2] + 0.5 * period * self.twist[2]
        c, s = math.cos(middle), math.sin(middle)
        x, y, rate = self.twist
        self.pose = self.pose + period * np.array((c * x - s * y, s * x + c * y, rate))
        for wheel, place in zip(self._drive.wheels, self._places):
            self._turn_wheel(wheel.rolling, wheel.steering, x - rate * place[1], y + rate * place[0], period)

    def wheels(self) -> tuple[dict[str, float], dict[str, float]]:
        """Set-points of the wheels' joints by name: angles [rad] and rates [rad/s]."""
        return self._angles, self._rates

    def _turn_wheel(self, rolling: str, steering: str, x: float, y: float, period: float) -> None:
        speed = math.hypot(x, y)
        if steering and speed > _STANDING:
            # A wheel rolls either way: it need never turn by more than a quarter.
            away = math.remainder(math.atan2(y, x) - self._angles[steering], 2.0 * math.pi)
            if abs(away) > 0.5 * math.pi:
                away -= math.copysign(math.pi, away)
            self._angles[steering] = math.remainder(self._angles[steering] + away, 2.0 * math.pi)
            speed = x * math.cos(self._angles[steering]) + y * math.sin(self._angles[steering])
        elif not steering:
            speed = x
        self._rates[rolling] = speed / self._drive.wheel_radius
        self._angles[rolling] += period * self._rates[rolling]
