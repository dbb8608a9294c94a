# SPDX-License-Identifier: Apache-2.0
"""Source of targets: a policy's action chunks, policy/actions to joint_targets/policy."""

from __future__ import annotations

from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import MessageError
from humanoid_teleop.devices.action_chunks import ActionStream, chunk


class PolicyNode(Node):
    """Streams what a policy wants to do at a steady rate."""

    def __init__(self) -> None:
        super().__init__("policy")
        # Parameters
        rate = ros.required(self, "rate", "Targets per second [Hz]", 1.0, 1000.0, kind=float)
        blend = ros.required(self, "blend", "A new chunk is faded in over [s]", 0.0, 5.0, kind=float)
        patience = ros.required(self, "patience", "The last point is held for [s]", 0.0, 5.0, kind=float)
        # State
        self._stream = ActionStream(blend, patience)
        self._refused = self._chunks = 0
        # Outputs before inputs
        self._targets = ros.publisher(self, endpoints.JOINT_TARGETS.at(source="policy"))
        self._diagnostics = ros.Diagnostics(self)
        ros.subscribe(self, endpoints.POLICY_ACTIONS, self._on_actions)
        self.create_timer(1.0 / rate, self._on_timer)

    def _on_actions(self, message: JointTrajectory) -> None:
        now = self.get_clock().now().nanoseconds
        begin = convert.stamp_ns(message.header.stamp) or now
        times = [begin + point.time_from_start.sec * 10**9 + point.time_from_start.nanosec for point in message.points]
        try:
            self._stream.add(chunk(message.joint_names, times, [point.positions for point in message.points]), now)
            self._chunks += 1
        except MessageError as error:
            self._refused += 1
            self.get_logger().warning(str(error), throttle_duration_sec=1.0)

    def _on_timer(self) -> None:
        now = self.get_clock().now().nanoseconds
        wanted = self._stream.at(now)
        counts = {"chunks": self._chunks, "refused": self._refused}
        if wanted is None:
            self._diagnostics.update(ros.Diagnostics.OK, "nothing to do", **counts)
            return
        names, positions = wanted
        self._targets.publish(convert.joint_state(convert.to_stamp(now), names, positions))
        self._diagnostics.update(ros.Diagnostics.OK, "acting", **counts)


def main() -> None:
    """Run the node."""
    ros.run(PolicyNode)
