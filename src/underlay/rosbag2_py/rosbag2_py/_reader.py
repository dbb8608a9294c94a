# SPDX-License-Identifier: Apache-2.0
"""Reads bags of both storages, their messages compressed or not, through the `rosbags` library."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
import zstandard
from mcap.reader import make_reader
from rclpy.duration import Duration
from rclpy.time import Time
from rosbags.rosbag2 import Reader, ReaderError

from rosbag2_py import _metadata, _qos
from rosbag2_py._metadata import MetadataIo
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    FileInformation,
    MessageDefinition,
    ReadOrder,
    ReadOrderSortBy,
    StorageFilter,
    StorageOptions,
    TopicInformation,
    TopicMetadata,
    is_service_event,
)

_SUFFIXES = {".mcap": "mcap", ".db3": "sqlite3"}
_FILE_NAME = re.compile(r".+_(\d+)\.[a-zA-Z0-9]+")


def get_registered_readers() -> set[str]:
    """Storages that can be read."""
    return set(_SUFFIXES.values())


def _open(path: Path) -> Reader:
    # File by file: given a folder, the library finds nothing where metadata.yaml and a file differ in a topic's QoS.
    try:
        reader = Reader(path)
        reader.open()
    except (ReaderError, OSError, KeyError) as reason:
        raise RuntimeError(f"No storage could be initialized from the inputs. {path}: {reason}") from reason
    return reader


def _describe(path: Path, reader: Reader) -> BagMetadata:
    """Metadata of a file that has no metadata.yaml beside it."""
    metadata = BagMetadata(bag_size=path.stat().st_size, storage_identifier=_SUFFIXES[path.suffix])
    hashes: dict[str, str] = {}
    if path.suffix == ".mcap":
        with path.open("rb") as stream:
            said = make_reader(stream)
            for record in said.iter_metadata():
                if record.name == "rosbag2" and "serialized_metadata" in record.metadata:
                    last = _metadata.decode(yaml.safe_load(record.metadata["serialized_metadata"]))
                    metadata.custom_data, metadata.ros_distro = last.custom_data, last.ros_distro
            summary = said.get_summary()
            for channel in summary.channels.values() if summary else ():
                hashes[channel.topic] = channel.metadata.get("topic_type_hash", "")
    metadata.relative_file_paths = [str(path)]
    metadata.message_count = reader.message_count
    metadata.starting_time = Time(nanoseconds=reader.start_time)
    metadata.duration = Duration(nanoseconds=max(reader.duration - 1, 0))  # rosbags counts both ends
    for one in reader.connections:
        extra: Any = one.ext
        offers = [{**qos._asdict(), **_plain(qos)} for qos in extra.offered_qos_profiles]
        topic = TopicMetadata(one.id, one.topic, one.msgtype, extra.serialization_format)
        topic.offered_qos_profiles = [_qos.decode(node) for node in offers]
        topic.type_description_hash = hashes.get(one.topic, one.digest)
        metadata.topics_with_message_count.append(TopicInformation(topic, one.msgcount))
    return metadata


def _plain(qos: object) -> dict[str, object]:
    enums = {name: getattr(qos, name).value for name in _qos.POLICIES}
    return enums | {name: getattr(qos, name)._asdict() for name in _qos.DURATIONS}


class SequentialReader:
    """Reads a bag's messages one after the other, as they were received."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self._metadata = BagMetadata()
        self._filter = StorageFilter()
        self._position = 0  # where reading goes on [ns]
        self._last: tuple[str, bytes, int] | None = None
        self._repeats = 0  # how often the last message was read
        self._messages: Iterator[tuple[str, bytes, int]] = iter(())
        self._next: tuple[str, bytes, int] | None = None

    def open_uri(self, uri: str) -> None:
        """Open a folder or file."""
        self.open(StorageOptions(uri), ConverterOptions())

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Open a folder or file.

        Raises:
            RuntimeError: it is not a bag of that storage.
        """
        path = Path(storage_options.uri)
        if path.is_file() and path.suffix in _SUFFIXES:
            self._readers = [_open(path)]
            self._metadata = _describe(path, self._readers[0])
        elif MetadataIo().metadata_file_exists(str(path)):
            self._metadata = MetadataIo().read_metadata(str(path))
            if self._metadata.compression_mode.upper() == "FILE":
                raise NotImplementedError("rosbag2_compression: files")
            self._readers = [_open(path / Path(name).name) for name in self._metadata.relative_file_paths]
        if not self._readers or storage_options.storage_id not in ("", self._metadata.storage_identifier):
            raise RuntimeError("No storage could be initialized from the inputs.")
        if converter_options.output_serialization_format not in ("", "cdr"):
            raise NotImplementedError("rosbag2_cpp: conversion of serialization formats")
        self._restart()

    def _opened(self) -> list[Reader]:
        if not self._readers:
            raise RuntimeError("Bag is not open. Call open() before reading.")
        return self._readers

    def passes(self, topic: str) -> bool:
        """Whether the filter lets a topic through."""
        choice, service = self._filter, is_service_event(topic)
        wanted = choice.services_events if service else choice.topics
        unwanted = choice.exclude_service_events if service else choice.exclude_topics
        if topic in unwanted or (choice.regex_to_exclude and re.fullmatch(choice.regex_to_exclude, topic)):
            return False
        everything = not wanted and not choice.regex
        return everything or topic in wanted or bool(choice.regex and re.fullmatch(choice.regex, topic))

    def _stream(self, topics: set[str]) -> Iterator[tuple[str, bytes, int]]:
        packed = self._metadata.compression_mode.upper() == "MESSAGE"
        for reader in self._opened():
            connections = [one for one in reader.connections if one.topic in topics]
            for one, time, data in reader.messages(connections, self._position) if connections else ():
                # Streamed, because not every writer states the size.
                yield one.topic, zstandard.ZstdDecompressor().decompressobj().decompress(data) if packed else data, time

    def _restart(self) -> None:
        """Go on from the current position with the current filter."""
        self._next = None
        everything = {topic.name for topic in self.get_all_topics_and_types()}
        chosen = {topic for topic in everything if self.passes(topic)}
        if self._last is None:
            self._messages = self._stream(chosen)
            return
        # After the last message read, whichever messages of the same time stood before it.
        messages = self._stream(everything)
        for _ in range(self._repeats):
            next(message for message in messages if message == self._last)
        self._messages = (message for message in messages if message[0] in chosen)

    def set_read_order(self, order: ReadOrder) -> bool:
        """Choose the order: by receive time. False for the other two, which upstream's storages may refuse as well.

        Raises:
            NotImplementedError: in reverse.
        """
        self._opened()
        if order.reverse:
            raise NotImplementedError("rosbag2_cpp: reading in reverse")
        return order.sort_by is ReadOrderSortBy.ReceivedTimestamp

    def has_next(self) -> bool:
        """Whether a message is left."""
        self._opened()
        if self._next is None:
            self._next = next(self._messages, None)
        return self._next is not None

    def read_next(self) -> tuple[str, bytes, int]:
        """Topic, serialized message and receive time [ns].

        Raises:
            RuntimeError: the bag is not open or at its end.
        """
        if not self.has_next() or self._next is None:
            raise RuntimeError("Bag is at end. No next message.")
        message, self._next = self._next, None
        self._repeats = self._repeats + 1 if message == self._last else 1
        self._last, self._position = message, message[2]
        return message

    def get_metadata(self) -> BagMetadata:
        """What is known about the bag."""
        self._opened()
        return self._metadata

    def get_all_topics_and_types(self) -> list[TopicMetadata]:
        """All topics."""
        return [info.topic_metadata for info in self.get_metadata().topics_with_message_count]

    def get_all_message_definitions(self) -> list[MessageDefinition]:
        """Definitions kept in the bag."""
        encodings = {"MSG": "ros2msg", "IDL": "ros2idl"}
        connections = [one for reader in self._opened() for one in reader.connections]
        known = {one.msgtype: one.msgdef for one in connections if one.msgdef.format.name in encodings}
        return [MessageDefinition(name, encodings[one.format.name], one.data, "") for name, one in known.items()]

    def set_filter(self, storage_filter: StorageFilter) -> None:
        """Return only some topics from here on."""
        self._opened()
        self._filter = storage_filter
        self._restart()

    def reset_filter(self) -> None:
        """Return all topics from here on."""
        self.set_filter(StorageFilter())

    def seek(self, timestamp: int) -> None:
        """Go on with the first message at or after a receive time [ns]."""
        self._opened()
        self._position, self._last = timestamp, None
        self._restart()


class SequentialCompressionReader(SequentialReader):
    """The same: every reader here decompresses messages."""


class Info:
    """Looks at bags."""

    def read_metadata(self, uri: str, storage_id: str) -> BagMetadata:
        """Metadata of a folder or file.

        Raises:
            RuntimeError: there is no bag.
        """
        if not Path(uri).exists():
            raise RuntimeError(f"Bag path {uri} does not exist.")
        if Path(uri).is_dir() and not MetadataIo().metadata_file_exists(uri):
            raise RuntimeError(f"Could not find metadata in bag directory {uri}")
        reader = SequentialReader()
        reader.open(StorageOptions(uri, storage_id), ConverterOptions())
        return reader.get_metadata()

    def read_metadata_and_output_service_verbose(self, uri: str, storage_id: str) -> None:
        """Left out."""
        raise NotImplementedError("rosbag2_cpp: statistics of service events")


class Reindexer:
    """Writes metadata.yaml anew from the files."""

    def reindex(self, storage_options: StorageOptions) -> None:
        """Restore the metadata of a folder.

        Raises:
            RuntimeError: the folder has no files named like a bag's, or one of them is none.
        """
        folder = Path(storage_options.uri)
        numbered = [(int(found[1]), path) for path in folder.iterdir() if (found := _FILE_NAME.fullmatch(path.name))]
        if not numbered:
            raise RuntimeError("No storage files found for reindexing. Abort")
        parts = [
            (path.name, Info().read_metadata(str(path), storage_options.storage_id)) for _, path in sorted(numbered)
        ]
        result = parts[-1][1]
        filled = [one for _, one in parts if one.message_count] or [result]
        start = min(one.starting_time.nanoseconds for one in filled)
        end = max(one.starting_time.nanoseconds + one.duration.nanoseconds for one in filled)
        topics: dict[str, TopicInformation] = {}
        for info in (info for _, one in parts for info in one.topics_with_message_count):
            known = topics.setdefault(info.topic_metadata.name, TopicInformation(info.topic_metadata, 0))
            known.message_count += info.message_count
        result.relative_file_paths = [name for name, _ in parts]
        result.files = [
            FileInformation(name, one.starting_time, one.duration, one.message_count) for name, one in parts
        ]
        result.message_count = sum(one.message_count for _, one in parts)
        result.starting_time, result.duration = Time(nanoseconds=start), Duration(nanoseconds=end - start)
        result.topics_with_message_count = [topics[name] for name in sorted(topics)]
        MetadataIo().write_metadata(str(folder), result)
