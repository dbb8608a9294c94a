# SPDX-License-Identifier: Apache-2.0
"""Reads one recorded episode: a rosbag2 folder with MCAP files and, where our recorder wrote it, `episode.yaml`.

Works without ROS and without our message packages: each bag carries the definitions of its messages. The file's index
gives the stamps of everything and the small messages; pictures and clouds are fetched when asked for, so that an
episode of many gigabytes needs little memory. A damaged bag is read as far as it goes; `Episode.damage` says where it
ends.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from humanoid_dataset import bag
from humanoid_dataset.columns import Columns, columns_of
from humanoid_dataset.entries import LOADER
from humanoid_dataset.errors import EpisodeError

T = TypeVar("T")
_HASH_BLOCK = 1 << 20
# Types whose first field is one of these have their stamp at a fixed place.
_STAMPED = {
    "Header",
    "std_msgs/Header",
    "std_msgs/msg/Header",
    "builtin_interfaces/Time",
    "builtin_interfaces/msg/Time",
}
_STAMP = 12  # [bytes] of the encapsulation header and the stamp, which differ in each message


@dataclass(frozen=True)
class Stream:
    """All messages of one topic, in the order in which they were recorded.

    Attributes:
        topic: Name without the robot's namespace.
        type: Message type, `package/msg/Name`.
        stamps: Time of measurement from the message's header, (n,) int64 [ns]; time of reception where it has none.
        received: Time of reception, (n,) int64 [ns].
        sizes: Serialised sizes, (n,) int64 [bytes].
        sequence: Publisher's number of each, (n,) uint32; all 0 where the recorder does not keep it.
        stamped: Whether `stamps` come from the messages.
        latched: Whether the publisher offered transient local durability (its messages are facts, not a flow).
    """

    topic: str
    type: str
    stamps: np.ndarray
    received: np.ndarray
    sizes: np.ndarray
    sequence: np.ndarray
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
        named: (n, joints) bool, whether the message named the joint: tells a NaN that was sent from one that fills.
        field: Gives another field of the messages in the same order, (n, joints).
    """

    stamps: np.ndarray
    names: list[str]
    position: np.ndarray
    named: np.ndarray
    field: Callable[[str], np.ndarray]

    @cached_property
    def velocity(self) -> np.ndarray:
        """(n, joints) [rad/s or m/s]; NaN where not given."""
        return self.field("velocity")

    @cached_property
    def effort(self) -> np.ndarray:
        """(n, joints) [N·m or N]; NaN where not given."""
        return self.field("effort")

    @cached_property
    def whole(self) -> np.ndarray:
        """Which joints have a finite position in every message, (joints,) bool."""
        sums = np.isfinite(self.position.sum(axis=0))  # if a sum is, all of it is
        return sums if sums.all() else np.isfinite(self.position).all(axis=0)

    def column(self, name: str) -> int:
        """Index of a joint."""
        return self.names.index(name)


