# SPDX-License-Identifier: Apache-2.0
"""Writes bags: files of either storage, and metadata.yaml."""

import os
from pathlib import Path

from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from rosbag2_py import _metadata
from rosbag2_py._files import STORAGES, BagFile
from rosbag2_py._message_definitions import full_text
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    StorageOptions,
    TopicInformation,
    TopicMetadata,
)

_MINIMUM_SPLIT_SIZE = 1024  # [bytes]


class SequentialWriter:
    """Writes one bag at a time, straight to the file; `max_cache_size` means nothing here."""

    def __init__(self) -> None:
        self._files: list[BagFile] = []
        self._options, self._storage_id = StorageOptions(""), ""
        self._topics: dict[str, tuple[TopicInformation, str]] = {}

    def __del__(self) -> None:
        self.close()

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Create a bag's folder and its first file.

        Raises:
            RuntimeError: the folder exists, or the options make no sense.
            NotImplementedError: a preset profile, or a change of serialization format.
        """
        if self._files:
            return
        options, folder = storage_options, Path(storage_options.uri)
        if converter_options.input_serialization_format != converter_options.output_serialization_format:
            raise NotImplementedError("rosbag2_cpp: conversion of serialization formats")
        if folder.is_dir():
            raise RuntimeError(f"Bag directory already exists ({folder}), can't overwrite existing bag")
        storage_id = options.storage_id or "mcap"
        if storage_id not in STORAGES:
            raise RuntimeError("No storage could be initialized. Abort")
        if options.storage_preset_profile not in ("", "none"):
            raise NotImplementedError(f"rosbag2_storage_{storage_id}: preset profile {options.storage_preset_profile}")
        if 0 < options.max_bagfile_size < _MINIMUM_SPLIT_SIZE:
            raise RuntimeError(
                f"Invalid bag splitting size given. Please provide a value greater than {_MINIMUM_SPLIT_SIZE}. "
                f"Specified value of {options.max_bagfile_size}"
            )
        folder.mkdir(parents=True)
        self._options, self._topics, self._storage_id = options, {}, storage_id
        self._open_file()

    def _metadata(self) -> BagMetadata:
        start, end = min(file.start for file in self._files), max(file.end for file in self._files)
        files = [file.information() for file in self._files]
        topics = [info for info, _ in self._topics.values()]
        return BagMetadata(
            storage_identifier=self._storage_id,
            relative_file_paths=[file.path for file in files],
            files=files,
            duration=Duration(nanoseconds=max(end - start, 0)),
            starting_time=Time(nanoseconds=start),
            message_count=sum(info.message_count for info in topics),
            topics_with_message_count=topics,
            ros_distro=os.environ.get("ROS_DISTRO", ""),
        )

    def _open_file(self) -> None:
        folder = Path(self._options.uri)
        storage = STORAGES[self._storage_id]
        self._files.append(storage(folder / f"{folder.name}_{len(self._files)}{storage.suffix}"))
        self._files[-1].tell(self._metadata())
        for info, definition in self._topics.values():
            self._files[-1].create_topic(info.topic_metadata, definition)

    def _file(self) -> BagFile:
        if not self._files:
            raise RuntimeError("Bag is not open. Call open() before writing.")
        return self._files[-1]

    def close(self) -> None:
        """Finish the file and write metadata.yaml."""
        if self._files:
            metadata = self._metadata()
            self._files[-1].tell(metadata)
            self._files[-1].close()
            self._files = []
            _metadata.write(Path(self._options.uri), metadata)

    def create_topic(self, topic: TopicMetadata) -> None:
        """Announce a topic; once is enough."""
        if topic.name in self._topics:
            return
        file = self._file()
        try:
            definition = full_text(topic.type)
        except LookupError as reason:
            get_logger("rosbag2_cpp").warning(f"{topic.name}: {reason}; the bag will lack it")
            definition = ""
        self._topics[topic.name] = TopicInformation(topic, 0), definition
        file.create_topic(topic, definition)

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
        file, options, time = self._file(), self._options, recv_timestamp
        if not isinstance(message, bytes):
            raise TypeError(f"write(): incompatible function arguments: message is {type(message).__name__}, not bytes")
        if topic_name not in self._topics:
            raise RuntimeError(f"Failed to write on topic '{topic_name}'. Call create_topic() before first write.")
        if 0 < options.max_bagfile_size <= file.size() or (
            0 < options.max_bagfile_duration * 1_000_000_000 < time - file.start
        ):
            file.tell(self._metadata())
            file.close()
            self._open_file()
            file = self._files[-1]
        sent = time if send_timestamp is None else send_timestamp
        file.write(topic_name, message, time, sent)
        self._topics[topic_name][0].message_count += 1
