# SPDX-License-Identifier: Apache-2.0
"""Reads one recorded episode: a rosbag2 folder with MCAP files and, where our recorder wrote it, `episode.yaml`.

Works without ROS and without our message packages: each bag carries the definitions of its messages. One pass over the
files collects the stamps of everything and the small messages; pictures and clouds are fetched when asked for, so that
an episode of many gigabytes needs little memory. A damaged bag is read as far as it goes; `Episode.damage` says where
it ends.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import CRCValidationError, StreamReader
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from humanoid_dataset.errors import EpisodeError

# Types whose messages stay on disk until somebody looks at them.
HEAVY = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/PointCloud2"}
# Types whose payload is fingerprinted to find repeated pictures.
PICTURES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
_HASH_BLOCK = 1 << 20


@dataclass(frozen=True)
class Stream:
    """All messages of one topic, in the order in which they were recorded.

    Attributes:
        topic: Name without the robot's namespace.
        type: Message type, `package/msg/Name`.
        stamps: Time of measurement from the message's header, (n,) int64 [ns]; time of reception where it has none.
        received: Time of reception, (n,) int64 [ns].
        sizes: Serialised sizes, (n,) int64 [bytes].
        fingerprints: CRC-32 of each picture without its header's stamp, (n,) uint32; empty for other types.
        stamped: Whether `stamps` come from the messages.
        latched: Whether the publisher offered transient local durability (its messages are facts, not a flow).
    """

    topic: str
    type: str
    stamps: np.ndarray
    received: np.ndarray
    sizes: np.ndarray
    fingerprints: np.ndarray
    stamped: bool
    latched: bool

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def size(self) -> int:
        """Sum of the serialised sizes [bytes]."""
        return int(self.sizes.sum())

    @property
    def rate(self) -> float:
        """Mean rate by stamps [Hz]; NaN for fewer than two messages or no time between them."""
        if len(self) < 2 or self.stamps[-1] <= self.stamps[0]:
            return float("nan")
        return (len(self) - 1) / ((self.stamps[-1] - self.stamps[0]) * 1e-9)


@dataclass(frozen=True)
class JointTable:
    """Joint states or commands of one topic, brought into one order by name.

    Attributes:
        stamps: (n,) int64 [ns].
        names: Joint names, all that ever occurred, in order of first occurrence.
        position: (n, joints) [rad or m]; NaN where a message did not name the joint.
        velocity: (n, joints) [rad/s or m/s]; NaN where not given.
        effort: (n, joints) [N·m or N]; NaN where not given.
        named: (n, joints) bool, whether the message named the joint: tells a NaN that was sent from one that fills.
    """

    stamps: np.ndarray
    names: list[str]
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    named: np.ndarray

    def column(self, name: str) -> int:
        """Index of a joint."""
        return self.names.index(name)


@dataclass
class _Raw:
    """What the first pass collects of one topic."""

    type: str
    stamped: bool
    latched: bool
    stamps: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    fingerprints: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    first: bytes = b""


class Episode:
    """One episode on disk. Open it with `Episode.open`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sidecar: dict[str, Any] = _mapping(folder / "episode.yaml")
        self.metadata: dict[str, Any] = _mapping(folder / "metadata.yaml").get("rosbag2_bagfile_information", {})
        self.streams: dict[str, Stream] = {}
        self.damage = ""
        self._store: Typestore = get_typestore(Stores.EMPTY)
        self._raw: dict[str, _Raw] = {}
        self._full_names: dict[str, str] = {}
        self._namespace = ""
        self._tables: dict[str, JointTable] = {}

    @classmethod
    def open(cls, folder: Path | str) -> Episode:
        """Read the stamps and small messages of an episode.

        Args:
            folder: Bag folder with `*.mcap` and, as a rule, `metadata.yaml` and `episode.yaml`.

        Raises:
            EpisodeError: no MCAP file is there, or not even its first records can be read.
        """
        episode = cls(Path(folder))
        episode._scan()
        return episode

    @property
    def name(self) -> str:
        """The recorder's identifier, else the folder's name."""
        return str(self.sidecar.get("episode_id") or self.folder.name)

    @property
    def files(self) -> list[Path]:
        """MCAP files in the order of recording."""
        listed = [self.folder / Path(name).name for name in self.metadata.get("relative_file_paths", [])]
        return listed or sorted(self.folder.glob("*.mcap"))

    @property
    def size(self) -> int:
        """Size on disk [bytes]."""
        return sum(path.stat().st_size for path in self.files if path.exists())

    @property
    def span(self) -> tuple[int, int]:
        """First and last time of reception of anything that flows [ns]; latched facts do not count."""
        flows = [s for s in self.streams.values() if not s.latched and len(s) > 1]
        if not flows:
            return 0, 0
        return int(min(s.received.min() for s in flows)), int(max(s.received.max() for s in flows))

    @property
    def duration(self) -> float:
        """Length of `span` [s], in the time base of the recording (simulated time in the twin)."""
        start, end = self.span
        return (end - start) * 1e-9

    def messages(self, topic: str) -> Iterator[Any]:
        """Decoded messages of one topic; none where the topic was not recorded."""
        raw = self._raw.get(topic)
        if raw is None:
            return
        if raw.type in HEAVY:
            yield from self._heavy_by_scan({topic: list(range(len(raw.stamps)))})[topic]
            return
        for payload in raw.payloads:
            yield self._decode(topic, payload, raw.type)

    def last(self, topic: str) -> Any | None:
        """Newest message of a topic that is no picture or cloud; None where there is none."""
        raw = self._raw.get(topic)
        return self._decode(topic, raw.payloads[-1], raw.type) if raw and raw.payloads else None

    def heavy(self, wanted: Mapping[str, Iterable[int]]) -> dict[str, list[Any]]:
        """Decoded pictures or clouds.

        Args:
            wanted: Indices into the stream, by topic.

        Returns:
            The messages by topic, in ascending order of their indices.
        """
        indices = {topic: sorted(set(chosen)) for topic, chosen in wanted.items()}
        if self.damage or len(self.files) != 1:
            return self._heavy_by_scan(indices)
        found: dict[str, list[Any]] = {}
        with self.files[0].open("rb") as stream:
            reader = make_reader(stream)
            for topic, chosen in indices.items():
                found[topic] = [
                    self._decode(topic, self._seek(reader, topic, i), self._raw[topic].type) for i in chosen
                ]
        return found

    def _seek(self, reader: McapReader, topic: str, index: int) -> bytes:
        """Payload of one message by the file's own index; of several received at one time, the right one."""
        received = self.streams[topic].received
        earlier = int((received[:index] == received[index]).sum())
        at = int(received[index])
        window = reader.iter_messages([self._full_names[topic]], starting_at=at, ending_before=at + 1)
        for ordinal, (_, _, message) in enumerate(window):
            if ordinal == earlier:
                return message.data
        raise EpisodeError(f"{self.folder.name}: {topic}: message {index} is not where the file's index has it")

    def _heavy_by_scan(self, wanted: Mapping[str, list[int]]) -> dict[str, list[Any]]:
        """The same as `heavy` for files whose index cannot be relied on."""
        pick = {self._full_names[topic]: set(indices) for topic, indices in wanted.items()}
        found: dict[str, list[Any]] = {topic: [] for topic in wanted}
        counted = dict.fromkeys(pick, 0)

        def collect(_schema: Schema | None, channel: Channel, message: Message) -> None:
            if channel.topic in pick:
                if counted[channel.topic] in pick[channel.topic]:
                    short = self._short(channel.topic)
                    found[short].append(self._decode(short, message.data, self._raw[short].type))
                counted[channel.topic] += 1

        for path in self.files:
            if path.exists():
                _read(path, collect, validate=False)
        return found

    def frame_id(self, topic: str) -> str:
        """Frame of the first message of a topic with a header."""
        raw = self._raw[topic]
        return str(self._decode(topic, raw.first, raw.type).header.frame_id)

    def joints(self, topic: str) -> JointTable:
        """All JointState messages of a topic as arrays; empty arrays where the topic was not recorded."""
        if topic not in self._tables:
            self._tables[topic] = _joint_table(list(self.messages(topic)), self._stamps(topic))
        return self._tables[topic]

    def forget(self) -> None:
        """Let go of all message contents; stamps, sizes and the sidecar stay."""
        self._raw.clear()
        self._tables.clear()

    def stream_by_full_name(self, name: str) -> Stream | None:
        """Stream of a topic by its name with namespace."""
        return next((self.streams[short] for short, full in self._full_names.items() if full == name), None)

    @property
    def urdf(self) -> str:
        """XML text from robot_description; empty where it was not recorded."""
        message = self.last("robot_description")
        return message.data if message is not None else ""

    def matching(self, *, prefix: str = "", suffix: str = "", type_name: str = "") -> list[str]:
        """Sorted names of the recorded topics that begin, end and are typed as asked."""
        return sorted(
            s.topic
            for s in self.streams.values()
            if s.topic.startswith(prefix) and s.topic.endswith(suffix) and (not type_name or s.type == type_name)
        )

    def digests(self) -> dict[str, str]:
        """SHA-256 of each MCAP file, by file name."""
        return {path.name: sha256(path) for path in self.files if path.exists()}

    def _decode(self, topic: str, payload: bytes, type_name: str) -> Any:
        try:
            return self._store.deserialize_cdr(payload, type_name)
        except Exception as reason:  # the library raises whatever the bytes lead it to
            raise EpisodeError(f"{self.folder.name}: {topic}: a message is no {type_name}: {reason}") from reason

    def _stamps(self, topic: str) -> np.ndarray:
        stream = self.streams.get(topic)
        return stream.stamps if stream else np.zeros(0, np.int64)

    def _short(self, topic: str) -> str:
        """Name without the robot's namespace."""
        bare = topic.lstrip("/")
        return bare[len(self._namespace) :] if bare.startswith(self._namespace) else bare

    def _scan(self) -> None:
        if not self.files:
            raise EpisodeError(f"{self.folder}: no episode: there is no .mcap file in it")
        by_full_name: dict[str, _Raw] = {}
        channels: dict[tuple[Path, int], _Raw] = {}
        current = self.files[0]

        def collect(schema: Schema | None, channel: Channel, message: Message) -> None:
            raw = channels.get((current, channel.id))
            if raw is None:
                raw = by_full_name.get(channel.topic)
                if raw is None:
                    raw = by_full_name[channel.topic] = self._begin(schema, channel)
                channels[(current, channel.id)] = raw
            data = message.data
            raw.first = raw.first or data
            raw.received.append(message.log_time)
            raw.sizes.append(len(data))
            if raw.stamped:
                seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
                raw.stamps.append(seconds * 1_000_000_000 + nanoseconds)
            else:
                raw.stamps.append(message.log_time)
            if raw.type in PICTURES:
                raw.fingerprints.append(zlib.crc32(memoryview(data)[12:]))
            if raw.type not in HEAVY:
                raw.payloads.append(data)

        for current in self.files:
            if not current.exists():
                self.damage = self.damage or f"{current.name} is missing"
                continue
            self.damage = _read(current, collect, validate=True) or self.damage
        if not by_full_name:
            raise EpisodeError(f"{self.folder}: nothing readable in it: {self.damage or 'no messages'}")
        self._namespace = _namespace(by_full_name)
        for full_name, raw in by_full_name.items():
            short = self._short(full_name)
            self._full_names[short], self._raw[short] = full_name, raw
            self.streams[short] = Stream(
                topic=short,
                type=raw.type,
                stamps=np.array(raw.stamps, np.int64),
                received=np.array(raw.received, np.int64),
                sizes=np.array(raw.sizes, np.int64),
                fingerprints=np.array(raw.fingerprints, np.uint32),
                stamped=raw.stamped,
                latched=raw.latched,
            )

    def _begin(self, schema: Schema | None, channel: Channel) -> _Raw:
        if schema is None or schema.encoding != "ros2msg":
            found = "no schema" if schema is None else f"schema encoding {schema.encoding!r}"
            raise EpisodeError(f"{self.folder}: topic {channel.topic}: {found}, expected 'ros2msg'")
        type_name = schema.name if "/msg/" in schema.name else schema.name.replace("/", "/msg/", 1)
        if type_name not in self._store.types:
            types = get_types_from_msg(schema.data.decode(), type_name)
            self._store.register({name: defs for name, defs in types.items() if name not in self._store.types})
        qos = channel.metadata.get("offered_qos_profiles", "")
        latched = any(word in qos for word in ("durability: 1", "durability: transient_local"))
        return _Raw(type_name, _is_stamped(self._store, type_name), latched)


