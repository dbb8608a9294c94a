# SPDX-License-Identifier: Apache-2.0
"""Aligns a whole recording at once: bit for bit the frames of `aligner.Aligner` for the same order of arrival.

A frame of the live core depends on which messages it had seen when it made the frame. That moment follows from
arrival times alone; here it is found for all frames first, then each stream's part of all frames is computed in
columns. Moments are counted in half steps: 2 k is just before message k is taken in (time has gone on to its arrival
already), 2 k + 1 just after.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from humanoid_core.rotations import slerp
from humanoid_sync.aligner import LOOK_AHEAD_NS
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.frames import BACKWARD_NS, RESTART_NS, AlignedStream, Flag, Frame, blend
from humanoid_sync.readers import LAYOUTS, Layout
from humanoid_sync.recording import Recording, Samples, in_host_time
from humanoid_sync.releases import Releases, Sight
from humanoid_sync.streams import Plan, Stream
from humanoid_sync.track import Reach

Piece = tuple[np.ndarray, np.ndarray, dict[str, Sight]]  # of one timeline: instants, moments, streams


@dataclass(frozen=True)
class Column:
    """One stream's part of all frames, (frames,) each.

    Attributes:
        name: Of the stream.
        flags: See Flag.
        first: Index of the sample, or of the first of two; -1: missing.
        last: Index of the second sample, else that of the first.
        residual: [s].
        uncertainty: [s].
        values: (frames, width); of a frame that has fewer values, the first `widths` count.
        widths: Number of values.
    """

    name: str
    flags: np.ndarray
    first: np.ndarray
    last: np.ndarray
    residual: np.ndarray
    uncertainty: np.ndarray
    values: np.ndarray
    widths: np.ndarray


@dataclass(frozen=True)
class Batch:
    """All frames of a recording, in columns.

    Attributes:
        instants: (frames,) [ns].
        columns: By stream, in the order of the plan.
        samples: By stream.
        clocks: Models as they ended.
        late: Messages of each stream that came after their frame was due.
    """

    instants: np.ndarray
    columns: list[Column]
    samples: dict[str, Samples]
    clocks: dict[str, ClockModel]
    late: dict[str, int]

    @property
    def span(self) -> tuple[int, int]:
        """First and last arrival of any message [ns]."""
        arrivals = [part.arrivals for part in self.samples.values() if len(part.arrivals)]
        if not arrivals:
            return 0, 0
        return int(min(found.min() for found in arrivals)), int(max(found.max() for found in arrivals))

    def __len__(self) -> int:
        return len(self.instants)

    def frames(self) -> Iterator[Frame]:
        """The frames one by one, as the live core gives them."""
        parts = [self._parts(column) for column in self.columns]
        for sequence, (instant, *streams) in enumerate(zip(self.instants.tolist(), *parts)):
            yield Frame(instant, sequence, tuple(streams))

    def _parts(self, column: Column) -> Iterator[AlignedStream]:
        sources = self.samples[column.name].sources
        first, last = column.first.tolist(), column.last.tolist()
        flags_, residuals, uncertainties = (
            part.tolist() for part in (column.flags, column.residual, column.uncertainty)
        )
        rows = zip(flags_, first, last, residuals, uncertainties, column.values, column.widths.tolist())
        for flags, a, b, residual, uncertainty, row, width in rows:
            stamps: tuple[int, ...] = ()
            if a >= 0:
                stamps = (int(sources[a]),) if a == b else (int(sources[a]), int(sources[b]))
            values = array("d", row[:width].tobytes())
            yield AlignedStream(column.name, Flag(flags), stamps, residual, uncertainty, values)


def align(plan: Plan, recording: Recording, look_ahead: bool = False) -> Batch:
    """Align a recording.

    Args:
        plan: What and how.
        recording: All messages.
        look_ahead: Wait for every stream as long as it takes, and give the last frames too: better than live can be.

    Raises:
        MessageError: a message cannot be read.
    """
    samples, clocks = in_host_time(plan, recording)
    deadline = LOOK_AHEAD_NS if look_ahead else round(plan.deadline * 1e9)
    period = round(1e9 / plan.rate)
    order = np.concatenate([part.order for part in samples.values()])
    arrivals = np.concatenate([part.arrivals for part in samples.values()])
    sorting = np.argsort(order)  # pairs of clocks do not let time go on
    order, arrivals = order[sorting], arrivals[sorting]
    due = {
        name: part.stamps + deadline if plan.master else -(-part.stamps // period) * period + deadline
        for name, part in samples.items()
    }
    late = {name: samples[name].arrivals > due[name] for name in samples}
    pieces: list[Piece] = []
    for begin, end in _timelines(arrivals):
        low, high = (order[begin], order[end - 1] + 1) if end > begin else (0, 0)
        horizon = _horizon(arrivals, begin, end, look_ahead)
        clipped = {name: slice(*np.searchsorted(part.order, (low, high))) for name, part in samples.items()}
        seen = {
            stream.name: Sight.of(
                stream, samples[stream.name], clipped[stream.name], late[stream.name], order[begin:end]
            )
            for stream in plan.streams
        }
        releases = Releases(plan, arrivals[begin:end], horizon, seen, deadline, period, look_ahead)
        pieces.append((*releases.frames(), seen))
    columns = [_column(stream, samples[stream.name], pieces, period) for stream in plan.streams]
    instants = np.concatenate([instants for instants, _, _ in pieces]) if pieces else np.zeros(0, dtype=np.int64)
    return Batch(instants, columns, samples, clocks, {name: int(mask.sum()) for name, mask in late.items()})


def _timelines(arrivals: np.ndarray) -> Iterator[tuple[int, int]]:
    """Begin and end of each stretch without a jump of arrival time."""
    begin = 0
    while begin < len(arrivals):
        rest = arrivals[begin:]
        newest = np.maximum.accumulate(rest)
        jumps = (rest[1:] < newest[:-1] - BACKWARD_NS) | (rest[1:] > newest[:-1] + RESTART_NS)
        at = int(np.argmax(jumps)) if jumps.any() else len(rest) - 1
        yield begin, begin + at + 1
        begin += at + 1


def _horizon(arrivals: np.ndarray, begin: int, end: int, look_ahead: bool) -> int | None:
    """Up to when frames go out at the end of a timeline, even those that wait; None: they go on waiting."""
    newest = int(arrivals[begin:end].max())
    if end == len(arrivals):
        return newest if look_ahead else None
    return newest + RESTART_NS if arrivals[end] > newest else newest


def _column(stream: Stream, samples: Samples, pieces: list[Piece], period: int) -> Column:
    parts = [_part(stream, samples, seen[stream.name], at, moments, period) for at, moments, seen in pieces]
    flags, first, last, blended = (
        np.concatenate([part[k] for part in parts]) if parts else np.zeros(0, dtype=np.int64) for k in range(4)
    )
    instants = np.concatenate([piece[0] for piece in pieces]) if pieces else np.zeros(0, dtype=np.int64)
    there = first >= 0
    blended = blended.astype(bool)
    a, b = np.where(there, first, 0), np.where(there, last, 0)
    residual = np.zeros(len(instants))
    uncertainty = np.full(len(instants), np.nan)
    if len(samples.stamps):
        residual = np.where(there & ~blended, (samples.stamps[b] - instants) * 1e-9, 0.0)
        uncertainty = np.where(there, np.maximum(samples.doubts[a], samples.doubts[b]), np.nan)
    flags = flags | np.where(there & np.isnan(uncertainty), int(Flag.CLOCK_UNCERTAIN), 0)
    values, widths = _values(stream, samples, instants, first, last, blended)
    return Column(stream.name, flags, first, last, residual, uncertainty, values, widths)


def _part(
    stream: Stream, samples: Samples, sight: Sight, instants: np.ndarray, moments: np.ndarray, period: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flags, first and last sample (-1: missing), and whether values are blended, of all frames of one timeline."""
    reach = Reach(stream)
    before, after, exact = sight.around(instants, moments)
    flags = np.where(sight.late_since(moments), int(Flag.LATE), 0)
    stamps = samples.stamps if len(samples.stamps) else np.zeros(1, dtype=np.int64)
    has_before, has_after = before >= 0, after >= 0
    behind = np.where(has_before, instants - stamps[before], 0)
    ahead = np.where(has_after, stamps[after] - instants, 0)
    blended = np.zeros(len(instants), dtype=bool)
    if stream.policy == "window":
        since = np.empty_like(instants)
        since[1:] = instants[:-1]
        since[:1] = instants[:1] - period
        first = sight.first_after(instants - reach.max_age if reach.max_age else since, moments)
        there = has_before & (first >= 0) & (stamps[first] <= stamps[before])
        first, last = np.where(there, first, -1), np.where(there, before, -1)
        return flags | np.where(there, 0, int(Flag.MISSING)), first, last, blended
    near_before = has_before & (behind <= reach.behind)
    near_after = has_after & ~exact & (ahead <= reach.tolerance)
    if stream.policy == "previous":
        near_after[:] = False
    there = near_before | near_after
    chosen = np.where(near_before & (~near_after | (behind <= ahead)), before, after)
    first = last = np.where(there, chosen, -1)
    if stream.policy in ("linear", "slerp"):
        blended = there & ~exact & has_before & has_after & (np.maximum(behind, ahead) <= reach.between)
        flags = flags | np.where(blended & (behind + ahead > reach.max_gap), int(Flag.INTERPOLATED_GAP), 0)
        first, last = np.where(blended, before, first), np.where(blended, after, last)
    return flags | np.where(there, 0, int(Flag.MISSING)), first, last, blended


