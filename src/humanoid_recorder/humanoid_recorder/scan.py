# SPDX-License-Identifier: Apache-2.0
"""Reads an MCAP file from its start, trusting nothing: every chunk's checksum, every record's bounds.

This is what recovery and verification stand on: it needs neither summary nor footer, and says where the last intact
byte is.
"""

from __future__ import annotations

import io
import mmap
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from lz4.frame import decompress as lz4_decompress
from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, ChunkIndex, Metadata, MetadataIndex, Schema

from humanoid_recorder.errors import BagError
from humanoid_recorder.mcap_file import INDEX_HEADER, MAGIC, Summary

_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")


@dataclass
class Scan:
    """What is intact in a file.

    Attributes:
        summary: Of the intact data section.
        good_end: Offset behind the last intact record of the data section [bytes].
        finished: The file ends as it should: DataEnd, summary, footer, magic.
        size: Of the file [bytes].
        reason: Why reading ended, where it is not `finished`.
        lost: By channel, messages that are missing by the publishers' sequence numbers.
        first: By channel, log time of the first message [ns]; `last`, `gap` (longest) and `payload` (bytes) likewise.
        unindexed: Entries of the last chunk whose message indices are not all there, by channel.
    """

    summary: Summary = field(default_factory=Summary)
    good_end: int = 0
    finished: bool = False
    size: int = 0
    reason: str = ""
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    gap: dict[int, int] = field(default_factory=dict)
    payload: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, list[int]] = field(default_factory=dict)
    unindexed: dict[int, list[int]] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)


class _Damaged(Exception):
    """What is behind this point cannot be trusted."""


def scan(path: Path, progress: Callable[[int], None] | None = None) -> Scan:
    """Read a file up to the first damage.

    Args:
        path: The MCAP file.
        progress: Gets the bytes of each step.

    Raises:
        BagError: not even the head of an MCAP file is there.
    """
    result = Scan(size=path.stat().st_size)
    if result.size < len(MAGIC):
        raise BagError(path, f"{result.size} bytes", "an MCAP file")
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[: len(MAGIC)] != MAGIC:
            raise BagError(path, f"{data[:8]!r} at the start", "MCAP's magic bytes")
        try:
            _read(data, result, progress or (lambda _: None))
        except _Damaged as damage:
            result.reason = str(damage)
        except (struct.error, UnicodeDecodeError, IndexError, KeyError, EOFError) as damage:
            result.reason = f"unreadable record: {damage}"
    return result


def _read(data: mmap.mmap, result: Scan, progress: Callable[[int], None]) -> None:
    offset = result.good_end = len(MAGIC)
    pending: dict[int, list[int]] = {}  # of the last chunk: channels whose message index has not come yet
    while True:
        if offset + _RECORD.size > result.size:
            raise _Damaged("the file ends without a footer")
        opcode, length = _RECORD.unpack_from(data, offset)
        end = offset + _RECORD.size + length
        if end > result.size:
            raise _Damaged(f"a record at byte {offset} goes on past the end")
        body = offset + _RECORD.size
        if opcode == Opcode.CHUNK:
            pending = _chunk(data, body, length, result)
        elif opcode == Opcode.MESSAGE_INDEX:
            _message_index(data, offset, length, pending, result)
        elif opcode == Opcode.SCHEMA:
            schema = Schema.read(_stream(data, body, length))
            result.summary.schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            channel = Channel.read(_stream(data, body, length))
            result.summary.channels[channel.id] = channel
        elif opcode == Opcode.METADATA:
            metadata = Metadata.read(_stream(data, body, length))
            result.metadata[metadata.name] = metadata.metadata
            result.summary.metadata.append(MetadataIndex(length=end - offset, name=metadata.name, offset=offset))
        elif opcode == Opcode.DATA_END:
            if data[result.size - len(MAGIC) : result.size] != MAGIC:
                raise _Damaged("the summary is cut off")
            result.finished = True
            return
        elif opcode not in (Opcode.HEADER, Opcode.ATTACHMENT):
            raise _Damaged(f"a record of kind {opcode} at byte {offset}")
        progress(end - offset)
        offset = result.good_end = end
        result.unindexed = pending


