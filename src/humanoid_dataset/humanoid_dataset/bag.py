# SPDX-License-Identifier: Apache-2.0
"""Messages of an MCAP file by topic, as arrays of places rather than one by one.

The file's own index says where each message stands, so small messages are unpacked chunk by chunk into one buffer, and
of pictures and clouds only the first bytes are looked at. A file without an index, or with one that is not true, is
walked through record by record, as far as it goes.
"""

from __future__ import annotations

import io
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import lz4.frame
import numpy as np
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import CRCValidationError, StreamReader

from humanoid_dataset.columns import HEAD, windows

_MAGIC = b"\x89MCAP0\r\n"
_RECORD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<BQQQI")
_CHUNK_INDEX = struct.Struct("<QQQQI")  # start, end, offset, length, bytes of the map of message indices
_INDEX = struct.Struct("<BQHI")  # opcode, length, channel, bytes of the entries
_ENTRY = 16  # [bytes] log time and offset of a message in an index
_OFFSET_BITS = 40  # of a number that sorts messages by chunk and offset in it
_MESSAGE = 31  # [bytes] of a message record before its payload: opcode, length, channel, sequence, log and publish time
_HEAD = 64  # [bytes] of a large message that are looked at
_RECORD_HEAD = _MESSAGE + _HEAD
# What the library raises where a file breaks off or is damaged.
BROKEN = (
    *(McapError, CRCValidationError, ValueError, EOFError, struct.error, KeyError),
    *(RuntimeError, zstandard.ZstdError),  # a chunk that cannot be unpacked: lz4's and zstd's
)
# Types whose messages stay on disk until somebody looks at them.
HEAVY = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/PointCloud2"}


_ZSTD = zstandard.ZstdDecompressor()


class Untrue(Exception):
    """An index is missing or does not say what is in the file. Never leaves this module's callers."""


@dataclass
class Topic:
    """Messages of one topic in one file, in the order of the file.

    Attributes:
        name: With namespace.
        type: As `package/msg/Name`.
        definition: Text of the type, in ros2msg.
        encoding: Of the definition.
        qos: As the recorder wrote it down.
        received: Log time, (n,) int64 [ns].
        sequence: Publisher's number, (n,) uint32.
        sizes: Of the payloads, (n,) int64 [bytes].
        data: Buffer with the payloads of small messages; of large ones only their first bytes, `_HEAD` each.
        starts: Where each stands in it, (n,) int64.
        chunks: Of large messages: offset of the chunk in the file, (n,) int64; -1 where the file has no index.
        offsets: ... and of the record in the unpacked chunk, (n,) int64.
    """

    name: str
    type: str
    definition: str
    encoding: str
    qos: str
    received: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sequence: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint32))
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    data: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    starts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    chunks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def heavy(self) -> bool:
        """Whether messages are pictures or clouds."""
        return self.type in HEAVY

    def payload(self, index: int) -> bytes:
        """A small message; the first bytes of a large one."""
        start = int(self.starts[index])
        size = min(int(self.sizes[index]), _HEAD) if self.heavy else int(self.sizes[index])
        return self.data[start : start + size].tobytes()

    def payloads(self) -> list[bytes]:
        """All small messages."""
        size = int(self.sizes[0]) if len(self.sizes) else 0
        if self.heavy or (self.sizes != size).any():
            return [self.payload(index) for index in range(len(self.starts))]
        joined = windows(self.data, size, self.starts).tobytes()
        return [joined[at : at + size] for at in range(0, len(joined), size)]

    def stamps(self) -> np.ndarray:
        """The time at the beginning of each message, (n,) int64 [ns]: of types that begin with a header or a time."""
        if not len(self.starts):
            return np.zeros(0, np.int64)
        heads = windows(self.data, 12, self.starts)
        times = np.ascontiguousarray(heads[:, 4:]).view("<u4")
        stamps = times[:, 0].astype("<i4").astype(np.int64) * 1_000_000_000 + times[:, 1]
        other = heads[:, 1] & 1 == 0  # big endian
        if other.any():
            times = np.ascontiguousarray(heads[other, 4:]).view(">u4")
            stamps[other] = times[:, 0].astype("<i4").astype(np.int64) * 1_000_000_000 + times[:, 1]
        return stamps


@dataclass(frozen=True)
class _Chunk:
    """A chunk: where its record begins and ends, bytes of the message indices behind it, unpacked size, and of each
    channel in it number and place of the message index."""

    offset: int
    end: int
    indices: int
    size: int
    channels: tuple[int, ...]
    places: tuple[int, ...]


