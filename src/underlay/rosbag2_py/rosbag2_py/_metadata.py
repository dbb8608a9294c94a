# SPDX-License-Identifier: Apache-2.0
"""metadata.yaml: written as version 9, read from version 1 on."""

from pathlib import Path
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py import _qos
from rosbag2_py._storage import METADATA_VERSION, BagMetadata, FileInformation, TopicInformation, TopicMetadata

FILE_NAME = "metadata.yaml"
_ROOT = "rosbag2_bagfile_information"


class _Dumper(yaml.SafeDumper):
    """Writes YAML as upstream's library does: indented lists, `~` for nothing, `""` for an empty text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "~"))
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text and "\n" not in text else '"'
    ),
)


def dump(node: Any) -> str:
    """YAML text without a final newline."""
    return yaml.dump(node, Dumper=_Dumper, sort_keys=False, width=2**31, allow_unicode=True).rstrip("\n")


def dump_qos(profiles: list[_qos.QoS]) -> str:
    """Profiles as the text that is kept beside a topic."""
    return dump([_qos.encode(qos) for qos in profiles])


def _nanoseconds(duration: Duration) -> dict[str, int]:
    return {"nanoseconds": duration.nanoseconds}


def _since_epoch(time: Time) -> dict[str, int]:
    return {"nanoseconds_since_epoch": time.nanoseconds}


def _encode_topic(info: TopicInformation) -> dict[str, Any]:
    topic = info.topic_metadata
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.type,
            "serialization_format": topic.serialization_format,
            "offered_qos_profiles": [_qos.encode(qos) for qos in topic.offered_qos_profiles],
            "type_description_hash": topic.type_description_hash,
        },
        "message_count": info.message_count,
    }


def encode(metadata: BagMetadata) -> dict[str, Any]:
    """Metadata as plain data, in the order of the file."""
    if metadata.version != METADATA_VERSION:
        raise NotImplementedError(f"rosbag2: writing metadata version {metadata.version}")
    return {
        "version": metadata.version,
        "storage_identifier": metadata.storage_identifier,
        "duration": _nanoseconds(metadata.duration),
        "starting_time": _since_epoch(metadata.starting_time),
        "message_count": metadata.message_count,
        "topics_with_message_count": [_encode_topic(info) for info in metadata.topics_with_message_count],
        "compression_format": metadata.compression_format,
        "compression_mode": metadata.compression_mode,
        "relative_file_paths": list(metadata.relative_file_paths),
        "files": [
            {
                "path": file.path,
                "starting_time": _since_epoch(file.starting_time),
                "duration": _nanoseconds(file.duration),
                "message_count": file.message_count,
            }
            for file in metadata.files
        ],
        "custom_data": dict(metadata.custom_data) or None,
        "ros_distro": metadata.ros_distro,
    }


def _decode_topic(node: dict[str, Any], version: int) -> TopicInformation:
    topic = node["topic_metadata"]
    profiles = topic["offered_qos_profiles"] if version >= 4 else []
    return TopicInformation(
        TopicMetadata(
            id=0,
            name=topic["name"],
            type=topic["type"],
            serialization_format=topic["serialization_format"],
            offered_qos_profiles=_qos.to_rclcpp_qos_vector(profiles, version)
            if isinstance(profiles, str)
            else [_qos.decode(qos) for qos in profiles],
            type_description_hash=topic["type_description_hash"] if version >= 7 else "",
        ),
        node["message_count"],
    )


def decode(node: dict[str, Any]) -> BagMetadata:
    """Metadata from plain data.

    Raises:
        RuntimeError: a key is missing or of the wrong type.
    """
    try:
        version = node["version"]
        return BagMetadata(
            version=version,
            storage_identifier=node["storage_identifier"],
            duration=Duration(nanoseconds=node["duration"]["nanoseconds"]),
            starting_time=Time(nanoseconds=node["starting_time"]["nanoseconds_since_epoch"]),
            message_count=node["message_count"],
            topics_with_message_count=[_decode_topic(info, version) for info in node["topics_with_message_count"]],
            relative_file_paths=list(node["relative_file_paths"]),
            compression_format=node["compression_format"] if version >= 3 else "",
            compression_mode=node["compression_mode"] if version >= 3 else "",
            files=[
                FileInformation(
                    file["path"],
                    Time(nanoseconds=file["starting_time"]["nanoseconds_since_epoch"]),
                    Duration(nanoseconds=file["duration"]["nanoseconds"]),
                    file["message_count"],
                )
                for file in (node["files"] if version >= 5 else [])
            ],
            custom_data=(node["custom_data"] or {}) if version >= 6 else {},
            ros_distro=node["ros_distro"] if version >= 8 else "",
        )
    except (KeyError, TypeError, ValueError) as reason:
        raise RuntimeError(f"Exception on parsing info file: {reason!r}") from reason


class MetadataIo:
    """Reads and writes metadata.yaml of a bag's folder."""

    def metadata_file_exists(self, uri: str) -> bool:
        """Whether the folder has one."""
        return (Path(uri) / FILE_NAME).exists()

    def read_metadata(self, uri: str) -> BagMetadata:
        """Metadata of a folder, with the folder's size.

        Raises:
            RuntimeError: there is no such file, or it is not a bag's metadata.
        """
        try:
            metadata = decode(yaml.safe_load((Path(uri) / FILE_NAME).read_text())[_ROOT])
        except (OSError, KeyError, TypeError, yaml.YAMLError) as reason:
            raise RuntimeError(f"Exception on parsing info file: {reason!r}") from reason
        metadata.bag_size = sum(path.stat().st_size for path in Path(uri).iterdir() if path.is_file())
        return metadata

    def write_metadata(self, uri: str, metadata: BagMetadata) -> None:
        """Write metadata.yaml into a folder."""
        (Path(uri) / FILE_NAME).write_text(dump({_ROOT: encode(metadata)}))

    def serialize_metadata(self, metadata: BagMetadata) -> str:
        """The same text without the outermost key."""
        return dump(encode(metadata))

    def deserialize_metadata(self, serialized_metadata: str) -> BagMetadata:
        """Back from such a text."""
        return decode(yaml.safe_load(serialized_metadata))
