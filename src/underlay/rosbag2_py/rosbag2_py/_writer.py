# SPDX-License-Identifier: Apache-2.0
"""Writes bags."""

import os
from dataclasses import replace
from pathlib import Path

from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from rosbag2_py._mcap import MINIMUM_SPLIT_SIZE, McapWriter
from rosbag2_py._message_definitions import LocalMessageDefinitionSource
from rosbag2_py._metadata import MetadataIo
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    FileInformation,
    MessageDefinition,
    StorageOptions,
    TopicInformation,
    TopicMetadata,
    get_default_storage_id,
)

NEVER = 2**63 - 1  # starting time of a file without messages [ns]


def get_registered_writers() -> set[str]:
    """Storages that can be written."""
    return {"mcap"}


def get_registered_compressors() -> set[str]:
    """Compressions: read, not written."""
    return {"zstd"}


class SequentialWriter:
    """Writes one bag at a time, straight to the file; `max_cache_size` means nothing here."""

    def __init__(self) -> None:
        self._storage: McapWriter | None = None
        self._options = StorageOptions("")
        self._metadata = BagMetadata()
        self._topics: dict[str, TopicInformation] = {}
        self._definitions: dict[str, MessageDefinition] = {}
        self._source = LocalMessageDefinitionSource()
        self._start = self._file_start = NEVER
        self._end = self._file_end = 0

    def __del__(self) -> None:
        self.close()

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Create a bag's folder and its first file.

        Raises:
            RuntimeError: the folder exists, or the options make no sense.
            NotImplementedError: a storage other than mcap, snapshots, or a change of serialization format.
        """
        if self._storage is not None:
            return
        if converter_options.input_serialization_format != converter_options.output_serialization_format:
            raise NotImplementedError("rosbag2_cpp: conversion of serialization formats")
        folder = Path(storage_options.uri)
        if folder.is_dir():
            raise RuntimeError(f"Bag directory already exists ({folder}), can't overwrite existing bag")
        storage_id = storage_options.storage_id or get_default_storage_id()
        if storage_id == "sqlite3":
            raise NotImplementedError("rosbag2_storage_sqlite3: writing")
        if storage_id != "mcap":
            raise RuntimeError("No storage could be initialized. Abort")
        if 0 < storage_options.max_bagfile_size < MINIMUM_SPLIT_SIZE:
            raise RuntimeError(
                f"Invalid bag splitting size given. Please provide a value greater than {MINIMUM_SPLIT_SIZE}. "
                f"Specified value of {storage_options.max_bagfile_size}"
            )
        if storage_options.snapshot_mode:
            raise NotImplementedError("rosbag2_cpp: snapshot mode")
        folder.mkdir(parents=True)
        self._options = storage_options
        self._topics, self._definitions = {}, {}
        self._start, self._end = NEVER, 0
        self._metadata = BagMetadata(
            storage_identifier=storage_id,
            starting_time=Time(nanoseconds=NEVER),
            custom_data=dict(storage_options.custom_data),
            ros_distro=os.environ.get("ROS_DISTRO", ""),
        )
        self._open_file()

    def _open_file(self) -> None:
        count = len(self._metadata.files)
        folder = Path(self._options.uri)
        self._storage = McapWriter(replace(self._options, uri=str(folder / f"{folder.name}_{count}")))
        name = self._storage.path.name
        self._file_start, self._file_end = NEVER, 0
        self._metadata.relative_file_paths.append(name)
        self._metadata.files.append(FileInformation(name, Time(nanoseconds=NEVER), Duration(), 0))
        self._storage.update_metadata(self._metadata)
        for topic, info in self._topics.items():
            self._storage.create_topic(info.topic_metadata, self._definitions[topic])

    def _update_metadata(self) -> None:
        metadata = self._metadata
        metadata.starting_time = Time(nanoseconds=self._start)
        metadata.duration = Duration(nanoseconds=max(self._end - self._start, 0))
        metadata.topics_with_message_count = list(self._topics.values())
        metadata.message_count = sum(info.message_count for info in self._topics.values())
        file = metadata.files[-1]
        file.starting_time = Time(nanoseconds=self._file_start)
        file.duration = Duration(nanoseconds=max(self._file_end - self._file_start, 0))

    def _close_file(self) -> None:
        self._update_metadata()
        self._opened("closing").update_metadata(self._metadata)
        self._opened("closing").close()

    def _opened(self, before: str) -> McapWriter:
        if self._storage is None:
            raise RuntimeError(f"Bag is not open. Call open() before {before}.")
        return self._storage

    def close(self) -> None:
        """Finish the file and write metadata.yaml."""
        if self._storage is not None:
            self._close_file()
            self._storage = None
            MetadataIo().write_metadata(self._options.uri, self._metadata)

    def create_topic(self, topic: TopicMetadata) -> None:
        """Announce a topic; once is enough."""
        if topic.name in self._topics:
            return
        storage = self._opened("writing")
        try:
            definition = self._source.get_full_text(topic.type)
        except RuntimeError as reason:  # services included
            get_logger("rosbag2_cpp").warning(f"{topic.name}: {reason}; the bag will lack it")
            definition = MessageDefinition(topic.type, "unknown", "", "")
        self._topics[topic.name] = TopicInformation(topic, 0)
        self._definitions[topic.name] = definition
        storage.create_topic(topic, definition)

    def remove_topic(self, topic: TopicMetadata) -> None:
        """Forget a topic that nothing was written on."""
        self._opened("removing")
        if self._topics.pop(topic.name, None) is None:
            raise RuntimeError(f'Failed to remove the non-existing topic "{topic.name}"!')
        del self._definitions[topic.name]

    def write(self, topic_name: str, message: bytes, recv_timestamp: int, send_timestamp: int | None = None) -> None:
        """Write a serialized message.

        Args:
            topic_name: A topic that was created.
            message: The message in the topic's serialization format.
            recv_timestamp: When it arrived [ns].
            send_timestamp: When it was sent [ns]; as `recv_timestamp` unless given.

        Raises:
            RuntimeError: the bag is not open or the topic was not created.
            TypeError: the message is not bytes.
        """
        storage = self._opened("writing")
        if not isinstance(message, bytes):
            raise TypeError(f"write(): incompatible function arguments: message is {type(message).__name__}, not bytes")
        options = self._options
        if 0 <= recv_timestamp < options.start_time_ns or 0 <= options.end_time_ns < recv_timestamp:
            return
        info = self._topics.get(topic_name)
        if info is None:
            raise RuntimeError(f"Failed to write on topic '{topic_name}'. Call create_topic() before first write.")
        if (options.max_bagfile_size and storage.size() >= options.max_bagfile_size) or (
            options.max_bagfile_duration
            and recv_timestamp - self._file_start > options.max_bagfile_duration * 1_000_000_000
        ):
            self.split_bagfile()
            storage = self._opened("writing")
        storage.write(topic_name, message, recv_timestamp, recv_timestamp if send_timestamp is None else send_timestamp)
        info.message_count += 1
        self._metadata.files[-1].message_count += 1
        if recv_timestamp < self._file_start:
            self._file_start, self._start = recv_timestamp, min(self._start, recv_timestamp)
        if recv_timestamp > self._file_end:
            self._file_end, self._end = recv_timestamp, max(self._end, recv_timestamp)

    def split_bagfile(self) -> None:
        """Go on in a new file."""
        self._close_file()
        self._open_file()

    def take_snapshot(self) -> bool:
        """Upstream's answer outside of snapshot mode."""
        get_logger("rosbag2_cpp").warning("SequentialWriter take_snaphot called when snapshot mode is disabled")
        return False
