# SPDX-License-Identifier: Apache-2.0
"""What an aligned recording tells about its streams: health, every gap, and tables of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humanoid_sync.batch import Batch, Column
from humanoid_sync.frames import Flag, Health, skew_figures
from humanoid_sync.recording import Samples
from humanoid_sync.streams import Plan, Stream

_HEADS = (
    ("stream", "messages", "Hz", "jitter", "gaps", "longest", "missing", "late", "over gap", "unsure")
    + ("skew p50", "p95", "max")
    + ("offset", "drift", "known to")
)
_UNITS = ("", "", "", "ms", "", "s", "frames", "msgs", "frames", "frames", "ms", "ms", "ms", "s", "ppm", "us")
_MOST_GAPS = 20  # of a stream that are listed


@dataclass(frozen=True)
class Gap:
    """A stretch without samples, longer than the stream's max_gap: its ends in host time [ns]."""

    begin: int
    end: int

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


def gaps(stream: Stream, samples: Samples) -> list[Gap]:
    """Every gap of a stream."""
    stamps = np.sort(samples.stamps)
    long = np.flatnonzero(np.diff(stamps) > round(stream.max_gap * 1e9))
    return [Gap(int(stamps[i]), int(stamps[i + 1])) for i in long]


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
        gaps=len(gaps(stream, samples)),
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
    rows: list[tuple[str, ...]] = [_HEADS, _UNITS]
    remarks = []
    start = int(batch.instants[0]) if len(batch) else 0
    for stream, column in zip(plan.streams, batch.columns):
        rows.append(_row(health(stream, batch, column), column))
        found = gaps(stream, batch.samples[stream.name])
        shown = ", ".join(f"{gap.length:.3f} s from {(gap.begin - start) * 1e-9:.3f} s" for gap in found[:_MOST_GAPS])
        if found:
            more = f" and {len(found) - _MOST_GAPS} more" if len(found) > _MOST_GAPS else ""
            remarks.append(f"{stream.name}: {len(found)} gap(s): {shown}{more}")
    remarks += [
        f"clock {name}: {model.steps} step(s), the last by {model.last_step:+.6f} s"
        for name, model in batch.clocks.items()
        if model.steps
    ]
    text = _aligned(rows)
    return "\n".join([text, *remarks, f"{len(batch)} frames"])


def _row(health: Health, column: Column) -> tuple[str, ...]:
    def number(value: float, digits: int) -> str:
        return "-" if math.isnan(value) else f"{value:.{digits}f}"

    def flagged(flag: Flag) -> str:
        return str(int(((column.flags & int(flag)) != 0).sum()))

    return (
        health.name,
        str(health.messages),
        f"{health.rate:.1f}",
        f"{health.jitter * 1e3:.2f}",
        str(health.gaps),
        f"{health.longest_gap:.3f}",
        str(health.missing),
        str(health.late),
        flagged(Flag.INTERPOLATED_GAP),
        flagged(Flag.CLOCK_UNCERTAIN),
        *(number(1e3 * value, 2) for value in (health.skew_p50, health.skew_p95, health.skew_max)),
        number(health.clock_offset, 3),
        number(1e6 * health.clock_drift, 2),
        number(1e6 * health.clock_uncertainty, 0),
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        row[0].ljust(widths[0]) + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:]))
        for row in rows
    )
