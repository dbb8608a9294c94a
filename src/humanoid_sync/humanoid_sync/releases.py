# SPDX-License-Identifier: Apache-2.0
"""When the live core would have made each frame, and which samples of a stream it had seen by then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from humanoid_sync.aligner import master_timeline
from humanoid_sync.frames import BACKWARD_NS
from humanoid_sync.master import MasterTimeline
from humanoid_sync.recording import Samples
from humanoid_sync.streams import Plan, Stream
from humanoid_sync.track import Reach

_NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class _Epoch:
    """Samples without a step back of more than a second: after one, the live core forgets what it had.

    Attributes:
        begin: Index among the timeline's samples.
        stamps: Ascending, each once.
        ranks: Order of arrival of each, among the timeline's samples.
        newest: Greatest stamp after each sample in order of arrival.
        orderly: Whether samples arrived in the order of their stamps, each once.
    """

    begin: int
    stamps: np.ndarray
    ranks: np.ndarray
    newest: np.ndarray
    orderly: bool


@dataclass(frozen=True)
class Sight:
    """One stream's samples on one timeline, as they come into sight.

    Attributes:
        stream: Which.
        offset: Index of the timeline's first sample among all of the stream.
        places: Of each sample among the timeline's messages.
        arrivals: [ns].
        stamps: [ns].
        newest: Greatest stamp known after each sample.
        forgets: Samples at which everything before was forgotten.
        epochs: Between them.
        late: How many late samples there are up to each.
    """

    stream: Stream
    offset: int
    places: np.ndarray
    arrivals: np.ndarray
    stamps: np.ndarray
    newest: np.ndarray
    forgets: np.ndarray
    epochs: list[_Epoch]
    late: np.ndarray

    @classmethod
    def of(cls, stream: Stream, samples: Samples, part: slice, late: np.ndarray, order: np.ndarray) -> Sight:
        """The samples `part` of a stream, on the timeline of messages `order`."""
        stamps = samples.stamps[part]
        begins = _epoch_begins(stamps)
        epochs = []
        for begin, end in zip(begins, [*begins[1:], len(stamps)]):
            own = stamps[begin:end]
            newest = np.maximum.accumulate(own)
            orderly = bool((own[1:] > own[:-1]).all())
            ranks = np.arange(begin, end)
            if not orderly:
                ranks = ranks[np.lexsort((ranks, own))]
                own = stamps[ranks]
                once = np.concatenate([[True], own[1:] != own[:-1]])
                own, ranks = own[once], ranks[once]
            epochs.append(_Epoch(begin, own, ranks, newest, orderly))
        newest = np.concatenate([epoch.newest for epoch in epochs]) if epochs else np.zeros(0, dtype=np.int64)
        places = np.searchsorted(order, samples.order[part])
        counted = np.concatenate([[0], np.cumsum(late[part])])
        forgets = np.array(begins[1:], dtype=np.int64)
        return cls(stream, part.start, places, samples.arrivals[part], stamps, newest, forgets, epochs, counted)

    def seen(self, moments: np.ndarray) -> np.ndarray:
        """How many samples had been taken in at each moment."""
        return np.searchsorted(self.places, (moments + 1) // 2)

    def late_since(self, moments: np.ndarray) -> np.ndarray:
        """Whether a late sample came between the frame before and each frame."""
        counted = self.late[self.seen(moments)]
        return np.diff(counted, prepend=0) > 0

    def around(self, instants: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the samples in sight: the last one at or before each instant, the first one after it (-1: none), and
        whether the former is at the instant itself. Indices among all samples of the stream."""
        before, after = np.full(len(instants), -1), np.full(len(instants), -1)
        exact = np.zeros(len(instants), dtype=bool)
        for epoch, frames, seen in self._by_epoch(moments):
            at = instants[frames]
            left = np.searchsorted(epoch.stamps, at, side="right") - 1
            right = left + 1
            left = _back_into_sight(epoch, left, seen)
            right = _on_into_sight(epoch, right, seen, at)
            has_left, has_right = left >= 0, right < len(epoch.stamps)
            before[frames] = np.where(has_left, self.offset + epoch.ranks[left], -1)
            after[frames] = np.where(has_right, self.offset + epoch.ranks[np.where(has_right, right, 0)], -1)
            exact[frames] = has_left & (epoch.stamps[left] == at)
        return before, after, exact

    def first_after(self, times: np.ndarray, moments: np.ndarray) -> np.ndarray:
        """The first sample in sight with a stamp later than each time (-1: none), among all of the stream."""
        found = np.full(len(times), -1)
        for epoch, frames, seen in self._by_epoch(moments):
            right = np.searchsorted(epoch.stamps, times[frames], side="right")
            right = _on_into_sight(epoch, right, seen, times[frames])
            has = right < len(epoch.stamps)
            found[frames] = np.where(has, self.offset + epoch.ranks[np.where(has, right, 0)], -1)
        return found

    def _by_epoch(self, moments: np.ndarray) -> Iterator[tuple[_Epoch, np.ndarray, np.ndarray]]:
        """Each epoch with the frames that were made in it, and how many samples each of them had seen."""
        seen = self.seen(moments)
        ends = [*self.forgets.tolist(), len(self.stamps)]
        for epoch, end in zip(self.epochs, ends):
            frames = np.flatnonzero((seen > epoch.begin) & (seen <= end))
            if len(frames):
                yield epoch, frames, seen[frames]


