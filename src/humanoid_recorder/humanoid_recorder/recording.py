# SPDX-License-Identifier: Apache-2.0
"""One episode being recorded: a bounded queue in front of a writer thread, and what is known of each topic."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from humanoid_recorder.counters import SequenceTracker, TopicCounter
from humanoid_recorder.errors import StorageError
from humanoid_recorder.folders import Staging, free_bytes
from humanoid_recorder.selection import Wanted
from humanoid_recorder.sidecar import BagReport, Episode, Label, TopicReport, write_episode
from humanoid_recorder.writers import BagWriter, Topic

_DRAIN_PERIOD = 0.02  # [s]; a 22 MB/s load brings half a megabyte in that time
_CHECK_PERIOD = 0.5  # [s]
_IMAGE_SHARE = 0.75  # of the queue: beyond it images are dropped, so that there is room for the rest


class TopicState:
    """A topic that the recorder listens to.

    Attributes:
        topic: As the bag describes it.
        wanted: What the configuration expects of it.
        publishers: How many there are, as of the last look.
        recount: Looks again.
        kept: Newest messages, one for each publisher, where they are to be repeated in each bag.
    """

    def __init__(
        self, topic: Topic, wanted: Wanted, publishers: int, latched: bool, recount: Callable[[], int] | None = None
    ) -> None:
        self.topic = topic
        self.wanted = wanted
        self.publishers = publishers
        self.recount = recount
        self.repeated = wanted.repeat == "always" or (wanted.repeat == "latched" and latched)
        self.tracker = SequenceTracker()
        self.idle = TopicCounter()  # between episodes
        self.kept: deque[Sample] = deque()

    def keep(self, sample: Sample) -> None:
        """Remember a latched message: the newest of each publisher, as far as they can be told apart."""
        if any(old.payload == sample.payload for old in self.kept):
            return
        self.kept.append(sample)
        while len(self.kept) > max(1, self.publishers):
            self.kept.popleft()

    def new_counter(self) -> TopicCounter:
        """Counts of a new episode."""
        return TopicCounter(max_gap_ns=round(self.wanted.max_gap * 1e9))

    def report(self, counter: TopicCounter) -> TopicReport:
        """What episode.yaml says of this topic."""
        wanted = self.wanted
        return TopicReport(
            name=self.topic.name,
            type=self.topic.type,
            required=wanted.required,
            expected_rate=wanted.rate,
            max_gap=wanted.max_gap,
            publishers=self.publishers,
            received=counter.received,
            written=counter.written,
            repeated=counter.repeated,
            lost=counter.lost,
            dropped=counter.dropped,
            bytes=counter.bytes,
            rate=round(counter.mean_rate(), 3),
            longest_gap=round(counter.longest_gap_ns * 1e-9, 6),
            gaps=counter.gaps,
            first_ns=counter.first_ns,
            last_ns=counter.last_ns,
        )


class Sample(NamedTuple):
    """A message on its way: arrival in ROS time, publisher's stamp [ns], its number, how many are missing before it."""

    state: TopicState
    payload: bytes
    log_ns: int
    publish_ns: int
    sequence: int
    lost: int


