# SPDX-License-Identifier: Apache-2.0
"""Joints of an episode as arrays, read without touching anything else in the bag.

Our bags keep each topic of joints in chunks of its own, and messages of one publisher differ in their numbers only. So
a chunk is a table: its rows are compared and copied as a whole, never decoded one by one. Any MCAP file with an index
can be read this way; where topics share chunks, or messages change their size, the rows are collected one by one.

Layout of a serialized sensor_msgs/JointState: OMG CDR, little endian (XCDR1), offsets counted from behind the four
bytes of the encapsulation header.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lz4.frame
import numpy as np
import zstandard
from mcap.opcode import Opcode

from humanoid_recorder.errors import BagError
from humanoid_recorder.mcap_file import MAGIC, MESSAGE_HEADER

_RECORD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<BQQQI")
_CHUNK_INDEX = struct.Struct("<QQQQI")  # start, end, offset, length, bytes of the map of message indices
_ARRAYS = 3  # position, velocity, effort
# Of a message record: sequence, log time, and the stamp at the beginning of the payload: offset and size [bytes].
_NUMBERS = ((11, 4), (15, 8), (MESSAGE_HEADER.size + 4, 8))


@dataclass(frozen=True)
class JointColumns:
    """Consecutive messages that name the same joints.

    Attributes:
        names: Joint names, n of them.
        stamps: Time of measurement, (m,) int64 [ns].
        log_ns: Time of arrival, (m,) int64 [ns].
        sequence: Publisher's number, (m,) uint32.
        position: (m, n) [rad or m]; (m, 0) where the messages have none, likewise the next two.
        velocity: (m, n) [rad/s or m/s].
        effort: (m, n) [N·m or N].
    """

    names: tuple[str, ...]
    stamps: np.ndarray
    log_ns: np.ndarray
    sequence: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray

    def __len__(self) -> int:
        return len(self.stamps)


@dataclass(frozen=True)
class _Layout:
    """Where things stand in a message record.

    Attributes:
        size: Of the record [bytes].
        names: Joint names.
        arrays: Offset [bytes] and length of position, velocity, effort.
        stable: What is equal in all messages of a run: frame, names, counts.
    """

    size: int
    names: tuple[str, ...]
    arrays: tuple[tuple[int, int], ...]
    stable: tuple[_Stable, ...]


@dataclass(frozen=True)
class _Stable:
    """Bytes of a record that are the same in each.

    Attributes:
        offset: In the record [bytes].
        mask: 255 where a byte counts, (k,) uint8, k a multiple of 8; 0 where it only fills up to a number's place (a
            serializer leaves there whatever was there before) or belongs to something else.
        text: The bytes that count, the others 0, (k / 8,) uint64.
    """

    offset: int
    mask: np.ndarray
    text: np.ndarray

    @classmethod
    def of(cls, record: np.ndarray, counts: np.ndarray, begin: int, end: int) -> _Stable:
        """The stretch from `begin` to `end` of a record, made longer to whole words."""
        size = -(-(end - begin) // 8) * 8
        first = min(begin, len(record) - size)
        mask = counts[first : first + size].copy()
        mask[: begin - first] = 0
        mask[end - first :] = 0
        return cls(first, mask, (record[first : first + size] & mask).view(np.uint64))

    def fits(self, rows: np.ndarray) -> np.ndarray:
        """Which rows have it, (m,) bool."""
        part = rows[:, self.offset : self.offset + len(self.mask)] & self.mask
        same: np.ndarray = (part.view(np.uint64) == self.text).all(axis=1)
        return same


def read_joints(bag: Path, topic: str) -> list[JointColumns]:
    """All messages of a JointState topic, in the order of the file: as a rule one table, more where names change.

    Args:
        bag: An MCAP file with an index.
        topic: Full name.

    Raises:
        BagError: no such file, index or topic, or what is there is no JointState.
    """
    try:
        with open(bag, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _tables(bag, data, topic)
    except (OSError, ValueError, struct.error, IndexError, UnicodeDecodeError, RuntimeError) as error:
        raise BagError(bag, error, f"an indexed bag with JointState messages on {topic}") from error


class _Table:
    """A table being filled, while the chunk that its rows come from is still in the processor's cache."""

    def __init__(self, layout: _Layout, room: int) -> None:
        self.layout = layout
        self._filled = 0
        self._arrays = [np.empty((room, 8 * length), np.uint8) for _, length in layout.arrays]
        self._numbers = [np.empty((room, length), np.uint8) for _, length in _NUMBERS]

    def add(self, rows: np.ndarray) -> None:
        end = self._filled + len(rows)
        spots = [(offset, 8 * length) for offset, length in self.layout.arrays]
        for array, (offset, size) in zip([*self._arrays, *self._numbers], [*spots, *_NUMBERS]):
            array[self._filled : end] = rows[:, offset : offset + size]
        self._filled = end

    def columns(self) -> JointColumns:
        sequence, log, stamps = (array[: self._filled] for array in self._numbers)
        times = stamps.view("<u4")
        return JointColumns(
            self.layout.names,
            times[:, 0].astype(np.int64) * 1_000_000_000 + times[:, 1],
            log.view("<i8")[:, 0],
            sequence.view("<u4")[:, 0],
            *(array[: self._filled].view("<f8") for array in self._arrays),
        )


def _tables(bag: Path, data: mmap.mmap, topic: str) -> list[JointColumns]:
    tables: list[_Table] = []
    left, chunks = _find(bag, data, topic)
    for chunk in chunks:
        for rows in chunk:
            begin = 0
            while begin < len(rows):
                size = rows.shape[1]
                if (
                    not tables
                    or size != tables[-1].layout.size
                    or not _fits(rows[begin : begin + 1], tables[-1].layout)
                ):
                    tables.append(_Table(_layout(bag, rows[begin].tobytes()), left))
                fits = _fits(rows[begin:], tables[-1].layout)
                end = len(rows) if fits.all() else begin + int(np.argmin(fits))
                tables[-1].add(rows[begin:end])
                left -= end - begin
                begin = end
    return [table.columns() for table in tables]


