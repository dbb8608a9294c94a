# SPDX-License-Identifier: Apache-2.0
"""What is known of each topic without decoding: arrivals, sizes, gaps, and loss proven by sequence numbers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_OLD_HEADS = 2  # of publishers that may be gone, or not be known yet


class SequenceTracker:
    """Counts messages that a topic's publishers sent and that never arrived.

    The middleware numbers each publisher's messages from 1 without gaps, but does not say which publisher a message
    came from. So the last number seen of each is kept as a head, and a number that follows a head belongs to it. Any
    other starts a head of its own while there are fewer heads than publishers, or if it is below them all (a
    publisher that is new or has started again); else it belongs to the nearest head below it, and the difference is
    lost.

    With one publisher the count is exact. With several nothing is ever counted that was not lost, but a loss after
    which another publisher's number happens to fit is overlooked.
    """

    def __init__(self) -> None:
        self._heads: list[int] = []  # the one used last at the end

    def lost_before(self, sequence: int, publishers: int = 1, recount: Callable[[], int] | None = None) -> int:
        """Take the next message's number; gives how many are missing directly before it.

        Args:
            sequence: Publication sequence number; 0 or less where the middleware has none.
            publishers: Publishers of the topic, as far as known.
            recount: Looks how many there are now; called only where a number does not fit.
        """
        if sequence <= 0:
            return 0
        heads = self._heads
        if sequence - 1 in heads:
            heads.remove(sequence - 1)
            heads.append(sequence)
            return 0
        publishers = max(1, publishers, recount() if recount else 0)
        below = [head for head in heads[-publishers:] if head < sequence]
        if len(heads) < publishers or not below:
            heads.append(sequence)
            del heads[: max(0, len(heads) - publishers - _OLD_HEADS)]
            return 0
        nearest = max(below)
        heads.remove(nearest)
        heads.append(sequence)
        return sequence - nearest - 1


def lost_in(numbers: Sequence[int]) -> int:
    """How many messages are missing among a recorded topic's numbers, however many publishers it had.

    Afterwards one can look ahead: what seems to be missing behind a head is only lost if its next number never comes.
    """
    later = Counter(numbers)
    heads: list[int] = []
    lost = 0
    for number in numbers:
        later[number] -= 1
        if number <= 0:
            continue
        below = [head for head in heads if head < number]
        nearest = max(below, default=None)
        if nearest is not None and (nearest == number - 1 or not later[nearest + 1]):
            lost += number - nearest - 1
            heads.remove(nearest)
        heads.append(number)
    return lost


@dataclass
class TopicCounter:
    """Counts of one topic in one episode. Times are ROS time of arrival [ns].

    Attributes:
        received: Messages that arrived while recording, pre-roll included.
        written: Messages handed to the bag, repeated latched ones included.
        repeated: Latched messages from before the start, written at its beginning.
        lost: Never arrived, by sequence numbers.
        dropped: Arrived, but the recorder's own queue was full or the disk refused them.
        bytes: Payload written.
        longest_gap_ns: Longest time between two arrivals.
        gaps: Arrivals later than `max_gap_ns` after the one before.
        longest_stamp_gap_ns: Longest step between the stamps of two arrivals, where messages have one.
        stamps_back: Stamps before the one before.
    """

    max_gap_ns: int = 0
    received: int = 0
    written: int = 0
    repeated: int = 0
    lost: int = 0
    dropped: int = 0
    bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    longest_gap_ns: int = 0
    gaps: int = 0
    last_stamp_ns: int = 0
    longest_stamp_gap_ns: int = 0
    stamps_back: int = 0
    _marks: deque[tuple[int, int]] = field(default_factory=deque)

    def arrived(self, log_ns: int, lost: int, stamp_ns: int = 0) -> None:
        """Count an arrival, and what is missing before it; without a stamp `stamp_ns` is 0."""
        if self.received:
            gap = log_ns - self.last_ns
            if gap > self.longest_gap_ns:
                self.longest_gap_ns = gap
            if self.max_gap_ns and gap > self.max_gap_ns:
                self.gaps += 1
        else:
            self.first_ns = log_ns
        self.received += 1
        self.lost += lost
        self.last_ns = log_ns
        if stamp_ns:
            step = stamp_ns - self.last_stamp_ns
            if step < 0:
                self.stamps_back += 1
            elif self.last_stamp_ns and step > self.longest_stamp_gap_ns:
                self.longest_stamp_gap_ns = step
            self.last_stamp_ns = stamp_ns

    def rate(self, now_ns: int) -> float:
        """Arrivals per second over the last second, as far as asked for in that time [Hz]."""
        marks = self._marks
        marks.append((now_ns, self.received))
        while len(marks) > 2 and marks[1][0] <= now_ns - 1_000_000_000:
            marks.popleft()
        span = now_ns - marks[0][0]
        return (self.received - marks[0][1]) * 1e9 / span if span > 0 else 0.0

    def mean_rate(self) -> float:
        """Arrivals per second between the first and the last [Hz]; 0 below two."""
        span = self.last_ns - self.first_ns
        return (self.received - 1) * 1e9 / span if span > 0 else 0.0
