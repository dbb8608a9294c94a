# SPDX-License-Identifier: Apache-2.0
"""The station's sign of life: without it the robot stops."""

from __future__ import annotations

from rclpy.node import Node
from std_msgs.msg import Empty

from humanoid_core import endpoints, ros


class HeartbeatNode(Node):
    """Publishes safety/heartbeat on a steady clock."""

    def __init__(self, **arguments) -> None:
        super().__init__("heartbeat", **arguments)
        rate = ros.required(self, "rate", "Signs of life per second [Hz]", 1.0, 100.0, kind=float)
        heartbeat = ros.publisher(self, endpoints.SAFETY_HEARTBEAT)
        self.create_timer(1.0 / rate, lambda: heartbeat.publish(Empty()), clock=ros.steady_clock())


def main() -> None:
    """Run the node."""
    ros.run(HeartbeatNode)
