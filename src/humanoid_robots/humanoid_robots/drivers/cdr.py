# SPDX-License-Identifier: Apache-2.0
"""Serialized messages by hand: the part of CDR (OMG DDSI-RTPS, PLAIN_CDR, little endian) that makers' messages need.

It lets a driver's core read and write messages without ROS, and without a Python object for each motor.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from humanoid_core.errors import MessageError

_HEAD = b"\x00\x01\x00\x00"  # encapsulation: CDR, little endian


class Writer:
    """Fields one after the other; each begins at a multiple of its own size."""

    def __init__(self) -> None:
        self._data = bytearray()

    def number(self, form: str, value: float) -> Writer:
        """One number, `form` as struct names it."""
        self._align(struct.calcsize(form))
        self._data += struct.pack(f"<{form}", value)
        return self

    def text(self, text: str) -> Writer:
        """A string."""
        data = text.encode() + b"\0"
        self.number("I", len(data))
        self._data += data
        return self

    def texts(self, texts: Iterable[str]) -> Writer:
        """A sequence of strings."""
        listed = list(texts)
        self.number("I", len(listed))
        for text in listed:
            self.text(text)
        return self

    def doubles(self, values: Iterable[float]) -> Writer:
        """A sequence of float64."""
        array = np.asarray(list(values), "<f8")
        self.number("I", array.size)
        if array.size:
            self._align(8)
            self._data += array.tobytes()
        return self

    def header(self, stamp: int, frame: str = "") -> Writer:
        """A std_msgs/Header with a stamp [ns]."""
        return self.number("i", stamp // 10**9).number("I", stamp % 10**9).text(frame)

    @property
    def message(self) -> bytes:
        """The serialized message."""
        return _HEAD + bytes(self._data)

    def _align(self, size: int) -> None:
        self._data += bytes(-len(self._data) % size)


class Reader:
    """Fields one after the other out of a serialized message.

    Args:
        kind: What it is, for errors.
        message: As it came.

    Raises:
        MessageError: from here and from every field: another byte order, or the message is cut off.
    """

    def __init__(self, kind: str, message: bytes) -> None:
        if message[:4] != _HEAD:
            raise MessageError(kind, f"it begins with {message[:4].hex()}", _HEAD.hex())
        self._kind, self._data, self._at = kind, message[4:], 0

    def number(self, form: str) -> float:
        """One number."""
        size = struct.calcsize(form)
        (value,) = struct.unpack(f"<{form}", self._take(size, size))
        return value

    def count(self) -> int:
        """Length of a sequence that follows; its elements must still fit."""
        value = int(self.number("I"))
        if value > len(self._data):
            raise MessageError(self._kind, f"a sequence of {value}", f"at most {len(self._data)}")
        return value

    def text(self) -> str:
        """A string."""
        return self._take(self.count(), 1).rstrip(b"\0").decode(errors="replace")

    def texts(self) -> list[str]:
        """A sequence of strings."""
        return [self.text() for _ in range(self.count())]

    def doubles(self, count: int | None = None) -> np.ndarray:
        """A sequence of float64, or an array of `count`."""
        number = self.count() if count is None else count
        return np.frombuffer(self._take(8 * number, 8), "<f8") if number else np.zeros(0)

    def header(self) -> int:
        """A std_msgs/Header; its stamp [ns]."""
        stamp = int(self.number("i")) * 10**9 + int(self.number("I"))
        self.text()
        return stamp

    def rest(self) -> bytes:
        """Whatever follows."""
        return self._data[self._at :]

    def _take(self, size: int, align: int) -> bytes:
        self._at += -self._at % align
        if self._at + size > len(self._data):
            raise MessageError(self._kind, f"{len(self._data)} bytes", f"at least {self._at + size}")
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece
