# SPDX-License-Identifier: Apache-2.0
"""MCAP files written in groups of chunks, and the summary that stands at their end.

The stock writers put all topics into the same chunks, so whoever wants the joints alone decompresses the images too.
Here each group of topics fills chunks of its own: numeric streams compressed, images (coded at their source already)
as they are, and each topic of joints alone. A chunk goes to the file when it is full or when its first message is older
than the flush period, whichever is first, so that a crash costs at most that period. Schemas and channels stand before
the first chunk that needs them, outside of chunks: what is left of a file can always be read from its start.

Format: https://mcap.dev/spec (version 0).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import lz4.frame
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from humanoid_recorder.errors import StorageError

MAGIC = b"\x89MCAP0\r\n"
LIBRARY = "humanoid_recorder"
MESSAGE_HEADER = struct.Struct("<BQHIQQ")  # opcode, length, channel, sequence, log time, publish time
CHUNK_HEADER = struct.Struct("<BQQQQI")  # opcode, length, start, end, uncompressed size, CRC
INDEX_HEADER = struct.Struct("<BQHI")  # opcode, length, channel, bytes of the entries
_WRITEV_PARTS = 1000  # below the kernel's limit of 1024


Compression = Literal["lz4", "zstd", ""]


@dataclass(frozen=True)
class Group:
    """Topics that share chunks.

    Attributes:
        compression: "lz4", "zstd" or "" for none.
        size: A chunk is closed when it holds this many bytes.
        alone: Each topic has chunks of its own.
        head: So many bytes at the beginning of a chunk are a block of their own (zstd): a reader of stamps unpacks no
            more.
    """

    compression: Compression
    size: int
    alone: bool = False
    head: int = 0


# lz4 where people read again and again: it unpacks joints eight times as fast as zstd and needs 8 % more room.
GROUPS: Mapping[str, Group] = {
    "joints": Group("lz4", 1 << 20, alone=True),
    "numeric": Group("lz4", 1 << 20),
    "cloud": Group("zstd", 1, head=128),  # each in a chunk of its own
    "image": Group("", 8 << 20),
}


@dataclass
class Summary:
    """What the end of an MCAP file says about the rest."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunks: list[ChunkIndex] = field(default_factory=list)
    metadata: list[MetadataIndex] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)  # messages by channel
    start: int = 0  # log time of the first message [ns]
    end: int = 0

    @property
    def messages(self) -> int:
        return sum(self.counts.values())

    def span(self, start: int, end: int) -> None:
        """Take in the log times of a chunk that is not counted yet."""
        first = self.messages == 0
        self.start = start if first else min(self.start, start)
        self.end = end if first else max(self.end, end)


@dataclass
class _Chunk:
    """Messages of one group that are not in the file yet."""

    group: Group
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    crc: int = 0
    start: int = 0
    end: int = 0
    opened: float = 0.0  # steady clock [s]
    index: dict[int, list[int]] = field(default_factory=dict)  # channel: time, offset, time, offset, ...
    sizes: dict[int, int] = field(default_factory=dict)  # channel: bytes of its records


def record_bytes(*records: McapRecord) -> bytes:
    """The records as they stand in a file."""
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return bytes(builder.end())


def index_bytes(channel: int, entries: Sequence[int]) -> bytes:
    """A message index record; entries are time, offset, time, offset, ..."""
    size = 8 * len(entries)
    header = INDEX_HEADER.pack(Opcode.MESSAGE_INDEX, 6 + size, channel, size)
    return header + struct.pack(f"<{len(entries)}Q", *entries)


def tail_bytes(summary: Summary, offset: int) -> bytes:
    """Everything from the end of the data section to the end of the file.

    Args:
        summary: Of the data section.
        offset: Bytes of the data section, magic included.
    """
    end = record_bytes(DataEnd(data_section_crc=0))
    start = offset + len(end)
    statistics = Statistics(
        attachment_count=0,
        channel_count=len(summary.channels),
        channel_message_counts=dict(summary.counts),
        chunk_count=len(summary.chunks),
        message_count=summary.messages,
        message_end_time=summary.end,
        message_start_time=summary.start,
        metadata_count=len(summary.metadata),
        schema_count=len(summary.schemas),
    )
    groups: list[tuple[Opcode, list[McapRecord]]] = [
        (Opcode.SCHEMA, list(summary.schemas.values())),
        (Opcode.CHANNEL, list(summary.channels.values())),
        (Opcode.STATISTICS, [statistics]),
        (Opcode.CHUNK_INDEX, list(summary.chunks)),
        (Opcode.METADATA_INDEX, list(summary.metadata)),
    ]
    body, offsets = b"", b""
    for opcode, records in groups:
        if records:
            data = record_bytes(*records)
            offsets += record_bytes(SummaryOffset(int(opcode), group_start=start + len(body), group_length=len(data)))
            body += data
    footer = struct.pack("<BQQQ", Opcode.FOOTER, 20, start, start + len(body))
    crc = zlib.crc32(body + offsets + footer)
    return end + body + offsets + record_bytes(Footer(start, start + len(body), crc)) + MAGIC


