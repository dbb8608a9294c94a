# SPDX-License-Identifier: Apache-2.0
"""One file of a bag being written: MCAP through the `mcap` library, or SQLite with rosbag2's fourth schema."""

import os
import sqlite3
from pathlib import Path

from mcap.writer import CompressionType, Writer
from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py import _metadata
from rosbag2_py._storage import BagMetadata, FileInformation, TopicMetadata

_NEVER = 2**63 - 1  # starting time of a file without messages [ns]
_CHUNK = 768 * 1024  # [bytes]


class BagFile:
    """What files of both storages have in common."""

    suffix = ""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start, self.end, self.count = _NEVER, 0, 0

    def information(self) -> FileInformation:
        duration = Duration(nanoseconds=max(self.end - self.start, 0))
        return FileInformation(self.path.name, Time(nanoseconds=self.start), duration, self.count)

    def size(self) -> int:
        """Bytes so far."""
        raise NotImplementedError

    def create_topic(self, topic: TopicMetadata, definition: str) -> None:
        """Announce a topic."""
        raise NotImplementedError

    def write(self, topic_name: str, message: bytes, received: int, sent: int) -> None:
        """Add a message; times in ns."""
        self.count += 1
        self.start, self.end = min(self.start, received), max(self.end, received)

    def tell(self, metadata: BagMetadata) -> None:
        """Leave what is known of the bag in the file itself, for a reindexer."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class McapFile(BagFile):
    """An MCAP file."""

    suffix = ".mcap"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stream = path.open("wb")
        self._writer = Writer(self._stream, chunk_size=_CHUNK, compression=CompressionType.NONE, enable_crcs=False)
        self._writer.start(profile="ros2")
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}

    def size(self) -> int:
        return self._stream.tell()

    def create_topic(self, topic: TopicMetadata, definition: str) -> None:
        if topic.type not in self._schemas:
            encoding = "ros2msg" if definition else ""
            self._schemas[topic.type] = self._writer.register_schema(topic.type, encoding, definition.encode())
        said = {
            "offered_qos_profiles": _metadata.dump_qos(topic.offered_qos_profiles),
            "topic_type_hash": topic.type_description_hash,
        }
        schema = self._schemas[topic.type]
        self._channels[topic.name] = self._writer.register_channel(topic.name, topic.serialization_format, schema, said)

    def write(self, topic_name: str, message: bytes, received: int, sent: int) -> None:
        self._writer.add_message(self._channels[topic_name], received, message, sent)
        super().write(topic_name, message, received, sent)

    def tell(self, metadata: BagMetadata) -> None:
        self._writer.add_metadata("rosbag2", {"serialized_metadata": _metadata.dump(_metadata.encode(metadata))})

    def close(self) -> None:
        self._writer.finish()
        self._stream.close()


_TABLES = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE topics(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL,
    offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(
    id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL,
    type_description_hash TEXT NOT NULL);
CREATE TABLE messages(
    id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
"""


class SqliteFile(BagFile):
    """An SQLite file; it does not keep when messages were sent."""

    suffix = ".db3"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.executescript(_TABLES)
        self._database.execute("INSERT INTO schema VALUES (4, ?)", (os.environ.get("ROS_DISTRO", ""),))
        self._topics: dict[str, int] = {}
        self._types: set[str] = set()

    def size(self) -> int:
        (pages,), (size,) = (
            self._database.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size")
        )
        return pages * size

    def create_topic(self, topic: TopicMetadata, definition: str) -> None:
        said = topic.serialization_format, _metadata.dump_qos(topic.offered_qos_profiles), topic.type_description_hash
        insert = "INSERT INTO topics VALUES (NULL, ?, ?, ?, ?, ?)"
        self._topics[topic.name] = self._database.execute(insert, (topic.name, topic.type, *said)).lastrowid or 0
        if topic.type not in self._types:
            self._types.add(topic.type)
            row = topic.type, "ros2msg" if definition else "unknown", definition, topic.type_description_hash
            self._database.execute("INSERT INTO message_definitions VALUES (NULL, ?, ?, ?, ?)", row)

    def write(self, topic_name: str, message: bytes, received: int, sent: int) -> None:
        row = self._topics[topic_name], received, message
        self._database.execute("INSERT INTO messages VALUES (NULL, ?, ?, ?)", row)
        super().write(topic_name, message, received, sent)

    def tell(self, metadata: BagMetadata) -> None:
        row = metadata.version, _metadata.dump(_metadata.encode(metadata))
        self._database.execute("INSERT INTO metadata VALUES (NULL, ?, ?)", row)

    def close(self) -> None:
        self._database.commit()
        self._database.close()


STORAGES: dict[str, type[BagFile]] = {"mcap": McapFile, "sqlite3": SqliteFile}