class Episode:
    """One episode on disk. Open it with `Episode.open`."""

    def __init__(self, folder: Path, sidecar: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.folder = folder
        self.sidecar = sidecar
        self.metadata = metadata
        self.streams: dict[str, Stream] = {}
        self.damage = ""
        self._topics: dict[str, bag.Topic] = {}
        self._namespace = ""
        self._span: tuple[int, int] | None = None
        self._tables: dict[str, JointTable] = {}
        self._columns: dict[str, list[Columns]] = {}
        self._made: dict[str, Any] = {}

    @classmethod
    def open(cls, folder: Path | str) -> Episode:
        """Read the stamps and small messages of an episode.

        Args:
            folder: Bag folder with `*.mcap` and, as a rule, `metadata.yaml` and `episode.yaml`.

        Raises:
            EpisodeError: no MCAP file is there, or not even its first records can be read.
        """
        folder = Path(folder)
        metadata = _mapping(folder / "metadata.yaml").get("rosbag2_bagfile_information", {})
        episode = cls(folder, _mapping(folder / "episode.yaml"), metadata)
        episode._scan()
        return episode

    @classmethod
    def of(
        cls, folder: Path, sidecar: dict[str, Any], metadata: dict[str, Any], topics: Mapping[str, bag.Topic]
    ) -> Episode:
        """An episode as if these were its files' contents; pictures and clouds are those of the folder.

        Args:
            folder: Of the episode.
            sidecar: Contents of `episode.yaml`.
            metadata: Contents of `metadata.yaml`.
            topics: By name with namespace.

        Raises:
            EpisodeError: there is nothing in it.
        """
        episode = cls(folder, sidecar, metadata)
        episode._take(dict(topics))
        return episode

    @property
    def topics(self) -> dict[str, bag.Topic]:
        """Where messages stand, by name without namespace."""
        return dict(self._topics)

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
        if self._span is None:
            flows = [s.received for s in self.streams.values() if not s.latched and len(s) > 1]
            self._span = (int(min(at.min() for at in flows)), int(max(at.max() for at in flows))) if flows else (0, 0)
        return self._span

    @property
    def duration(self) -> float:
        """Length of `span` [s], in the time base of the recording (simulated time in the twin)."""
        start, end = self.span
        return (end - start) * 1e-9

    def messages(self, topic: str) -> Iterator[Any]:
        """Decoded messages of one topic; none where the topic was not recorded."""
        found = self._topics.get(topic)
        if found is None:
            return
        if found.heavy:
            yield from self.heavy({topic: range(len(found.starts))})[topic]
            return
        for index in range(len(found.starts)):
            yield self._decode(topic, found.payload(index))

    def columns(self, topic: str) -> list[Columns]:
        """Messages of one topic, no pictures or clouds, as arrays, a table for each layout; none where there are none.

        Raises:
            EpisodeError: they are not what their type says.
        """
        if topic not in self._columns:
            found = self._topics.get(topic)
            types = _types(found.definition, found.type) if found else {}
            made = columns_of(types, found.type, found.data, found.starts, found.sizes) if found else []
            self._columns[topic] = sorted(made, key=lambda table: int(table.index[0]))
        return self._columns[topic]

    def last(self, topic: str) -> Any | None:
        """Newest message of a topic that is no picture or cloud; None where there is none."""
        found = self._topics.get(topic)
        return self._decode(topic, found.payload(len(found.starts) - 1)) if found else None

    def heavy(self, wanted: Mapping[str, Iterable[int]]) -> dict[str, list[Any]]:
        """Decoded pictures or clouds.

        Args:
            wanted: Indices into the stream, by topic.

        Returns:
            The messages by topic, in ascending order of their indices.
        """
        found: dict[str, list[Any]] = {}
        for topic, payloads in self.payloads(wanted).items():
            found[topic] = [self._decode(topic, data) for data in payloads]
        return found

    def payloads(self, wanted: Mapping[str, Iterable[int]]) -> dict[str, list[bytes]]:
        """The same as `heavy`, still serialized."""
        indices = {topic: sorted(set(chosen)) for topic, chosen in wanted.items()}
        if self.damage or len(self.files) != 1:
            return self._walked(indices)
        found: dict[str, list[bytes]] = {}
        with self.files[0].open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for topic, chosen in indices.items():
                unpacked: dict[int, bytes] = {}
                found[topic] = [bag.heavy_payload(data, self._topics[topic], i, unpacked) for i in chosen]
        return found

    def ends(self, topic: str, size: int) -> list[bytes]:
        """The last bytes of every message of a topic with pictures or clouds, without reading the rest."""
        if self.damage or len(self.files) != 1:
            return [data[-size:] for data in self.payloads({topic: range(len(self.streams[topic]))})[topic]]
        with self.files[0].open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return bag.heavy_ends(data, self._topics[topic], size)

    def repeats(self, topic: str) -> list[tuple[int, int]]:
        """First and last index of each run of messages with equal contents, their stamps aside; no runs of one."""
        sizes = self._topics[topic].sizes
        pairs = np.flatnonzero(sizes[1:] == sizes[:-1])  # only those of one size can be equal
        same = np.zeros(len(sizes) + 1, bool)
        wanted = sorted({int(i) for pair in pairs for i in (pair, pair + 1)})
        held = dict(zip(wanted, self.payloads({topic: wanted})[topic])) if len(wanted) else {}
        for i in pairs.tolist():
            same[i + 1] = held[i][_STAMP:] == held[i + 1][_STAMP:]
        edges = np.flatnonzero(np.diff(same.astype(np.int8)))
        return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]

    def _walked(self, wanted: Mapping[str, list[int]]) -> dict[str, list[bytes]]:
        """The same as `payloads` for files whose index cannot be relied on."""
        pick = {self._topics[topic].name: topic for topic in wanted}
        chosen = {topic: set(indices) for topic, indices in wanted.items()}
        found: dict[str, list[bytes]] = {topic: [] for topic in wanted}
        counted = dict.fromkeys(wanted, 0)
        for path in self.files:
            for name, data in _messages(path) if path.exists() else ():
                topic = pick.get(name)
                if topic is not None:
                    if counted[topic] in chosen[topic]:
                        found[topic].append(data)
                    counted[topic] += 1
        return found

    def frame_id(self, topic: str) -> str:
        """Frame of the first message of a topic with a header."""
        found = self._topics[topic]
        if not found.heavy:
            return str(self._decode(topic, found.payload(0)).header.frame_id)
        head = found.payload(0)
        length = int.from_bytes(head[12:16], "little" if head[1] & 1 else "big")
        return head[16 : 16 + length - 1].decode(errors="replace")

    def joints(self, topic: str) -> JointTable:
        """All JointState messages of a topic as arrays; empty arrays where the topic was not recorded."""
        if topic not in self._tables:
            self._tables[topic] = _joint_table(self.columns(topic), self._stamps(topic))
        return self._tables[topic]

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What several checks look at: made once."""
        if what not in self._made:
            self._made[what] = make()
        found: T = self._made[what]
        return found

    def forget(self) -> None:
        """Let go of all message contents; stamps, sizes and the sidecar stay."""
        self._topics.clear()
        self._tables.clear()
        self._columns.clear()
        self._made.clear()

    def stream_by_full_name(self, name: str) -> Stream | None:
        """Stream of a topic by its name with namespace."""
        return next((self.streams[short] for short, topic in self._topics.items() if topic.name == name), None)

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

    def checksum_fault(self) -> str:
        """What the chunks' own checksums say is wrong; empty where they hold."""
        for path in self.files:
            try:
                if path.exists() and (fault := bag.faults(path)):
                    return fault
            except bag.Untrue:
                continue  # it was walked through when it was opened, checksums included
        return ""

    def _decode(self, topic: str, payload: bytes) -> Any:
        found = self._topics[topic]
        store = _store(found.definition, found.type)
        try:
            return store.deserialize_cdr(payload, found.type)
        except Exception as reason:  # the library raises whatever the bytes lead it to
            raise EpisodeError(f"{self.folder.name}: {topic}: a message is no {found.type}: {reason}") from reason

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
        by_name: dict[str, bag.Topic] = {}
        for path in self.files:
            if not path.exists():
                self.damage = self.damage or f"{path.name} is missing"
                continue
            try:
                topics = bag.read_index(path)
            except bag.Untrue:
                topics, fault = bag.walk(path)
                self.damage = fault or self.damage
            for name, topic in topics.items():
                by_name[name] = bag.join(by_name[name], topic) if name in by_name else topic
        self._take(by_name)

    def _take(self, by_name: dict[str, bag.Topic]) -> None:
        if not by_name:
            raise EpisodeError(f"{self.folder}: nothing readable in it: {self.damage or 'no messages'}")
        self._namespace, self._span = _namespace(by_name), None
        for name, topic in by_name.items():
            if topic.encoding != "ros2msg":
                found = f"schema encoding {topic.encoding!r}"
                raise EpisodeError(f"{self.folder}: topic {topic.name}: found {found}, expected 'ros2msg'")
            stamped = _first_field(topic.definition) in _STAMPED
            short = self._short(name)
            self._topics[short] = topic
            self.streams[short] = Stream(
                topic=short,
                type=topic.type,
                stamps=topic.stamps() if stamped else topic.received,
                received=topic.received,
                sizes=topic.sizes,
                sequence=topic.sequence,
                stamped=stamped,
                latched=any(word in topic.qos for word in ("durability: 1", "durability: transient_local")),
            )


