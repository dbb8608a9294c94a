# SPDX-License-Identifier: Apache-2.0
"""The health of streams as a table for people: one for what happens now and for recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from humanoid_interfaces.msg import StreamHealth, SyncStatus
from humanoid_sync.frames import Health

HEADS = (
    ("stream", ""),
    ("messages", ""),
    ("rate", "Hz"),
    ("jitter", "ms"),
    ("gaps", ""),
    ("longest", "s"),
    ("missing", "frames"),
    ("late", "messages"),
    ("skew p50", "ms"),
    ("p95", "ms"),
    ("max", "ms"),
    ("clock", "s"),
    ("drift", "ppm"),
    ("known to", "us"),
)


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def row(health: Health | StreamHealth) -> list[str]:
    """The cells of one stream, in the order of HEADS."""
    return [
        health.name,
        str(health.messages),
        _number(health.rate, 1),
        _number(health.jitter * 1e3, 2),
        str(health.gaps),
        _number(health.longest_gap, 3),
        str(health.missing),
        str(health.late),
        *(_number(1e3 * value, 2) for value in (health.skew_p50, health.skew_p95, health.skew_max)),
        _number(health.clock_offset, 4),
        _number(1e6 * health.clock_drift, 2),
        _number(1e6 * health.clock_uncertainty, 1),
    ]


def table(heads: Iterable[tuple[str, str]], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their names and units: the first to the left, numbers to the right."""
    names, units = zip(*heads)
    lines = [names, units, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        line[0].ljust(widths[0]) + "".join(f"  {cell.rjust(width)}" for cell, width in zip(line[1:], widths[1:]))
        for line in lines
    )


def status(message: SyncStatus) -> str:
    """All that a status says."""
    seconds = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
    top = f"{seconds:.1f} s: {message.frames} frames, out {message.latency_p95 * 1e3:.1f} ms after their instant (p95)"
    warnings = [f"! {warning}" for warning in message.warnings] or ["all streams on time"]
    return "\n".join([top, table(HEADS, [row(stream) for stream in message.streams]), *warnings])
