# SPDX-License-Identifier: Apache-2.0
"""Bag files in MCAP, through the `mcap` library."""

from pathlib import Path
from typing import Any

import mcap.reader
import mcap.writer
import yaml
from mcap.writer import CompressionType

from rosbag2_py import _metadata
from rosbag2_py._storage import BagMetadata, MessageDefinition, StorageOptions, TopicMetadata

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
