# SPDX-License-Identifier: Apache-2.0
"""What puts an episode's messages into a bag: a protocol, and two of its backends (the third is `sqlite_bag`).

`mcap` (the default) writes MCAP itself, in groups of chunks that reach the disk at least every flush period.
`rosbag2` hands everything to `rosbag2_py.SequentialWriter`, for sites that want rosbag2's own writer; how much a
crash costs is then rosbag2's.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from humanoid_recorder.bag_metadata import TopicCountInBag, metadata_yaml, serialized_metadata
from humanoid_recorder.errors import StorageError
from humanoid_recorder.mcap_file import McapFile

METADATA_FILE = "metadata.yaml"
# Names of our records among a bag's metadata
EPISODE_METADATA = "humanoid_episode"
CONFIGURATION_METADATA = "humanoid_configuration"


@dataclass(frozen=True)
class Topic:
    """A topic as a bag describes it.

    Attributes:
        name: Full name.
        type: "package/msg/Name".
        type_hash: RIHS01 hash, or "" where unknown.
        definition: Text of the definition with everything it needs.
        qos: What the publishers offer, made by `bag_metadata.qos_text`.
        group: Key of `mcap_file.GROUPS`.
    """

    name: str
    type: str
    type_hash: str
    definition: str
    qos: str
    group: str = "numeric"


@dataclass(frozen=True)
class FinishedBag:
    """A closed bag file."""

    file: str
    sha256: str
    bytes: int
    messages: int
    start_ns: int
    end_ns: int


class BagWriter(Protocol):
    """Writes one bag into a folder; used by one thread, except for `sync`."""

    def add_topic(self, topic: Topic) -> None:
        """Declare a topic; must precede its first message."""

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """Add texts about the bag, where the format has room for them."""

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        """Append a message: ROS time of arrival, the publisher's stamp, the publisher's sequence number.

        Raises:
            StorageError: the disk refuses. The message is kept, and tried again with the next call.
        """

    def flush_due(self) -> None:
        """Let go of what has waited long enough."""

    def sync(self) -> None:
        """Have the disk store what was let go of."""

    def bytes(self) -> int:
        """Size of the bag so far, as far as known."""

    def stored(self, topic: str) -> int:
        """What a topic costs in the bag [bytes]; 0 where that is not known."""

    def restore(self) -> None:
        """Write everything anew into the folder, which was gone and has been made again."""

    def close(self, metadata: dict[str, str]) -> FinishedBag:
        """Finish the bag with our metadata and write metadata.yaml."""

    def abandon(self) -> None:
        """Give up after an error; what is on the disk stays."""


class McapWriter:
    """The `mcap` backend.

    Args:
        folder: An existing folder.
        name: File name without suffix.
        flush_period: A message waits no longer than this before it is written [s].
        ros_distro: Named in metadata.yaml.
    """

    def __init__(self, folder: Path, name: str, flush_period: float, ros_distro: str) -> None:
        self._folder = folder
        self._file = McapFile(folder / f"{name}.mcap", flush_period)
        self._ros_distro = ros_distro
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._topics: list[Topic] = []

    def add_topic(self, topic: Topic) -> None:
        if topic.name in self._channels:
            return
        if topic.type not in self._schemas:
            self._schemas[topic.type] = self._file.add_schema(topic.type, "ros2msg", topic.definition)
        metadata = {"offered_qos_profiles": topic.qos, "topic_type_hash": topic.type_hash}
        self._channels[topic.name] = self._file.add_channel(
            topic.name, self._schemas[topic.type], metadata, topic.group
        )
        self._topics.append(topic)

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        self._file.add_metadata(name, values)

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        self._file.write(self._channels[topic], payload, log_ns, publish_ns, sequence)

    def flush_due(self) -> None:
        self._file.flush_due()

    def flush(self) -> None:
        """Let go of everything."""
        self._file.flush()

    def sync(self) -> None:
        self._file.sync()

    def bytes(self) -> int:
        return self._file.offset

    def stored(self, topic: str) -> int:
        return round(self._file.stored.get(self._channels[topic], 0.0))

    def restore(self) -> None:
        self._file.copy_to(self._file.path)

    def close(self, metadata: dict[str, str]) -> FinishedBag:
        self._file.flush()
        summary = self._file.summary
        topics = [
            TopicCountInBag(t.name, t.type, t.qos, t.type_hash, summary.counts.get(self._channels[t.name], 0))
            for t in self._topics
        ]
        name = self._file.path.name
        text = serialized_metadata(name, summary.start, summary.end, topics, self._ros_distro)
        self._file.add_metadata("rosbag2", {"serialized_metadata": text})
        self._file.add_metadata(EPISODE_METADATA, metadata)
        digest = self._file.close()
        write_durably(self._folder / METADATA_FILE, metadata_yaml(text))
        return FinishedBag(name, digest, self._file.offset, summary.messages, summary.start, summary.end)

    def abandon(self) -> None:
        self._file.abandon()


class Rosbag2Writer:
    """The `rosbag2` backend: rosbag2's own sequential writer with MCAP storage.

    rosbag2 makes the bag's folder itself and names the file after it, so it gets a folder of its own inside the
    staging folder; closing moves the file up and corrects its name in metadata.yaml.
    """

    def __init__(self, folder: Path, name: str, flush_period: float, ros_distro: str) -> None:
        import rosbag2_py  # only this backend needs it: bags are written and repaired without ROS otherwise

        self._rosbag2 = rosbag2_py
        self._folder = folder
        self._name = name
        self._inner = folder / name
        self._refused: deque[tuple[str, bytes, int, int]] = deque()
        self._count = 0
        self._start = self._end = 0
        self._writer = rosbag2_py.SequentialWriter()
        try:
            self._writer.open(
                rosbag2_py.StorageOptions(uri=str(self._inner), storage_id="mcap"),
                rosbag2_py.ConverterOptions(input_serialization_format="cdr", output_serialization_format="cdr"),
            )
        except RuntimeError as error:
            raise StorageError(self._inner, error, "a folder that rosbag2 can make") from error
        self._known: set[str] = set()
        self._open = True

    def add_topic(self, topic: Topic) -> None:
        if topic.name in self._known:
            return
        self._known.add(topic.name)
        self._writer.create_topic(
            self._rosbag2.TopicMetadata(
                id=len(self._known),
                name=topic.name,
                type=topic.type,
                serialization_format="cdr",
                offered_qos_profiles=self._rosbag2.to_rclcpp_qos_vector(topic.qos, 9),
                type_description_hash=topic.type_hash,
            )
        )

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """rosbag2 has no place for it."""

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        self._refused.append((topic, payload, log_ns, publish_ns))
        self.flush_due()

    def flush_due(self) -> None:
        """Hand over what was refused before; rosbag2 writes its chunks when they are full."""
        while self._refused:
            _, payload, log_ns, _ = self._refused[0]
            try:
                self._writer.write(*self._refused[0])
            except (RuntimeError, OSError) as error:
                raise StorageError(self._inner, error, f"room for {len(payload)} bytes") from error
            self._refused.popleft()
            self._start = log_ns if self._count == 0 else min(self._start, log_ns)
            self._end = max(self._end, log_ns)
            self._count += 1

    def sync(self) -> None:
        """rosbag2 leaves this to the operating system."""

    def stored(self, topic: str) -> int:
        return 0

    def restore(self) -> None:
        raise StorageError(self._inner, "no folder", "the folder that rosbag2 writes to")

    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self._inner.glob("*.mcap"))

    def close(self, metadata: dict[str, str]) -> FinishedBag:
        self.abandon()
        (made,) = self._inner.glob("*.mcap")
        final = self._folder / f"{self._name}.mcap"
        try:
            text = (self._inner / METADATA_FILE).read_text(encoding="utf-8").replace(made.name, final.name)
            os.rename(made, final)
            write_durably(self._folder / METADATA_FILE, text)
            (self._inner / METADATA_FILE).unlink()
            self._inner.rmdir()
        except OSError as error:
            raise StorageError(self._inner, error.strerror, "files that can be moved") from error
        return FinishedBag(final.name, file_sha256(final), final.stat().st_size, self._count, self._start, self._end)

    def abandon(self) -> None:
        if self._open:
            self._open = False
            self._writer.close()


def write_durably(path: Path, text: str, durable: bool = True) -> None:
    """Replace a file in one step, stored on the disk (unless not `durable`) before it appears under its name.

    Raises:
        StorageError: the folder cannot take it.
    """
    draft = path.with_name(path.name + ".new")
    try:
        with open(draft, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise StorageError(path, error.strerror, "a writable folder with room") from error


def file_sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file; `progress` gets the bytes of each step."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
            if progress:
                progress(len(block))
    return digest.hexdigest()
