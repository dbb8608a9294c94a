# SPDX-License-Identifier: Apache-2.0
"""A topic that the recorder listens to, and a message of it on its way."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from humanoid_recorder.counters import SequenceTracker, TopicCounter
from humanoid_recorder.selection import Wanted
from humanoid_recorder.sidecar import TopicReport
from humanoid_recorder.writers import Topic


class TopicState:
    """A topic that the recorder listens to.

    Attributes:
        topic: As the bag describes it.
        wanted: What the configuration expects of it.
        publishers: How many there are, as of the last look.
        best_effort: Whether they do not send again what gets lost.
        recount: Looks again.
        kept: Newest messages, one for each publisher, where they are to be repeated in each bag.
    """

    def __init__(
        self, topic: Topic, wanted: Wanted, publishers: int, latched: bool, recount: Callable[[], int] | None = None
    ) -> None:
        self.topic = topic
        self.wanted = wanted
        self.publishers = publishers
        self.recount = recount
        self.best_effort = False
        self.repeated = wanted.repeat == "always" or (wanted.repeat == "latched" and latched)
        self.shed = "preview" if wanted.preview else topic.group  # key of _SHED, or else it never gives way
        self.stamped = begins_with_header(topic.definition)
        self.tracker = SequenceTracker()
        self.idle = TopicCounter()  # between episodes
        self.kept: deque[Sample] = deque()

    def keep(self, sample: Sample) -> None:
        """Remember a latched message: the newest of each publisher, as far as they can be told apart."""
        if any(old.payload == sample.payload for old in self.kept):
            return
        self.kept.append(sample)
        while len(self.kept) > max(1, self.publishers):
            self.kept.popleft()

    def new_counter(self) -> TopicCounter:
        """Counts of a new episode."""
        return TopicCounter(max_gap_ns=round(self.wanted.max_gap * 1e9))

    def report(self, counter: TopicCounter) -> TopicReport:
        """What episode.yaml says of this topic."""
        wanted = self.wanted
        return TopicReport(
            name=self.topic.name,
            type=self.topic.type,
            required=wanted.required,
            expected_rate=wanted.rate,
            max_gap=wanted.max_gap,
            publishers=self.publishers,
            received=counter.received,
            written=counter.written,
            repeated=counter.repeated,
            lost=counter.lost,
            dropped=counter.dropped,
            bytes=counter.bytes,
            rate=round(counter.mean_rate(), 3),
            longest_gap=round(counter.longest_gap_ns * 1e-9, 6),
            gaps=counter.gaps,
            longest_stamp_gap=round(counter.longest_stamp_gap_ns * 1e-9, 6),
            stamps_back=counter.stamps_back,
            first_ns=counter.first_ns,
            last_ns=counter.last_ns,
        )


class Sample(NamedTuple):
    """A message on its way: arrival in ROS time, publisher's stamp [ns], its number, how many are missing before it."""

    state: TopicState
    payload: bytes
    log_ns: int
    publish_ns: int
    sequence: int
    lost: int


def begins_with_header(definition: str) -> bool:
    """Whether a message begins with std_msgs/Header, so that its stamp stands at a fixed place."""
    fields = (line.split("#")[0].split() for line in definition.splitlines())
    return next((words[0] for words in fields if words and "=" not in "".join(words)), "") in (
        "std_msgs/Header",
        "std_msgs/msg/Header",
        "Header",
    )


def header_stamp(payload: bytes) -> int:
    """Stamp of a serialized message that begins with a header [ns]."""
    seconds, nanoseconds = struct.unpack_from("<iI" if payload[1] & 1 else ">iI", payload, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
