# SPDX-License-Identifier: Apache-2.0
"""cmd_vel_targets/<source> in, cmd_vel out, where the robot has a drive; linear.z moves its lift."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.node import Node

from humanoid_core import convert, endpoints, ros
from humanoid_description.config import Drive
from humanoid_safety.drive_gate import DriveGate
from humanoid_safety.lift_gate import LiftGate


class BaseShell:
    """Carries base velocities between topics and `DriveGate`.

    Args:
        node: The safety node.
        drive: The base's limits.
        sources: Names of the sources.
        rate: Commands per second [Hz].
        deadline: Silence of the commanding source after which the base comes to rest [s].
        oldest: Targets that are older on arrival are refused [s].
        following: Gives the source that is let through and the robot's steady time [s], from a steady time [s].
        lift: The robot's lift.
    """

    def __init__(
        self,
        node: Node,
        drive: Drive,
        sources: Sequence[str],
        rate: float,
        deadline: float,
        oldest: float,
        following: Callable[[float], tuple[str, float]],
        lift: LiftGate | None,
    ) -> None:
        self._node = node
        self._lift = lift
        self._following = following
        self._frame = "base_link"
        self.gate = DriveGate(drive, rate, deadline, oldest)
        self._out = ros.publisher(node, endpoints.CMD_VEL)
        for source in sources:
            ros.subscribe(node, endpoints.CMD_VEL_TARGETS.at(source=source), partial(self._on_target, source))
        node.create_timer(1.0 / rate, self._on_timer, clock=ros.steady_clock())

    def _on_target(self, source: str, message: TwistStamped) -> None:
        now = self._node.get_clock().now().nanoseconds
        age = (now - convert.stamp_ns(message.header.stamp)) * 1e-9
        linear, angular = message.twist.linear, message.twist.angular
        wanted, now_steady = np.array([linear.x, linear.y, angular.z]), self._following(time.monotonic())[1]
        refusal = self.gate.target(source, wanted, age, now_steady)
        if not refusal and self._lift is not None and math.isfinite(linear.z):
            self._lift.target(source, linear.z, now_steady)
        if refusal:
            self._node.get_logger().warning(f"{source}: base velocity: {refusal}", throttle_duration_sec=1.0)

    def _on_timer(self) -> None:
        message = TwistStamped()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._frame
        x, y, turn = self.gate.step(*self._following(time.monotonic()))
        message.twist.linear.x, message.twist.linear.y, message.twist.angular.z = float(x), float(y), float(turn)
        self._out.publish(message)
