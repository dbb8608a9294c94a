# SPDX-License-Identifier: Apache-2.0
"""Plays bags: publishes the recorded bytes in their recorded rhythm."""

import threading
import time
import weakref
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from rosbag2_py._options import PlayOptions, message_class, new_context
from rosbag2_py._qos import offer_for
from rosbag2_py._reader import SequentialReader
from rosbag2_py._signals import deferred
from rosbag2_py._storage import ConverterOptions, StorageFilter, StorageOptions


class _Playing:
    """One bag on its way out."""

    def __init__(self, node: Node, reader: SequentialReader, options: PlayOptions, cancelled: threading.Event) -> None:
        self._node = node
        self._reader = reader
        self._options = options
        self._cancelled = cancelled
        metadata = reader.get_metadata()
        self._start = metadata.starting_time.nanoseconds + int(options.start_offset * 1e9)
        self._end = metadata.starting_time.nanoseconds + metadata.duration.nanoseconds
        if options.playback_duration >= 0:
            self._end = min(self._end, self._start + int(options.playback_duration * 1e9))
        if options.playback_until_timestamp >= 0:
            self._end = min(self._end, options.playback_until_timestamp)
        self._publishers: dict[str, Publisher] = {}
        self._reader.set_filter(
            StorageFilter(
                topics=options.topics_to_filter,
                services_events=options.services_to_filter,
                regex=options.regex_to_filter,
                exclude_topics=options.exclude_topics_to_filter,
                exclude_service_events=options.exclude_service_events_to_filter,
                regex_to_exclude=options.exclude_regex_to_filter,
            )
        )
        for topic in reader.get_all_topics_and_types():
            profile = options.topic_qos_profile_overrides.get(topic.name)
            try:
                kind = message_class(topic.type)
            except LookupError as reason:
                node.get_logger().warning(f"Ignoring a topic '{topic.name}', reason: {reason}.")
                continue
            self._publishers[topic.name] = node.create_publisher(
                kind, topic.name, offer_for(topic.name, topic.offered_qos_profiles) if profile is None else profile
            )
        self._clock: Publisher | None = None
        if options.clock_publish_frequency > 0 or options.clock_publish_on_topic_publish:
            self._clock = node.create_publisher(
                Clock, "/clock", QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            )
        self._next_tick: int | None = None  # bag time of the next clock message [ns]

    def _publish_clock(self, stamp: int) -> None:
        if self._clock is not None:
            self._clock.publish(Clock(clock=Time(nanoseconds=stamp).to_msg()))

    def _wait_until(self, stamp: int, begun: int) -> bool:
        """Sleep until a bag time [ns], ticking the clock meanwhile. False if cancelled."""
        rate, frequency = self._options.rate, self._options.clock_publish_frequency
        while True:
            bag_now = self._start + int((time.monotonic_ns() - begun) * rate)
            if self._next_tick is not None and bag_now >= self._next_tick:
                self._publish_clock(bag_now)
                self._next_tick = bag_now + int(rate * 1e9 / frequency)
            until = stamp if self._next_tick is None else min(stamp, self._next_tick)
            if bag_now >= stamp:
                return not self._cancelled.is_set()
            if self._cancelled.wait(max(until - bag_now, 0) / rate / 1e9):
                return False

    def once(self) -> bool:
        """Play from start to end. False if cancelled."""
        options = self._options
        self._reader.seek(self._start)
        begun = time.monotonic_ns()
        self._next_tick = self._start if options.clock_publish_frequency > 0 else None
        while self._reader.has_next():
            topic, message, stamp = self._reader.read_next()
            if stamp > self._end:
                break
            if not self._wait_until(stamp, begun):
                return False
            publisher = self._publishers.get(topic)
            if publisher is None:
                continue
            if options.clock_publish_on_topic_publish and (not options.clock_topics or topic in options.clock_topics):
                self._publish_clock(stamp)
            publisher.publish(message)
        return not self._cancelled.is_set()

    def finish(self) -> None:
        """Wait until reliable subscribers have everything, if that was asked for."""
        timeout = self._options.wait_acked_timeout  # [ms]; 0 waits for ever
        if timeout >= 0:
            wait = Duration(seconds=-1) if timeout == 0 else Duration(nanoseconds=timeout * 1_000_000)
            for publisher in self._publishers.values():
                publisher.wait_for_all_acked(wait)


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

    def burst(self, storage_options: StorageOptions, play_options: PlayOptions, num_messages: int) -> None:
        """Left out."""
        raise NotImplementedError("rosbag2_transport: burst")

    def play(self, storage_options: StorageOptions, play_options: PlayOptions) -> None:
        """Play a bag; returns when it is over.

        Raises:
            RuntimeError: there is no such bag, or a rate that is not positive.
            NotImplementedError: service requests.
        """
        Player._cancelled.clear()
        if play_options.publish_service_requests:
            raise NotImplementedError("rosbag2_transport: publish_service_requests")
        if play_options.rate <= 0:
            raise RuntimeError(f"Invalid playback rate {play_options.rate}: it must be positive")
        with deferred(self.cancel):
            reader = SequentialReader()
            reader.open(storage_options, ConverterOptions())
            arguments: dict[str, Any] = {"cli_args": play_options.topic_remapping_options or None}
            node = Node("rosbag2_player", context=self._context, **arguments)
            try:
                self._run(node, _Playing(node, reader, play_options, Player._cancelled), play_options)
            finally:
                node.destroy_node()

    @staticmethod
    def _run(node: Node, playing: _Playing, options: PlayOptions) -> None:
        logger = node.get_logger()
        logger.info(f"Set rate to {options.rate:g}")
        logger.info(f"Playback duration value: {options.playback_duration:f}")
        logger.info(f"Playback until timestamp: {options.playback_until_timestamp}")
        if options.start_paused:
            Player._cancelled.wait()  # nothing here could resume it
        Player._cancelled.wait(options.delay)
        while playing.once() and options.loop:
            pass
        if not Player._cancelled.is_set():
            playing.finish()
