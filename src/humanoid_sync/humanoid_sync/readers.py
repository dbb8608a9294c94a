# SPDX-License-Identifier: Apache-2.0
"""Stamps and numbers straight out of serialized messages, without building message objects.

A message that begins with a std_msgs/Header has its stamp at bytes 4 to 12 of the CDR (after the encapsulation
header). What follows the frame's name is laid out by the CDR rules: each number aligned to its own size, counted from
byte 4.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from humanoid_core.errors import MessageError

_STAMP = struct.Struct("<iI")


def stamp_ns(payload: bytes) -> int:
    """Stamp of a serialized message that begins with a header [ns].

    Raises:
        MessageError: it is too short or not little-endian CDR.
    """
    if len(payload) < 12 or payload[1] != 1:
        raise MessageError("stamp", payload[:4].hex(), "little-endian CDR with a header")
    seconds, nanoseconds = _STAMP.unpack_from(payload, 4)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def micros_ns(payload: bytes) -> int:
    """Stamp of a serialized message that begins with microseconds in a uint64, as PX4's do [ns].

    Raises:
        MessageError: it is too short or not little-endian CDR.
    """
    if len(payload) < 12 or payload[1] != 1:
        raise MessageError("stamp", payload[:4].hex(), "little-endian CDR with microseconds first")
    return int.from_bytes(payload[4:12], "little") * 1000


STAMPS = {"header": stamp_ns, "microseconds": micros_ns}


def stamps_ns(payloads: list[bytes], kind: str) -> np.ndarray:
    """Stamps of many messages of one stream at once, (n,) int64 [ns]; as `STAMPS[kind]` of each.

    Raises:
        MessageError: one is too short or not little-endian CDR.
    """
    sizes = set(map(len, payloads))
    size = sizes.pop() if len(sizes) == 1 else 0
    if not 12 <= size <= 128:  # longer ones are not worth copying
        payloads = [payload[:12] for payload in payloads]
        size = 12
    joined = np.frombuffer(b"".join(payloads), dtype=np.uint8)
    if len(joined) != size * len(payloads) or (joined[1::size] != 1).any():
        for payload in payloads:
            STAMPS[kind](payload)
    table = joined.reshape(-1, size)[:, 4:12]
    if kind == "microseconds":
        return np.ascontiguousarray(table).view("<u8").ravel().astype(np.int64) * 1000
    words = np.ascontiguousarray(table)
    seconds, nanoseconds = words[:, :4].copy().view("<i4").ravel(), words[:, 4:].copy().view("<u4").ravel()
    return seconds.astype(np.int64) * 1_000_000_000 + nanoseconds.astype(np.int64)


def _align(offset: int, size: int) -> int:
    return offset + (4 - offset) % size  # counted from byte 4, where the body begins


def _behind_string(payload: bytes, offset: int) -> int:
    offset = _align(offset, 4)
    (length,) = struct.unpack_from("<I", payload, offset)
    return offset + 4 + int(length)


@dataclass(frozen=True)
class Place:
    """Where the values of a message stand.

    Attributes:
        known_from: Bytes 12 to here tell it: messages that are alike so far have their values in the same places.
        spans: (offset, count, "d" or "f") of each stretch of numbers.
    """

    known_from: int
    spans: tuple[tuple[int, int, str], ...]

    @property
    def end(self) -> int:
        """Behind the last value."""
        return max((offset + count * (8 if kind == "d" else 4) for offset, count, kind in self.spans), default=0)

    @property
    def width(self) -> int:
        """Number of values."""
        return sum(count for _, count, _ in self.spans)


def _doubles(*behind: tuple[int, int], strings: int = 1) -> Callable[[bytes], Place]:
    """Finds numbers that follow a header and perhaps another string.

    Args:
        *behind: (doubles to skip from the first one on, doubles to take).
        strings: Strings before the first one, the header's own included.
    """

    def find(payload: bytes) -> Place:
        offset = 12
        for _ in range(strings):
            offset = _behind_string(payload, offset)
        begin = _align(offset, 8)
        return Place(offset, tuple((begin + 8 * skip, count, "d") for skip, count in behind))

    return find


def _joint_state(payload: bytes) -> Place:
    offset = _align(_behind_string(payload, 12), 4)
    (names,) = struct.unpack_from("<I", payload, offset)
    offset += 4
    for _ in range(names):
        offset = _behind_string(payload, offset)
    offset = _align(offset, 4)
    (count,) = struct.unpack_from("<I", payload, offset)
    return Place(offset + 4, ((_align(offset + 4, 8), int(count), "d"),) if count else ())


def _tactile(payload: bytes) -> Place:
    offset = _align(_behind_string(payload, 12) + 1, 4) + 8  # quantity is one byte; rows, columns
    (count,) = struct.unpack_from("<I", payload, offset)
    return Place(offset + 4, ((offset + 4, int(count), "f"),))


class Reader:
    """Values of one stream's messages; remembers where they stand, since names hardly ever change."""

    def __init__(self, find: Callable[[bytes], Place]) -> None:
        self._find = find
        self._prefix = b""
        self._place = Place(0, ())
        self._end = 0

    def __call__(self, payload: bytes) -> array:
        """The values of a message.

        Raises:
            MessageError: it is too short for them.
        """
        prefix = self._prefix
        if not prefix or payload[12 : 12 + len(prefix)] != prefix:
            self._learn(payload)
        if len(payload) < self._end:
            raise MessageError("values", f"{len(payload)} bytes", f"at least {self._end}")
        spans = self._place.spans
        if len(spans) == 1 and spans[0][2] == "d":
            offset, count, _ = spans[0]
            return array("d", payload[offset : offset + 8 * count])
        values = array("d")
        for offset, count, kind in spans:
            size = 8 if kind == "d" else 4
            values.extend(array(kind, payload[offset : offset + size * count]).tolist())
        return values

    def many(self, payloads: list[bytes]) -> np.ndarray | None:
        """The values of messages of the same layout, (n, values); None where their layouts differ."""
        if not payloads:
            return None
        size = len(payloads[0])
        joined = b"".join(payloads)
        if len(joined) != size * len(payloads) or any(len(payload) != size for payload in payloads):
            return None
        self(payloads[0])
        table = np.frombuffer(joined, dtype=np.uint8).reshape(len(payloads), size)
        known = slice(12, self._place.known_from)
        if (table[:, known] != table[0, known]).any():
            return None
        parts = []
        for offset, count, kind in self._place.spans:
            stretch = np.ascontiguousarray(table[:, offset : offset + count * (8 if kind == "d" else 4)])
            parts.append(stretch.view("<f8" if kind == "d" else "<f4").astype(np.float64))
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(payloads), 0))

    def _learn(self, payload: bytes) -> None:
        try:
            self._place = self._find(payload)
        except struct.error as error:
            raise MessageError("values", f"{len(payload)} bytes", "a longer message") from error
        self._prefix, self._end = payload[12 : self._place.known_from], self._place.end