def read_index(path: Path) -> dict[str, Topic]:
    """Topics of a whole file by its index.

    Raises:
        Untrue: there is no index, or what it points at is not there.
        OSError: the file cannot be read.
    """
    if path.stat().st_size < len(_MAGIC) + _FOOTER.size:
        raise Untrue("too short")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _indexed(data, stream.fileno())
        except (struct.error, IndexError, ValueError, KeyError, RuntimeError, zstandard.ZstdError) as reason:
            raise Untrue(repr(reason)) from reason


def walk(path: Path, validate: bool = True) -> tuple[dict[str, Topic], str]:
    """Topics of a file record by record, as far as it goes.

    Returns:
        The topics, and what is wrong and where; empty where the file is whole.
    """
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    kept: dict[int, tuple[Topic, list[Message], list[int]]] = {}
    topics: dict[str, Topic] = {}
    fault = ""
    with path.open("rb") as stream:
        try:
            for record in StreamReader(stream, validate_crcs=validate).records:
                if isinstance(record, Message):
                    if record.channel_id not in kept:
                        channel = channels[record.channel_id]
                        kept[record.channel_id] = _topic(channel, schemas.get(channel.schema_id)), [], []
                    topic, messages, sizes = kept[record.channel_id]
                    sizes.append(len(record.data))
                    if topic.heavy:
                        record.data = record.data[:_HEAD]
                    messages.append(record)
                elif isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
        except BROKEN as reason:
            why = f"{type(reason).__name__} {reason}".strip()
            fault = f"{path.name} breaks off at byte {stream.tell()} of {path.stat().st_size} ({why})"
    for topic, messages, sizes in kept.values():
        lengths = np.array([len(m.data) for m in messages], np.int64)
        part = Topic(topic.name, topic.type, topic.definition, topic.encoding, topic.qos)
        part.received = np.array([m.log_time for m in messages], np.int64)
        part.sequence = np.array([m.sequence for m in messages], np.uint32)
        part.sizes = np.array(sizes, np.int64)
        part.data = np.frombuffer(b"".join([*(m.data for m in messages), bytes(_HEAD)]), np.uint8)
        part.starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        part.chunks = np.full(len(messages), -1, np.int64)
        part.offsets = np.zeros(len(messages), np.int64)
        topics[topic.name] = join(topics[topic.name], part) if topic.name in topics else part
    return topics, fault


def join(first: Topic, second: Topic) -> Topic:
    """Messages of one topic from two files, or two publishers, one behind the other."""
    joined = Topic(first.name, first.type, first.definition, first.encoding, first.qos)
    for name in ("received", "sequence", "sizes", "data", "chunks", "offsets"):
        setattr(joined, name, np.concatenate((getattr(first, name), getattr(second, name))))
    joined.starts = np.concatenate((first.starts, second.starts + len(first.data)))
    return joined


