# SPDX-License-Identifier: Apache-2.0
"""Reads bags of both storages, through the `rosbags` library."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import zstandard
from rosbags.rosbag2 import Reader, ReaderError

from rosbag2_py import _metadata
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    MessageDefinition,
    StorageFilter,
    StorageOptions,
    TopicMetadata,
)

Message = tuple[str, bytes, int]  # topic, serialized message, receive time [ns]
_ENCODINGS = {"MSG": "ros2msg", "IDL": "ros2idl"}


def _open(path: Path) -> Reader:
    # File by file: given a folder, the library finds nothing where metadata.yaml and a file differ in a topic's QoS.
    try:
        reader = Reader(path)
        reader.open()
    except (ReaderError, OSError, KeyError) as reason:
        raise RuntimeError(f"No storage could be initialized from the inputs. {path}: {reason}") from reason
    return reader


class SequentialReader:
    """Reads a bag's messages one after the other, as they were received."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self._metadata = BagMetadata()
        self._filter = StorageFilter()
        self._messages: Iterator[Message] = iter(())
        self._next: Message | None = None
        self._start = 0  # [ns]
        self._returned: list[Message] = []  # with the latest receive time

    def open_uri(self, uri: str) -> None:
        """Open a bag's folder."""
        self.open(StorageOptions(uri), ConverterOptions())

    def open(self, storage_options: StorageOptions, converter_options: ConverterOptions) -> None:
        """Open a bag's folder.

        Raises:
            RuntimeError: it is not a bag of that storage.
            NotImplementedError: it is compressed (SequentialCompressionReader reads it) or is to be converted.
        """
        path = Path(storage_options.uri)
        if path.is_file():
            raise NotImplementedError("rosbag2_storage: a file without its bag's folder")
        if _metadata.is_there(path):
            self._metadata = _metadata.read(path)
            self._readers = [self._file(path / Path(name).name) for name in self._metadata.relative_file_paths]
        if not self._readers or storage_options.storage_id not in ("", self._metadata.storage_identifier):
            raise RuntimeError("No storage could be initialized from the inputs.")
        if converter_options.output_serialization_format not in ("", "cdr"):
            raise NotImplementedError("rosbag2_cpp: conversion of serialization formats")
        self.seek(0)

    def _file(self, path: Path) -> Reader:
        if self._metadata.compression_mode:
            raise NotImplementedError("rosbag2_cpp: a compressed bag without rosbag2_compression")
        return _open(path)

    def passes(self, topic: str) -> bool:
        """Whether the filter lets a topic through."""
        choice = self._filter
        if topic in choice.exclude_topics or (choice.regex_to_exclude and re.fullmatch(choice.regex_to_exclude, topic)):
            return False
        everything = not choice.topics and not choice.regex
        return everything or topic in choice.topics or bool(choice.regex and re.fullmatch(choice.regex, topic))

    def _opened(self) -> list[Reader]:
        if not self._readers:
            raise RuntimeError("Bag is not open. Call open() before reading.")
        return self._readers

    def _stream(self, start: int, everything: bool = False) -> Iterator[Message]:
        for reader in self._readers:
            connections = [one for one in reader.connections if everything or self.passes(one.topic)]
            for one, time, data in reader.messages(connections, start) if connections else ():
                yield one.topic, data, time

    def _after(self, returned: list[Message]) -> Iterator[Message]:
        """What follows the last of these messages, which are those of its time, in the order of the whole bag."""
        last = returned[-1]
        stream, alike = self._stream(last[2], everything=True), returned.count(last)
        while alike and (message := next(stream, None)):
            alike -= message == last
        return (message for message in stream if self.passes(message[0]))

    def seek(self, timestamp: int) -> None:
        """Go on with the first message at or after a receive time [ns]."""
        self._opened()
        self._start, self._next, self._returned = timestamp, None, []
        self._messages = self._stream(timestamp)

    def set_filter(self, storage_filter: StorageFilter) -> None:
        """Return only some topics from here on."""
        self._opened()
        self._filter, self._next = storage_filter, None
        self._messages = self._after(self._returned) if self._returned else self._stream(self._start)

    def reset_filter(self) -> None:
        """Return all topics from here on."""
        self.set_filter(StorageFilter())

    def has_next(self) -> bool:
        """Whether a message is left."""
        self._opened()
        if self._next is None:
            self._next = next(self._messages, None)
        return self._next is not None

    def read_next(self) -> Message:
        """Topic, serialized message and receive time [ns].

        Raises:
            RuntimeError: the bag is not open or at its end.
        """
        if not self.has_next() or self._next is None:
            raise RuntimeError("Bag is at end. No next message.")
        message, self._next = self._next, None
        if self._returned and self._returned[-1][2] != message[2]:
            self._returned = []
        self._returned.append(message)
        return message

    def get_metadata(self) -> BagMetadata:
        """What is known about the bag."""
        self._opened()
        return self._metadata

    def get_all_message_definitions(self) -> list[MessageDefinition]:
        """Definitions of all types, as far as the bag has them."""
        found = {
            one.msgtype: MessageDefinition(one.msgtype, _ENCODINGS[one.msgdef.format.name], one.msgdef.data, one.digest)
            for reader in self._opened()
            for one in reader.connections
            if one.msgdef.format.name in _ENCODINGS
        }
        return list(found.values())

    def get_all_topics_and_types(self) -> list[TopicMetadata]:
        """All topics."""
        return [info.topic_metadata for info in self.get_metadata().topics_with_message_count]


class SequentialCompressionReader(SequentialReader):
    """Reads a bag whose files or messages are compressed with zstd."""

    def __init__(self) -> None:
        super().__init__()
        self._folders: list[tempfile.TemporaryDirectory[str]] = []

    def _file(self, path: Path) -> Reader:
        if self._metadata.compression_format != "zstd":
            raise RuntimeError(f"No decompressor for format '{self._metadata.compression_format}'")
        if self._metadata.compression_mode.upper() == "MESSAGE":
            return _open(path)
        folder = tempfile.TemporaryDirectory(prefix="rosbag2_")
        self._folders.append(folder)  # lives as long as the reader
        plain = Path(folder.name) / path.stem
        with path.open("rb") as packed, plain.open("wb") as file:
            zstandard.ZstdDecompressor().copy_stream(packed, file)
        return _open(plain)

    def read_next(self) -> Message:
        topic, data, time = super().read_next()
        if self._metadata.compression_mode.upper() == "MESSAGE":
            data = zstandard.ZstdDecompressor().decompress(data)
        return topic, data, time


def reader_of(uri: str) -> SequentialReader:
    """The reader that fits a bag's compression; as yet closed."""
    folder = Path(uri)
    compressed = _metadata.is_there(folder) and _metadata.read(folder).compression_mode
    return SequentialCompressionReader() if compressed else SequentialReader()


class Info:
    """Looks at bags."""

    def read_metadata(self, uri: str, storage_id: str) -> BagMetadata:
        """Metadata of a bag's folder.

        Raises:
            RuntimeError: there is no bag.
            NotImplementedError: it is one of a bag's files.
        """
        if not Path(uri).exists():
            raise RuntimeError(f"Bag path {uri} does not exist.")
        if Path(uri).is_file():
            raise NotImplementedError("rosbag2_storage: a file without its bag's folder")
        if not _metadata.is_there(Path(uri)):
            raise RuntimeError(f"Could not find metadata in bag directory {uri}")
        return _metadata.read(Path(uri))
