# SPDX-License-Identifier: Apache-2.0
"""Puts all streams on one timeline. Knows no ROS and no clock: time goes on by what it is handed.

The same messages in the same order of arrival give the same frames, live or from a bag: whether a frame is complete,
due or late depends on arrival times alone, never on when the program got around to looking.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_core.rotations import slerp
from humanoid_sync.clock_model import ClockModel, HostClock
from humanoid_sync.readers import LAYOUTS, Layout, Reader, stamp_ns
from humanoid_sync.streams import Plan, Stream

NANOSECONDS = 1_000_000_000
_MOST_SAMPLES = 8192  # of one stream; 8 s at 1 kHz
_RESTART_NS = 60 * NANOSECONDS  # a jump of arrival time beyond this begins a new timeline
_BACKWARD_NS = NANOSECONDS  # likewise, backwards
_HISTORY = 600  # samples and frames that statistics look back on


class Flag(IntFlag):
    """As in humanoid_interfaces/SyncedStream."""

    MISSING = 1
    LATE = 2
    INTERPOLATED_GAP = 4
    CLOCK_UNCERTAIN = 8


class AlignmentError(HumanoidError):
    """A stream that the plan does not name."""


@dataclass(frozen=True)
class AlignedStream:
    """One stream's part of a frame; see humanoid_interfaces/SyncedStream."""

    name: str
    flags: Flag
    source_stamps: tuple[int, ...] = ()
    residual: float = 0.0  # [s]
    uncertainty: float = math.nan  # [s]
    values: array = field(default_factory=lambda: array("d"))


@dataclass(frozen=True)
class Frame:
    """All streams at one instant [ns]."""

    stamp: int
    sequence: int
    streams: tuple[AlignedStream, ...]


@dataclass(frozen=True)
class Health:
    """Timing of one stream; see humanoid_interfaces/StreamHealth. Rate and jitter are of the newest samples."""

    name: str
    rate: float
    jitter: float
    messages: int
    gaps: int
    longest_gap: float
    missing: int
    late: int
    skew_p50: float
    skew_p95: float
    skew_max: float
    clock_offset: float
    clock_drift: float
    clock_uncertainty: float
    silent: bool


