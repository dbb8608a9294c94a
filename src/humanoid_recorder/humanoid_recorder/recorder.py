# SPDX-License-Identifier: Apache-2.0
"""The recorder without ROS: listens to topics all the time, and turns a start and a stop into an episode."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from humanoid_recorder.backends import BACKENDS
from humanoid_recorder.counters import TopicCounter
from humanoid_recorder.errors import EpisodeError, StorageError
from humanoid_recorder.folders import Staging, check_text, free_bytes, new_id
from humanoid_recorder.problems import missing, problems_of
from humanoid_recorder.recording import Recording
from humanoid_recorder.selection import Selection, Wanted, matches
from humanoid_recorder.settings import Arrival, Ended, Request, Settings
from humanoid_recorder.sidecar import ClockReport, ClockStep, Episode, Label, Outcome
from humanoid_recorder.topic_state import Sample, TopicState
from humanoid_recorder.writers import CONFIGURATION_METADATA, Topic

_RATE_WINDOW = 2.0  # over which the rate of all streams is taken [s]
_CLOCK_STEP = 0.05  # [s]; between two looks a clock that is only being slewed cannot get that far


class Recorder:
    """Thread-safe: `receive` runs in the thread that takes messages, the rest in the node's.

    Args:
        settings: How.
        selection: What.
        steady: Clock that nobody sets [s].

    Attributes:
        clocks: What time synchronisation says of the streams' clocks, newest.
        complaints: Topics that cannot be recorded as wanted, and why.
        causes: Why messages may get lost on their way here.
    """

    def __init__(self, settings: Settings, selection: Selection, steady: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.selection = selection
        self.last: Ended | None = None
        self.message = ""
        self.failed = False
        self.clocks: list[ClockReport] = []
        self.complaints: list[str] = []
        self.causes: list[str] = []
        self._steady = steady
        self._clock_ahead: float | None = None  # of the system clock before the steady one [s]
        self._arrived = 0  # bytes, ever
        self._marks: deque[tuple[float, int]] = deque()  # steady time, _arrived
        self._steps: list[ClockStep] = []
        self._lock = threading.RLock()
        self._states: dict[str, TopicState] = {}
        self._ring: deque[Sample] = deque()
        self._ring_bytes = 0
        self._recording: Recording | None = None

    # --- topics ---

    def add_topic(
        self, topic: Topic, wanted: Wanted, publishers: int, latched: bool, recount: Callable[[], int] | None = None
    ) -> None:
        """Listen to a topic from now on.

        Args:
            topic: As a bag describes it.
            wanted: What is expected of it.
            publishers: How many there are.
            latched: Whether they all are transient local.
            recount: Looks how many there are now.
        """
        with self._lock:
            self._states[topic.name] = TopicState(topic, wanted, publishers, latched, recount)

    def update_publishers(self, name: str, publishers: int) -> None:
        """How many publishers a topic has now."""
        self._states[name].publishers = publishers

    @property
    def topics(self) -> dict[str, TopicState]:
        """Every topic that is listened to, by full name."""
        return self._states

    # --- messages ---

    def receive(self, arrivals: Iterable[Arrival]) -> None:
        """Take messages in the order in which they arrived."""
        with self._lock:
            recording, pre_roll = self._recording, self.settings.pre_roll
            for arrival in arrivals:
                state = self._states[arrival.topic]
                self._arrived += len(arrival.payload)
                lost = state.tracker.lost_before(arrival.sequence, state.publishers, state.recount)
                sample = Sample(state, arrival.payload, arrival.log_ns, arrival.publish_ns, arrival.sequence, lost)
                if state.repeated:
                    state.keep(sample)
                if recording is not None:
                    recording.offer(sample)
                else:
                    state.idle.arrived(sample.log_ns, lost)
                    if pre_roll > 0:
                        self._ring.append(sample)
                        self._ring_bytes += len(sample.payload)
            if self._ring:
                self._trim_ring()

    def _trim_ring(self) -> None:
        newest, length = self._ring[-1].log_ns, round(self.settings.pre_roll * 1e9)
        # abs: a clock that was set back leaves messages from the future, which are as old as they are far away
        while self._ring and (
            abs(newest - self._ring[0].log_ns) > length or self._ring_bytes > self.settings.pre_roll_bytes
        ):
            self._ring_bytes -= len(self._ring.popleft().payload)

    # --- episodes ---

    @property
    def recording(self) -> Recording | None:
        """The episode being recorded."""
        return self._recording

    def start(self, request: Request, now_ns: int) -> Recording:
        """Begin an episode.

        Args:
            request: What a person says of it.
            now_ns: ROS time.

        Raises:
            EpisodeError: one is being recorded, or a text cannot be used.
            StorageError: the disk or folder cannot take it.
        """
        settings = self.settings
        request.check()
        if self._recording is not None:
            running = self._recording.episode.episode_id
            raise EpisodeError(f"episode {running} is being recorded; stop or discard it first")
        free, needed = free_bytes(settings.out), self.disk_needed()
        if free < needed:
            wanted = f"{needed / 1e9:.2f} GB to start an episode"
            raise StorageError(settings.out, f"{free / 1e9:.2f} GB free", wanted)
        self._steps = []
        recording = self._open(request, now_ns)
        with self._lock:  # everything slow is done: messages kept coming meanwhile
            first_ns = min(now_ns, self._ring[0].log_ns) if self._ring else now_ns
            recording.episode = dataclasses.replace(recording.episode, pre_roll=round((now_ns - first_ns) * 1e-9, 6))
            for state in self._states.values():
                for old in state.kept:
                    if old.log_ns < first_ns or not self._ring:
                        recording.offer(old._replace(log_ns=first_ns), arrived=False)
            for sample in self._ring:
                recording.offer(sample, early=True)
            self._ring.clear()
            self._ring_bytes = 0
            self._recording = recording
            self.message, self.failed = "", False
        return recording

    def disk_needed(self) -> int:
        """Free space without which no episode starts, since it could not be finished [bytes]."""
        settings = self.settings
        return max(settings.disk_start, settings.disk_floor + round(self.byte_rate() * settings.usual_length))

    def byte_rate(self) -> float:
        """What has arrived of late [bytes/s]; 0 where nobody looked for long."""
        if len(self._marks) < 2:
            return 0.0
        (begin, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / max(end - begin, 0.1)

    def _open(self, request: Request, now_ns: int) -> Recording:
        """Folder, bag and threads of a new episode."""
        settings = self.settings
        wall = datetime.now(timezone.utc)
        staging = Staging.create(settings.out, settings.robot, new_id(request.task, wall), wall)
        episode = Episode(
            episode_id=staging.episode_id,
            robot=settings.robot,
            task=request.task,
            instruction=request.instruction,
            operator=request.operator,
            scene=request.scene,
            tags=dict(request.tags),
            state="recording",
            clock=settings.clock,
            start_ns=now_ns,
            started=wall.isoformat(timespec="milliseconds"),
            software=settings.software,
            backend=settings.backend,
            post_roll=settings.post_roll,
            configuration={
                name: hashlib.sha256(text.encode()).hexdigest() for name, text in settings.configuration.items()
            },
        )
        make_writer = BACKENDS[settings.backend]
        writer = make_writer(staging.path, f"{staging.episode_id}_0", settings.flush_period, settings.ros_distro)
        for state in self._states.values():
            writer.add_topic(state.topic)
        writer.add_metadata(CONFIGURATION_METADATA, settings.configuration)
        limits = settings.queue_bytes, settings.reserve_bytes, settings.disk_floor
        return Recording(staging, writer, episode, *limits, settings.sync_period)

    def annotate(self, label: Label) -> None:
        """Add an annotation to the episode being recorded.

        Raises:
            EpisodeError: none is, or a text cannot be used.
        """
        for what in ("label", "author", "tool", "note"):
            check_text(what, getattr(label, what))
        if not label.label:
            raise EpisodeError("label: found nothing, expected a text")
        if label.end_ns and label.end_ns < label.start_ns:
            raise EpisodeError("end: found a time before the start, expected one after it, or zero for an instant")
        with self._lock:
            self._current("annotate").annotate(label)

    def stop(self, outcome: Outcome, note: str, now_ns: int) -> Ended:
        """Finish the episode: it is on the disk, hashed and under its final name when this returns.

        Raises:
            EpisodeError: none is being recorded, or the note cannot be used.
            StorageError: the disk refuses; what is there stays for recovery.
        """
        check_text("note", note)
        with self._lock:
            recording = self._current("stop")
            self._recording = None
        states = list(self._states.values())
        length = (now_ns - recording.episode.start_ns) * 1e-9 - sum(step.step for step in self._steps)
        episode = dataclasses.replace(
            recording.episode,
            state="finished",
            end_ns=now_ns,
            duration=round(length, 6),
            outcome=outcome,
            note=note,
            robot_description_sha256=self._description_hash(),
            missing=missing(self.selection, self.settings.namespace, recording, states),
            clocks=list(self.clocks),
            clock_steps=list(self._steps),
        )
        problems = self.complaints + problems_of(recording, states, episode, self.causes)
        try:
            path = recording.finish(dataclasses.replace(episode, problems=problems), states)
        except StorageError as error:
            self.message, self.failed = f"episode {episode.episode_id} is unfinished: {error}", True
            raise
        self.last = Ended(episode.episode_id, path, outcome, tuple(problems), episode.task, episode.duration)
        self.message = "; ".join(problems)
        return self.last

    def discard(self, reason: str) -> Ended:
        """Stop and delete the episode being recorded.

        Raises:
            EpisodeError: none is.
        """
        check_text("reason", reason)
        with self._lock:
            recording = self._current("discard")
            self._recording = None
        try:
            recording.discard(reason)
        except StorageError as error:
            self.message, self.failed = str(error), True
            raise
        self.last = Ended(recording.episode.episode_id, recording.staging.final, "discarded")
        self.message = f"discarded: {reason}"
        return self.last

    def tick(self, now_ns: int) -> Ended | None:
        """End the episode where the disk is full or fails; to be called a few times a second.

        Raises:
            StorageError: it could not be finished.
        """
        self._watch_clock(now_ns)
        self._marks.append((self._steady(), self._arrived))
        while self._marks[0][0] < self._marks[-1][0] - _RATE_WINDOW:
            self._marks.popleft()
        recording = self._recording
        if recording is None or not (recording.disk_full or recording.error):
            return None
        note = recording.error or "the disk is full" if recording.trouble else "the disk reached its floor"
        return self.stop("unsure", f"stopped by the recorder: {note}", now_ns)

    def _watch_clock(self, now_ns: int) -> None:
        """Notice that somebody has set the system clock; simulated time may do as it likes."""
        if self.settings.clock == "simulated":
            return
        ahead, before = now_ns * 1e-9 - self._steady(), self._clock_ahead
        self._clock_ahead = ahead
        if before is not None and abs(ahead - before) > _CLOCK_STEP and self._recording is not None:
            self._steps.append(ClockStep(now_ns, round(ahead - before, 6)))

    def warnings(self, now_ns: int) -> list[str]:
        """What is wrong right now: required topics that nobody publishes, losses, silence longer than allowed."""
        known = list(self._states)
        lines = [
            f"{wanted.name}: required, but nobody publishes it"
            for wanted in self.selection.topics
            if wanted.required and not any(matches(wanted.name, name, self.settings.namespace) for name in known)
        ]
        lines += self.complaints + self.causes
        if self._recording is not None and self._recording.trouble:
            lines.append(self._recording.trouble)
        free, needed = free_bytes(self.settings.out), self.disk_needed()
        if free < 2 * needed:
            lines.append(f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB needed to start an episode")
        with self._lock:
            for name, state in self._states.items():
                counter = self.counter(state)
                if self._recording is not None and counter.lost + counter.dropped:
                    lines.append(f"{name}: {counter.lost} lost, {counter.dropped} dropped")
                silent = now_ns - counter.last_ns
                if counter.received and state.wanted.max_gap and silent > max(1e9, 2e9 * state.wanted.max_gap):
                    lines.append(f"{name}: silent for {silent * 1e-9:.1f} s")
        return lines

    def counter(self, state: TopicState) -> TopicCounter:
        """A topic's counts: of the episode being recorded, else of the time since it appeared."""
        return state.idle if self._recording is None else self._recording.counter(state)

    def _current(self, verb: str) -> Recording:
        if self._recording is None:
            raise EpisodeError(f"cannot {verb}: no episode is being recorded")
        return self._recording

    def _description_hash(self) -> str:
        for state in self._states.values():
            if state.topic.name.endswith("/robot_description") and state.kept:
                return hashlib.sha256(_cdr_string(state.kept[-1].payload)).hexdigest()
        return ""


def _cdr_string(payload: bytes) -> bytes:
    """Text of a serialized std_msgs/String, without its closing NUL."""
    (length,) = struct.unpack_from("<I" if payload[1] & 1 else ">I", payload, 4)
    return payload[8 : 8 + length - 1]