def _fits(rows: np.ndarray, layout: _Layout) -> np.ndarray:
    """Which rows have the frame, names and counts of a layout, (m,) bool."""
    same = np.ones(len(rows), bool)
    for stable in layout.stable:
        same &= stable.fits(rows)
    return same


def _layout(bag: Path, record: bytes) -> _Layout:
    """Walk through one message record."""
    head = MESSAGE_HEADER.size + 4
    if record[head - 3] != 1:
        raise BagError(bag, f"encapsulation {record[head - 4 : head].hex()}", "little-endian CDR")
    at = head + 8
    mask = np.full(len(record), 255, np.uint8)

    def align(size: int) -> None:
        nonlocal at
        filling = -(at - head) % size
        mask[at : at + filling] = 0
        at += filling

    def number() -> int:
        nonlocal at
        align(4)
        (value,) = struct.unpack_from("<I", record, at)
        at += 4
        return int(value)

    def text() -> str:
        nonlocal at
        length = number()
        at += length
        return record[at - length : at - 1].decode()

    text()  # frame_id
    names = tuple(text() for _ in range(number()))
    arrays = []
    for _ in range(_ARRAYS):
        count = number()
        if count:
            align(8)
        arrays.append((at, count))
        at += 8 * count
    if at > len(record):
        raise BagError(bag, f"a message of {len(record)} bytes", f"a JointState of {at}")
    whole = np.frombuffer(record, np.uint8)
    ends = [head + 8, *(offset + 8 * count for offset, count in arrays)]
    starts = [*(offset for offset, _ in arrays), at]
    stable = tuple(_Stable.of(whole, mask, begin, end) for begin, end in zip(ends, starts) if begin < end)
    return _Layout(len(record), names, tuple(arrays), stable)


def _find(bag: Path, data: mmap.mmap, topic: str) -> tuple[int, Iterator[list[np.ndarray]]]:
    """How many messages a topic has, and its message records by chunk: tables of rows of one size, (m, size) uint8."""
    channel = count = 0
    places: list[tuple[int, bool]] = []  # offset of a chunk, whether it holds nothing else
    for opcode, body, end in _summary(bag, data):
        if opcode == Opcode.CHANNEL:
            number, _, length = struct.unpack_from("<HHI", data, body)
            if data[body + 8 : body + 8 + length] == topic.encode():
                channel = number
        elif opcode == Opcode.STATISTICS:
            counts = struct.unpack(f"<{'HQ' * ((end - body - 46) // 10)}", data[body + 46 : end])
            count = dict(zip(counts[::2], counts[1::2])).get(channel, 0)
        elif opcode == Opcode.CHUNK_INDEX:
            _, _, offset, _, size = _CHUNK_INDEX.unpack_from(data, body)
            begin = body + _CHUNK_INDEX.size
            if channel in struct.unpack(f"<{'HQ' * (size // 10)}", data[begin : begin + size])[::2]:
                places.append((offset, size == 10))
    if not channel:
        raise BagError(bag, f"no topic {topic}", "a topic of the bag")
    return count, (_rows(_unpacked(bag, data, offset), channel, alone) for offset, alone in places)


def _summary(bag: Path, data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    """Records of the summary: opcode, where the body begins and ends; channels stand before the chunks' index."""
    footer = len(data) - len(MAGIC) - _FOOTER.size
    if footer < 0 or data[-len(MAGIC) :] != MAGIC or data[footer] != Opcode.FOOTER:
        raise BagError(bag, "no footer", "a finished bag (run recover)")
    _, _, at, offsets, _ = _FOOTER.unpack_from(data, footer)
    while at and at < (offsets or footer):
        opcode, length = _RECORD.unpack_from(data, at)
        yield opcode, at + _RECORD.size, at + _RECORD.size + length
        at += _RECORD.size + length


def _unpacked(bag: Path, data: mmap.mmap, offset: int) -> bytes:
    body = offset + _RECORD.size
    _, _, size, _, length = struct.unpack_from("<QQQII", data, body)
    name = data[body + 32 : body + 32 + length]
    (stored,) = struct.unpack_from("<Q", data, body + 32 + length)
    packed = data[body + 40 + length : body + 40 + length + stored]
    if name == b"":
        return packed
    if name == b"lz4":
        return bytes(lz4.frame.decompress(packed))
    if name == b"zstd":
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
    raise BagError(bag, f"compression {name!r}", "lz4, zstd or none")


def _rows(records: bytes, channel: int, alone: bool) -> list[np.ndarray]:
    """The records of a channel as tables: at once where all are of one size, else one by one."""
    size = 9 + _RECORD.unpack_from(records)[1]
    if alone and len(records) % size == 0:
        table = np.frombuffer(records, np.uint8).reshape(-1, size)
        head = np.frombuffer(_RECORD.pack(Opcode.MESSAGE, size - 9) + struct.pack("<H", channel), np.uint8)
        if (table[:, : len(head)] == head).all():
            return [table]
    rows, at = [], 0
    while at < len(records):
        opcode, length = _RECORD.unpack_from(records, at)
        end = at + 9 + length
        if opcode == Opcode.MESSAGE and struct.unpack_from("<H", records, at + 9)[0] == channel:
            rows.append(np.frombuffer(records, np.uint8, end - at, at)[np.newaxis])
        at = end
    return rows
