# SPDX-License-Identifier: Apache-2.0
"""The history of one frame relative to its parent."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import pinocchio

from tf2_py.exceptions import ExtrapolationException


class Sample(NamedTuple):
    """Pose of a frame in its parent at one time [ns]."""

    stamp: int
    parent: str
    pose: pinocchio.SE3


def seconds(time: int) -> str:
    """Nanoseconds as upstream prints them in messages."""
    return f"{time / 1e9:f}"


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
        translation = one.pose.translation + (two.pose.translation - one.pose.translation) * ratio
        turn = pinocchio.Quaternion(one.pose.rotation).slerp(ratio, pinocchio.Quaternion(two.pose.rotation))
        return one._replace(pose=pinocchio.SE3(turn, translation))


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