def _epoch_begins(stamps: np.ndarray) -> list[int]:
    begins = [0] if len(stamps) else []
    while begins:
        rest = stamps[begins[-1] :]
        back = rest[1:] < np.maximum.accumulate(rest)[:-1] - BACKWARD_NS
        if not back.any():
            break
        begins.append(begins[-1] + 1 + int(np.argmax(back)))
    return begins


def _back_into_sight(epoch: _Epoch, index: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The last sample at or before `index` that had been seen."""
    if epoch.orderly:
        return np.minimum(index, seen - epoch.begin - 1)
    index = index.copy()
    while (hidden := (index >= 0) & (epoch.ranks[index] >= seen)).any():
        index[hidden] -= 1
    return index


def _on_into_sight(epoch: _Epoch, index: np.ndarray, seen: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The first sample at or after `index` that had been seen; the number of samples where there is none."""
    nothing = len(epoch.stamps)
    if epoch.orderly:
        return np.where(index < seen - epoch.begin, index, nothing)
    index = np.where(epoch.newest[seen - epoch.begin - 1] > at, index, nothing)
    last = nothing - 1
    while (hidden := (index < nothing) & (epoch.ranks[np.minimum(index, last)] >= seen)).any():
        index[hidden] += 1
    return index


class Releases:
    """Finds the frames of one timeline and the moment in which each was made.

    Args:
        plan: What and how.
        arrivals: Of all messages of the timeline, in order [ns].
        horizon: At the end, what waits up to this time goes out as it is; None: nothing does [ns].
        sights: By stream.
        deadline: [ns].
        period: Of frames, where no master sets the instants [ns].
        hopeful: Even silent streams are waited for.
    """

    def __init__(
        self,
        plan: Plan,
        arrivals: np.ndarray,
        horizon: int | None,
        sights: dict[str, Sight],
        deadline: int,
        period: int,
        hopeful: bool,
    ) -> None:
        self._plan, self._sights, self._deadline, self._hopeful = plan, sights, deadline, hopeful
        self._now, self._horizon = np.maximum.accumulate(arrivals), horizon
        self._waited = [sight for sight in sights.values() if sight.stream.wait]
        timeline = master_timeline(plan, deadline)
        if timeline:
            self._instants, self._earliest = self._of_master(timeline, sights[plan.master])
        else:
            first = (int(self._now[0]) // period + 1) * period
            last = int(self._now[-1]) if horizon is None else horizon
            self._instants = np.arange(first, last + 1, period, dtype=np.int64)
            self._earliest = np.zeros(len(self._instants), dtype=np.int64)

    def _of_master(self, timeline: MasterTimeline, sight: Sight) -> tuple[np.ndarray, np.ndarray]:
        """Instants of the master, and the moment from which on each is known."""
        now = self._now
        instants: list[int] = []
        known: list[int] = []

        def add(found: list[int], moment: int | None) -> None:
            instants.extend(found)
            due = np.array(found, dtype=np.int64) + self._deadline
            known.extend([moment] * len(found) if moment is not None else (2 * np.searchsorted(now, due)).tolist())

        rows = (sight.places.tolist(), sight.stamps.tolist(), sight.arrivals.tolist())
        for place, stamp, arrival in zip(*rows):
            add(timeline.due(int(now[place])), None)
            add(timeline.heard(stamp, arrival), 2 * place + 1)
        add(timeline.due(int(now[-1]) if self._horizon is None else self._horizon), None)
        return np.array(instants, dtype=np.int64), np.array(known, dtype=np.int64)

    def frames(self) -> tuple[np.ndarray, np.ndarray]:
        """Instants and moments of the frames."""
        instants = self._instants
        passed = 2 * np.searchsorted(self._now, instants)  # time has come to the instant
        begin = np.maximum(passed, self._earliest)
        overdue = 2 * np.searchsorted(self._now, instants + self._deadline)
        end = np.maximum(overdue, begin)
        complete = begin.copy()
        special = np.zeros(len(instants), dtype=bool)
        for sight in self._waited:
            moments, doubtful = self._ready(sight, instants, begin, end)
            complete = np.maximum(complete, moments)
            special |= doubtful
        moments = np.minimum(complete, end).tolist()
        previous = 0  # frames come one after the other
        for place in np.flatnonzero(special).tolist():
            moments[place] = -1  # found one by one below
        result = []
        for i, moment in enumerate(moments):
            made_at = moment
            if moment < 0:
                made_at = self._search(int(instants[i]), max(int(begin[i]), previous), int(end[i]))
            previous = max(made_at, previous)
            result.append(previous)
        made = np.array(result, dtype=np.int64)
        last = 2 * len(self._now) - 1
        if self._horizon is None:
            count = int((made <= last).sum())
        else:
            count = int((instants <= self._horizon).sum())
            made = np.minimum(made, last)
        return instants[:count], made[:count]

    def _ready(
        self, sight: Sight, instants: np.ndarray, begin: np.ndarray, end: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first moment from `begin` on at which a stream has passed each instant; where that is not simple."""
        doubtful = np.zeros(len(instants), dtype=bool)
        seen = sight.seen(begin)
        ready = np.full(len(instants), _NEVER)
        ends = [*sight.forgets.tolist(), len(sight.stamps)]
        for epoch, until in zip(sight.epochs, ends):
            frames = np.flatnonzero((np.maximum(seen, 1) > epoch.begin) & (np.maximum(seen, 1) <= until))
            index = epoch.begin + np.searchsorted(epoch.newest, instants[frames])
            index = np.maximum(index, 0)
            inside = index < until
            ready[frames[inside]] = 2 * sight.places[index[inside]] + 1
        if len(sight.forgets):
            again = 2 * sight.places[sight.forgets] + 1
            doubtful |= np.searchsorted(again, begin) != np.searchsorted(again, end, side="right")
        if self._hopeful:
            return ready, doubtful
        given_up, resumed = self._silences(sight)
        # Silences in [begin, end]: one that covers all of it makes the stream no matter; others are looked at closely.
        first = np.searchsorted(resumed, begin)  # first silence that is not over by `begin`
        some = first < len(given_up)
        at = np.where(some, first, 0)
        if len(given_up):
            touches = some & (given_up[at] <= end)
            covers = touches & (given_up[at] <= begin) & (resumed[at] >= end)
            ready[covers] = 0
            doubtful |= touches & ~covers
        return ready, doubtful

    def _silences(self, sight: Sight) -> tuple[np.ndarray, np.ndarray]:
        """First and last moment of each stretch in which the live core does not wait for a stream."""
        patience = Reach(sight.stream).patience
        own = sight.arrivals  # what the live core compares with, even where arrivals are out of order
        begins = np.concatenate([[0], 2 * np.searchsorted(self._now, own + patience, side="right")])
        begins[1:] = np.maximum(begins[1:], 2 * sight.places + 1)
        ends = np.concatenate([2 * sight.places, [_NEVER]])
        real = begins <= ends
        return begins[real], ends[real]

    def _search(self, instant: int, begin: int, end: int) -> int:
        """As the live core does: moment by moment."""
        for moment in range(begin, end):
            if all(self._is_ready(sight, instant, moment) for sight in self._waited):
                return moment
        return end

    def _is_ready(self, sight: Sight, instant: int, moment: int) -> bool:
        seen = int(np.searchsorted(sight.places, (moment + 1) // 2))
        if seen and sight.newest[seen - 1] >= instant:
            return True
        if self._hopeful:
            return False
        now = int(self._now[min(moment // 2, len(self._now) - 1)])
        return seen == 0 or now - int(sight.arrivals[seen - 1]) > Reach(sight.stream).patience
