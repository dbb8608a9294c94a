# SPDX-License-Identifier: Apache-2.0
"""What is kept of one stream while frames are made, and its part of each frame."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections import deque

from humanoid_sync.frames import BACKWARD_NS, NANOSECONDS, AlignedStream, Flag, blend
from humanoid_sync.readers import LAYOUTS, Layout, Reader
from humanoid_sync.streams import Stream

MOST_SAMPLES = 8192  # of one stream; 8 s at 1 kHz
HISTORY = 600  # samples and frames that live statistics look back on


class Reach:
    """A stream's times as whole nanoseconds."""

    def __init__(self, stream: Stream) -> None:
        self.tolerance = round(stream.tolerance * 1e9)
        self.max_gap = round(stream.max_gap * 1e9)
        self.max_age = round(stream.max_age * 1e9)
        self.latency = round(stream.latency * 1e9)
        self.between = self.max_gap + self.tolerance  # samples further away say nothing about an instant
        self.behind = min(self.tolerance, self.max_age or self.tolerance)
        if stream.policy == "previous":
            self.behind = self.max_age or self.tolerance
        self.kept = max(self.tolerance, self.max_age)
        self.patience = max(self.max_gap, NANOSECONDS)  # silent for longer: frames do not wait for it


class Track:
    """Samples of one stream by stamp in host time, newest last.

    Args:
        stream: Which.
        hopeful: Wait up to the deadline even for what never came or fell silent.
    """

    def __init__(self, stream: Stream, hopeful: bool) -> None:
        self.stream = stream
        self.hopeful = hopeful
        self.layout: Layout | None = LAYOUTS.get(stream.type) if stream.values else None
        self.reader: Reader | None = self.layout.reader() if self.layout else None
        self.reach = Reach(stream)
        self.last_arrival: int | None = None
        self.late_since_frame = False
        self.closed = False
        self.forget()
        # statistics
        self.messages = self.gaps = self.missing = self.late = self.disordered = 0
        self.longest_gap = 0
        self.periods: deque[int] = deque(maxlen=HISTORY)
        self.residuals: deque[float] = deque(maxlen=HISTORY)
        self.absent: deque[bool] = deque(maxlen=HISTORY)
        self.tardy: deque[bool] = deque(maxlen=HISTORY)

    def forget(self) -> None:
        """Drop the samples, after a jump of time."""
        self.stamps: list[int] = []
        self.sources: list[int] = []
        self.payloads: list[bytes] = []
        self.doubts: list[float] = []  # uncertainty of each stamp [s]

    def insert(self, stamp: int, source: int, payload: bytes, doubt: float, arrival: int) -> None:
        """Keep a sample; stamps may come out of order, a stamp that is there already is a duplicate."""
        stamps = self.stamps
        self.messages += 1
        self.last_arrival = arrival
        if stamps:
            step = stamp - stamps[-1]
            if step > 0:
                self.periods.append(step)
                if step > self.reach.max_gap:
                    self.gaps += 1
                if step > self.longest_gap:
                    self.longest_gap = step
            else:
                self.disordered += 1
                if step < -BACKWARD_NS:
                    self.forget()
                    stamps = self.stamps
        if not stamps or stamp > stamps[-1]:
            at = len(stamps)
        else:
            at = bisect_left(stamps, stamp)
            if stamps[at] == stamp:
                return
        stamps.insert(at, stamp)
        self.sources.insert(at, source)
        self.payloads.insert(at, payload)
        self.doubts.insert(at, doubt)
        if len(stamps) > MOST_SAMPLES:
            self._drop(len(stamps) - MOST_SAMPLES)

    def trim(self, instant: int) -> None:
        """Forget what no later frame can use; the newest sample before it stays, for interpolation."""
        count = bisect_left(self.stamps, instant - self.reach.kept) - 1
        if count > 0:
            self._drop(count)

    def _drop(self, count: int) -> None:
        del self.stamps[:count], self.sources[:count], self.payloads[:count], self.doubts[:count]

    def ready(self, instant: int, now: int) -> bool:
        """Whether nothing more can be expected for an instant."""
        if self.closed or not self.stream.wait or (not self.hopeful and self._given_up(now)):
            return True
        return bool(self.stamps) and self.stamps[-1] >= instant

    def _given_up(self, now: int) -> bool:
        return self.last_arrival is None or now - self.last_arrival > self.reach.patience

    def part(self, instant: int, since: int) -> AlignedStream:
        """This stream's part of the frame at `instant`, `since` being the instant before."""
        flags = Flag.LATE if self.late_since_frame else Flag(0)
        self.late_since_frame = False
        stamps, policy, reach = self.stamps, self.stream.policy, self.reach
        after = bisect_left(stamps, instant)
        exact = after < len(stamps) and stamps[after] == instant
        before = after if exact else after - 1
        if policy == "window":
            first = bisect_right(stamps, instant - reach.max_age if reach.max_age else since)
            if before < first:
                return self._missing(flags)
            return self._taken(flags, instant, (first, before) if before > first else (before,))
        near = [before] if before >= 0 and instant - stamps[before] <= reach.behind else []
        if policy != "previous" and not exact and after < len(stamps) and stamps[after] - instant <= reach.tolerance:
            near.append(after)
        if not near:
            return self._missing(flags)
        between = policy in ("linear", "slerp") and not exact and before >= 0 and after < len(stamps)
        if between and max(instant - stamps[before], stamps[after] - instant) <= reach.between:
            return self._between(flags, instant, before, after)
        return self._taken(flags, instant, (min(near, key=lambda index: abs(stamps[index] - instant)),))

    def _missing(self, flags: Flag) -> AlignedStream:
        self.missing += 1
        self.absent.append(True)
        return AlignedStream(self.stream.name, flags | Flag.MISSING)

    def _values(self, index: int) -> array:
        return self.reader(self.payloads[index]) if self.reader else array("d")

    def _doubt(self, first: int, last: int) -> float:
        a, b = self.doubts[first], self.doubts[last]
        return math.nan if a != a or b != b else max(a, b)

    def _taken(self, flags: Flag, instant: int, indices: tuple[int, ...]) -> AlignedStream:
        """The last of some samples stands for the instant."""
        residual = (self.stamps[indices[-1]] - instant) * 1e-9
        self.residuals.append(abs(residual))
        self.absent.append(False)
        doubt = self._doubt(indices[0], indices[-1])
        if math.isnan(doubt):
            flags |= Flag.CLOCK_UNCERTAIN
        sources = tuple(self.sources[i] for i in indices)
        return AlignedStream(self.stream.name, flags, sources, residual, doubt, self._values(indices[-1]))

    def _between(self, flags: Flag, instant: int, before: int, after: int) -> AlignedStream:
        left, right = self.stamps[before], self.stamps[after]
        if right - left > self.reach.max_gap:
            flags |= Flag.INTERPOLATED_GAP
        doubt = self._doubt(before, after)
        if math.isnan(doubt):
            flags |= Flag.CLOCK_UNCERTAIN
        self.residuals.append(0.0)
        self.absent.append(False)
        fraction = (instant - left) / (right - left)
        values = blend(self._values(before), self._values(after), fraction, self.layout, self.stream.policy)
        sources = (self.sources[before], self.sources[after])
        return AlignedStream(self.stream.name, flags, sources, 0.0, doubt, values)