def faults(path: Path) -> str:
    """What is wrong with a file that has an index: the first chunk whose checksum does not hold; empty: none.

    Raises:
        Untrue: there is no index.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for opcode, body, _ in _summary(data):
            if opcode == Opcode.CHUNK_INDEX:
                offset = _CHUNK_INDEX.unpack_from(data, body)[2]
                (wanted,) = struct.unpack_from("<I", data, offset + _RECORD.size + 24)
                try:
                    records = _unpacked(data, offset)
                    found = zlib.crc32(records) if wanted else 0
                    if isinstance(records, memoryview):
                        records.release()
                except (RuntimeError, ValueError, struct.error, zstandard.ZstdError) as reason:
                    return f"{path.name}: the chunk at byte {offset} cannot be unpacked ({reason})"
                if found != wanted:
                    return f"{path.name}: the checksum of the chunk at byte {offset} does not hold"
    return ""


def heavy_payload(data: mmap.mmap, topic: Topic, index: int, unpacked: dict[int, bytes]) -> bytes:
    """A large message of a file with an index.

    Args:
        data: The file.
        topic: Of it.
        index: Of the message.
        unpacked: Chunks that are unpacked already, by offset; the newest is added, others are let go of.
    """
    chunk, at = int(topic.chunks[index]), int(topic.offsets[index])
    if chunk not in unpacked:
        unpacked.clear()
        found = _unpacked(data, chunk)
        if isinstance(found, memoryview):  # it stands in the file as it is
            with found:
                return bytes(found[at + _MESSAGE : at + _MESSAGE + int(topic.sizes[index])])
        unpacked[chunk] = found
    return unpacked[chunk][at + _MESSAGE : at + _MESSAGE + int(topic.sizes[index])]


def heavy_ends(data: mmap.mmap, topic: Topic, size: int) -> list[bytes]:
    """The last bytes of each large message of a file with an index."""
    found = []
    held, records = -1, b""
    for chunk, at, length in zip(topic.chunks.tolist(), topic.offsets.tolist(), topic.sizes.tolist()):
        end = at + _MESSAGE + length
        begin = max(at + _MESSAGE, end - size)
        if chunk != held:
            unpacked = _unpacked(data, chunk)
            held, plain = chunk, 0
            if isinstance(unpacked, memoryview):  # it stands in the file as it is
                unpacked.release()
                plain = _plain(data, chunk)
            else:
                records = unpacked
        found.append(data[plain + begin : plain + end] if plain else records[begin:end])
    return found


def _plain(data: mmap.mmap, chunk: int) -> int:
    """Where the records of a chunk that is not compressed begin."""
    (length,) = struct.unpack_from("<I", data, chunk + _RECORD.size + 28)
    return int(chunk + _RECORD.size + 40 + length)


def _topic(channel: Channel, schema: Schema | None) -> Topic:
    name = schema.name if schema else ""
    kind = name if "/msg/" in name else name.replace("/", "/msg/", 1)
    text, encoding = (schema.data.decode(errors="replace"), schema.encoding) if schema else ("", "")
    return Topic(channel.topic, kind, text, encoding, channel.metadata.get("offered_qos_profiles", ""))


def _summary(data: mmap.mmap) -> list[tuple[int, int, int]]:
    """Records of the summary: opcode, where the body begins and ends."""
    footer = len(data) - len(_MAGIC) - _FOOTER.size
    if data[-len(_MAGIC) :] != _MAGIC or data[footer] != Opcode.FOOTER:
        raise Untrue("no footer")
    _, _, at, offsets, _ = _FOOTER.unpack_from(data, footer)
    found = []
    while at and at < (offsets or footer):
        opcode, length = _RECORD.unpack_from(data, at)
        found.append((opcode, at + _RECORD.size, at + _RECORD.size + length))
        at += _RECORD.size + length
    if not found:
        raise Untrue("no summary")
    return found


def _catalogue(data: mmap.mmap, summary: list[tuple[int, int, int]]) -> tuple[dict[int, Topic], list[_Chunk]]:
    """Channels by number, and chunks in the order of the file."""
    schemas: dict[int, Schema] = {}
    topics: dict[int, Topic] = {}
    chunks = []
    for opcode, body, end in summary:
        record = data[body:end]
        if opcode == Opcode.SCHEMA:
            schema = Schema.read(_stream(record))
            schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(_stream(record))
            topics[channel.id] = _topic(channel, schemas.get(channel.schema_id))
        elif opcode == Opcode.CHUNK_INDEX:
            _, _, offset, length, size = _CHUNK_INDEX.unpack_from(record)
            behind = _CHUNK_INDEX.size + size
            if behind > len(record):
                raise Untrue(f"a chunk index of {len(record)} bytes with a map of {size}")
            index = struct.unpack(f"<{'HQ' * (size // 10)}", record[_CHUNK_INDEX.size : behind])
            (indices,) = struct.unpack_from("<Q", record, behind)
            (unpacked,) = struct.unpack_from("<Q", record, len(record) - 8)
            chunks.append(_Chunk(offset, offset + length, indices, unpacked, index[::2], index[1::2]))
    return topics, sorted(chunks, key=lambda chunk: chunk.offset)


def _stream(record: bytes) -> ReadDataStream:
    return ReadDataStream(io.BytesIO(record))


def _indexed(data: mmap.mmap, file: int) -> dict[str, Topic]:
    summary = _summary(data)
    topics, chunks = _catalogue(data, summary)
    heavy = {number for number, topic in topics.items() if topic.heavy}
    mixed = any(not heavy.isdisjoint(chunk.channels) and not heavy.issuperset(chunk.channels) for chunk in chunks)
    table, chunk_of, channel_of = _entries(data, chunks)
    for opcode, body, _ in summary:
        if opcode == Opcode.STATISTICS and struct.unpack_from("<Q", data, body)[0] != len(table):
            raise Untrue("messages that are in no index")
    large = np.isin(channel_of, list(heavy))
    bases, size = (np.zeros(len(chunks), np.int64), 0) if mixed else _plan(chunks, heavy)
    room = np.empty(size, np.uint8)  # where chunks of small messages are unpacked; unless they hold large ones, too:
    cut: list[bytes] = []  # then small messages are cut out of them
    heads: list[bytes] = []  # beginnings of large messages
    ends = np.searchsorted(chunk_of, np.arange(len(chunks) + 1)).tolist()
    for number, chunk in enumerate(chunks):
        rows = slice(ends[number], ends[number + 1])
        light = not heavy.issuperset(chunk.channels)
        at = table[rows, 1].tolist() if mixed or not light else []
        most = None if light else max(at, default=0) + _RECORD_HEAD
        records = _unpacked(data, chunk.offset, most)
        if light and not mixed:
            room[bases[number] : bases[number] + chunk.size] = np.frombuffer(records, np.uint8)
        elif not light and isinstance(records, memoryview):  # few bytes here and there: cheaper to read than to map
            begin = _plain(data, chunk.offset)
            heads += [os.pread(file, _RECORD_HEAD, begin + place).ljust(_RECORD_HEAD, b"\0") for place in at]
        else:
            for place, is_large in zip(at, large[rows].tolist()):
                if is_large:
                    heads.append(bytes(records[place : place + _RECORD_HEAD]).ljust(_RECORD_HEAD, b"\0"))
                else:
                    cut.append(bytes(records[place : place + 9 + _RECORD.unpack_from(records, place)[1]]))
        if isinstance(records, memoryview):
            records.release()
    places = np.zeros(len(table), np.int64)
    places[large] = _RECORD_HEAD * np.arange(len(heads))
    if mixed:
        places[~large] = np.concatenate(([0], np.cumsum([len(record) for record in cut])[:-1])) if cut else 0
        room = np.frombuffer(b"".join(cut), np.uint8)
    else:
        places[~large] = (bases[chunk_of] + table[:, 1])[~large]
    tops = np.frombuffer(b"".join(heads), np.uint8)
    offsets = np.array([chunk.offset for chunk in chunks], np.int64)
    made: dict[str, Topic] = {}
    for topic, own in _by_topic(topics, channel_of, (chunk_of << _OFFSET_BITS) | table[:, 1]):
        topic.received, topic.offsets, topic.chunks = table[own, 0], table[own, 1], offsets[chunk_of[own]]
        _fill(topic, tops if topic.heavy else room, places[own], channel_of[own])
        made[topic.name] = topic
    return made


def _by_topic(
    topics: dict[int, Topic], channel_of: np.ndarray, order: np.ndarray
) -> Iterator[tuple[Topic, np.ndarray]]:
    """Each topic with messages, and which they are in the order of the file; it may have several channels.

    Args:
        topics: By channel.
        channel_of: Of each message, (n,).
        order: Ascends in the order of the file, (n,).
    """
    sorted_rows = np.argsort(channel_of.astype(np.uint16), kind="stable")
    numbers = np.array(sorted(topics), np.int64)
    ends = np.searchsorted(channel_of[sorted_rows], np.append(numbers, 1 << 16))
    parts: dict[str, list[np.ndarray]] = {}
    first: dict[str, Topic] = {}
    for i, number in enumerate(numbers.tolist()):
        topic = first.setdefault(topics[number].name, topics[number])
        if ends[i + 1] > ends[i]:
            parts.setdefault(topic.name, []).append(sorted_rows[ends[i] : ends[i + 1]])
    for name, lists in parts.items():
        rows = np.concatenate(lists)
        if (np.diff(order[rows]) < 0).any():
            rows = rows[np.argsort(order[rows], kind="stable")]
        yield first[name], rows


def _plan(chunks: list[_Chunk], heavy: set[int]) -> tuple[np.ndarray, int]:
    """Where each chunk of small messages is unpacked to: those of the same topics follow each other; and the room."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, chunk in enumerate(chunks):
        if not heavy.issuperset(chunk.channels):
            groups.setdefault(chunk.channels, []).append(number)
    bases, at = np.zeros(len(chunks), np.int64), 0
    for group in groups.values():
        for number in group:
            bases[number] = at
            at += chunks[number].size
    return bases, at


