# SPDX-License-Identifier: Apache-2.0
"""Options of bags and what is known about a bag, as plain data."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py._qos import QoS

METADATA_VERSION = 9


@dataclass
class ConverterOptions:
    """Serialization formats; nothing but "cdr" exists here."""

    input_serialization_format: str = ""
    output_serialization_format: str = ""


@dataclass(slots=True)
class StorageOptions:
    """Where and how a bag is kept; durations in s, sizes in bytes, 0 for no limit."""

    uri: str
    storage_id: str = ""
    max_bagfile_size: int = 0
    max_bagfile_duration: int = 0
    max_cache_size: int = 0
    storage_preset_profile: str = ""


@dataclass(slots=True)
class StorageFilter:
    """Which topics a reader returns; regular expressions match whole names."""

    topics: list[str] = field(default_factory=list)
    services_events: list[str] = field(default_factory=list)
    regex: str = ""
    exclude_topics: list[str] = field(default_factory=list)
    exclude_service_events: list[str] = field(default_factory=list)
    regex_to_exclude: str = ""

    def __post_init__(self) -> None:
        if self.services_events or self.exclude_service_events:
            raise NotImplementedError("rosbag2_storage: events of services")


@dataclass
class TopicMetadata:
    """A topic of a bag."""

    id: int
    name: str
    type: str
    serialization_format: str
    offered_qos_profiles: list[QoS] = field(default_factory=list)
    type_description_hash: str = ""


@dataclass
class MessageDefinition:
    """Text that defines a type."""

    topic_type: str
    encoding: str
    encoded_message_definition: str
    type_hash: str


@dataclass
class TopicInformation:
    """A topic and its count."""

    topic_metadata: TopicMetadata
    message_count: int


@dataclass
class FileInformation:
    """One file of a bag."""

    path: str
    starting_time: Time
    duration: Duration
    message_count: int


@dataclass(repr=False)
class BagMetadata:
    """What metadata.yaml says, in its order."""

    version: int = METADATA_VERSION
    storage_identifier: str = ""
    duration: Duration = field(default_factory=Duration)
    starting_time: Time = field(default_factory=Time)
    message_count: int = 0
    topics_with_message_count: list[TopicInformation] = field(default_factory=list)
    compression_format: str = ""
    compression_mode: str = ""
    relative_file_paths: list[str] = field(default_factory=list)
    files: list[FileInformation] = field(default_factory=list)
    custom_data: dict[str, str] = field(default_factory=dict)
    ros_distro: str = ""
    bag_size: int = 0  # not in the file

    def __repr__(self) -> str:
        """What `ros2 bag info` prints."""
        return "\n".join(_describe(self))


def _seconds(ns: int) -> str:
    return f"{ns // 1_000_000_000}.{ns % 1_000_000_000:09d}"


def _moment(ns: int) -> str:
    local = datetime.datetime.fromtimestamp(ns // 1_000_000_000)
    return f"{local:%b %e %Y %H:%M:%S}.{ns % 1_000_000_000:09d} ({_seconds(ns)})"


def _size(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    power = min(int(math.log2(size)) // 10, 4)
    return f"{size / 1024**power:.1f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"


def _describe(bag: BagMetadata) -> Iterator[str]:
    start, duration = bag.starting_time.nanoseconds, bag.duration.nanoseconds
    topics = [
        f"Topic: {one.topic_metadata.name} | Type: {one.topic_metadata.type} | Count: {one.message_count} | "
        f"Serialization Format: {one.topic_metadata.serialization_format}"
        for one in bag.topics_with_message_count
    ]
    yield ""
    yield "Files:             " + f"\n{'':19}".join(bag.relative_file_paths)
    yield f"Bag size:          {_size(bag.bag_size)}"
    yield f"Storage id:        {bag.storage_identifier}"
    yield f"ROS Distro:        {bag.ros_distro or 'unknown'}"
    yield f"Duration:          {_seconds(duration)}s"
    yield f"Start:             {_moment(start)}"
    yield f"End:               {_moment(start + duration)}"
    yield f"Messages:          {bag.message_count}"
    yield "Topic information: " + f"\n{'':19}".join(topics)
    yield "Service:           0"
    yield "Service information: "
