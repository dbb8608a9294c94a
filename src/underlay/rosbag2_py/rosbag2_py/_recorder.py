# SPDX-License-Identifier: Apache-2.0
"""Records topics as they come, without decoding a message."""

import time
import weakref
from collections.abc import Callable
from typing import Any

from rclpy.expand_topic_name import expand_topic_name
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

from rosbag2_py._options import RecordOptions, message_class, new_context
from rosbag2_py._qos import QoS, request_for
from rosbag2_py._signals import deferred
from rosbag2_py._storage import ConverterOptions, StorageOptions, TopicMetadata
from rosbag2_py._writer import SequentialWriter

BATCH = 0.001  # messages that come this close together cost one wait [s]


def _take_all(node: Node, timeout: float) -> None:
    """Wait for messages [s] and hand all that have come to the callbacks of the node's subscriptions.

    This takes the place of an executor: rclpy's events executor cannot call callbacks that want a message's times,
    and its default one costs several times more for each message.
    """
    subscriptions = list(node.subscriptions)
    if not subscriptions:  # a wait set must not be empty
        time.sleep(timeout)
        return
    wait_set = rclpy_implementation.WaitSet(len(subscriptions), 0, 0, 0, 0, 0, node.context.handle)
    wait_set.clear_entities()
    for subscription in subscriptions:
        wait_set.add_subscription(subscription.handle)
    wait_set.wait(int(timeout * 1e9))
    time.sleep(BATCH)
    for subscription in subscriptions:
        take, kind, raw = subscription.handle.take_message, subscription.msg_type, subscription.raw
        while (taken := take(kind, raw)) is not None:
            if raw:
                subscription.callback(*taken)
            else:  # /clock
                subscription.callback(taken[0])


class _Recording:
    """One bag and the subscriptions that fill it."""

    def __init__(self, node: Node, writer: SequentialWriter, options: RecordOptions) -> None:
        self._node = node
        self._writer = writer
        self._options = options
        self._subscriptions: dict[str, Subscription] = {}
        self._given_up: set[str] = set()
        for names in (options.topics, options.exclude_topics):
            names[:] = [expand_topic_name(name, node.get_name(), node.get_namespace()) for name in names]

    def discover(self) -> bool:
        """Subscribe to what is new. Returns whether all topics that were asked for by name are there."""
        for topic, types in self._node.get_topic_names_and_types():
            if topic not in self._subscriptions and len(types) == 1 and self._options.takes(topic):
                self._add(topic, types[0])
        return bool(self._options.topics) and len(self._subscriptions) == len(self._options.topics)

    def _add(self, topic: str, topic_type: str) -> None:
        try:
            kind = message_class(topic_type)
        except LookupError as reason:
            if topic not in self._given_up:
                self._given_up.add(topic)
                self._node.get_logger().warning(f"Topic '{topic}' is not recorded: {reason}")
            return
        offers = self._node.get_publishers_info_by_topic(topic)
        if not offers:
            return
        hashes = {str(offer.topic_type_hash) for offer in offers if offer.topic_type_hash.version > 0}
        self._writer.create_topic(
            TopicMetadata(
                id=0,
                name=topic,
                type=topic_type,
                serialization_format=self._options.rmw_serialization_format,
                offered_qos_profiles=[QoS(offer.qos_profile) for offer in offers],
                type_description_hash=hashes.pop() if len(hashes) == 1 else "",
            )
        )
        profile = request_for(topic, [offer.qos_profile for offer in offers])
        self._subscriptions[topic] = self._node.create_subscription(
            kind, topic, self._callback(topic), profile, raw=True
        )
        self._node.get_logger().info(f"Subscribed to topic '{topic}'")

    def _callback(self, topic: str) -> Callable[..., None]:
        write, clock = self._writer.write, self._node.get_clock()

        def by_middleware(message: bytes, info: dict[str, Any]) -> None:
            write(topic, message, info["received_timestamp"], info["source_timestamp"])

        def by_simulation(message: bytes, info: dict[str, Any]) -> None:
            write(topic, message, clock.now().nanoseconds, info["source_timestamp"])

        return by_simulation if self._options.use_sim_time else by_middleware

    def stop(self) -> None:
        """Close the bag."""
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._writer.close()


class Recorder:
    """Records until it is cancelled or interrupted."""

    _exit = False

    def __init__(self, log_level: str = "info") -> None:
        self._context = new_context(log_level)
        weakref.finalize(self, self._context.try_shutdown)

    @staticmethod
    def cancel() -> None:
        """Make `record` return, from any thread."""
        Recorder._exit = True

    def record(
        self, storage_options: StorageOptions, record_options: RecordOptions, node_name: str = "rosbag2_recorder"
    ) -> None:
        """Record a bag; returns when it is closed.

        Raises:
            RuntimeError: the bag exists or the options make no sense.
            NotImplementedError: options that the writer lacks.
        """
        Recorder._exit = False
        with deferred(self.cancel):
            node = Node(
                node_name,
                context=self._context,
                start_parameter_services=False,
                parameter_overrides=[Parameter("use_sim_time", value=record_options.use_sim_time)],
            )
            writer = SequentialWriter()
            recording = _Recording(node, writer, record_options)
            writer.open(storage_options, ConverterOptions("cdr", record_options.rmw_serialization_format))
            try:
                self._spin(node, recording, record_options)
            finally:
                recording.stop()
                node.get_logger().info("Recording stopped")
                node.destroy_node()

    def _spin(self, node: Node, recording: _Recording, options: RecordOptions) -> None:
        period = options.topic_polling_interval.total_seconds()
        node.get_logger().info("Listening for topics...")
        searching, next_search = True, 0.0
        while not Recorder._exit and self._context.ok():
            if searching and time.monotonic() >= next_search:
                next_search = time.monotonic() + period
                if not options.use_sim_time or node.get_clock().now().nanoseconds:
                    complete = recording.discover()
                    if complete:
                        node.get_logger().info("All requested topics are subscribed. Stopping discovery...")
                    searching = not complete
            _take_all(node, min(period, 0.1))
