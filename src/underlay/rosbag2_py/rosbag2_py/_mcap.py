# SPDX-License-Identifier: Apache-2.0
"""Bag files in MCAP, through the `mcap` library."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcap.reader
import mcap.writer
import yaml
from mcap.exceptions import McapError
from mcap.writer import CompressionType
from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py import _metadata, _qos
from rosbag2_py._storage import BagMetadata, MessageDefinition, StorageOptions, TopicInformation, TopicMetadata

SUFFIX = ".mcap"
MINIMUM_SPLIT_SIZE = 1024  # [bytes]
_CHUNK = 768 * 1024  # [bytes]
_COMPRESSION = {"None": CompressionType.NONE, "Lz4": CompressionType.LZ4, "Zstd": CompressionType.ZSTD}
# The library knows one compression level, so the two zstd presets differ in chunk size only.
_PRESETS: dict[str, dict[str, Any]] = {
    "": {},
    "none": {},
    "fastwrite": {"noChunking": True},
    "zstd_fast": {"compression": "Zstd"},
    "zstd_small": {"compression": "Zstd", "chunkSize": 4 * 1024 * 1024},
}
_SETTINGS = {"noChunking", "noChunkCRC", "noSummaryCRC", "chunkSize", "compression", "compressionLevel"}

BagMessage = tuple[str, bytes, int]


class McapWriter:
    """One MCAP file being written."""

    def __init__(self, options: StorageOptions) -> None:
        if options.storage_preset_profile not in _PRESETS:
            raise RuntimeError(
                "unknown MCAP storage preset profile (valid options are 'none', 'fastwrite', 'zstd_fast', "
                f"'zstd_small'): {options.storage_preset_profile}"
            )
        settings = dict(_PRESETS[options.storage_preset_profile])
        if options.storage_config_uri:
            settings |= yaml.safe_load(Path(options.storage_config_uri).read_text()) or {}
        if unknown := set(settings) - _SETTINGS:
            raise NotImplementedError(f"rosbag2_storage_mcap: writer options {sorted(unknown)}")
        self.path = Path(options.uri + SUFFIX)
        self._file = self.path.open("wb")
        self._writer = mcap.writer.Writer(
            self._file,
            chunk_size=settings.get("chunkSize", _CHUNK),
            compression=_COMPRESSION[settings.get("compression", "None")],
            use_chunking=not settings.get("noChunking", False),
            enable_crcs=not settings.get("noChunkCRC", True),
        )
        self._writer.start(profile="ros2")
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}

    def size(self) -> int:
        """Bytes handed to the file so far."""
        return self._file.tell()

    def create_topic(self, topic: TopicMetadata, definition: MessageDefinition) -> None:
        """Write schema and channel."""
        if topic.type not in self._schemas:
            text = definition.encoded_message_definition.encode()
            self._schemas[topic.type] = self._writer.register_schema(topic.type, definition.encoding, text)
        self._channels[topic.name] = self._writer.register_channel(
            topic.name,
            topic.serialization_format,
            self._schemas[topic.type],
            {
                "offered_qos_profiles": _metadata.dump_qos(topic.offered_qos_profiles),
                "topic_type_hash": topic.type_description_hash,
            },
        )

    def write(self, topic: str, data: bytes, received: int, sent: int) -> None:
        """Write a message; times in ns."""
        self._writer.add_message(self._channels[topic], received, data, sent)

    def update_metadata(self, metadata: BagMetadata) -> None:
        """Leave what is known so far in the file itself, for a reindexer."""
        text = _metadata.dump(_metadata.encode(metadata))
        self._writer.add_metadata("rosbag2", {"serialized_metadata": text})

    def close(self) -> None:
        """Write the summary and close the file."""
        self._writer.finish()
        self._file.close()


class McapReader:
    """One complete MCAP file."""

    storage_id = "mcap"

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115 - as long as the reader
        try:
            self._reader = mcap.reader.make_reader(self._file)
            summary = self._reader.get_summary()
        except (McapError, struct.error) as reason:
            self._file.close()
            raise ValueError(f"{path} is not a complete MCAP file: {reason!r}") from reason
        if summary is None or summary.statistics is None:
            raise ValueError(f"{path} has no summary")
        self._summary, self._statistics = summary, summary.statistics

    def metadata(self) -> BagMetadata:
        """What the file says about itself; counts and times from its statistics."""
        texts = [record.metadata for record in self._reader.iter_metadata() if record.name == "rosbag2"]
        metadata = BagMetadata()
        if texts and "serialized_metadata" in texts[-1]:
            metadata = _metadata.decode(yaml.safe_load(texts[-1]["serialized_metadata"]))
        count = self._statistics
        metadata.storage_identifier = self.storage_id
        metadata.bag_size = Path(self._path).stat().st_size
        metadata.relative_file_paths = [self._path]
        metadata.message_count = count.message_count
        metadata.starting_time = Time(nanoseconds=count.message_start_time)
        metadata.duration = Duration(nanoseconds=count.message_end_time - count.message_start_time)
        metadata.topics_with_message_count = [
            TopicInformation(
                TopicMetadata(
                    id=channel.id,
                    name=channel.topic,
                    type=self._summary.schemas[channel.schema_id].name,
                    serialization_format=channel.message_encoding,
                    offered_qos_profiles=_qos.to_rclcpp_qos_vector(
                        channel.metadata.get("offered_qos_profiles", ""), metadata.version
                    ),
                    type_description_hash=channel.metadata.get("topic_type_hash", ""),
                ),
                count.channel_message_counts.get(channel.id, 0),
            )
            for channel in self._summary.channels.values()
        ]
        return metadata

    def definitions(self) -> list[MessageDefinition]:
        """Definitions of all types."""
        return [
            MessageDefinition(schema.name, schema.encoding, schema.data.decode(), "")
            for schema in self._summary.schemas.values()
        ]

    def messages(self, start: int, topics: set[str] | None, in_order: bool, reverse: bool) -> Iterator[BagMessage]:
        """Messages from a receive time [ns] on (back, if reverse)."""
        found = self._reader.iter_messages(
            topics,
            log_time_order=in_order,
            reverse=reverse,
            starting_at=None if reverse else start,
            ending_at=start if reverse else None,
        )
        for _, channel, message in found:
            yield channel.topic, message.data, message.log_time

    def close(self) -> None:
        """Close the file."""
        self._file.close()
