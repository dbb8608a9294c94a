# SPDX-License-Identifier: Apache-2.0
"""One episode being recorded: a bounded queue in front of a writer thread, and what is known of each topic."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

from humanoid_recorder.counters import TopicCounter
from humanoid_recorder.errors import StorageError
from humanoid_recorder.folders import Staging, free_bytes
from humanoid_recorder.sidecar import BagReport, Episode, Label, metadata_of, write_episode
from humanoid_recorder.topic_state import Sample, TopicState, header_stamp
from humanoid_recorder.writers import BagWriter

_DRAIN_PERIOD = 0.02  # [s]; a 22 MB/s load brings half a megabyte in that time
_CHECK_PERIOD = 0.5  # [s]
_BATCH = 1 << 20  # most that the writer takes at once [bytes]: what waits can still give way to what matters more
# What gives way, and from which share of the queue on, where the disk does not keep up. Everything else may fill the
# whole queue, and then pushes these out of it.
_SHED = {"preview": 0.5, "image": 0.75, "cloud": 0.75}


class Recording:
    """Writes one episode; `offer` is called by one thread, everything else by another.

    Where the disk does not keep up, previews give way first, then images and point clouds; joints and other numbers
    only where they alone fill the queue. Where the disk is full, images and clouds end at once, and the room that was
    held for it lets the rest be written and the episode be ended.

    Args:
        staging: Where.
        writer: Into what; used by this object's thread alone.
        episode: What is known at the start.
        queue_bytes: Most payload that may wait for the disk [bytes].
        reserve_bytes: Room held for a disk that gets full [bytes].
        disk_floor: Free space at which the episode has to end [bytes].
        sync_period: How often the disk is told to store what was written [s]; 0: only at the end.

    Attributes:
        error: Why nothing can be written any more; empty while it can.
        disk_full: The episode has to end.
        events: What went wrong so far, as sentences for episode.yaml.
    """

    def __init__(
        self,
        staging: Staging,
        writer: BagWriter,
        episode: Episode,
        queue_bytes: int,
        reserve_bytes: int,
        disk_floor: int,
        sync_period: float,
    ) -> None:
        self.staging = staging
        self.episode = episode
        self.labels: list[Label] = []
        self.error = ""
        self.disk_full = False
        self.events: list[str] = []
        self.high_water = 0
        self._writer = writer
        self._queue_bytes = queue_bytes
        self._reserve_bytes = reserve_bytes
        self._disk_floor = disk_floor
        self._lock = threading.Lock()  # around the queue and what is in it
        self._queue: deque[Sample] = deque()
        # Payload [bytes]. `_written` belongs to the writer thread alone, so that it needs no lock for each message.
        self._offered = 0  # ever, but for what was dropped
        self._early = 0  # of that, from before the start: it stands in front, and has had its room all the time
        self._written = 0
        self._no_room = False
        self._counters: dict[str, TopicCounter] = {}
        self._declared: set[str] = set()  # topics that the writer knows
        self._stop = threading.Event()
        write_episode(staging.path, episode, durable=False)  # the writer thread sees to the disk: a start must not wait
        self._sidecar = threading.Lock()  # around episode.yaml while recording
        self._threads = [
            threading.Thread(target=self._write_loop, name="bag writer"),
            threading.Thread(target=self._keep_sidecar, name="bag sidecar"),
        ]
        if sync_period > 0:
            self._threads.append(threading.Thread(target=self._sync_loop, args=(sync_period,), name="bag sync"))
        for thread in self._threads:
            thread.start()

    @property
    def bytes(self) -> int:
        """Size of the bag so far."""
        return self._writer.bytes()

    @property
    def waiting(self) -> int:
        """Payload that has not been handed to the bag [bytes]."""
        return self._offered - self._written

    @property
    def trouble(self) -> str:
        """What is given up right now, and why; empty is good."""
        if self.error:
            return self.error
        if self._no_room:
            return "the disk is full: images and clouds are not recorded any more"
        share = self._in_queue() / self._queue_bytes
        given_up = [name for name, limit in _SHED.items() if share > limit]
        behind = f"the disk is {self.waiting / 1e6:.0f} MB behind"
        return f"{behind}: {', '.join(f'{name}s' for name in given_up)} are dropped" if given_up else ""

    def counter(self, state: TopicState) -> TopicCounter:
        """Counts of a topic in this episode."""
        counter = self._counters.get(state.topic.name)
        if counter is None:
            counter = self._counters[state.topic.name] = state.new_counter()
        return counter

    def offer(self, sample: Sample, arrived: bool = True, early: bool = False) -> None:
        """Count a message and queue it; where the queue is full it is counted as dropped.

        Args:
            sample: The message.
            arrived: False for a latched message that is repeated from before the start.
            early: True for the pre-roll: it was kept until now, and needs no room in the queue.
        """
        state, size = sample.state, len(sample.payload)
        counter = self.counter(state)
        if arrived:
            counter.arrived(sample.log_ns, sample.lost, header_stamp(sample.payload) if state.stamped else 0)
        with self._lock:
            if early:
                self._early += size
            elif not self._has_room(state, size):
                counter.dropped += 1
                return
            self._offered += size
            self._queue.append(sample)
            self.high_water = max(self.high_water, self.waiting)
        if not arrived:
            counter.repeated += 1

    def _has_room(self, state: TopicState, size: int) -> bool:
        share = _SHED.get(state.shed)
        if self.error or (self._no_room and share is not None):
            return False
        if share is not None:
            return self._in_queue() + size <= self._queue_bytes * share
        if self._in_queue() + size > self._queue_bytes:
            self._give_way()
        return self._in_queue() + size <= self._queue_bytes

    def _in_queue(self) -> int:
        """What waits and came after the start [bytes]."""
        return self._offered - max(self._early, self._written)

    def _give_way(self) -> None:
        """Drop what waits and may be dropped."""
        kept: deque[Sample] = deque()
        before = self._offered - sum(len(sample.payload) for sample in self._queue)  # written, or in the writer's hands
        early = self._early - before
        for sample in self._queue:
            size = len(sample.payload)
            if sample.state.shed in _SHED:
                self.counter(sample.state).dropped += 1
                self._offered -= size
                self._early -= size if early > 0 else 0
            else:
                kept.append(sample)
            early -= size
        self._queue = kept

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
            if self.staging.gone():
                self._restore()
            for state in states:
                self._writer.add_topic(state.topic)
            self.staging.free_reserve()
            bag = self._writer.close(metadata_of(dataclasses.replace(episode, annotations=list(self.labels))))
            reports = [
                dataclasses.replace(state.report(self.counter(state)), stored=self._writer.stored(state.topic.name))
                for state in states
            ]
            episode = dataclasses.replace(
                episode,
                bag=BagReport(bag.file, bag.sha256, bag.bytes, bag.messages),
                topics=reports,
                annotations=list(self.labels),
                lost=sum(report.lost for report in reports),
                dropped=sum(report.dropped for report in reports),
                queue_high_water=self.high_water,
                problems=[*self.events, *episode.problems],
            )
            write_episode(self.staging.path, episode)
        except StorageError:
            self._writer.abandon()
            self.staging.release()
            raise
        self.episode = episode
        return self.staging.finish()

    def discard(self, reason: str) -> None:
        """Stop and delete.

        Raises:
            StorageError: the folder cannot be deleted.
        """
        self._join()
        self._writer.abandon()
        self.staging.discard(reason)

    def _join(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write_loop(self) -> None:
        since_check = 0.0
        stopping = False
        while not stopping:
            stopping = self._stop.wait(_DRAIN_PERIOD)
            try:
                self._drain()
                self._writer.flush_due()
                since_check += _DRAIN_PERIOD
                if since_check >= _CHECK_PERIOD:
                    since_check = 0.0
                    self._check()
            except StorageError as error:
                if not self._make_room(error):
                    return
                stopping = False
            except Exception as error:  # a thread that ends unseen would let the queue fill for nothing
                self._give_up(f"{type(error).__name__}: {error}")
                return

    def _make_room(self, error: StorageError) -> bool:
        """After a refused write: give up what is large and let go of the reserve; False where that was done before."""
        if self._no_room or not self.staging.free_reserve():
            self._give_up(str(error))
            return False
        with self._lock:
            self._no_room = self.disk_full = True
            self._give_way()
        self.events.append(f"{error}: images and clouds end there")
        return True

    def _give_up(self, error: str) -> None:
        with self._lock:
            self.error = error
            for sample in self._queue:
                self.counter(sample.state).dropped += 1
            self._queue.clear()

    def _check(self) -> None:
        """What needs no haste: is the folder there, free space."""
        if self.staging.gone():
            self._restore()
        with suppress(StorageError):  # messages still come through; the next check, or the end, tries again
            self.disk_full |= free_bytes(self.staging.path) < self._disk_floor

    def _restore(self) -> None:
        """Somebody took the folder away: make it anew with everything that was written."""
        with self._sidecar:
            self.staging.restore()
            self._writer.restore()
            write_episode(self.staging.path, dataclasses.replace(self.episode, annotations=list(self.labels)))
        self.events.append("the folder was removed or moved while recording, and has been made anew")

    def _keep_sidecar(self) -> None:
        """Annotations into the sidecar (a crash keeps them), first of all what the start only wrote, and the reserve.

        Each of these waits for the disk, which the writer must not.
        """
        first, written = True, -1
        while first or not self._stop.wait(_CHECK_PERIOD):
            labels = len(self.labels)
            try:
                with self._sidecar:
                    if labels > written:
                        write_episode(
                            self.staging.path, dataclasses.replace(self.episode, annotations=list(self.labels))
                        )
                        written = labels
                    if first:
                        self.staging.sync()
                        self.staging.reserve(self._reserve_bytes)
            except (StorageError, OSError) as error:
                if first:
                    self.events.append(f"no room to spare: {error}")
                    self.disk_full = True
            first = False

    def _drain(self) -> None:
        while True:
            batch: deque[Sample] = deque()
            with self._lock:
                size = 0
                while self._queue and size < _BATCH:
                    batch.append(self._queue.popleft())
                    size += len(batch[-1].payload)
            if not batch:
                return
            try:
                while batch:
                    sample = batch[0]
                    topic, size = sample.state.topic, len(sample.payload)
                    if topic.name not in self._declared:
                        self._writer.add_topic(topic)
                        self._declared.add(topic.name)
                    # Before it is written: what a full disk refuses stays with the writer, which tries it again.
                    batch.popleft()
                    counter = self.counter(sample.state)
                    counter.written += 1
                    counter.bytes += size
                    self._written += size
                    self._writer.write(topic.name, sample.payload, sample.log_ns, sample.publish_ns, sample.sequence)
            finally:
                with self._lock:
                    self._queue.extendleft(reversed(batch))
            self._writer.flush_due()  # a disk that is too slow never lets the queue run empty

    def _sync_loop(self, period: float) -> None:
        while not self._stop.wait(period):
            try:
                self._writer.sync()
            except OSError as error:
                self.error = f"sync: {error.strerror}"
                return
