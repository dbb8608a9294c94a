# SPDX-License-Identifier: Apache-2.0
"""What alignment gives: frames, their flags, and the health of each stream."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_core.rotations import slerp
from humanoid_sync.readers import Layout

NANOSECONDS = 1_000_000_000
BACKWARD_NS = NANOSECONDS  # time of arrival or stamps that go back further begin anew
RESTART_NS = 60 * NANOSECONDS  # a jump of arrival time beyond this begins a new timeline


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
    """Timing of one stream; see humanoid_interfaces/StreamHealth. Live, of the newest samples; offline, of all."""

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


@dataclass(frozen=True)
class Warning:
    """Something wrong with a stream or clock.

    Attributes:
        name: Of it.
        kind: In one word, the same as long as it lasts.
        text: With figures, which change.
    """

    name: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def skew_figures(residuals: np.ndarray) -> tuple[float, float, float]:
    """Median, 95th percentile and greatest of |residual| [s]; NaN without any."""
    if not len(residuals):
        return math.nan, math.nan, math.nan
    p50, p95 = np.percentile(residuals, (50, 95))
    return float(p50), float(p95), float(residuals.max())


def blend(a: array, b: array, fraction: float, layout: Layout | None, policy: str) -> array:
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
