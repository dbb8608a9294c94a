# SPDX-License-Identifier: Apache-2.0
"""metadata.yaml of a rosbag2 folder, version 9 (Jazzy), and the QoS profiles in it, as stock rosbag2 writes them."""

from __future__ import annotations

from dataclasses import dataclass

# What an endpoint without a deadline, lifespan or lease offers: the largest time the middleware knows.
INFINITE_NS = 9_223_372_036_854_775_807


@dataclass(frozen=True)
class OfferedQos:
    """What one publisher offers. History is not announced by DDS, so stock bags say "unknown" and depth 0 too."""

    reliability: str = "reliable"
    durability: str = "volatile"
    deadline_ns: int = INFINITE_NS
    lifespan_ns: int = INFINITE_NS
    liveliness: str = "automatic"
    lease_ns: int = INFINITE_NS


@dataclass(frozen=True)
class TopicCountInBag:
    """A topic of a bag: what a channel says of it, and how many messages it has."""

    name: str
    type: str
    qos: str  # YAML text made by `qos_text`
    type_hash: str
    count: int


def _duration(key: str, nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"  {key}:\n    sec: {seconds}\n    nsec: {rest}\n"


def qos_text(offers: tuple[OfferedQos, ...]) -> str:
    """The value of a channel's `offered_qos_profiles`: a YAML list with one entry for each publisher."""
    entries = [
        f"- history: unknown\n  depth: 0\n  reliability: {offer.reliability}\n  durability: {offer.durability}\n"
        + _duration("deadline", offer.deadline_ns)
        + _duration("lifespan", offer.lifespan_ns)
        + f"  liveliness: {offer.liveliness}\n"
        + _duration("liveliness_lease_duration", offer.lease_ns)
        + "  avoid_ros_namespace_conventions: false"
        for offer in offers
    ]
    return "\n".join(entries) if entries else "[]"


def serialized_metadata(
    file: str, start_ns: int, end_ns: int, topics: list[TopicCountInBag], ros_distro: str, storage: str = "mcap"
) -> str:
    """The bag's metadata as YAML, as it stands in an MCAP file's `rosbag2` metadata record.

    Args:
        file: Name of the bag file inside the folder.
        start_ns: Log time of the first message; 0 without messages.
        end_ns: Log time of the last.
        topics: All topics, those without messages too.
        ros_distro: For example "jazzy".
        storage: Storage plugin's name.
    """
    lines = [
        "version: 9",
        f"storage_identifier: {storage}",
        "duration:",
        f"  nanoseconds: {end_ns - start_ns}",
        "starting_time:",
        f"  nanoseconds_since_epoch: {start_ns}",
        f"message_count: {sum(topic.count for topic in topics)}",
        "topics_with_message_count:" + ("" if topics else " []"),
    ]
    for topic in topics:
        lines += [
            "  - topic_metadata:",
            f"      name: {topic.name}",
            f"      type: {topic.type}",
            "      serialization_format: cdr",
            "      offered_qos_profiles:" + (" []" if topic.qos == "[]" else ""),
            *(f"        {line}" for line in ([] if topic.qos == "[]" else topic.qos.splitlines())),
            f"      type_description_hash: {topic.type_hash or chr(34) * 2}",
            f"    message_count: {topic.count}",
        ]
    lines += [
        'compression_format: ""',
        'compression_mode: ""',
        "relative_file_paths:",
        f"  - {file}",
        "files:",
        f"  - path: {file}",
        "    starting_time:",
        f"      nanoseconds_since_epoch: {start_ns}",
        "    duration:",
        f"      nanoseconds: {end_ns - start_ns}",
        f"    message_count: {sum(topic.count for topic in topics)}",
        "custom_data: ~",
        f"ros_distro: {ros_distro}",
    ]
    return "\n".join(lines)


def metadata_yaml(serialized: str) -> str:
    """The text of metadata.yaml for what `serialized_metadata` gave."""
    return "rosbag2_bagfile_information:\n" + "".join(f"  {line}\n" for line in serialized.splitlines())