def _stream(data: mmap.mmap, body: int, length: int) -> ReadDataStream:
    return ReadDataStream(io.BytesIO(data[body : body + length]))


def _chunk(data: mmap.mmap, body: int, length: int, result: Scan) -> dict[int, list[int]]:
    start, end, size, crc, name_length = struct.unpack_from("<QQQII", data, body)
    name = data[body + 32 : body + 32 + name_length].decode()
    (stored,) = struct.unpack_from("<Q", data, body + 32 + name_length)
    first = body + 40 + name_length
    if first + stored != body + length:
        raise _Damaged(f"a chunk at byte {body - 9} of the wrong length")
    records = _decompress(name, data[first : first + stored], size)
    if len(records) != size or (crc and zlib.crc32(records) != crc):
        raise _Damaged(f"a chunk at byte {body - 9} whose checksum is wrong")
    index: dict[int, list[int]] = {}
    for channel, sequence, log_ns, _, at, payload in messages(records, result.summary):
        index.setdefault(channel, []).extend((log_ns, at))
        if channel in result.last:
            result.gap[channel] = max(result.gap.get(channel, 0), log_ns - result.last[channel])
        else:
            result.first[channel] = log_ns
        result.last[channel] = log_ns
        result.payload[channel] = result.payload.get(channel, 0) + len(payload)
        result.numbers.setdefault(channel, []).append(sequence)
    summary = result.summary
    summary.span(start, end)
    for channel, entries in index.items():
        summary.counts[channel] = summary.counts.get(channel, 0) + len(entries) // 2
    summary.chunks.append(
        ChunkIndex(
            chunk_length=9 + length,
            chunk_start_offset=body - 9,
            compression=name,
            compressed_size=stored,
            message_end_time=end,
            message_index_length=0,
            message_index_offsets={},
            message_start_time=start,
            uncompressed_size=size,
        )
    )
    return index


def _message_index(data: mmap.mmap, offset: int, length: int, pending: dict[int, list[int]], result: Scan) -> None:
    _, _, channel, size = INDEX_HEADER.unpack_from(data, offset)
    entries = list(struct.unpack_from(f"<{size // 8}Q", data, offset + INDEX_HEADER.size))
    if entries != pending.get(channel) and size:
        raise _Damaged(f"a message index at byte {offset} that does not fit its chunk")
    pending.pop(channel, None)
    chunk = result.summary.chunks[-1]
    chunk.message_index_offsets[channel] = offset
    chunk.message_index_length += 9 + length


def _decompress(name: str, stored: bytes, size: int) -> bytes:
    try:
        if name == "":
            return stored
        if name == "zstd":
            return zstandard.ZstdDecompressor().decompress(stored, max_output_size=size)
        if name == "lz4":
            return bytes(lz4_decompress(stored))
    except (zstandard.ZstdError, RuntimeError) as error:
        raise _Damaged(f"a chunk that cannot be decompressed: {error}") from error
    raise _Damaged(f"a chunk with unknown compression {name!r}")


def messages(records: bytes, summary: Summary) -> Iterator[tuple[int, int, int, int, int, memoryview]]:
    """Messages of a chunk: channel, sequence, log time, publish time [ns], offset, payload.

    Schemas and channels inside of the chunk, where stock writers put them, go into `summary`.
    """
    view = memoryview(records)
    offset = 0
    while offset < len(records):
        opcode, length = _RECORD.unpack_from(records, offset)
        body, end = offset + _RECORD.size, offset + _RECORD.size + length
        if end > len(records):
            raise _Damaged("a record inside a chunk goes on past its end")
        if opcode == Opcode.MESSAGE:
            channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(records, body)
            yield channel, sequence, log_ns, publish_ns, offset, view[body + _MESSAGE.size : end]
        elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL):
            stream = ReadDataStream(io.BytesIO(records[body:end]))
            if opcode == Opcode.SCHEMA:
                schema = Schema.read(stream)
                summary.schemas[schema.id] = schema
            else:
                found = Channel.read(stream)
                summary.channels[found.id] = found
        offset = end
