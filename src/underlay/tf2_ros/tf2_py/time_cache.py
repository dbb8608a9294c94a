# SPDX-License-Identifier: Apache-2.0
"""The history of one frame relative to its parent."""

import math
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from tf2_py.exceptions import ExtrapolationException

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


class Sample(NamedTuple):
    """Pose of a frame in its parent at one time: stamp [ns], translation [m], rotation quaternion xyzw."""

    stamp: int
    parent: str
    translation: Vector
    rotation: Quaternion


def seconds(time: int) -> str:
    """Nanoseconds as upstream prints them in messages."""
    return f"{time / 1e9:f}"


def slerp(a: Quaternion, b: Quaternion, ratio: float) -> Quaternion:
    """Rotation at `ratio` of the shorter way from a to b."""
    dot = sum(x * y for x, y in zip(a, b))
    if dot < 0.0:
        dot, b = -dot, (-b[0], -b[1], -b[2], -b[3])
    if dot > 0.9999999:
        first, second = 1.0 - ratio, ratio
    else:
        angle = math.acos(dot)
        first, second = (math.sin((1.0 - ratio) * angle) / math.sin(angle), math.sin(ratio * angle) / math.sin(angle))
    mixed = [first * x + second * y for x, y in zip(a, b)]
    norm = math.sqrt(sum(x * x for x in mixed))
    return mixed[0] / norm, mixed[1] / norm, mixed[2] / norm, mixed[3] / norm


def _stamp(sample: Sample) -> int:
    return sample.stamp


class TimeCache:
    """Samples of the last seconds, oldest first."""

    def __init__(self, length: int) -> None:
        self._length = length  # [ns]
        self.samples: list[Sample] = []

    def insert(self, sample: Sample) -> bool:
        """Prune against the newest sample held so far, then store."""
        if self.samples:
            earliest = self.samples[-1].stamp - self._length
            if self.samples[0].stamp < earliest:
                del self.samples[: bisect_left(self.samples, earliest, key=_stamp)]
            if sample.stamp < earliest:
                return False
        first = bisect_left(self.samples, sample.stamp, key=_stamp)
        last = bisect_right(self.samples, sample.stamp, first, key=_stamp)
        if sample not in self.samples[first:last]:
            self.samples.insert(last, sample)
        return True

    def at(self, time: int) -> Sample:
        """The stored or interpolated sample.

        Raises:
            ExtrapolationException: nothing is stored, or the time is before or after everything stored.
        """
        samples = self.samples
        if not samples:
            raise ExtrapolationException("")
        if time == 0:
            return samples[-1]
        newest, oldest = samples[-1].stamp, samples[0].stamp
        asked, end = seconds(time), seconds(newest if time > newest else oldest)
        if len(samples) == 1 and time != newest:
            raise ExtrapolationException(
                f"Lookup would require extrapolation at time {asked}, but only time {end} is in the buffer"
            )
        if not oldest <= time <= newest:
            where, which = ("future", "latest") if time > newest else ("past", "earliest")
            raise ExtrapolationException(
                f"Lookup would require extrapolation into the {where}.  Requested time {asked} but the {which} data is "
                f"at time {end}"
            )
        after = bisect_right(samples, time, key=_stamp)
        one = samples[after - 1]
        if one.stamp == time or samples[after].parent != one.parent:
            return one
        two = samples[after]
        ratio = (time - one.stamp) / (two.stamp - one.stamp)
        x, y, z = (p + (q - p) * ratio for p, q in zip(one.translation, two.translation))
        return one._replace(translation=(x, y, z), rotation=slerp(one.rotation, two.rotation, ratio))


class StaticCache:
    """One sample that holds at any time; its stamp reads as 0."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def insert(self, sample: Sample) -> bool:
        """Replace the sample."""
        self.samples = [sample._replace(stamp=0)]
        return True

    def at(self, time: int) -> Sample:
        """The sample, whatever the time."""
        if not self.samples:
            raise ExtrapolationException("")
        return self.samples[0]
