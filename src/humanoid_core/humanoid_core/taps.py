# SPDX-License-Identifier: Apache-2.0
"""Raw subscriptions that one thread, or a control loop, empties in bursts, for nodes that listen to much.

A callback costs about 0.27 ms a message in rclpy's default executor and 0.04 ms with the events executor; taking a
message from a subscription costs 0.006 ms. So these subscriptions belong to a node that no executor knows, keep half
a second of messages each, and are emptied every few milliseconds. When a message arrived is what the middleware
noted, not when it was taken.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from humanoid_core import endpoints
from humanoid_core.endpoints import Endpoint
from humanoid_core.ros import message_type, qos_profile

_CLOCK = struct.Struct("<iI")  # rosgraph_msgs/Clock behind the encapsulation header


class Taken(NamedTuple):
    """One serialized message.

    Attributes:
        received_ns: System time of arrival.
        ros_ns: ROS time of arrival: the same, or with simulated time what `/clock` said last before; 0 before its
            first.
        topic: Full name.
        payload: CDR bytes.
        source_ns: System time of publishing.
        sequence: The publisher's number of it, from 1; 0 where the middleware has none.
    """

    received_ns: int
    ros_ns: int
    topic: str
    payload: bytes
    source_ns: int
    sequence: int


@dataclass(frozen=True)
class _Tap:
    subscription: Subscription
    message: Any


class Taps:
    """Subscriptions of one node, handed over in the order of arrival.

    Args:
        node: Whose namespace, remappings and context apply; its executor never sees the subscriptions.
        handle: Called in the taking thread with the messages of one burst, oldest first, and the ROS time [ns] up to
            which the list is complete.
        period: Between two bursts [s].

    With `use_sim_time` the clock is one more subscription here, so that each message gets the time at which it arrived,
    however busy the node is.
    """

    def __init__(self, node: Node, handle: Callable[[list[Taken], int], None], period: float = 0.005) -> None:
        self.error: BaseException | None = None
        self._node = node
        self._handle = handle
        self._period = period
        self._ears = _ears(node, "taps")
        self._lock = threading.Lock()
        self._taps: dict[str, _Tap] = {}
        self._held: list[Taken] = []
        self._stop = threading.Event()
        self._round = threading.Condition()
        self._rounds = 0
        self._thread: threading.Thread | None = None
        self._clock = ""  # full name of /clock where time is simulated
        self._clock_ns = 0
        if node.get_parameter("use_sim_time").value:
            self._clock = node.resolve_topic_name(endpoints.CLOCK.name)
            self.add(endpoints.CLOCK.name, endpoints.CLOCK.type, qos_profile(endpoints.CLOCK, depth=1000))

    def add(self, topic: str, type_name: str, qos: QoSProfile) -> None:
        """Subscribe to a topic by full name, or by a name relative to the node, remapped as the node's are.

        A subscription that is there already gives way to the new one.
        """
        name = self._node.resolve_topic_name(topic)
        self.remove(name)
        message = message_type(type_name)
        subscription = self._ears.create_subscription(message, name, lambda _: None, qos, raw=True)
        with self._lock:
            self._taps[name] = _Tap(subscription, message)

    def remove(self, topic: str) -> None:
        """Forget a topic."""
        with self._lock:
            tap = self._taps.pop(self._node.resolve_topic_name(topic), None)
            if tap:
                self._ears.destroy_subscription(tap.subscription)

    @property
    def running(self) -> bool:
        """Whether messages are being taken."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to take messages."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"{self._node.get_name()} taps", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop taking messages; what has arrived by now is handed over first."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def destroy(self) -> None:
        """Stop and unsubscribe."""
        self.stop()
        with self._lock:
            self._taps.clear()
            self._ears.destroy_node()

    def settle(self, timeout: float = 1.0) -> bool:
        """Wait until all that arrived before this call has been handed over; False where that took too long."""
        with self._round:
            goal = self._rounds + 2  # the round going on now may have passed a topic already
            return self._round.wait_for(lambda: self._rounds >= goal or self._thread is None, timeout)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(self._period)
            try:
                self._take()
                if stopping:
                    self._take()
            except Exception as error:  # kept for the node, which owns the consequences
                self.error = error
                self._node.get_logger().fatal(f"taps: {error}")
                stopping = True
            with self._round:
                self._rounds += 1
                self._round.notify_all()

    def _take(self) -> None:
        """One burst.

        What arrives while topics are being emptied waits for the next burst, since a topic that was emptied already
        may have got something older in the meantime.
        """
        begin = time.time_ns()
        held, fresh = self._held, []
        with self._lock:
            for name, tap in self._taps.items():
                take, message = tap.subscription.handle.take_message, tap.message
                while (taken := take(message, True)) is not None:
                    payload, info = taken
                    received = info["received_timestamp"] or begin
                    number = info["publication_sequence_number"] or 0
                    fresh.append(Taken(received, received, name, payload, info["source_timestamp"], number))
        self._held = [taken for taken in fresh if taken.received_ns > begin]
        due = held + [taken for taken in fresh if taken.received_ns <= begin]
        due.sort(key=_received)
        if self._clock:
            self._handle(self._on_simulated_time(due), self._clock_ns)
        else:
            self._handle(due, begin)

    def _on_simulated_time(self, due: list[Taken]) -> list[Taken]:
        """The messages but those of the clock, each with the simulated time of its arrival."""
        result = []
        for taken in due:
            if taken.topic == self._clock:
                seconds, nanoseconds = _CLOCK.unpack_from(taken.payload, 4)
                self._clock_ns = seconds * 1_000_000_000 + nanoseconds
            else:
                result.append(taken._replace(ros_ns=self._clock_ns))
        return result


class Inbox:
    """Subscriptions of one node that its control loop empties itself.

    A callback for each message costs a loop at 500 Hz more than the message does.

    Args:
        node: Whose namespace, remappings and context apply; its executor never sees the subscriptions.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ears = _ears(node, "inbox")

    def add(
        self, endpoint: Endpoint, depth: int | None = None, reliable: bool | None = None
    ) -> Callable[[], list[bytes]]:
        """Subscribe; what is returned gives the serialized messages that came since its last call, oldest first.

        Args:
            endpoint: The topic.
            depth: Messages kept; None: the endpoint's.
            reliable: None: the endpoint's.
        """
        kind, qos = message_type(endpoint.type), qos_profile(endpoint, depth, reliable)
        name = self._node.resolve_topic_name(endpoint.name)
        subscription = self._ears.create_subscription(kind, name, lambda _: None, qos, raw=True)

        def take() -> list[bytes]:
            messages: list[bytes] = []
            while len(messages) < qos.depth and (taken := subscription.handle.take_message(kind, True)) is not None:
                messages.append(taken[0])
            return messages

        return take

    def close(self) -> None:
        """Unsubscribe."""
        self._ears.destroy_node()


def _ears(node: Node, name: str) -> Node:
    """A node beside another, to subscribe with, that no executor needs to know."""
    return rclpy.create_node(
        f"{node.get_name()}_{name}",
        namespace=node.get_namespace(),
        context=node.context,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
    )


def _received(taken: Taken) -> int:
    return taken.received_ns
