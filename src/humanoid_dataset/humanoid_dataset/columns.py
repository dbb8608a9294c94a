# SPDX-License-Identifier: Apache-2.0
"""Many messages of one topic as arrays, without decoding them one by one.

Messages of one publisher differ in their numbers only: frame, names and lengths stay. So one message is walked through
by its definition, the others are compared with it in what stays, and their numbers are copied column by column. A
message that differs begins another table.

Layout of serialized messages: OMG CDR, little endian (XCDR1), offsets counted from behind the four bytes of the
encapsulation header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from humanoid_dataset.errors import EpisodeError

HEAD = 4  # [bytes] encapsulation header
_SIZES = {
    "bool": 1, "byte": 1, "octet": 1, "char": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8,
}  # fmt: skip
_KINDS = {"bool": "?", "byte": "u1", "octet": "u1", "char": "u1"}
_BLOCK = 1 << 18  # [bytes] compared at a time, so that they stay in the processor's cache
_WHOLE = 1 << 22  # [bytes] of a table up to which its messages are brought together, of larger ones single fields


@dataclass(frozen=True)
class Layout:
    """Where things stand in a message.

    Attributes:
        size: Of the message [bytes].
        fields: By path, as `poses[0].pose.position.x`: offset [bytes], NumPy type, how many in a row.
        texts: Strings by path; names of joints, for example.
        counts: Length of each sequence, by path.
        stable: What is equal in all messages of this layout, strings and lengths: begin, end [bytes], and a mask of
            what counts in between, (end - begin,) uint8.
    """

    size: int
    fields: dict[str, tuple[int, np.dtype[Any], int]]
    texts: dict[str, str]
    counts: dict[str, int]
    stable: tuple[tuple[int, int, np.ndarray], ...]


@dataclass(frozen=True)
class Columns:
    """Messages of one layout.

    Attributes:
        layout: Of all of them.
        index: Which messages of the topic these are, (m,), ascending.
        data: Bytes in which they stand, (n,) uint8.
        starts: Where each begins in them, (m,).
    """

    layout: Layout
    index: np.ndarray
    data: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def _rows(self) -> np.ndarray | None:
        """All bytes, (m, size), behind each other, so that many fields are read fast; None where they are too many."""
        small = self.layout.size * len(self) <= _WHOLE
        return windows(self.data, self.layout.size, self.starts) if small else None

    def _stretch(self, offset: int, size: int) -> np.ndarray:
        """Some bytes of each message, (m, size), contiguous."""
        if self._rows is None:
            return windows(self.data, size, self.starts + offset)
        return np.ascontiguousarray(self._rows[:, offset : offset + size])

    def array(self, path: str) -> np.ndarray:
        """Values of one field, (m, k): k is 1, or the length of an array or sequence; (m, 0) for an empty one.

        Raises:
            KeyError: the message has no such field.
        """
        if path not in self.layout.fields:
            if self.layout.counts.get(path) == 0:
                return np.zeros((len(self), 0))
            raise KeyError(path)
        offset, kind, count = self.layout.fields[path]
        return self._stretch(offset, kind.itemsize * count).view(kind)

    def finite(self, ends: tuple[str, ...]) -> np.ndarray:
        """Whether all numbers of the fields whose paths end so are finite, (m,) bool: fields that touch at once."""
        found = sorted(spot for path, spot in self.layout.fields.items() if path.endswith(ends))
        joined: list[list[Any]] = []
        for offset, kind, count in found:
            if joined and joined[-1][1] == kind and joined[-1][0] + kind.itemsize * joined[-1][2] == offset:
                joined[-1][2] += count
            else:
                joined.append([offset, kind, count])
        good = np.ones(len(self), bool)
        for offset, kind, count in joined:
            part = self._stretch(offset, kind.itemsize * count).view(kind)
            if not np.isfinite(part.sum()):  # else none of them is not
                good &= np.isfinite(part).all(axis=1)
        return good

    def whole(self, path: str) -> bool:
        """Whether all numbers of one field are finite; an empty one has none that is not."""
        if self.layout.counts.get(path) == 0:
            return True
        offset, kind, count = self.layout.fields[path]
        step = max(1, _BLOCK // (kind.itemsize * count))
        blocks = (self.starts[row : row + step] + offset for row in range(0, len(self), step))
        return all(np.isfinite(windows(self.data, kind.itemsize * count, at).view(kind).sum()) for at in blocks)

    def column(self, path: str) -> np.ndarray:
        """Values of a field that is one number, (m,)."""
        return self.array(path)[:, 0]

    def stamps(self, path: str) -> np.ndarray:
        """A builtin_interfaces/Time, (m,) int64 [ns]."""
        return self.column(f"{path}.sec").astype(np.int64) * 1_000_000_000 + self.column(f"{path}.nanosec")

    def count(self, path: str) -> int:
        """Length of a sequence, or of an array of messages."""
        return self.layout.counts[path]

    def text(self, path: str) -> str:
        """A string; it is the same in all of these messages."""
        return self.layout.texts[path]


def windows(data: np.ndarray, size: int, starts: np.ndarray) -> np.ndarray:
    """Stretches of one size, (m, size) uint8, contiguous.

    Args:
        data: Bytes in a row, (n,) uint8.
        size: Of each [bytes].
        starts: Where they begin, (m,); all of them are inside.

    Raises:
        IndexError: one is not.
    """
    if not len(starts):
        return np.zeros((0, size), np.uint8)
    if size > len(data):
        raise IndexError(f"{size} of {len(data)} bytes")
    every = np.ndarray((len(data) - size + 1,), f"V{size}", data, strides=(1,))
    return every[starts].view(np.uint8).reshape(-1, size)


def _seen(data: np.ndarray, size: int, starts: np.ndarray) -> np.ndarray:
    """As `windows`, but without a copy where they are evenly spaced."""
    step = int(starts[1] - starts[0]) if len(starts) > 1 else 0
    if step <= 0 or (np.diff(starts) != step).any():
        return windows(data, size, starts)
    return np.ndarray((len(starts), size), np.uint8, data, int(starts[0]), (step, 1))


def columns_of(
    types: Mapping[str, Any], type_name: str, data: np.ndarray, starts: np.ndarray, sizes: np.ndarray
) -> list[Columns]:
    """Messages as tables, one for each layout that occurs.

    Args:
        types: Constants and fields by name of the type, as rosbags reads them from a definition.
        type_name: Of the messages.
        data: Bytes in which they stand, (n,) uint8.
        starts: Where each begins, with its encapsulation header.
        sizes: How long each is [bytes].

    Raises:
        EpisodeError: a message is not of this type.
    """
    found = []
    for size in np.unique(sizes).tolist():
        left = np.flatnonzero(sizes == size)
        while len(left):
            at = int(starts[left[0]])
            layout = _Walk(types, data[at : at + size]).layout(type_name)
            same = _same(data, starts[left], layout)
            found.append(Columns(layout, left[same], data, starts[left[same]]))
            left = left[~same]
    return found


def _same(data: np.ndarray, starts: np.ndarray, layout: Layout) -> np.ndarray:
    """Which messages agree with the first in all that is stable, (m,) bool."""
    same = np.ones(len(starts), bool)
    for begin, end, mask in layout.stable if len(starts) > 1 else ():
        first = data[int(starts[0]) + begin : int(starts[0]) + end].copy()
        masked = (first & mask).view(np.uint64)
        step = max(1, _BLOCK // (end - begin))
        for row in range(0, len(starts), step):
            at = starts[row : row + step] + begin
            if not (_seen(data, end - begin, at) == first).all():  # as a rule: even what does not count is the same
                part = windows(data, end - begin, at) & mask
                same[row : row + step] &= (part.view(np.uint64) == masked).all(axis=1)
    return same


class _Walk:
    """Goes through one message by its definition."""

    def __init__(self, types: Mapping[str, Any], data: np.ndarray) -> None:
        self._types, self._bytes, self._at = types, data.tobytes(), HEAD
        self._fields: dict[str, tuple[int, np.dtype[Any], int]] = {}
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._stable: list[tuple[int, int]] = [(0, 2)]

    def layout(self, type_name: str) -> Layout:
        if len(self._bytes) < HEAD or self._bytes[1] != 1:
            raise EpisodeError(f"{type_name}: encapsulation {self._bytes[:HEAD].hex()}, expected little-endian CDR")
        try:
            self._message(type_name, "")
        except (IndexError, KeyError, UnicodeDecodeError, ValueError) as reason:
            raise EpisodeError(f"a message of {len(self._bytes)} bytes is no {type_name}: {reason!r}") from reason
        if self._at > len(self._bytes):
            raise EpisodeError(f"a message of {len(self._bytes)} bytes is no {type_name}: it needs {self._at}")
        return Layout(
            len(self._bytes), self._fields, self._texts, self._counts, _joined(self._stable, len(self._bytes))
        )

    def _message(self, type_name: str, path: str) -> None:
        for name, (kind, detail) in self._types[type_name][1]:
            self._item(kind, detail, f"{path}.{name}" if path else name)

    def _item(self, kind: Nodetype, detail: Any, path: str) -> None:
        if kind == Nodetype.NAME:
            self._message(detail, path)
        elif kind == Nodetype.BASE:
            self._base(detail[0], path, 1)
        else:
            (inner, what), length = detail
            if kind == Nodetype.SEQUENCE:
                length = self._number()
                if length > len(self._bytes):
                    raise IndexError(f"{path} of {length}")
            self._counts[path] = length
            if inner == Nodetype.BASE and what[0] not in ("string", "wstring"):
                self._base(what[0], path, length)
            else:
                for i in range(length):
                    self._item(inner, what, f"{path}[{i}]")

    def _base(self, name: str, path: str, count: int) -> None:
        if name == "string":
            length = self._number()
            begin, self._at = self._at, self._at + length
            if self._at > len(self._bytes):
                raise IndexError(f"{path} of {length}")
            self._texts[path] = self._bytes[begin : max(begin, self._at - 1)].decode()
            self._stable.append((begin, self._at))
        elif count:
            size = _SIZES[name]
            self._align(size)
            self._fields[path] = (self._at, np.dtype(_KINDS.get(name, name)).newbyteorder("<"), count)
            self._at += size * count

    def _number(self) -> int:
        self._align(4)
        begin, self._at = self._at, self._at + 4
        self._stable.append((begin, self._at))
        if self._at > len(self._bytes):
            raise IndexError(f"a length at byte {begin}")
        return int.from_bytes(self._bytes[begin : self._at], "little")

    def _align(self, size: int) -> None:
        self._at += -(self._at - HEAD) % size


def _joined(stretches: list[tuple[int, int]], size: int) -> tuple[tuple[int, int, np.ndarray], ...]:
    """Stretches that nearly touch as one, made longer to whole words, with a mask of the bytes that count.

    Bytes that only fill up to a number's place may be anything: a serializer leaves there whatever was there before.
    """
    counts = np.zeros(-(-size // 8) * 8, np.uint8)
    whole: list[list[int]] = []
    for begin, end in stretches:
        counts[begin:end] = 255
        if whole and begin - whole[-1][1] < 8:
            whole[-1][1] = end
        elif end > begin:
            whole.append([begin, end])
    found = []
    for begin, end in whole:
        length = -(-(end - begin) // 8) * 8
        if length > size:
            raise IndexError(f"{size} bytes")
        first = min(begin, size - length)
        mask = counts[first : first + length].copy()
        found.append((first, first + length, mask))
    return tuple(found)
