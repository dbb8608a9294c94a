# SPDX-License-Identifier: Apache-2.0
"""Options of recording and playing, and the topics that they choose."""

import datetime
import importlib
import re
from dataclasses import dataclass, field
from typing import Any

from rclpy.context import Context
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden


@dataclass(slots=True)
class PlayOptions:
    """How a bag is played; seconds. Upstream explains the rest."""

    rate: float = 1.0
    topics_to_filter: list[str] = field(default_factory=list)
    regex_to_filter: str = ""
    exclude_topics_to_filter: list[str] = field(default_factory=list)
    exclude_regex_to_filter: str = ""
    loop: bool = False
    topic_remapping_options: list[str] = field(default_factory=list)
    clock_publish_frequency: float = 0.0
    delay: float = 0.0
    start_offset: float = 0.0


@dataclass(slots=True)
class RecordOptions:
    """What is recorded, and how."""

    all_topics: bool = False
    topics: list[str] = field(default_factory=list)
    exclude_topics: list[str] = field(default_factory=list)
    regex: str = ""
    exclude_regex: str = ""
    rmw_serialization_format: str = "cdr"
    topic_polling_interval: datetime.timedelta = datetime.timedelta(milliseconds=100)
    include_hidden_topics: bool = False
    use_sim_time: bool = False

    def takes(self, topic: str) -> bool:
        """Whether a topic's name is among those to record."""
        if topic in self.exclude_topics or (self.exclude_regex and re.search(self.exclude_regex, topic)):
            return False
        if not (self.all_topics or topic in self.topics or (self.regex and re.search(self.regex, topic))):
            return False
        return self.include_hidden_topics or not topic_or_service_is_hidden(topic)


def message_class(topic_type: str) -> Any:
    """Python class of a type name such as std_msgs/msg/String.

    Raises:
        LookupError: the interface package is not installed.
    """
    try:
        package, kind, name = topic_type.split("/")
        return getattr(importlib.import_module(f"{package}.{kind}"), name)
    except (ValueError, ImportError, AttributeError) as reason:
        raise LookupError(f"unknown type '{topic_type}': {reason}") from reason


def new_context(log_level: str) -> Context:
    """A ROS context of its own, apart from the caller's.

    Raises:
        RuntimeError: there is no such log level.
    """
    context = Context()
    context.init(args=["--ros-args", "--log-level", log_level])
    return context