class Recording:
    """Writes one episode; `offer` is called by one thread, everything else by another.

    Args:
        staging: Where.
        writer: Into what; used by this object's thread alone.
        episode: What is known at the start.
        queue_bytes: Most payload that may wait for the disk [bytes].
        disk_floor: Free space at which the episode has to end [bytes].
        sync_period: How often the disk is told to store what was written [s]; 0: only at the end.
    """

    def __init__(
        self,
        staging: Staging,
        writer: BagWriter,
        episode: Episode,
        queue_bytes: int,
        disk_floor: int,
        sync_period: float,
    ) -> None:
        self.staging = staging
        self.episode = episode
        self.labels: list[Label] = []
        self.error = ""
        self.disk_full = False
        self.high_water = 0
        self._writer = writer
        self._queue_bytes = queue_bytes
        self._disk_floor = disk_floor
        self._queue: deque[Sample] = deque()
        self._counters: dict[str, TopicCounter] = {}
        self._taken_in = 0  # bytes; changed by the offering thread only
        self._taken_out = 0  # bytes; changed by the writing thread only
        self._labels_written = -1
        self._stop = threading.Event()
        write_episode(staging.path, episode, durable=False)  # the writer thread sees to the disk: a start must not wait
        self._threads = [threading.Thread(target=self._write_loop, name="bag writer")]
        if sync_period > 0:
            self._threads.append(threading.Thread(target=self._sync_loop, args=(sync_period,), name="bag sync"))
        for thread in self._threads:
            thread.start()

    @property
    def bytes(self) -> int:
        """Size of the bag so far."""
        return self._writer.bytes()

    def counter(self, state: TopicState) -> TopicCounter:
        """Counts of a topic in this episode."""
        counter = self._counters.get(state.topic.name)
        if counter is None:
            counter = self._counters[state.topic.name] = state.new_counter()
        return counter

    def offer(self, sample: Sample, arrived: bool = True) -> None:
        """Count a message and queue it; where the queue is full it is counted as dropped.

        Args:
            sample: The message.
            arrived: False for a latched message that is repeated from before the start.
        """
        state = sample.state
        counter = self.counter(state)
        if arrived:
            counter.arrived(sample.log_ns, sample.lost)
        waiting = self._taken_in - self._taken_out + len(sample.payload)
        limit = self._queue_bytes * _IMAGE_SHARE if state.topic.group == "image" else self._queue_bytes
        if self.error or waiting > limit:
            counter.dropped += 1
            return
        if not arrived:
            counter.repeated += 1
        if waiting > self.high_water:
            self.high_water = waiting
        self._taken_in += len(sample.payload)
        self._queue.append(sample)

    def annotate(self, label: Label) -> None:
        """Add an annotation, unless it is there already; the writer thread stores it."""
        if label not in self.labels:
            self.labels.append(label)

    def finish(self, episode: Episode, states: list[TopicState]) -> Path:
        """Write what is queued, close the bag, store episode.yaml and give the folder its final name.

        Args:
            episode: What is known at the end; counts and bag are filled in here.
            states: Every topic.

        Raises:
            StorageError: the disk refuses. The staging folder stays as it is, for recovery.
        """
        self._join()
        try:
            if self.error:
                raise StorageError(self.staging.path, self.error, "a disk that takes what is written")
            for state in states:
                self._writer.add_topic(state.topic)
            bag = self._writer.close({"episode_id": episode.episode_id, "task": episode.task, "robot": episode.robot})
            reports = [state.report(self.counter(state)) for state in states]
            episode = dataclasses.replace(
                episode,
                bag=BagReport(bag.file, bag.sha256, bag.bytes, bag.messages),
                topics=reports,
                annotations=list(self.labels),
                lost=sum(report.lost for report in reports),
                dropped=sum(report.dropped for report in reports),
                queue_high_water=self.high_water,
            )
            write_episode(self.staging.path, episode)
        except StorageError:
            self._writer.abandon()
            self.staging.release()
            raise
        self.episode = episode
        return self.staging.finish()

    def discard(self, reason: str) -> None:
        """Stop and delete."""
        self._join()
        self._writer.abandon()
        self.staging.discard(reason)

    def _join(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write_loop(self) -> None:
        since_check = _CHECK_PERIOD  # the first round stores the sidecar that the start only wrote
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_DRAIN_PERIOD)
            try:
                self._drain()
                self._writer.flush_due()
            except StorageError as error:
                self.error = str(error)
                for sample in self._queue:
                    self.counter(sample.state).dropped += 1
                return
            since_check += _DRAIN_PERIOD
            if since_check >= _CHECK_PERIOD:
                since_check = 0.0
                self._check()

    def _check(self) -> None:
        """What needs no haste: annotations into the sidecar, so that a crash keeps them, and a look at the disk."""
        labels = len(self.labels)
        try:
            if labels > self._labels_written:
                write_episode(self.staging.path, dataclasses.replace(self.episode, annotations=list(self.labels)))
                self._labels_written = labels
            self.disk_full = free_bytes(self.staging.path) < self._disk_floor
        except StorageError:
            return  # messages still come through; the next check, or the end, tries again

    def _drain(self) -> None:
        queue, writer = self._queue, self._writer
        while queue:
            sample = queue.popleft()
            topic = sample.state.topic
            writer.add_topic(topic)
            writer.write(topic.name, sample.payload, sample.log_ns, sample.publish_ns, sample.sequence)
            counter = self.counter(sample.state)
            counter.written += 1
            counter.bytes += len(sample.payload)
            self._taken_out += len(sample.payload)

    def _sync_loop(self, period: float) -> None:
        while not self._stop.wait(period):
            try:
                self._writer.sync()
            except OSError as error:
                self.error = f"sync: {error.strerror}"
                return