def _fill(topic: Topic, data: np.ndarray, places: np.ndarray, channels: np.ndarray) -> None:
    """Take a topic's messages from where the index says they are, and see that they are.

    Raises:
        Untrue: they are not.
    """
    if places.min() < 0 or places.max() + _MESSAGE > len(data):
        raise Untrue(f"{topic.name}: a message outside of its chunk")
    heads = windows(data, _MESSAGE, places)
    length = np.ascontiguousarray(heads[:, 1:9]).view("<i8")[:, 0]
    channel = np.ascontiguousarray(heads[:, 9:11]).view("<u2")[:, 0]
    log = np.ascontiguousarray(heads[:, 15:23]).view("<i8")[:, 0]
    if (heads[:, 0] != Opcode.MESSAGE).any() or (channel != channels).any() or (log != topic.received).any():
        raise Untrue(f"{topic.name}: the index does not point at its messages")
    topic.data, topic.starts = data, places + _MESSAGE
    topic.sequence = np.ascontiguousarray(heads[:, 11:15]).view("<u4")[:, 0]
    topic.sizes = length - (_MESSAGE - _RECORD.size)
    shown = np.minimum(topic.sizes, _HEAD) if topic.heavy else topic.sizes
    if (topic.sizes < HEAD).any() or (topic.starts + shown > len(data)).any():
        raise Untrue(f"{topic.name}: a message of impossible length")


