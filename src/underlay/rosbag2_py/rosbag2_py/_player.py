# SPDX-License-Identifier: Apache-2.0
"""Plays bags: publishes the recorded bytes in their recorded rhythm."""

import threading
import time
import weakref
from collections.abc import Callable

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from rosbag2_py._options import PlayOptions, message_class, new_context
from rosbag2_py._qos import offer_for
from rosbag2_py._reader import SequentialReader, reader_of
from rosbag2_py._signals import deferred
from rosbag2_py._storage import ConverterOptions, StorageFilter, StorageOptions


def _publishers(node: Node, reader: SequentialReader) -> dict[str, Publisher]:
    """A publisher for each topic that is played and whose type is known."""
    made = {}
    for topic in filter(lambda one: reader.passes(one.name), reader.get_all_topics_and_types()):
        profile = offer_for(topic.name, topic.offered_qos_profiles)
        try:
            made[topic.name] = node.create_publisher(message_class(topic.type), topic.name, profile)
        except LookupError as reason:
            node.get_logger().warning(f"Ignoring a topic '{topic.name}', reason: {reason}.")
    return made


def _clock(node: Node, options: PlayOptions) -> Callable[[int], None]:
    """Publishes bag times [ns] on /clock, if that was asked for."""
    if options.clock_publish_frequency <= 0:
        return lambda stamp: None
    made = node.create_publisher(Clock, "/clock", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    return lambda stamp: made.publish(Clock(clock=Time(nanoseconds=stamp).to_msg()))


class Player:
    """Plays a bag until its end, or until it is cancelled or interrupted."""

    _cancelled = threading.Event()

    def __init__(self, log_level: str = "info") -> None:
        self._context = new_context(log_level)
        weakref.finalize(self, self._context.try_shutdown)

    @staticmethod
    def cancel() -> None:
        """Make `play` return, from any thread."""
        Player._cancelled.set()

    def play(self, storage_options: StorageOptions, play_options: PlayOptions) -> None:
        """Play a bag; returns when it is over.

        Raises:
            RuntimeError: there is no such bag, or a rate that is not positive.
        """
        options = play_options
        if options.rate <= 0:
            raise RuntimeError(f"Invalid playback rate {options.rate}: it must be positive")
        Player._cancelled.clear()
        reader = reader_of(storage_options.uri)
        reader.open(storage_options, ConverterOptions())
        reader.set_filter(
            StorageFilter(
                topics=options.topics_to_filter,
                regex=options.regex_to_filter,
                exclude_topics=options.exclude_topics_to_filter,
                regex_to_exclude=options.exclude_regex_to_filter,
            )
        )
        with deferred(self.cancel):
            node = Node("rosbag2_player", context=self._context, cli_args=options.topic_remapping_options or None)
            node.get_logger().info(f"Set rate to {options.rate:g}")
            try:
                publishers, clock = _publishers(node, reader), _clock(node, options)
                Player._cancelled.wait(options.delay)
                while self._once(reader, options, publishers, clock) and options.loop:
                    pass
            finally:
                node.destroy_node()

    @staticmethod
    def _once(
        reader: SequentialReader, options: PlayOptions, publishers: dict[str, Publisher], clock: Callable[[int], None]
    ) -> bool:
        """Play from start to end. False if cancelled."""
        metadata = reader.get_metadata()
        start = metadata.starting_time.nanoseconds + int(options.start_offset * 1e9)
        reader.seek(start)
        begun, rate, frequency = time.monotonic_ns(), options.rate, options.clock_publish_frequency
        tick = start if frequency > 0 else 2**63  # bag time of the next clock message [ns]
        while reader.has_next():
            topic, message, stamp = reader.read_next()
            while (now := start + int((time.monotonic_ns() - begun) * rate)) < stamp or now >= tick:
                if now >= tick:
                    clock(now)
                    tick = now + int(rate * 1e9 / frequency)
                if Player._cancelled.wait(max(min(stamp, tick) - now, 0) / rate / 1e9):
                    return False
            if topic in publishers:
                publishers[topic].publish(message)
        return not Player._cancelled.is_set()
