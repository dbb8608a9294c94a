# SPDX-License-Identifier: Apache-2.0
"""Bag files in SQLite: reading only."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import yaml
from rclpy.duration import Duration
from rclpy.time import Time

from rosbag2_py import _metadata, _qos
from rosbag2_py._storage import BagMetadata, MessageDefinition, TopicInformation, TopicMetadata

SUFFIX = ".db3"
BagMessage = tuple[str, bytes, int]


class SqliteReader:
    """One SQLite file of any schema version."""

    storage_id = "sqlite3"

    def __init__(self, path: str) -> None:
        self._path = path
        # Immutable: bags may lie in folders that cannot be written.
        self._base = sqlite3.connect(
            f"file:{Path(path).resolve()}?mode=ro&immutable=1", uri=True, check_same_thread=False
        )
        try:
            self._tables = {name for (name,) in self._base.execute("SELECT name FROM sqlite_master")}
        except sqlite3.DatabaseError as reason:
            self._base.close()
            raise ValueError(f"{path} is not an SQLite file") from reason
        if not {"topics", "messages"} <= self._tables:
            raise ValueError(f"{path} is not a bag")

    def metadata(self) -> BagMetadata:
        """What the file says about itself; counts and times are looked up."""
        metadata = BagMetadata()
        if "metadata" in self._tables:
            for (text,) in self._base.execute("SELECT metadata FROM metadata ORDER BY id"):
                metadata = _metadata.decode(yaml.safe_load(text))
        if "schema" in self._tables:
            (metadata.ros_distro,) = self._base.execute("SELECT ros_distro FROM schema").fetchone()
        start, end = self._base.execute("SELECT MIN(timestamp), MAX(timestamp) FROM messages").fetchone()
        counts = dict(self._base.execute("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id"))
        metadata.storage_identifier = self.storage_id
        metadata.bag_size = Path(self._path).stat().st_size
        metadata.relative_file_paths = [self._path]
        metadata.message_count = sum(counts.values())
        metadata.starting_time = Time(nanoseconds=start or 0)
        metadata.duration = Duration(nanoseconds=(end or 0) - (start or 0))
        self._base.row_factory = sqlite3.Row
        rows = [dict(row) for row in self._base.execute("SELECT * FROM topics ORDER BY id")]
        self._base.row_factory = None
        metadata.topics_with_message_count = [
            TopicInformation(
                TopicMetadata(
                    id=row["id"],
                    name=row["name"],
                    type=row["type"],
                    serialization_format=row["serialization_format"],
                    offered_qos_profiles=_qos.to_rclcpp_qos_vector(
                        row.get("offered_qos_profiles", ""), metadata.version
                    ),
                    type_description_hash=row.get("type_description_hash", ""),
                ),
                counts.get(row["id"], 0),
            )
            for row in rows
        ]
        return metadata

    def definitions(self) -> list[MessageDefinition]:
        """Definitions of all types; none in old files."""
        if "message_definitions" not in self._tables:
            return []
        rows = self._base.execute(
            "SELECT topic_type, encoding, encoded_message_definition, type_description_hash "
            "FROM message_definitions ORDER BY id"
        )
        return [MessageDefinition(*row) for row in rows]

    def messages(self, start: int, topics: set[str] | None, in_order: bool, reverse: bool) -> Iterator[BagMessage]:
        """Messages from a receive time [ns] on (back, if reverse)."""
        chosen = "" if topics is None else f"AND topics.name IN ({', '.join('?' * len(topics))})"
        yield from self._base.execute(
            "SELECT topics.name, data, timestamp FROM messages JOIN topics ON messages.topic_id = topics.id "
            f"WHERE timestamp {'<=' if reverse else '>='} ? {chosen} "
            f"ORDER BY timestamp {'DESC' if reverse else ''}, messages.id {'DESC' if reverse else ''}",
            (start, *sorted(topics or ())),
        )

    def close(self) -> None:
        """Close the file."""
        self._base.close()
