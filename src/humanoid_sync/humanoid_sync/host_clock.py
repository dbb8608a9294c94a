# SPDX-License-Identifier: Apache-2.0
"""Stamps that are host time already, by the driver or by hardware (PTP): passed through, and verified on arrival."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

_BUCKET_NS = 10_000_000_000
_TAI_SECONDS = (34, 40)  # PTP counts TAI, which is 37 s ahead of UTC
_OTHER_CLOCK_NS = 3_600_000_000_000
_DRIFT_NS = 2_000_000  # of the least age, from one bucket to the next, always in the same direction


class HostClock:
    """Verifies one stream.

    Args:
        tolerance: A stamp may be this far in the future [s].
        latency: ... and this old [s].
    """

    def __init__(self, tolerance: float, latency: float) -> None:
        self._early = -round(tolerance * 1e9)
        self._late = round(latency * 1e9)
        self._least: deque[int] = deque(maxlen=7)  # age of the youngest stamp of each bucket [ns]
        self._end: int | None = None

    def vouches(self, stamp_ns: int, arrival_ns: int) -> bool:
        """Whether a stamp can be host time."""
        age = arrival_ns - stamp_ns
        if self._end is None or not -_BUCKET_NS <= arrival_ns - self._end < 0:
            self._end = arrival_ns + _BUCKET_NS
            self._least.append(age)
        elif age < self._least[-1]:
            self._least[-1] = age
        return self._early <= age <= self._late

    def verdict(self) -> str:
        """What is wrong with the clock, or ""."""
        return verdict(list(self._least), self._early, self._late)


def verdict(least: list[int], early: int, late: int) -> str:
    """What the least ages of successive ten-second buckets say about a clock that should be the host's; "": nothing.

    Args:
        least: Ages [ns], oldest bucket first.
        early: Least age allowed [ns], below 0.
        late: Greatest least age allowed [ns].
    """
    if not least:
        return ""
    age = least[-1]
    if abs(age) > _OTHER_CLOCK_NS:
        return f"stamps are {age * 1e-9:.0f} s off: a clock of the device's own, which the plan must name"
    if age < early:
        ahead = -age * 1e-9
        hint = ": PTP time (TAI) without the offset to UTC?" if _TAI_SECONDS[0] <= ahead <= _TAI_SECONDS[1] else ""
        return f"stamps are at least {ahead:.3f} s in the future{hint}"
    if age > late:
        return f"stamps are at least {age * 1e-9:.3f} s old on arrival"
    full = least[:-1]  # the last one is still open
    steps = [b - a for a, b in pairwise(full)]
    if len(steps) >= 3 and (all(step > _DRIFT_NS for step in steps) or all(step < -_DRIFT_NS for step in steps)):
        ppm = (full[-1] - full[0]) / (_BUCKET_NS * len(steps)) * 1e6
        return f"stamps drift by {ppm:.0f} ppm: not synchronised to this host"
    return ""
