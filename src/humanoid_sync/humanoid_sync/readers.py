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
Reader = Callable[[bytes], array]


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
    heads = [payload[:12] for payload in payloads]
    joined = np.frombuffer(b"".join(heads), dtype=np.uint8)
    if len(joined) != 12 * len(heads) or (joined[1::12] != 1).any():
        for payload in payloads:
            STAMPS[kind](payload)
    table = joined.reshape(-1, 12)[:, 4:]
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


def _doubles(payload: bytes, offset: int, count: int) -> array:
    offset = _align(offset, 8)
    end = offset + 8 * count
    if end > len(payload):
        raise MessageError("values", f"{len(payload)} bytes", f"at least {end}")
    return array("d", payload[offset:end])


class JointStateReader:
    """Positions of a sensor_msgs/JointState; remembers where they stand, since names hardly ever change."""

    def __init__(self) -> None:
        self._prefix = b""
        self._offset = 0
        self._count = 0

    def __call__(self, payload: bytes) -> array:
        if not self._prefix or payload[12 : 12 + len(self._prefix)] != self._prefix:
            self._learn(payload)
        return array("d", payload[self._offset : self._offset + 8 * self._count])

    def _learn(self, payload: bytes) -> None:
        offset = _align(_behind_string(payload, 12), 4)
        (names,) = struct.unpack_from("<I", payload, offset)
        offset += 4
        for _ in range(names):
            offset = _behind_string(payload, offset)
        offset = _align(offset, 4)
        (self._count,) = struct.unpack_from("<I", payload, offset)
        end = offset + 4
        self._offset = _align(end, 8) if self._count else end
        if self._offset + 8 * self._count > len(payload):
            raise MessageError("JointState", f"{len(payload)} bytes", f"{self._count} positions")
        self._prefix = payload[12:end]


def imu(payload: bytes) -> array:
    """Orientation xyzw, angular velocity, linear acceleration of a sensor_msgs/Imu: 10 numbers."""
    offset = _align(_behind_string(payload, 12), 8)
    orientation = _doubles(payload, offset, 4)
    rate = _doubles(payload, offset + 8 * (4 + 9), 3)
    acceleration = _doubles(payload, offset + 8 * (4 + 9 + 3 + 9), 3)
    return orientation + rate + acceleration


def wrench(payload: bytes) -> array:
    """Force and torque of a geometry_msgs/WrenchStamped: 6 numbers."""
    return _doubles(payload, _behind_string(payload, 12), 6)


def pose(payload: bytes) -> array:
    """Position and quaternion xyzw of a geometry_msgs/PoseStamped: 7 numbers."""
    return _doubles(payload, _behind_string(payload, 12), 7)


def twist(payload: bytes) -> array:
    """Linear and angular velocity of a geometry_msgs/TwistStamped: 6 numbers."""
    return _doubles(payload, _behind_string(payload, 12), 6)


def transform(payload: bytes) -> array:
    """Translation and quaternion xyzw of a geometry_msgs/TransformStamped: 7 numbers."""
    return _doubles(payload, _behind_string(payload, _behind_string(payload, 12)), 7)


def odometry(payload: bytes) -> array:
    """Position, quaternion xyzw, linear and angular velocity of a nav_msgs/Odometry: 13 numbers."""
    offset = _align(_behind_string(payload, _behind_string(payload, 12)), 8)
    return _doubles(payload, offset, 7) + _doubles(payload, offset + 8 * (7 + 36), 6)


def tactile(payload: bytes) -> array:
    """Taxels of a humanoid_interfaces/TactileArray, row-major."""
    offset = _align(_behind_string(payload, 12) + 1, 4)  # quantity is one byte
    (count,) = struct.unpack_from("<I", payload, offset + 8)
    begin = offset + 12
    if begin + 4 * count > len(payload):
        raise MessageError("TactileArray", f"{len(payload)} bytes", f"{count} values")
    return array("d", array("f", payload[begin : begin + 4 * count]))


@dataclass(frozen=True)
class Layout:
    """How to read a type's values.

    Attributes:
        reader: Makes a reader, since some remember the last message.
        quaternions: Where quaternions xyzw begin among the values.
    """

    reader: Callable[[], Reader]
    quaternions: tuple[int, ...] = ()


LAYOUTS = {
    "sensor_msgs/msg/JointState": Layout(JointStateReader),
    "sensor_msgs/msg/Imu": Layout(lambda: imu, quaternions=(0,)),
    "geometry_msgs/msg/WrenchStamped": Layout(lambda: wrench),
    "geometry_msgs/msg/PoseStamped": Layout(lambda: pose, quaternions=(3,)),
    "geometry_msgs/msg/TransformStamped": Layout(lambda: transform, quaternions=(3,)),
    "geometry_msgs/msg/TwistStamped": Layout(lambda: twist),
    "nav_msgs/msg/Odometry": Layout(lambda: odometry, quaternions=(3,)),
    "humanoid_interfaces/msg/TactileArray": Layout(lambda: tactile),
}
