# SPDX-License-Identifier: Apache-2.0
"""What an aligned recording tells about its streams: health, and every gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humanoid_sync import view
from humanoid_sync.batch import Batch, Column
from humanoid_sync.frames import Flag, Health, skew_figures
from humanoid_sync.recording import Samples
from humanoid_sync.streams import Plan, Stream
from humanoid_sync.view import HEADS

_HEADS = (*HEADS, ("over gap", "frames"), ("unsure", "frames"))
_COUNTED = (Flag.INTERPOLATED_GAP, Flag.CLOCK_UNCERTAIN)
_MOST_GAPS = 20  # of a stream that are listed


@dataclass(frozen=True)
class Gap:
    """A stretch without samples, longer than the stream's max_gap: its ends in host time [ns].

    Attributes:
        begin: Of it.
        end: Of it.
        remark: Whether it is one end of the recording.
    """

    begin: int
    end: int
    remark: str = ""

    @property
    def length(self) -> float:
        """[s]."""
        return (self.end - self.begin) * 1e-9


def rate_of(stamps: Sequence[int]) -> float | None:
    """Usual rate [Hz] of arrivals or stamps [ns], gaps apart; None of fewer than three."""
    if len(stamps) < 3:
        return None
    ordered = np.sort(np.asarray(stamps))
    steps = np.diff(ordered) * 1e-9
    usual = steps[steps <= 4.0 * np.median(steps)]
    return float(1.0 / max(usual.mean(), 1e-6))


def gaps(stream: Stream, samples: Samples, span: tuple[int, int]) -> list[Gap]:
    """Every gap of a stream, and the stretches before its first and after its last sample.

    Args:
        stream: Which.
        samples: All of it.
        span: First and last arrival of the recording [ns].
    """
    stamps = np.sort(samples.stamps)
    longest = round(stream.max_gap * 1e9)
    if not len(stamps):
        return [Gap(*span, " (all of it)")]
    long = np.flatnonzero(np.diff(stamps) > longest)
    found = [Gap(int(stamps[i]), int(stamps[i + 1])) for i in long]
    first, last = int(stamps[0]), int(stamps[-1])
    if first - span[0] > longest:
        found.insert(0, Gap(span[0], first, " (until its first message)"))
    if span[1] - last > longest + max(0, int(np.median(samples.arrivals - samples.stamps))):
        found.append(Gap(last, span[1], " (after its last message)"))
    return found


def health(stream: Stream, batch: Batch, column: Column) -> Health:
    """A stream's timing over the whole recording."""
    samples = batch.samples[stream.name]
    steps = np.diff(np.sort(samples.stamps)) * 1e-9
    usual = steps[(steps > 0) & (steps <= stream.max_gap)]
    found = column.first >= 0
    p50, p95, most = skew_figures(np.abs(column.residual[found]))
    state = batch.clocks[stream.clock].state() if stream.clock else None
    return Health(
        name=stream.name,
        rate=rate_of(samples.stamps.tolist()) or 0.0,
        jitter=float(usual.std()) if len(usual) else 0.0,
        messages=len(samples.stamps),
        gaps=int((steps > stream.max_gap).sum()),
        longest_gap=float(steps.max()) if len(steps) else 0.0,
        missing=int((~found).sum()),
        late=batch.late[stream.name],
        skew_p50=p50,
        skew_p95=p95,
        skew_max=most,
        clock_offset=state.offset if state else math.nan,
        clock_drift=state.drift if state else math.nan,
        clock_uncertainty=state.uncertainty if state else math.nan,
        silent=not len(samples.stamps),
    )


def table(plan: Plan, batch: Batch) -> str:
    """Health of every stream and all gaps, as text."""
    rows, remarks = [], []
    start = int(batch.instants[0]) if len(batch) else 0
    span = batch.span
    for stream, column in zip(plan.streams, batch.columns):
        flagged = [str(int(((column.flags & int(flag)) != 0).sum())) for flag in _COUNTED]
        rows.append([*view.row(health(stream, batch, column)), *flagged])
        found = gaps(stream, batch.samples[stream.name], span)
        shown = [f"{gap.length:.3f} s from {(gap.begin - start) * 1e-9:.3f} s{gap.remark}" for gap in found]
        if len(shown) > _MOST_GAPS:
            shown[_MOST_GAPS:] = [f"and {len(found) - _MOST_GAPS} more"]
        if shown:
            remarks.append(f"{stream.name}: {len(found)} gap(s): {', '.join(shown)}")
    remarks += [
        f"clock {name}: {model.steps} step(s), the last by {model.last_step:+.6f} s"
        for name, model in batch.clocks.items()
        if model.steps
    ]
    return "\n".join([view.table(_HEADS, rows), *remarks, f"{len(batch)} frames"])
