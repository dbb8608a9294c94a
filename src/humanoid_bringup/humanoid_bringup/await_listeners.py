# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_bringup await_listeners`: ends once the named nodes listen to a topic.

What is played before a node listens is lost on it, and how long a node takes to start differs a hundredfold between a
first start, which compiles, and the next.
"""

from __future__ import annotations

import argparse
import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from humanoid_core import ros

_TELL = 5.0  # [s] between two lines about who is still awaited


class AwaitListenersNode(Node):
    """Shuts its context down when everybody listens, or when the time is up.

    Attributes:
        missing: Nodes that do not listen yet.
    """

    def __init__(self, topic: str, nodes: list[str], limit: float) -> None:
        super().__init__("await_listeners")
        self.missing = list(nodes)
        self._topic, self._begin, self._limit, self._told = self.resolve_topic_name(topic), time.monotonic(), limit, 0.0
        self.create_timer(0.1, self._look, clock=ros.steady_clock())

    def _look(self) -> None:
        # A node that empties its subscriptions itself has them in a second node, <name>_inbox.
        heard = {info.node_name.removesuffix("_inbox") for info in self.get_subscriptions_info_by_topic(self._topic)}
        self.missing = [name for name in self.missing if name not in heard]
        waited = time.monotonic() - self._begin
        if not self.missing or waited > self._limit:
            rclpy.try_shutdown(context=self.context)
        elif waited - self._told > _TELL:
            self._told = waited
            self.get_logger().info(f"{', '.join(self.missing)} not on {self._topic} yet")


def main() -> None:
    """Wait; exit code 1 where somebody did not come in time."""
    parser = argparse.ArgumentParser(prog="await_listeners", description="Ends once the nodes listen to the topic.")
    parser.add_argument("topic")
    parser.add_argument("nodes", nargs="+", help="names without namespace")
    parser.add_argument("--limit", type=float, default=120.0, help="how long to wait at most [s]")
    options = parser.parse_args(remove_ros_args(sys.argv)[1:])
    made: list[AwaitListenersNode] = []

    def make() -> AwaitListenersNode:
        made.append(AwaitListenersNode(options.topic, options.nodes, options.limit))
        return made[0]

    ros.run(make)
    if made[0].missing:
        sys.exit(f"{', '.join(made[0].missing)}: found no subscription to {options.topic} in {options.limit:g} s")
