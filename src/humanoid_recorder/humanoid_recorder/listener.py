# SPDX-License-Identifier: Apache-2.0
"""Carries messages from the ROS graph to the recorder: finds topics, subscribes, takes what arrives."""

from __future__ import annotations

import threading
from functools import partial

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints
from humanoid_core.errors import HumanoidError
from humanoid_core.taps import Taken, Taps
from humanoid_interfaces.msg import Annotation, SyncStatus
from humanoid_recorder import messages
from humanoid_recorder.discovery import Discovery
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.settings import Arrival


class Listener:
    """Subscriptions of one recorder.

    Args:
        node: Whose view of the graph, namespace and clock count.
        recorder: Where messages go.
        poll_period: Between two bursts of messages [s].
    """

    def __init__(self, node: Node, recorder: Recorder, poll_period: float) -> None:
        self._node = node
        self._recorder = recorder
        self._discovery = Discovery(node, recorder.selection)
        self._readers = {
            node.resolve_topic_name(endpoints.ANNOTATIONS.name): self._on_annotation,
            node.resolve_topic_name(endpoints.SYNC_STATUS.name): self._on_sync_status,
        }
        self._heard = threading.Condition()
        self._complete_ns = 0
        self._publishers: dict[str, int] = {}
        self._qos: dict[str, QoSProfile] = {}
        self._taps = Taps(node, self._on_taken, poll_period)

    @property
    def running(self) -> bool:
        """Whether messages are being taken."""
        return self._taps.running

    @property
    def error(self) -> BaseException | None:
        """Why messages are not taken any more."""
        return self._taps.error

    def start(self) -> None:
        """Begin to listen."""
        self._taps.start()
        self.discover()

    def stop(self) -> None:
        """Stop listening; what has arrived is handed over first."""
        self._taps.stop()

    def destroy(self) -> None:
        """Stop and unsubscribe."""
        self._taps.destroy()

    def settle(self) -> None:
        """Wait until everything that has arrived by now is with the recorder."""
        if not self._taps.settle():
            self._node.get_logger().warning("the machine is too busy: messages of the last moment may be missing")

    def wait_until(self, ros_ns: int, timeout: float) -> None:
        """Wait until ROS time has come so far and everything up to then is with the recorder, or `timeout` is over."""
        with self._heard:
            self._heard.wait_for(lambda: self._complete_ns >= ros_ns or not self.running, timeout)

    def discover(self) -> None:
        """Look for topics that appeared and publishers that came or went."""
        recorder = self._recorder
        for name, state in recorder.topics.items():
            publishers = self._discovery.publishers(name)
            if publishers != self._publishers[name]:
                self._publishers[name] = publishers
                recorder.update_publishers(name, publishers)
                self._refit(name, self._discovery.fitting_qos(name, state.wanted, state.topic.group))
        for found in self._discovery.look({name: state.topic.type for name, state in recorder.topics.items()}):
            recount = partial(self._discovery.publishers, found.topic.name)
            recorder.add_topic(found.topic, found.wanted, found.publishers, found.latched, recount)
            self._publishers[found.topic.name] = found.publishers
            self._subscribe(found.topic.name, found.qos)
            self._node.get_logger().debug(f"listening to {found.topic.name} [{found.topic.type}]")
        recorder.complaints = list(self._discovery.complaints.values())

    def publisher_ids(self) -> dict[str, list[bytes]]:
        """GIDs of the publishers of each topic that is listened to."""
        return {name: self._discovery.publisher_ids(name) for name in self._recorder.topics}

    def _refit(self, name: str, qos: QoSProfile | None) -> None:
        """Subscribe anew where publishers offer something else than before: what asks for more hears nothing."""
        if qos is not None and qos != self._qos[name]:
            self._subscribe(name, qos)
            self._node.get_logger().warning(f"{name}: its publishers offer another quality of service than before")

    def _subscribe(self, name: str, qos: QoSProfile) -> None:
        state = self._recorder.topics[name]
        state.best_effort = qos.reliability == ReliabilityPolicy.BEST_EFFORT
        self._qos[name] = qos
        self._taps.add(name, state.topic.type, qos)

    def _on_taken(self, burst: list[Taken], complete_ns: int) -> None:
        if burst:
            self._recorder.receive([Arrival(t.topic, t.payload, t.ros_ns, t.source_ns, t.sequence) for t in burst])
        for taken in burst:
            if taken.topic in self._readers:
                self._readers[taken.topic](taken)
        with self._heard:
            self._complete_ns = complete_ns
            self._heard.notify_all()

    def _on_annotation(self, taken: Taken) -> None:
        if self._recorder.recording is not None:
            try:
                self._recorder.annotate(messages.label(deserialize_message(taken.payload, Annotation), taken.ros_ns))
            except HumanoidError as error:
                self._node.get_logger().warning(f"annotation refused: {error}")

    def _on_sync_status(self, taken: Taken) -> None:
        self._recorder.clocks = messages.clocks(deserialize_message(taken.payload, SyncStatus))
