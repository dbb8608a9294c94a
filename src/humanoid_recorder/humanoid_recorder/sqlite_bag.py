# SPDX-License-Identifier: Apache-2.0
"""The `sqlite3` backend: bags as stock rosbag2's SQLite storage makes them (schema version 4, Jazzy).

Messages are committed at least every flush period in write-ahead mode, so a crash costs no more than with MCAP;
rosbag2's own storage commits when its cache is full. There is no room for sequence numbers and publishers' stamps in
this format: what was lost stands in episode.yaml, and cannot be counted again from the bag.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from mcap.records import Channel, Schema

from humanoid_recorder.bag_metadata import TopicCountInBag, metadata_yaml, serialized_metadata
from humanoid_recorder.errors import BagError, StorageError
from humanoid_recorder.scan import Scan
from humanoid_recorder.writers import METADATA_FILE, FinishedBag, Topic, file_sha256, write_durably

SUFFIX = ".db3"
_COMMIT = 8 << 20  # payload at which messages are committed [bytes]
_TABLES = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
    encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
"""


class SqliteWriter:
    """See `writers.BagWriter`.

    Args:
        folder: An existing folder.
        name: File name without suffix.
        flush_period: A message waits no longer than this before it is committed [s].
        ros_distro: Named in metadata.yaml.
    """

    def __init__(self, folder: Path, name: str, flush_period: float, ros_distro: str) -> None:
        self._folder = folder
        self._path = folder / f"{name}{SUFFIX}"
        self._flush_period = flush_period
        self._ros_distro = ros_distro
        self._topics: dict[str, tuple[int, Topic]] = {}
        self._counts: dict[str, int] = {}
        self._stored: dict[str, int] = {}
        self._start = self._end = 0
        self._waiting: list[tuple[int, int, bytes]] = []
        self._waiting_bytes = 0
        self._oldest = 0.0
        try:
            self._base = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=NORMAL")
            self._base.executescript(_TABLES)
            self._base.execute("INSERT INTO schema VALUES (4, ?)", (ros_distro,))
        except sqlite3.Error as error:
            raise StorageError(self._path, error, "a new database") from error

    def add_topic(self, topic: Topic) -> None:
        if topic.name in self._topics:
            return
        number = len(self._topics) + 1
        columns = number, topic.name, topic.type, "cdr", topic.qos, topic.type_hash
        known = any(other.type == topic.type for _, other in self._topics.values())
        self._execute("INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?)", columns)
        if not known:
            definition = topic.type, "ros2msg", topic.definition, topic.type_hash
            self._execute("INSERT INTO message_definitions VALUES (NULL, ?, ?, ?, ?)", definition)
        self._topics[topic.name] = number, topic

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """There is no place for it."""

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        if not self._waiting:
            self._oldest = time.monotonic()
        self._start = min(self._start, log_ns) if self._counts else log_ns
        self._end = max(self._end, log_ns)
        self._waiting.append((self._topics[topic][0], log_ns, payload))
        self._waiting_bytes += len(payload)
        self._counts[topic] = self._counts.get(topic, 0) + 1
        self._stored[topic] = self._stored.get(topic, 0) + len(payload)
        if self._waiting_bytes >= _COMMIT:
            self._commit()

    def flush_due(self) -> None:
        if self._waiting and time.monotonic() - self._oldest >= self._flush_period:
            self._commit()

    def sync(self) -> None:
        for path in (self._path.with_name(f"{self._path.name}-wal"), self._path):
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def bytes(self) -> int:
        return sum(self._stored.values())

    def stored(self, topic: str) -> int:
        return self._stored.get(topic, 0)

    def restore(self) -> None:
        raise StorageError(self._path, "no folder", "the folder that the database is in")

    def close(self, metadata: dict[str, str]) -> FinishedBag:
        self._commit()
        topics = [
            TopicCountInBag(topic.name, topic.type, topic.qos, topic.type_hash, self._counts.get(topic.name, 0))
            for _, topic in self._topics.values()
        ]
        text = serialized_metadata(self._path.name, self._start, self._end, topics, self._ros_distro, "sqlite3")
        self._execute("INSERT INTO metadata VALUES (NULL, 9, ?)", (text,))
        try:
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise StorageError(self._path, error, "a database that can be closed") from error
        self.abandon()
        write_durably(self._folder / METADATA_FILE, metadata_yaml(text))
        size, count = self._path.stat().st_size, sum(self._counts.values())
        return FinishedBag(self._path.name, file_sha256(self._path), size, count, self._start, self._end)

    def abandon(self) -> None:
        self._base.close()

    def _execute(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:
            raise StorageError(self._path, error, "a database that takes what is written") from error

    def _commit(self) -> None:
        """Store what waits, all or nothing."""
        try:
            self._base.execute("BEGIN")
            self._base.executemany("INSERT INTO messages VALUES (NULL, ?, ?, ?)", self._waiting)
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise StorageError(self._path, error, f"room for {self._waiting_bytes} bytes") from error
        self._waiting.clear()
        self._waiting_bytes = 0


def scan_sqlite(path: Path, progress: Callable[[int], None] | None = None) -> Scan:
    """What is in a database, as `scan.scan` says it of an MCAP file; what a crash left in its log is taken in.

    Raises:
        BagError: it is no bag, or it is damaged.
    """
    found = Scan(size=path.stat().st_size, finished=True)
    summary = found.summary
    try:
        base = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)
        try:
            base.execute("PRAGMA journal_mode=DELETE")
            (sound,) = base.execute("PRAGMA quick_check(1)").fetchone()
            if sound != "ok":
                raise BagError(path, sound, "a sound database")
            kinds: dict[str, int] = {}
            for number, name, kind, qos, type_hash in base.execute(
                "SELECT id, name, type, offered_qos_profiles, type_description_hash FROM topics ORDER BY id"
            ):
                schema = kinds.setdefault(kind, len(kinds) + 1)
                summary.schemas[schema] = Schema(id=schema, name=kind, encoding="ros2msg", data=b"")
                said = {"offered_qos_profiles": qos, "topic_type_hash": type_hash}
                summary.channels[number] = Channel(number, name, "cdr", said, schema)
            rows = base.execute("SELECT topic_id, timestamp, length(data) FROM messages ORDER BY id")
            for number, stamp, size in rows:
                if number in found.last:
                    found.gap[number] = max(found.gap.get(number, 0), stamp - found.last[number])
                summary.span(stamp, stamp)
                summary.counts[number] = summary.counts.get(number, 0) + 1
                found.first.setdefault(number, stamp)
                found.last[number] = stamp
                found.payload[number] = found.payload.get(number, 0) + size
                if progress:
                    progress(size)
        finally:
            base.close()
    except sqlite3.Error as error:
        raise BagError(path, error, "a rosbag2 database") from error
    return found
