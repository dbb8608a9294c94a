# SPDX-License-Identifier: Apache-2.0
"""Which topics are recorded, and what is expected of each: config/recording/*.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from humanoid_core.config import load

_GROUP_OF_TYPE = {
    "sensor_msgs/msg/JointState": "joints",
    "sensor_msgs/msg/Image": "image",
    "sensor_msgs/msg/CompressedImage": "image",
    "foxglove_msgs/msg/CompressedVideo": "image",
    "sensor_msgs/msg/PointCloud2": "cloud",
}


@dataclass(frozen=True)
class Wanted:
    """One entry of the list of topics.

    Attributes:
        name: Topic or pattern, relative to the robot's namespace unless it begins with a slash. `*` stands for
            anything within one part of the name, `**` for any number of parts.
        required: An episode without a message of it is incomplete. A pattern is met by one matching topic.
        rate: Expected rate [Hz]; 0: none expected (events, latched topics).
        max_gap: Longest allowed time between two messages [s]; 0: any.
        depth: Messages that the subscription keeps; 0: two seconds at `rate`, or of a fast stream where none is given.
        repeat: Write the messages kept from before the start at the beginning of each bag: "latched" (if the publishers
            are transient local), "always" or "never".
        group: Which chunks it goes to; "auto" goes by type.
        preview: The first thing to be dropped where the disk is too slow.
    """

    name: str
    required: bool = False
    rate: float = 0.0
    max_gap: float = 0.0
    depth: int = 0
    repeat: Literal["latched", "always", "never"] = "latched"
    group: Literal["auto", "joints", "numeric", "image", "cloud"] = "auto"
    preview: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip("/ "):
            raise ValueError("name is empty")
        if self.rate < 0 or self.max_gap < 0 or self.depth < 0:
            raise ValueError("rate, max_gap and depth must not be negative")


@dataclass(frozen=True)
class Selection:
    """The whole file.

    Attributes:
        topics: What is recorded; the first entry that matches a topic counts.
        exclude: Names and patterns that are never recorded.
    """

    topics: list[Wanted]
    exclude: list[str] = field(default_factory=list)

    def find(self, topic: str, namespace: str) -> Wanted | None:
        """The entry for a full topic name, or None where it is not recorded."""
        if any(matches(pattern, topic, namespace) for pattern in self.exclude):
            return None
        return next((wanted for wanted in self.topics if matches(wanted.name, topic, namespace)), None)


def load_selection(path: str | Path) -> Selection:
    """Read a selection.

    Raises:
        ConfigError: naming file and key.
    """
    return load(Selection, path)


def matches(pattern: str, topic: str, namespace: str) -> bool:
    """Whether a full topic name fits a pattern that may be relative to `namespace` ("/" or "/robot")."""
    if not pattern.startswith("/"):
        pattern = f"{namespace.rstrip('/')}/{pattern}"
    if "*" not in pattern:
        return pattern == topic
    parts = re.split(r"(\*\*|\*)", pattern)
    expression = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(expression, topic) is not None


def group_of(wanted: Wanted, type_name: str) -> str:
    """The chunk group of a topic."""
    return _GROUP_OF_TYPE.get(type_name, "numeric") if wanted.group == "auto" else wanted.group


def depth_of(wanted: Wanted, group: str) -> int:
    """How many messages the subscription keeps: two seconds of the fastest streams there are.

    The recorder empties it every few milliseconds; the rest is for a machine so busy that it does not get to.
    """
    if wanted.depth:
        return wanted.depth
    usual = 60 if group in ("image", "cloud") else 2000
    return max(usual, round(2.0 * wanted.rate))