class _Track:
    """What is kept of one stream: samples by stamp in host time, newest last."""

    def __init__(self, stream: Stream, clock: ClockModel | None, hopeful: bool) -> None:
        self.stream = stream
        self.hopeful = hopeful  # wait up to the deadline even for what never came or fell silent
        self.clock = clock
        self.layout: Layout | None = LAYOUTS.get(stream.type) if stream.values else None
        self.reader: Reader | None = self.layout.reader() if self.layout else None
        self.tolerance = round(stream.tolerance * 1e9)
        self.max_gap = round(stream.max_gap * 1e9)
        self.latency = round(stream.latency * 1e9)
        self.reach = self.max_gap + self.tolerance
        self.patience = max(self.max_gap, NANOSECONDS)  # silent for longer: frames do not wait for it
        self.stamps: list[int] = []
        self.sources: list[int] = []
        self.payloads: list[bytes] = []
        self.uncertain: list[bool] = []
        self.last_arrival: int | None = None
        self.late_since_frame = False
        self.closed = False
        # statistics
        self.messages = self.gaps = self.missing = self.late = 0
        self.longest_gap = 0
        self.periods: deque[int] = deque(maxlen=_HISTORY)
        self.residuals: deque[float] = deque(maxlen=_HISTORY)

    def forget(self) -> None:
        """Drop the samples, after a jump of time."""
        self.stamps, self.sources, self.payloads, self.uncertain = [], [], [], []

    def insert(self, stamp: int, source: int, payload: bytes, uncertain: bool, arrival: int) -> None:
        """Keep a sample; stamps may come out of order, a stamp that is there already is a duplicate."""
        stamps = self.stamps
        self.messages += 1
        self.last_arrival = arrival
        if stamps:
            step = stamp - stamps[-1]
            if step < -_BACKWARD_NS:
                self.forget()
                stamps = self.stamps
            elif step > 0:
                self.periods.append(step)
                if step > self.max_gap:
                    self.gaps += 1
                if step > self.longest_gap:
                    self.longest_gap = step
        if not stamps or stamp > stamps[-1]:
            at = len(stamps)
        else:
            at = bisect_left(stamps, stamp)
            if stamps[at] == stamp:
                return
        stamps.insert(at, stamp)
        self.sources.insert(at, source)
        self.payloads.insert(at, payload)
        self.uncertain.insert(at, uncertain)
        if len(stamps) > _MOST_SAMPLES:
            self._drop(len(stamps) - _MOST_SAMPLES)

    def trim(self, instant: int) -> None:
        """Forget what no later frame can use; the newest sample before it stays, for interpolation."""
        count = bisect_left(self.stamps, instant - self.tolerance) - 1
        if count > 0:
            self._drop(count)

    def _drop(self, count: int) -> None:
        del self.stamps[:count], self.sources[:count], self.payloads[:count], self.uncertain[:count]

    def ready(self, instant: int, now: int) -> bool:
        """Whether nothing more can be expected for an instant."""
        if self.closed or not self.stream.wait or (not self.hopeful and self._given_up(now)):
            return True
        return bool(self.stamps) and self.stamps[-1] >= instant

    def _given_up(self, now: int) -> bool:
        return self.last_arrival is None or now - self.last_arrival > self.patience

    def values(self, index: int) -> array:
        return self.reader(self.payloads[index]) if self.reader else array("d")

    def uncertainty(self, *indices: int) -> float:
        if any(self.uncertain[index] for index in indices):
            return math.nan
        return self.clock.uncertainty() if self.clock else 0.0

    def part(self, instant: int, since: int) -> AlignedStream:
        """This stream's part of the frame at `instant`, `since` being the instant before."""
        flags = Flag.LATE if self.late_since_frame else Flag(0)
        self.late_since_frame = False
        stamps, policy = self.stamps, self.stream.policy
        after = bisect_left(stamps, instant)
        exact = after < len(stamps) and stamps[after] == instant
        before = after if exact else after - 1
        if policy == "window":
            first, last = bisect_right(stamps, since), before
            if last < first:
                return self._missing(flags)
            return self._taken(flags, instant, (first, last) if last > first else (last,), last)
        near = [index for index in (before, after) if 0 <= index < len(stamps)]
        if policy == "previous":
            near = [before] if before >= 0 else []
        near = [index for index in near if abs(stamps[index] - instant) <= self.tolerance]
        if not near:
            return self._missing(flags)
        between = policy in ("linear", "slerp") and not exact and before >= 0 and after < len(stamps)
        if between and max(instant - stamps[before], stamps[after] - instant) > self.reach:
            between = False  # what is that far away says nothing about this instant
        if between:
            return self._between(flags, instant, before, after)
        nearest = min(near, key=lambda index: (abs(stamps[index] - instant), index))
        return self._taken(flags, instant, (nearest,), nearest)

    def _missing(self, flags: Flag) -> AlignedStream:
        self.missing += 1
        return AlignedStream(self.stream.name, flags | Flag.MISSING)

    def _taken(self, flags: Flag, instant: int, indices: tuple[int, ...], index: int) -> AlignedStream:
        residual = (self.stamps[index] - instant) * 1e-9
        self.residuals.append(abs(residual))
        uncertainty = self.uncertainty(*indices)
        if math.isnan(uncertainty):
            flags |= Flag.CLOCK_UNCERTAIN
        sources = tuple(self.sources[i] for i in indices)
        return AlignedStream(self.stream.name, flags, sources, residual, uncertainty, self.values(index))

    def _between(self, flags: Flag, instant: int, before: int, after: int) -> AlignedStream:
        left, right = self.stamps[before], self.stamps[after]
        if right - left > self.max_gap:
            flags |= Flag.INTERPOLATED_GAP
        uncertainty = self.uncertainty(before, after)
        if math.isnan(uncertainty):
            flags |= Flag.CLOCK_UNCERTAIN
        self.residuals.append(0.0)
        fraction = (instant - left) / (right - left)
        values = _blend(self.values(before), self.values(after), fraction, self.layout, self.stream.policy)
        sources = (self.sources[before], self.sources[after])
        return AlignedStream(self.stream.name, flags, sources, 0.0, uncertainty, values)