@dataclass(frozen=True)
class Layout:
    """How to read a type's values.

    Attributes:
        find: Tells where they stand.
        quaternions: Where quaternions xyzw begin among the values.
    """

    find: Callable[[bytes], Place]
    quaternions: tuple[int, ...] = ()

    def reader(self) -> Reader:
        """A reader for one stream."""
        return Reader(self.find)


LAYOUTS = {
    "sensor_msgs/msg/JointState": Layout(_joint_state),  # positions, in the message's order
    "sensor_msgs/msg/Imu": Layout(  # orientation xyzw, angular velocity, linear acceleration; covariances between
        _doubles((0, 4), (4 + 9, 3), (4 + 9 + 3 + 9, 3)), quaternions=(0,)
    ),
    "geometry_msgs/msg/WrenchStamped": Layout(_doubles((0, 6))),  # force, torque
    "geometry_msgs/msg/PoseStamped": Layout(_doubles((0, 7)), quaternions=(3,)),  # position, quaternion xyzw
    "geometry_msgs/msg/TransformStamped": Layout(_doubles((0, 7), strings=2), quaternions=(3,)),
    "geometry_msgs/msg/TwistStamped": Layout(_doubles((0, 6))),  # linear, angular
    "nav_msgs/msg/Odometry": Layout(  # position, quaternion xyzw, linear and angular velocity; a covariance between
        _doubles((0, 7), (7 + 36, 6), strings=2), quaternions=(3,)
    ),
    "humanoid_interfaces/msg/TactileArray": Layout(_tactile),  # taxels, row-major
}
