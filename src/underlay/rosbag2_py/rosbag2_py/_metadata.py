# SPDX-License-Identifier: Apache-2.0
"""metadata.yaml: written as version 9, read from version 1 on."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py import _qos
from rosbag2_py._storage import BagMetadata, FileInformation, TopicInformation, TopicMetadata

_FILE_NAME = "metadata.yaml"
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


def _plain(value: Any) -> Any:
    if isinstance(value, Duration):
        return {"nanoseconds": value.nanoseconds}
    if isinstance(value, Time):
        return {"nanoseconds_since_epoch": value.nanoseconds}
    if isinstance(value, _qos.QoS):
        return _qos.encode(value)
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value) if field.name not in ("id", "bag_size")]
        return {name: _plain(getattr(value, name)) for name in names}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def encode(metadata: BagMetadata) -> dict[str, Any]:
    """Metadata as plain data, in the order of the file."""
    return _plain(metadata) | {"custom_data": metadata.custom_data or None}


def _topic(node: dict[str, Any]) -> TopicInformation:
    topic = dict(node["topic_metadata"])
    offers = topic.pop("offered_qos_profiles", [])  # a text before version 9
    profiles = _qos.to_rclcpp_qos_vector(offers, 0) if isinstance(offers, str) else [_qos.decode(one) for one in offers]
    return TopicInformation(TopicMetadata(id=0, offered_qos_profiles=profiles, **topic), node["message_count"])


def decode(node: dict[str, Any]) -> BagMetadata:
    """Metadata from plain data; older versions lack some keys.

    Raises:
        RuntimeError: a key is missing or of the wrong type.
    """
    try:
        known = {field.name: node[field.name] for field in dataclasses.fields(BagMetadata) if field.name in node}
        known["custom_data"] = known.get("custom_data") or {}
        known["duration"] = Duration(**node["duration"])
        known["starting_time"] = Time(nanoseconds=node["starting_time"]["nanoseconds_since_epoch"])
        known["topics_with_message_count"] = [_topic(one) for one in node["topics_with_message_count"]]
        known["files"] = [
            FileInformation(
                one["path"],
                Time(nanoseconds=one["starting_time"]["nanoseconds_since_epoch"]),
                Duration(**one["duration"]),
                one["message_count"],
            )
            for one in node.get("files", [])
        ]
        return BagMetadata(**known)
    except (KeyError, TypeError, ValueError) as reason:
        raise RuntimeError(f"Exception on parsing info file: {reason!r}") from reason


def is_there(folder: Path) -> bool:
    """Whether a folder has a metadata.yaml."""
    return (folder / _FILE_NAME).exists()


def read(folder: Path) -> BagMetadata:
    """Metadata of a folder, with the folder's size.

    Raises:
        RuntimeError: there is no such file, or it is not a bag's metadata.
    """
    try:
        metadata = decode(yaml.safe_load((folder / _FILE_NAME).read_text())[_ROOT])
    except (OSError, KeyError, TypeError, yaml.YAMLError) as reason:
        raise RuntimeError(f"Exception on parsing info file: {reason!r}") from reason
    metadata.bag_size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return metadata


def write(folder: Path, metadata: BagMetadata) -> None:
    """Write metadata.yaml into a folder."""
    (folder / _FILE_NAME).write_text(dump({_ROOT: encode(metadata)}))
