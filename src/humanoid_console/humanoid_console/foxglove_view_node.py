# SPDX-License-Identifier: Apache-2.0
"""Node `foxglove_view`: the robot's topics for the Foxglove app, subscribed to only while somebody looks."""

from __future__ import annotations

import threading

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from humanoid_console.names import compile_patterns, shown_names
from humanoid_console.view_server import Offer, ViewServer
from humanoid_core import ros
from humanoid_core.definitions import DefinitionError, full_text

# Depth of latched subscriptions: several publishers, each with what it keeps, answer at once (tf_static).
LATCHED = 100


class FoxgloveViewNode(Node):
    """Foxglove WebSocket server of one robot."""

    def __init__(self) -> None:
        super().__init__("foxglove_view")
        # Parameters
        host = ros.required(self, "host", "Address to listen on; 0.0.0.0 lets other computers in", kind=str)
        port = ros.required(self, "port", "Port to listen on; 0 takes a free one", 0, 65535, kind=int)
        include = ros.required(self, "include", "Regular expressions of topics shown", kind=list)
        exclude = ros.required(self, "exclude", "Regular expressions of topics hidden", kind=list)
        self._depth = ros.required(self, "depth", "Messages kept per subscription", 1, 1000, kind=int)
        backlog = ros.required(self, "backlog", "Messages kept for a slow client", 1, 100000, kind=int)
        period = ros.required(self, "discovery_period", "Between looks at the topics [s]", 0.05, 60.0, kind=float)
        self._simulated = self.get_parameter("use_sim_time").value
        # State
        self._include = compile_patterns(include, "include")
        self._exclude = compile_patterns(exclude, "exclude")
        self._shown: dict[str, str] = {}
        self._taken: dict[str, Subscription] = {}
        self._refused: set[str] = set()
        self._clients_changed = threading.Event()  # set in threads of the server
        # Outputs
        title = self.get_namespace().strip("/") or "robot"
        self._server = ViewServer(title, host, port, backlog, self._clients_changed.set, with_time=self._simulated)
        self._diagnostics = ros.Diagnostics(self, title)
        self.get_logger().info(f"Foxglove: connect to ws://{host}:{self._server.port}")
        # Inputs
        self._discovery = self.create_timer(period, self._discover, clock=ros.steady_clock())
        self._ticks = self.create_timer(0.05, self._tick, clock=ros.steady_clock())
        self._discover()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def destroy_node(self) -> None:
        """Close the connections, then the node."""
        self._server.stop()
        super().destroy_node()

    def _discover(self) -> None:
        types = {name: kinds[0] for name, kinds in self.get_topic_names_and_types() if kinds}
        shown = shown_names(types, self.get_namespace(), self._include, self._exclude)
        # What somebody looks at stays on offer even while its publisher is gone: it may come back.
        for name in self._server.topics - set(shown) - set(self._taken):
            self._server.withdraw(name)
        kept = {name: topic for name, topic in self._shown.items() if name in self._taken}
        self._shown = {**kept, **shown}
        for name, topic in shown.items():
            if name not in self._taken:
                self._offer(name, topic, types[topic])
        self._follow_clients()
        watched = self._server.watched
        self._diagnostics.update(
            self._diagnostics.OK,
            f"{self._server.clients} clients, {len(watched)} of {len(shown)} topics watched",
            port=self._server.port,
        )

    def _offer(self, name: str, topic: str, kind: str) -> None:
        try:
            ros.message_type(kind)
            definition = full_text(kind)
        except (ImportError, AttributeError, DefinitionError) as error:
            if name not in self._refused:
                self.get_logger().warning(f"{topic} is not shown: {error}")
                self._refused.add(name)
            return
        self._server.offer(Offer(name, kind, definition, self._is_latched(topic)))

    def _follow_clients(self) -> None:
        """Subscribe to what is looked at, and to nothing else."""
        late, watched = self._server.take_late(), self._server.watched
        # Subscribing anew brings what the publishers keep; earlier clients of the topic get it a second time.
        for name in set(self._taken) - watched | set(self._taken) & late:
            self.destroy_subscription(self._taken.pop(name))
        for name in watched - set(self._taken):
            if name in self._shown:
                self._taken[name] = self._subscribe(name, self._shown[name])

    def _subscribe(self, name: str, topic: str) -> Subscription:
        """Subscribe as the publishers offer: reliable only if all are, latched only if all are."""
        kind = next(kinds[0] for known, kinds in self.get_topic_names_and_types() if known == topic)
        publishers = self.get_publishers_info_by_topic(topic)
        reliable = all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in publishers)
        latched = self._is_latched(topic)
        profile = QoSProfile(
            depth=max(self._depth, LATCHED) if latched else self._depth,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )

        def forward(message: bytes) -> None:
            self._server.send(name, message, self.get_clock().now().nanoseconds)

        return self.create_subscription(ros.message_type(kind), topic, forward, profile, raw=True)

    def _is_latched(self, topic: str) -> bool:
        publishers = self.get_publishers_info_by_topic(topic)
        durabilities = [info.qos_profile.durability for info in publishers]
        return bool(durabilities) and all(kind == DurabilityPolicy.TRANSIENT_LOCAL for kind in durabilities)

    def _tick(self) -> None:
        if self._clients_changed.is_set():
            self._clients_changed.clear()
            self._follow_clients()
        if self._simulated:
            self._server.tell_time(self.get_clock().now().nanoseconds)


def main() -> None:
    """Run the node."""
    ros.run(FoxgloveViewNode)


if __name__ == "__main__":
    main()