class McapFile:
    """One MCAP file being written, by one thread (`sync` may be called by another).

    Args:
        path: The file; it must not exist.
        flush_period: A message waits no longer than this for its chunk to be written [s].
        groups: How the topics of each group are kept.
        clock: Steady clock [s].

    Attributes:
        stored: By channel, bytes in the file: its share of the chunks it stands in.

    Raises:
        StorageError: the file cannot be made, or later, written.
    """

    def __init__(
        self,
        path: Path,
        flush_period: float,
        groups: Mapping[str, Group] = GROUPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.summary = Summary()
        self.stored: dict[int, float] = {}
        self.offset = 0
        self._flush_period = flush_period
        self._clock = clock
        self._groups = groups
        self._chunks: dict[str, _Chunk] = {}
        self._channel_chunk: dict[int, _Chunk] = {}
        self._hash = hashlib.sha256()
        self._compressor = zstandard.ZstdCompressor(level=1)
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise StorageError(path, error.strerror, "a new file") from error
        self._put([MAGIC, record_bytes(Header(profile="ros2", library=LIBRARY))])

    def add_schema(self, name: str, encoding: str, text: str) -> int:
        """Declare a message definition; gives its id."""
        schema = Schema(id=len(self.summary.schemas) + 1, name=name, encoding=encoding, data=text.encode())
        self._put([record_bytes(schema)])
        self.summary.schemas[schema.id] = schema
        return schema.id

    def add_channel(self, topic: str, schema_id: int, metadata: dict[str, str], group: str) -> int:
        """Declare a topic; gives the id to write with."""
        channel = Channel(len(self.summary.channels) + 1, topic, "cdr", metadata, schema_id)
        self._put([record_bytes(channel)])
        self.summary.channels[channel.id] = channel
        kind = self._groups[group]
        self._channel_chunk[channel.id] = self._chunks.setdefault(topic if kind.alone else group, _Chunk(kind))
        return channel.id

    def write(self, channel: int, payload: bytes, log_time: int, publish_time: int, sequence: int) -> None:
        """Append one message; times in nanoseconds."""
        chunk = self._channel_chunk[channel]
        if not chunk.parts:
            chunk.opened = self._clock()
            chunk.start = chunk.end = log_time
        elif log_time < chunk.start:
            chunk.start = log_time
        elif log_time > chunk.end:
            chunk.end = log_time
        length = len(payload)
        chunk.parts.append(
            MESSAGE_HEADER.pack(Opcode.MESSAGE, 22 + length, channel, sequence & 0xFFFFFFFF, log_time, publish_time)
        )
        chunk.parts.append(payload)
        entries = chunk.index.get(channel)
        if entries is None:
            chunk.index[channel] = [log_time, chunk.size]
        else:
            entries += (log_time, chunk.size)
        size = MESSAGE_HEADER.size + length
        chunk.sizes[channel] = chunk.sizes.get(channel, 0) + size
        chunk.size += size
        if chunk.size >= chunk.group.size:
            self._close_chunk(chunk)

    def flush_due(self) -> None:
        """Write the chunks whose first message has waited for the flush period."""
        limit = self._clock() - self._flush_period
        for chunk in self._chunks.values():
            if chunk.parts and chunk.opened <= limit:
                self._close_chunk(chunk)

    def flush(self) -> None:
        """Write every open chunk."""
        for chunk in self._chunks.values():
            if chunk.parts:
                self._close_chunk(chunk)

    def sync(self) -> None:
        """Have the disk store what was written, and its pages of memory serve again for what comes next.

        New pages for each episode cost more than everything else about writing it (here a third of the recorder's CPU),
        and push out what other processes have cached.
        """
        written = self.offset
        os.fdatasync(self._fd)
        os.posix_fadvise(self._fd, 0, written, os.POSIX_FADV_DONTNEED)

    def add_metadata(self, name: str, values: dict[str, str]) -> None:
        """Append a metadata record."""
        data = record_bytes(Metadata(name=name, metadata=values))
        self.summary.metadata.append(MetadataIndex(offset=self.offset, length=len(data), name=name))
        self._put([data])

    def copy_to(self, path: Path) -> None:
        """Go on in another file that begins with all that was written: for a file whose name is gone.

        Raises:
            StorageError: the file cannot be made or filled.
        """
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            with open(f"/proc/self/fd/{self._fd}", "rb") as stream, open(fd, "wb", closefd=False) as copy:
                shutil.copyfileobj(stream, copy, 1 << 22)
            os.dup2(fd, self._fd)  # one step, since `sync` may be at work
            os.close(fd)
        except OSError as error:
            raise StorageError(path, error.strerror, f"a new file of {self.offset} bytes") from error
        self.path = path

    def close(self) -> str:
        """Write what is left and the summary; gives the file's SHA-256."""
        self.flush()
        self._put([tail_bytes(self.summary, self.offset)])
        self.sync()
        self.abandon()
        return self._hash.hexdigest()

    def abandon(self) -> None:
        """Close the file as it is, if it is open; `recover` can repair it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _close_chunk(self, chunk: _Chunk) -> None:
        parts = [b"".join(chunk.parts)] if chunk.group.compression else chunk.parts
        crc = 0
        for part in parts:
            crc = zlib.crc32(part, crc)
        if chunk.group.compression == "zstd":
            parts = self._pack(parts[0], chunk.group.head)
        elif chunk.group.compression == "lz4":
            parts = [lz4.frame.compress(parts[0])]
        stored = sum(map(len, parts))
        name = chunk.group.compression.encode()
        length = CHUNK_HEADER.size - 9 + 4 + len(name) + 8 + stored
        header = CHUNK_HEADER.pack(Opcode.CHUNK, length, chunk.start, chunk.end, chunk.size, crc)
        header += struct.pack("<I", len(name)) + name + struct.pack("<Q", stored)
        begin = self.offset
        indices = {channel: index_bytes(channel, entries) for channel, entries in chunk.index.items()}
        self._put([header, *parts, *indices.values()])
        offset = begin + 9 + length
        offsets: dict[int, int] = {}
        for channel, data in indices.items():
            offsets[channel] = offset
            offset += len(data)
        self.summary.span(chunk.start, chunk.end)
        for channel, entries in chunk.index.items():
            self.summary.counts[channel] = self.summary.counts.get(channel, 0) + len(entries) // 2
        for channel, size in chunk.sizes.items():
            self.stored[channel] = self.stored.get(channel, 0.0) + stored * size / chunk.size
        self.summary.chunks.append(
            ChunkIndex(
                chunk_length=9 + length,
                chunk_start_offset=begin,
                compression=chunk.group.compression,
                compressed_size=stored,
                message_end_time=chunk.end,
                message_index_length=offset - begin - 9 - length,
                message_index_offsets=offsets,
                message_start_time=chunk.start,
                uncompressed_size=chunk.size,
            )
        )
        chunk.parts, chunk.index, chunk.sizes, chunk.size = [], {}, {}, 0

    def _pack(self, records: bytes, head: int) -> list[bytes]:
        """One zstd frame, the first bytes of it in a block of their own."""
        packer, view = self._compressor.compressobj(size=len(records)), memoryview(records)
        first = packer.compress(view[:head]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        return [first, packer.compress(view[head:]) + packer.flush()]

    def _put(self, parts: list[bytes]) -> None:
        """Append to the file, all or nothing."""
        total = sum(map(len, parts))
        try:
            for begin in range(0, len(parts), _WRITEV_PARTS):
                _write_all(self._fd, parts[begin : begin + _WRITEV_PARTS])
        except OSError as error:
            os.ftruncate(self._fd, self.offset)
            os.lseek(self._fd, self.offset, os.SEEK_SET)
            raise StorageError(self.path, error.strerror, f"room for {total} bytes") from error
        for part in parts:
            self._hash.update(part)
        self.offset += total


def _write_all(fd: int, parts: list[bytes]) -> None:
    written = os.writev(fd, parts)
    if written == sum(map(len, parts)):
        return
    rest = memoryview(b"".join(parts))[written:]  # a short write: the disk is nearly full
    while rest:
        rest = rest[os.write(fd, rest) :]
