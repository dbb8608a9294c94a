# SPDX-License-Identifier: Apache-2.0
"""Reads bags in order, across their files."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import zstandard
from rclpy.logging import get_logger

from rosbag2_py._mcap import McapReader
from rosbag2_py._metadata import MetadataIo
from rosbag2_py._sqlite3 import SqliteReader
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    MessageDefinition,
    ReadOrder,
    ReadOrderSortBy,
    StorageFilter,
    StorageOptions,
    TopicMetadata,
    is_service_event,
)

BagMessage = tuple[str, bytes, int]


class Storage(Protocol):
    """One file of a bag."""

    storage_id: str

    def metadata(self) -> BagMetadata: ...
    def definitions(self) -> list[MessageDefinition]: ...
    def messages(self, start: int, topics: set[str] | None, in_order: bool, reverse: bool) -> Iterator[BagMessage]: ...
    def close(self) -> None: ...


_READERS: dict[str, Callable[[str], Storage]] = {"mcap": McapReader, "sqlite3": SqliteReader}


def get_registered_readers() -> set[str]:
    """Storages that can be read."""
    return set(_READERS)


def open_storage(path: str, storage_id: str = "") -> Storage | None:
    """The file as the named storage, or as whichever recognises it; None if it is neither."""
    for name, reader in _READERS.items():
        if storage_id in ("", name) and Path(path).is_file():
            try:
                return reader(path)
            except ValueError:
                continue
    return None


def selected(topics: list[str], choice: StorageFilter) -> set[str] | None:
    """Those of the topics that a filter lets through; None for all of them."""

    def passes(topic: str) -> bool:
        service = is_service_event(topic)
        wanted = choice.services_events if service else choice.topics
        unwanted = choice.exclude_service_events if service else choice.exclude_topics
        if topic in unwanted or (choice.regex_to_exclude and re.fullmatch(choice.regex_to_exclude, topic)):
            return False
        everything = not wanted and not choice.regex
        return everything or topic in wanted or bool(choice.regex and re.fullmatch(choice.regex, topic))

    chosen = {topic for topic in topics if passes(topic)}
    return None if len(chosen) == len(topics) else chosen


class SequentialReader:
    """Reads a bag's messages one after the other, as they were received."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._storage_id = ""
        self._storage: Storage | None = None
        self._metadata = BagMetadata()
        self._order = ReadOrder()
        self._filter = StorageFilter()
        self._position = 0  # where reading goes on [ns]
        self._last: BagMessage | None = None
        self._repeats = 0  # how often the last message was read
        self._messages: Iterator[BagMessage] = iter(())
        self._next: BagMessage | None = None

    def open_uri(self, uri: str) -> None:
        """Open a folder or file."""
        self.open(StorageOptions(uri), ConverterOptions())

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Open a folder or file.

        Raises:
            RuntimeError: it is not a bag of that storage.
        """
        uri = Path(storage_options.uri)
        self._storage_id = storage_options.storage_id
        if MetadataIo().metadata_file_exists(str(uri)):
            self._metadata = MetadataIo().read_metadata(str(uri))
            base = uri.parent if self._metadata.version <= 3 else uri
            self._files = [str(base / path) for path in self._metadata.relative_file_paths]
            self._storage_id = self._storage_id or self._metadata.storage_identifier
            if self._files:
                self._load(self._files[0])
        else:
            self._storage = open_storage(str(uri), self._storage_id)
            if self._storage is None:
                raise RuntimeError("No storage could be initialized from the inputs.")
            self._metadata = self._storage.metadata()
            self._files = [str(uri)]
        formats = {topic.serialization_format for topic in self.get_all_topics_and_types()}
        wanted = converter_options.output_serialization_format
        if wanted and formats - {wanted}:
            raise RuntimeError(f"cannot convert {sorted(formats)} to {wanted}: only cdr is supported")
        self._restart()

    def _load(self, path: str) -> Storage:
        storage = open_storage(self._preprocess(path), self._storage_id)
        if storage is None:
            raise RuntimeError("No storage could be initialized. Abort")
        if self._storage is not None:
            self._storage.close()
        self._storage = storage
        return storage

    def _preprocess(self, path: str) -> str:
        return path

    def _decode(self, data: bytes) -> bytes:
        return data

    def _opened(self) -> Storage:
        if self._storage is None:
            raise RuntimeError("Bag is not open. Call open() before reading.")
        return self._storage

    def _chain(self, start: int, topics: set[str] | None) -> Iterator[BagMessage]:
        storage = self._opened()
        in_order = self._order.sort_by is not ReadOrderSortBy.File
        for path in reversed(self._files) if self._order.reverse else self._files:
            if len(self._files) > 1:
                storage = self._load(path)
            yield from storage.messages(start, topics, in_order, self._order.reverse)

    def _restart(self) -> None:
        """Go on from the current position with the current order and filter."""
        self._next = None
        topics = selected([topic.name for topic in self.get_all_topics_and_types()], self._filter)
        if self._last is None:
            self._messages = self._chain(self._position, topics)
            return
        # After the last message read, whichever messages of the same time stood before it.
        everything = self._chain(self._position, None)
        for _ in range(self._repeats):
            next(message for message in everything if message == self._last)
        self._messages = (message for message in everything if topics is None or message[0] in topics)

    def set_read_order(self, order: ReadOrder) -> bool:
        """Choose the order; False where the file cannot be read in it. In reverse, `seek` says where to begin."""
        storage = self._opened()
        by_file = order.sort_by is ReadOrderSortBy.File
        if order.sort_by is ReadOrderSortBy.PublishedTimestamp or (
            by_file and (order.reverse or storage.storage_id == "sqlite3")
        ):
            get_logger("rosbag2_storage").warning(f"{storage.storage_id}: this file cannot be read in order {order}")
            return False
        self._order = order
        self._last = None
        self._restart()
        return True

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
        self._last = message
        self._position = message[2]
        return message[0], self._decode(message[1]), message[2]

    def get_metadata(self) -> BagMetadata:
        """What is known about the bag."""
        self._opened()
        return self._metadata

    def get_all_topics_and_types(self) -> list[TopicMetadata]:
        """All topics."""
        self._opened()
        return [info.topic_metadata for info in self._metadata.topics_with_message_count]

    def get_all_message_definitions(self) -> list[MessageDefinition]:
        """Definitions kept in the bag."""
        return self._opened().definitions()

    def set_filter(self, storage_filter: StorageFilter) -> None:
        """Return only some topics from here on."""
        self._opened()
        self._filter = storage_filter
        self._restart()

    def reset_filter(self) -> None:
        """Return all topics from here on."""
        self.set_filter(StorageFilter())

    def seek(self, timestamp: int) -> None:
        """Go on with the first message at or after a receive time [ns] (in reverse: at or before it)."""
        self._opened()
        self._position, self._last = timestamp, None
        self._restart()


class SequentialCompressionReader(SequentialReader):
    """Reads bags whose messages or files are compressed with zstd."""

    def __init__(self) -> None:
        super().__init__()
        self._scratch = tempfile.TemporaryDirectory(prefix="rosbag2_")
        self._decompressor = zstandard.ZstdDecompressor()

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Open a folder that has metadata."""
        if not MetadataIo().metadata_file_exists(storage_options.uri):
            raise RuntimeError(
                f'Could not find metadata for bag: "{storage_options.uri}". Bags without metadata (such as from ROS 1) '
                "not supported by rosbag2 decompression."
            )
        super().open(storage_options, converter_options)

    def _preprocess(self, path: str) -> str:
        if self._metadata.compression_format != "zstd":
            raise RuntimeError(f"Couldn't initialize decompressor '{self._metadata.compression_format}'.")
        if self._metadata.compression_mode.upper() != "FILE":
            return path
        target = Path(self._scratch.name) / Path(path).stem
        if not target.exists():
            with open(path, "rb") as source, target.open("wb") as plain:
                self._decompressor.copy_stream(source, plain)
        return str(target)

    def _decode(self, data: bytes) -> bytes:
        if self._metadata.compression_mode.upper() != "MESSAGE":
            return data
        # Streamed, because not every writer states the size.
        return self._decompressor.decompressobj().decompress(data)