def find_episodes(folder: Path | str) -> list[Path]:
    """Episode folders at or below `folder`, oldest first by name; unfinished `*.part` folders are left out."""
    root = Path(folder)
    holders = {path.parent for path in root.rglob("*.mcap")}
    return sorted(path for path in holders if not any(part.endswith(".part") for part in path.parts))


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _read(path: Path, collect: Callable[[Schema | None, Channel, Message], None], validate: bool) -> str:
    """Feed every message of a file to `collect`.

    Returns:
        Empty where the file is whole; else what is wrong and how far it could be read.
    """
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    with path.open("rb") as stream:
        try:
            for record in StreamReader(stream, validate_crcs=validate).records:
                if isinstance(record, Message):
                    channel = channels[record.channel_id]
                    collect(schemas.get(channel.schema_id), channel, record)
                elif isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
        except (McapError, CRCValidationError, ValueError, EOFError, struct.error, KeyError) as reason:
            why = f"{type(reason).__name__} {reason}".strip()
            return f"{path.name} breaks off at byte {stream.tell()} of {path.stat().st_size} ({why})"
    return ""


def _mapping(path: Path) -> dict[str, Any]:
    """A YAML mapping; empty where the file does not exist."""
    if not path.exists():
        return {}
    try:
        data = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as reason:
        raise EpisodeError(f"{path}: not readable as YAML: {reason}") from reason
    if not isinstance(data, dict):
        raise EpisodeError(f"{path}: found {type(data).__name__}, expected a mapping")
    return data


