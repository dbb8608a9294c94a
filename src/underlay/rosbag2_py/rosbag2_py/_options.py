# SPDX-License-Identifier: Apache-2.0
"""Options of recording and playing, and the topics that they choose."""

import datetime
import importlib
import re
from dataclasses import dataclass, field
from typing import Any

from rclpy.context import Context
from rclpy.qos import QoSProfile
from rclpy.topic_or_service_is_hidden import topic_or_service_is_hidden

from rosbag2_py._storage import is_service_event


@dataclass
class PlayOptions:
    """How a bag is played; seconds, except for the timestamp [ns]. Upstream explains the rest."""

    rate: float = 1.0
    topics_to_filter: list[str] = field(default_factory=list)
    services_to_filter: list[str] = field(default_factory=list)
    regex_to_filter: str = ""
    exclude_topics_to_filter: list[str] = field(default_factory=list)
    exclude_service_events_to_filter: list[str] = field(default_factory=list)
    exclude_regex_to_filter: str = ""
    topic_qos_profile_overrides: dict[str, QoSProfile] = field(default_factory=dict)
    loop: bool = False
    topic_remapping_options: list[str] = field(default_factory=list)
    clock_publish_frequency: float = 0.0
    clock_publish_on_topic_publish: bool = False
    clock_topics: list[str] = field(default_factory=list)
    delay: float = 0.0
    playback_duration: float = -1.0
    playback_until_timestamp: int = -1
    start_paused: bool = False
    start_offset: float = 0.0
    wait_acked_timeout: int = -1


@dataclass
class RecordOptions:
    """What is recorded, and how."""

    all_topics: bool = False
    all_services: bool = False
    is_discovery_disabled: bool = False
    topics: list[str] = field(default_factory=list)
    topic_types: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    exclude_topics: list[str] = field(default_factory=list)
    exclude_topic_types: list[str] = field(default_factory=list)
    exclude_service_events: list[str] = field(default_factory=list)
    rmw_serialization_format: str = ""
    topic_polling_interval: datetime.timedelta = datetime.timedelta(milliseconds=100)
    regex: str = ""
    exclude_regex: str = ""
    compression_mode: str = ""
    topic_qos_profile_overrides: dict[str, QoSProfile] = field(default_factory=dict)
    include_hidden_topics: bool = False
    include_unpublished_topics: bool = False
    ignore_leaf_topics: bool = False
    start_paused: bool = False
    use_sim_time: bool = False

    def takes(self, topic: str, topic_type: str) -> bool:
        """Whether a topic's name and type are among those to record."""
        name = topic.removesuffix("/_service_event")
        found = bool(self.regex and re.search(self.regex, name))
        if self.exclude_regex and re.search(self.exclude_regex, name):
            return False
        if is_service_event(topic):
            return (self.all_services or topic in self.services or found) and topic not in self.exclude_service_events
        if not (self.all_topics or topic in self.topics or topic_type in self.topic_types or found):
            return False
        if topic in self.exclude_topics or topic_type in self.exclude_topic_types:
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