def _blend(a: array, b: array, fraction: float, layout: Layout | None, policy: str) -> array:
    """Values between two samples; of different lengths (the source changed), those of the nearer one."""
    if len(a) != len(b):
        return a if fraction <= 0.5 else b
    left, right = np.frombuffer(a), np.frombuffer(b)
    mixed = left + fraction * (right - left)
    if policy == "slerp" and layout:
        for begin in layout.quaternions:
            part = slice(begin, begin + 4)
            mixed[part] = slerp(left[part], right[part], fraction)
    return array("d", mixed.tobytes())


class Aligner:
    """All streams of one plan.

    Args:
        plan: What and how.
        look_ahead: Wait for every stream as long as it takes: better frames from a bag, never live.
    """

    def __init__(self, plan: Plan, look_ahead: bool = False) -> None:
        self.plan = plan
        self.look_ahead = look_ahead
        self.frames = 0
        self.waits: deque[int] = deque(maxlen=_HISTORY)  # instant of a frame to when it was complete or due [ns]
        self._deadline = 10 * NANOSECONDS if look_ahead else round(plan.deadline * 1e9)
        self._period = round(1e9 / plan.rate)
        self._clocks = {stream.clock: ClockModel() for stream in plan.streams if stream.clock}
        self._host = HostClock(plan.host_tolerance, plan.host_latency)
        self._tracks = {
            stream.name: _Track(stream, self._clocks.get(stream.clock), look_ahead) for stream in plan.streams
        }
        self._started = False  # the timeline begins with the first message, not with the first look at the time
        self._now: int | None = None
        self._instants: deque[int] = deque()  # to come, of the master stream
        self._instant: int | None = None  # the next one
        self._last_instant: int | None = None

    # --- input ---

    def push(self, name: str, payload: bytes, arrival: int) -> list[Frame]:
        """Take a serialized message; gives the frames that are complete or due by now.

        Args:
            name: Of the stream.
            payload: CDR bytes that begin with a header.
            arrival: When it arrived [ns]; must not go back.

        Raises:
            AlignmentError: the plan has no such stream.
            MessageError: the message cannot be read.
        """
        return self.push_stamp(name, stamp_ns(payload), payload, arrival)

    def push_stamp(self, name: str, source: int, payload: bytes, arrival: int) -> list[Frame]:
        """As `push`, with the stamp [ns] known already."""
        track = self._tracks.get(name)
        if track is None:
            raise AlignmentError(f"{name}: found no such stream, expected one of {', '.join(self._tracks)}")
        self._started = True
        frames = self.advance(arrival)
        stamp = source if track.clock is None else track.clock.to_host(source)
        if track.clock is None:
            uncertain = not self._host.vouches(source, arrival)
        else:
            uncertain = not track.clock.known
        stamp -= track.latency
        track.insert(stamp, source, payload, uncertain, arrival)
        if arrival > self._due_of(stamp):
            track.late += 1
            track.late_since_frame = True
        newest = self._instants[-1] if self._instants else self._last_instant
        if name == self.plan.master and (newest is None or stamp > newest):
            self._instants.append(stamp)
            if len(self._instants) > _MOST_SAMPLES:
                self._instants.popleft()
        self._collect(arrival, frames)
        return frames

    def _due_of(self, stamp: int) -> int:
        """When the first frame that could use a sample is published at the latest."""
        if self.plan.master:
            return stamp + self._deadline
        return -(-stamp // self._period) * self._period + self._deadline

    def push_clock(self, clock: str, device: int, arrival: int) -> None:
        """Take a pair of a device's clock [ns]; clocks that no stream uses are ignored."""
        model = self._clocks.get(clock)
        if model is not None:
            model.add(device, arrival)

    def advance(self, now: int) -> list[Frame]:
        """Let time go on to `now` [ns]; gives the frames that are complete or due by then."""
        frames: list[Frame] = []
        if not self._started:
            return frames
        if self._now is not None and (now < self._now - _BACKWARD_NS or now > self._now + _RESTART_NS):
            self._restart()
        self._now = now if self._now is None else max(now, self._now)
        self._collect(self._now, frames)
        return frames

    def finish(self) -> list[Frame]:
        """The frames up to now that still waited: nothing more will come."""
        frames: list[Frame] = []
        for track in self._tracks.values():
            track.closed = True
        if self._now is not None:
            self._collect(self._now, frames)
        return frames

    def _restart(self) -> None:
        for track in self._tracks.values():
            track.forget()
            track.last_arrival = None
        self._now = self._instant = self._last_instant = None
        self._instants.clear()

    # --- output ---

    def _collect(self, now: int, frames: list[Frame]) -> None:
        while (instant := self._next_instant(now)) is not None:
            due = instant + self._deadline
            if now < due and not all(track.ready(instant, now) for track in self._tracks.values()):
                return
            if now < instant:
                return  # nothing is known about the future, whoever is silent
            frames.append(self._frame(instant, min(now, due)))

    def _next_instant(self, now: int) -> int | None:
        if self.plan.master:
            return self._instants[0] if self._instants else None
        if self._instant is None:
            self._instant = (now // self._period + 1) * self._period
        return self._instant

    def _frame(self, instant: int, when: int) -> Frame:
        since = self._last_instant if self._last_instant is not None else instant - self._period
        streams = tuple(track.part(instant, since) for track in self._tracks.values())
        for track in self._tracks.values():
            track.trim(instant)
        frame = Frame(instant, self.frames, streams)
        self.frames += 1
        self.waits.append(when - instant)
        self._last_instant = instant
        if self.plan.master:
            self._instants.popleft()
        else:
            self._instant = instant + self._period
        return frame

    def health(self) -> list[Health]:
        """Timing of every stream."""
        return [self._health(track) for track in self._tracks.values()]

    def _health(self, track: _Track) -> Health:
        periods = np.array(track.periods) * 1e-9
        skew = np.array(track.residuals)
        state = track.clock.state() if track.clock else None
        now = self._now or 0
        silence = math.inf if track.last_arrival is None else (now - track.last_arrival) * 1e-9
        silent = silence > max(track.stream.max_gap, 1.0)
        return Health(
            name=track.stream.name,
            rate=0.0 if silent or not len(periods) else float(1.0 / max(periods.mean(), 1e-9)),
            jitter=float(periods.std()) if len(periods) else 0.0,
            messages=track.messages,
            gaps=track.gaps,
            longest_gap=track.longest_gap * 1e-9,
            missing=track.missing,
            late=track.late,
            skew_p50=float(np.percentile(skew, 50)) if len(skew) else math.nan,
            skew_p95=float(np.percentile(skew, 95)) if len(skew) else math.nan,
            skew_max=float(skew.max()) if len(skew) else math.nan,
            clock_offset=state.offset if state else math.nan,
            clock_drift=state.drift if state else math.nan,
            clock_uncertainty=state.uncertainty if state else math.nan,
            silent=silent,
        )

    def warnings(self) -> list[str]:
        """What is wrong with the streams now, in sentences."""
        lines = []
        for health in self.health():
            stream = self._tracks[health.name].stream
            if health.silent:
                lines.append(f"{health.name}: " + ("silent" if health.messages else "nothing received yet"))
            elif health.messages > 10 and health.rate < 0.8 * stream.rate:
                lines.append(f"{health.name}: {health.rate:.1f} Hz, expected {stream.rate:g} Hz")
            if not math.isnan(health.skew_p95) and health.skew_p95 > stream.tolerance:
                lines.append(f"{health.name}: skew p95 {health.skew_p95 * 1e3:.1f} ms")
        return lines