def _entries(data: mmap.mmap, chunks: list[_Chunk]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All message index records: log time and offset in the chunk, (n, 2); number of the chunk and channel, (n,)."""
    blob = np.frombuffer(b"".join(data[c.end : c.end + c.indices] for c in chunks) + bytes(_ENTRY), np.uint8)
    sizes = np.array([chunk.indices for chunk in chunks], np.int64)
    counts = [len(chunk.channels) for chunk in chunks]
    chunk_of = np.repeat(np.arange(len(chunks)), counts)
    channels = np.array([channel for chunk in chunks for channel in chunk.channels], np.int64)
    behind = np.array([at - chunk.end for chunk in chunks for at in chunk.places], np.int64)  # begin of each record
    if ((behind < 0) | (behind + _INDEX.size > sizes[chunk_of])).any():
        raise Untrue("no message index behind a chunk")
    at = (np.cumsum(sizes) - sizes)[chunk_of] + behind
    heads = windows(blob, _INDEX.size, at)
    length, held = heads[:, 1:9].copy().view("<i8")[:, 0], heads[:, 11:15].copy().view("<u4")[:, 0].astype(np.int64)
    wrong = (heads[:, 0] != Opcode.MESSAGE_INDEX) | (heads[:, 9:11].copy().view("<u2")[:, 0] != channels)
    if (wrong | (length != held + 6) | (behind + _INDEX.size + held > sizes[chunk_of])).any():
        raise Untrue("no message index behind a chunk")
    each = held // _ENTRY
    before = np.cumsum(each) - each
    places = np.repeat(at + _INDEX.size - _ENTRY * before, each) + _ENTRY * np.arange(int(each.sum()))
    return windows(blob, _ENTRY, places).view("<i8"), np.repeat(chunk_of, each), np.repeat(channels, each)


def _unpacked(data: mmap.mmap, offset: int, most: int | None = None) -> bytes | memoryview:
    """Records of a chunk; with `most` at least so many bytes of them, where they are that many."""
    body = offset + _RECORD.size
    if data[offset] != Opcode.CHUNK:
        raise Untrue(f"no chunk at byte {offset}")
    _, _, size, _, length = struct.unpack_from("<QQQII", data, body)
    name = data[body + 32 : body + 32 + length]
    (stored,) = struct.unpack_from("<Q", data, body + 32 + length)
    begin = body + 40 + length
    packed = memoryview(data)[begin : begin + stored]
    if name == b"":
        return packed
    with packed:
        if name == b"lz4":
            if most is None:
                return bytes(lz4.frame.decompress(packed))
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=most))
        if name == b"zstd":
            if most is None:
                return _ZSTD.decompress(packed, max_output_size=size)
            return _beginning(packed, most)
    raise Untrue(f"compression {name!r}")


def _beginning(packed: memoryview, most: int) -> bytes:
    """At least the first `most` bytes of a zstd frame, if it is that long, and little more of it unpacked."""
    unpacker, found, at, step = _ZSTD.decompressobj(), b"", 0, 1 << 10
    while len(found) < most and at < len(packed):
        found += unpacker.decompress(packed[at : at + step])
        at += step
        step *= 2
    return found
