# SPDX-License-Identifier: Apache-2.0
"""What the limiter says about itself: safety/status, markers, diagnostics."""

from __future__ import annotations

import time

from rclpy.node import Node

from humanoid_core import endpoints, ros
from humanoid_description import Robot
from humanoid_safety.balance import BalanceWatch
from humanoid_safety.gate import SafetyGate
from humanoid_safety.joint_state_reader import Joints
from humanoid_safety.markers import safety_markers
from humanoid_safety.robot_limits import has_legs, self_distance
from humanoid_safety.states import State
from humanoid_safety.status_messages import safety_status

_LEVELS = {State.HOLD: ros.Diagnostics.OK, State.ACTIVE: ros.Diagnostics.OK, State.SOFT_STOP: ros.Diagnostics.WARN}

_ROUNDS = 10  # every how many reports the balance is looked at where it is only shown, and nobody looks


class Reports:
    """Looks at the gate and the robot, and tells.

    Args:
        node: The safety node.
        robot: Its robot.
        gate: Its core.
    """

    def __init__(self, node: Node, robot: Robot, gate: SafetyGate) -> None:
        self._node, self._gate = node, gate
        self._frame = robot.config.base_frame
        self._distance, self._balance = self_distance(robot), BalanceWatch(robot)
        self._least_balance = ros.required(
            node, "balance_margin", "Of the centre of mass inside the support polygon [m]", 0.0, 0.2, kind=float
        )
        self._balances = has_legs(robot)
        self._state: State | None = None
        self._round, self._margin = -1, float("nan")
        self._status = ros.publisher(node, endpoints.SAFETY_STATUS)
        self._markers = ros.publisher(node, endpoints.SAFETY_MARKERS)
        self._diagnostics = ros.Diagnostics(node, robot.config.name)

    def publish(self, seen: Joints) -> State:
        """Publish all of it, with the joints as measured last; the state that was told."""
        report = self._gate.report(time.monotonic())
        state, causes = report.state, "; ".join(report.causes)
        if state is not self._state:
            self._node.get_logger().info(f"{state.name}: {causes}")
            self._state = state
        near = self._distance.nearest(self._gate.pose(), seen.names, seen.position.tolist())
        stamp = self._node.get_clock().now().to_msg()
        self._status.publish(safety_status(stamp, report, self._gate.limits.names, near))
        self._round = (self._round + 1) % _ROUNDS
        if self._balances or self._round == 0 or self._markers.get_subscription_count():
            balance = self._balance.look(seen.names, seen.position.tolist())
            if self._balances and balance.margin < self._least_balance:
                self._gate.lean(balance.margin)
            self._markers.publish(safety_markers(stamp, self._frame, near, balance))
            self._margin = round(balance.margin, 3)
        figures = {"closest [m]": round(near.distance, 4), "balance margin [m]": self._margin}
        level = _LEVELS.get(state, ros.Diagnostics.ERROR)
        self._diagnostics.update(level, f"{state.name}: {causes}", **figures, **self._gate.refused())
        return state