@lru_cache(maxsize=256)
def _first_field(definition: str) -> str:
    """Type of the first field; comments and constants may stand before it."""
    for line in definition.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and "=" not in line.partition("#")[0]:
            return words[0]
    return ""


@lru_cache(maxsize=256)
def _types(definition: str, type_name: str) -> dict[str, Any]:
    """What a definition defines: bags repeat themselves, and reading one takes milliseconds."""
    return dict(get_types_from_msg(definition, type_name))


@lru_cache(maxsize=256)
def _store(definition: str, type_name: str) -> Typestore:
    """What decodes messages of a type one by one: it writes code for each type, which takes longer than reading."""
    store = get_typestore(Stores.EMPTY)
    store.register(_types(definition, type_name))
    return store


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


def _messages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of each message of a file, as far as it goes: where it breaks off is known already."""
    names: dict[int, str] = {}
    with path.open("rb") as stream:
        try:
            for record in StreamReader(stream).records:
                if isinstance(record, Message):
                    yield names[record.channel_id], record.data
                elif isinstance(record, Channel):
                    names[record.id] = record.topic
        except bag.BROKEN:
            return


def _mapping(path: Path) -> dict[str, Any]:
    """A YAML mapping; empty where the file does not exist."""
    if not path.exists():
        return {}
    try:
        data = yaml.load(path.read_bytes(), Loader=LOADER)  # noqa: S506 (it is one of the safe ones)
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


def _crossing(rows: np.ndarray, columns: np.ndarray) -> tuple[slice | np.ndarray, ...]:
    """Index of what stands in these rows and columns; by slices where they follow each other, which is faster."""

    def run(at: np.ndarray) -> slice | np.ndarray:
        return slice(int(at[0]), int(at[-1]) + 1) if len(at) and (np.diff(at) == 1).all() else at

    parts = run(rows), run(columns)
    return parts if any(isinstance(part, slice) for part in parts) else np.ix_(rows, columns)


def _joint_table(tables: list[Columns], stamps: np.ndarray) -> JointTable:
    names: list[str] = []
    columns = []
    for table in tables:
        own = [table.text(f"name[{i}]") for i in range(table.count("name"))]
        names += [name for name in dict.fromkeys(own) if name not in names]
        columns.append(np.array([names.index(name) for name in own], int))
    shape = (len(stamps), len(names))
    simple = len(tables) == 1 and columns[0].tolist() == list(range(len(names)))  # as a rule: nothing to sort

    def field(path: str) -> np.ndarray:
        if simple:
            values = tables[0].array(path)
            return values if values.shape == shape else np.broadcast_to(np.nan, shape)
        filled = np.full(shape, np.nan)
        for table, at in zip(tables, columns):
            values = table.array(path)
            if values.shape[1] == len(at):
                filled[_crossing(table.index, at)] = values
        return filled

    if simple:
        named: np.ndarray = np.broadcast_to(np.True_, shape)
    else:
        named = np.zeros(shape, bool)
        for table, at in zip(tables, columns):
            named[_crossing(table.index, at)] = True
    return JointTable(stamps, names, field("position"), named, field)