def _namespace(names: Iterable[str]) -> str:
    """Robot namespace with a trailing slash, as seen in front of a topic that every robot has; empty without one."""
    for known in ("joint_states", "joint_commands", "operator/frame", "robot_description"):
        for name in names:
            bare = name.lstrip("/")
            if bare == known or bare.endswith("/" + known):
                return bare[: -len(known)]
    return ""


def _is_stamped(store: Typestore, type_name: str) -> bool:
    """Whether a type begins with a header or a time, so that its stamp stands at a fixed place."""
    fields = store.get_msgdef(type_name).fields
    if not fields:
        return False
    kind, detail = fields[0][1]
    return kind == Nodetype.NAME and detail in {"std_msgs/msg/Header", "builtin_interfaces/msg/Time"}


def _joint_table(messages: list[Any], stamps: np.ndarray) -> JointTable:
    names: list[str] = []
    layouts: dict[tuple[str, ...], np.ndarray] = {}
    for message in messages:
        key = tuple(message.name)
        if key not in layouts:
            names += [name for name in key if name not in names]
            layouts[key] = np.array([names.index(name) for name in key], int)
    shape = (len(messages), len(names))
    position, velocity, effort = (np.full(shape, np.nan) for _ in range(3))
    named = np.zeros(shape, bool)
    for row, message in enumerate(messages):
        columns = layouts[tuple(message.name)]
        named[row, columns] = True
        for target, values in ((position, message.position), (velocity, message.velocity), (effort, message.effort)):
            if len(values) == len(columns):
                target[row, columns] = values
    return JointTable(stamps, names, position, velocity, effort, named)
