# SPDX-License-Identifier: Apache-2.0
"""A device's clock against the host's, from (device stamp, arrival) pairs alone.

A packet never arrives before it was sent, so each difference arrival - device is the clocks' offset plus a delay of
at least the least delay of the path. The offset line therefore runs along the lower edge of the points: the edge of
their lower convex hull above the middle of the window. (Moon, Skelly, Towsley: Estimation and removal of clock skew
from network delay measurements, 1999; Zhang, Liu, Xia: Clock synchronization algorithms for network measurements,
2002, the hull; Harrison,
Newman: TICSync, 2011, on line.) The least delay itself cannot be seen in one direction: it stays in the offset.

Memory and time per sample are bounded: the window is cut into buckets that keep only their own lower hull.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise

_BUCKET_NS = 500_000_000
_WINDOW_NS = 60_000_000_000
_MAX_DRIFT = 200e-6  # [s/s]; crystals are within 100 ppm
_STEP_BACK_NS = 2_000_000  # arriving this much before it can be is no delay but a step of a clock
_STEP_FORWARD_NS = 5_000_000
_STEP_SAMPLES = 5
_STEP_SLOT_NS = 150_000_000  # a step forward is believed when the least delays of four such slots agree
_STEP_SLOTS = 4
_STEP_AGREE_NS = 3_000_000
_KNOWN_AFTER_NS = 2_000_000_000
_KNOWN_SAMPLES = 20

Point = tuple[int, int]  # device time, offset [ns]


@dataclass(frozen=True)
class ClockState:
    """What is known of a clock.

    Attributes:
        offset: Host minus device time at the last sample [s], least delay included.
        drift: Of the offset [s/s].
        uncertainty: Of a converted stamp [s], the unseen least delay excluded; NaN while unknown.
        steps: Steps found.
        samples: Pairs in the present segment.
    """

    offset: float
    drift: float
    uncertainty: float
    steps: int
    samples: int


class ClockModel:
    """Running model of one clock."""

    def __init__(self) -> None:
        self.steps = 0
        self._reset()

    def _reset(self) -> None:
        self._buckets: deque[list[Point]] = deque()
        self._bucket_end = 0
        self._first = self._last = 0
        self._samples = 0
        self._line: tuple[int, float, float] | None = None  # device time, offset there [ns], slope
        self._spread = math.nan  # typical distance of the bucket minima from the line [ns]
        self._suspects: list[Point] = []
        self._suspect_side = 0
        self._slot_end = 0

    def add(self, device_ns: int, arrival_ns: int) -> None:
        """Take one pair; duplicates and packets out of order do no harm."""
        point = (device_ns, arrival_ns - device_ns)
        if self._line is not None and self._is_step(point):
            suspects = self._suspects
            self._reset()
            self.steps += 1
            for suspect in suspects:
                self._insert(suspect)
            return
        if self._suspect_side >= 0:
            self._insert(point)

    def _is_step(self, point: Point) -> bool:
        """Whether enough samples in a row say that one of the clocks was set.

        One clock set so that packets seem to arrive before they were sent shows at once. The other way looks like
        congestion, which however does not hold its least delay steady.
        """
        residual = point[1] - self._value(point[0])
        spread = 0.0 if math.isnan(self._spread) else self._spread
        side = -1 if residual < -_STEP_BACK_NS else 1 if residual > _STEP_FORWARD_NS + 5 * spread else 0
        if side == 0 or side != self._suspect_side:
            self._suspects, self._suspect_side = [], side
        if side == 0:
            return False
        suspects = self._suspects
        if side < 0:
            suspects.append(point)
            return len(suspects) >= _STEP_SAMPLES
        if not suspects or point[0] >= self._slot_end:
            done = suspects[-_STEP_SLOTS:]
            agree = max(point[1] for point in done) - min(point[1] for point in done) if done else 0
            if len(done) == _STEP_SLOTS and agree <= _STEP_AGREE_NS + 5 * spread:
                self._suspects = done
                return True
            self._suspects = [*done[-_STEP_SLOTS + 1 :], point]
            self._slot_end = point[0] + _STEP_SLOT_NS
        elif point[1] < suspects[-1][1]:
            suspects[-1] = point
        return False

    def _insert(self, point: Point) -> None:
        if not self._buckets:
            self._first = self._last = point[0]
        if point[0] >= self._bucket_end:
            self._refresh()
            self._buckets.append([])
            self._bucket_end = point[0] + _BUCKET_NS
            while self._buckets[0] and self._buckets[0][-1][0] < point[0] - _WINDOW_NS:
                self._buckets.popleft()
        self._last = max(self._last, point[0])
        self._samples += 1
        _extend_hull(self._buckets[-1], point)
        if self._line is None or len(self._buckets) < 4 or point[1] < self._value(point[0]):
            self._refresh()

    def _refresh(self) -> None:
        """Fit the line to the hull of all buckets."""
        points = [point for bucket in self._buckets for point in bucket]
        if not points:
            return
        hull: list[Point] = []
        for point in points:
            _extend_hull(hull, point)
        middle = (points[0][0] + points[-1][0]) / 2
        slope, at = 0.0, hull[0]
        for left, right in pairwise(hull):
            at = left
            slope = (right[1] - left[1]) / (right[0] - left[0])
            if right[0] >= middle:
                break
        slope = min(max(slope, -_MAX_DRIFT), _MAX_DRIFT)
        lowest = min(point[1] - slope * (point[0] - at[0]) for point in hull)
        self._line = (at[0], lowest, slope)
        minima = [min(y - slope * (x - at[0]) for x, y in bucket) - lowest for bucket in self._buckets if bucket]
        self._spread = sorted(minima)[len(minima) // 2]

    def _value(self, device_ns: int) -> float:
        assert self._line is not None
        at, offset, slope = self._line
        return offset + slope * (device_ns - at)

    @property
    def known(self) -> bool:
        """Whether there are samples enough to state an uncertainty."""
        return self._samples >= _KNOWN_SAMPLES and self._last - self._first >= _KNOWN_AFTER_NS

    def uncertainty(self) -> float:
        """Of a converted stamp [s]; NaN while unknown.

        The minima of half-second buckets lie above the line by what delays leave over; the line can be off by about
        as much.
        """
        return (self._spread + 20_000) * 1e-9 if self.known else math.nan

    def to_host(self, device_ns: int) -> int:
        """Host time of a device stamp [ns]; the stamp itself while nothing is known."""
        return device_ns if self._line is None else device_ns + round(self._value(device_ns))

    def state(self) -> ClockState:
        """What is known now."""
        if self._line is None:
            return ClockState(math.nan, math.nan, math.nan, self.steps, 0)
        return ClockState(self._value(self._last) * 1e-9, self._line[2], self.uncertainty(), self.steps, self._samples)


def _extend_hull(hull: list[Point], point: Point) -> None:
    """Add a point to a lower convex hull, ordered by time; one from the past only counts if it is the lowest."""
    if hull and point[0] <= hull[-1][0]:
        if point[1] >= hull[-1][1]:
            return
        while hull and point[0] <= hull[-1][0]:
            hull.pop()
    while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
        hull.pop()
    hull.append(point)


def _turns_down(a: Point, b: Point, c: Point) -> bool:
    """Whether b is on or above the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) >= (c[1] - a[1]) * (b[0] - a[0])


class HostClock:
    """Stamps that are host time already, or synchronised to it by PTP: passed through, and checked against arrivals.

    Args:
        tolerance: A stamp may be this far in the future [s].
        latency: ... and this old [s].
    """

    def __init__(self, tolerance: float, latency: float) -> None:
        self._early = round(tolerance * 1e9)
        self._late = round(latency * 1e9)

    def vouches(self, stamp_ns: int, arrival_ns: int) -> bool:
        """Whether a stamp can be host time."""
        age = arrival_ns - stamp_ns
        return -self._early <= age <= self._late
