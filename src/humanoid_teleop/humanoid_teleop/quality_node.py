# SPDX-License-Identifier: Apache-2.0
"""A terminal that shows how well the robot follows and why it does not: teleop/status and safety/status."""

from __future__ import annotations

import math
import shutil
import sys

from rclpy.node import Node

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import SafetyStatus, TeleopStatus
from humanoid_teleop.quality_view import View, lines

_TAKEN = 1e-3  # [rad or m] by the limiter, from which on it is shown
_REASONS = {
    getattr(SafetyStatus, name): name.lower()
    for name in ("POSITION", "VELOCITY", "ACCELERATION", "JERK", "COLLISION", "TORQUE", "WORKSPACE", "STALE", "INVALID")
}
_TELEOP = {getattr(TeleopStatus, name): name for name in ("WAITING", "CALIBRATING", "READY", "ENGAGED", "HOLDING")}
_SAFETY = {getattr(SafetyStatus, name): name for name in ("HOLD", "ACTIVE", "SOFT_STOP", "E_STOP")}


class QualityNode(Node):
    """Draws the screen anew, or one screen after another where the output is no terminal."""

    def __init__(self) -> None:
        super().__init__("quality")
        rate = ros.optional(self, "rate", 5.0, "Screens per second [Hz]", 0.1, 30.0)
        self._view = View()
        self._counted: tuple[int, int] | None = None  # stamp [ns] and frames of the status before
        self._drawn = 0
        ros.subscribe(self, endpoints.TELEOP_STATUS, self._on_teleop)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        self.create_timer(1.0 / rate, self._draw, clock=ros.steady_clock())

    def _on_teleop(self, status: TeleopStatus) -> None:
        view, stamp = self._view, convert.stamp_ns(status.header.stamp)
        if self._counted is None:
            self._counted = stamp, status.frames
        elif stamp - self._counted[0] > 900_000_000 or stamp < self._counted[0]:
            view.frame_rate = (status.frames - self._counted[1]) * 1e9 / max(stamp - self._counted[0], 1)
            self._counted = stamp, status.frames
        view.state, view.message, view.source = _TELEOP[status.state], status.message, status.source
        view.lost, view.rejected = status.frames_lost, status.frames_rejected
        view.age, view.solve_time = status.frame_age, status.solve_time
        view.errors = {error.name: (error.position, error.orientation) for error in status.errors}
        view.at_limit = list(status.joints_at_limit)
        view.nearest = status.closest_distance, status.closest_link_a, status.closest_link_b

    def _on_safety(self, status: SafetyStatus) -> None:
        self._view.limiter, self._view.limiter_reasons = _SAFETY[status.state], list(status.reasons)
        self._view.taken = {
            joint: (amount, [name for bit, name in _REASONS.items() if bits & bit])
            for joint, bits, amount in zip(status.joint_names, status.joint_reasons, status.interference)
            if bits and (amount > _TAKEN or math.isnan(amount))
        }

    def _draw(self) -> None:
        told = lines(self._view, shutil.get_terminal_size((120, 40)).columns - 1)
        if sys.stdout.isatty():
            back = f"\x1b[{self._drawn}A" if self._drawn else ""
            print(back + "\n".join(f"{line}\x1b[K" for line in told) + "\n\x1b[J", end="", flush=True)
            self._drawn = len(told)
        else:
            print("\n".join(told) + "\n", flush=True)


def main() -> None:
    """Run the node."""
    ros.run(QualityNode)