def _values(
    stream: Stream,
    samples: Samples,
    instants: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    blended: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Values of all frames, (frames, width), and how many each frame has."""
    layout = LAYOUTS.get(stream.type) if stream.values else None
    there = np.flatnonzero(first >= 0)
    if layout is None or not len(there):
        return np.zeros((len(instants), 0)), np.zeros(len(instants), dtype=np.int64)
    a, b = first[there], last[there]
    left = layout.reader().many([samples.payloads[i] for i in a.tolist()])
    right = layout.reader().many([samples.payloads[i] for i in b.tolist()])
    if left is None or right is None or left.shape != right.shape:
        return _ragged(stream, layout, samples, instants, first, last, blended)
    stamps, mixed = samples.stamps, blended[there]
    span = np.where(mixed, stamps[b] - stamps[a], 1)
    fraction = np.where(mixed, instants[there] - stamps[a], 0) / span
    rows = np.where(mixed[:, None], left + fraction[:, None] * (right - left), right)
    if stream.policy == "slerp":
        for begin in layout.quaternions:
            part = slice(begin, begin + 4)
            for i in np.flatnonzero(mixed).tolist():
                rows[i, part] = slerp(left[i, part], right[i, part], float(fraction[i]))
    values = np.zeros((len(instants), rows.shape[1]))
    values[there] = rows
    return values, np.where(first >= 0, rows.shape[1], 0)


def _ragged(
    stream: Stream,
    layout: Layout,
    samples: Samples,
    instants: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    blended: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """As `_values`, where messages change their layout: one by one."""
    read, payloads, stamps = layout.reader(), samples.payloads, samples.stamps
    rows = []
    for instant, a, b, mixed in zip(instants.tolist(), first.tolist(), last.tolist(), blended.tolist()):
        if a < 0:
            rows.append(array("d"))
        elif not mixed:
            rows.append(read(payloads[b]))
        else:
            left, right = int(stamps[a]), int(stamps[b])
            fraction = (instant - left) / (right - left)
            rows.append(blend(read(payloads[a]), read(payloads[b]), fraction, layout, stream.policy))
    widths = np.array([len(row) for row in rows], dtype=np.int64)
    values = np.zeros((len(rows), int(widths.max())))
    for i, row in enumerate(rows):
        values[i, : len(row)] = row
    return values, widths
