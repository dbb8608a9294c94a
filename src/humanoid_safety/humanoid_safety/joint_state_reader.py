# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/JointState out of bytes: the same names 500 times a second need not be converted 500 times a second."""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from humanoid_core import convert
from humanoid_core.errors import MessageError
from humanoid_safety.cdr import HEADER, after_text, aligned, count, is_little_endian

_STAMP_AT = HEADER
_LAYOUT_AT = _STAMP_AT + 8  # frame, names and the number of positions: what stays the same
_SECOND = 1_000_000_000


class Joints(NamedTuple):
    """What is used of a message.

    Attributes:
        stamp_ns: Time it is meant for, or was measured at.
        names: Joints; the same list until they change.
        position: (n,) [rad or m]; n need not be len(names).
    """

    stamp_ns: int
    names: list[str]
    position: np.ndarray


class JointStateReader:
    """Reads the messages of one topic.

    Args:
        topic: For errors.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._layout = self._written = np.zeros(0, dtype=np.uint8)
        self._names: list[str] = []
        self._position_at = self._count = 0

    def read(self, message: bytes) -> Joints:
        """What a serialized message says.

        Raises:
            MessageError: it is no JointState.
        """
        if self._knows(message):
            seconds, nanoseconds = struct.unpack_from("<iI", message, _STAMP_AT)
            position = np.frombuffer(message, np.float64, self._count, self._position_at)
            return Joints(seconds * _SECOND + nanoseconds, self._names, position)
        try:
            whole = deserialize_message(message, JointState)
        except Exception as error:  # of several kinds, by middleware
            raise MessageError(self._topic, f"{len(message)} bytes that cannot be read", "a JointState") from error
        self._names = list(whole.name)
        if is_little_endian(message):
            self._learn(message)
        return Joints(convert.stamp_ns(whole.header.stamp), self._names, np.array(whole.position))

    def _knows(self, message: bytes) -> bool:
        """Whether all that stays the same is as it was in the message before."""
        size = len(self._layout)
        if not size or len(message) < self._position_at + 8 * self._count or not is_little_endian(message):
            return False
        layout = np.frombuffer(message, np.uint8, size, _LAYOUT_AT)
        return not ((layout ^ self._layout) & self._written).any()

    def _learn(self, message: bytes) -> None:
        """Where the positions of messages with these names stand.

        Bytes left out so that the next number is aligned are never written: they hold what was in memory before.
        """
        data = memoryview(message)[HEADER:]
        at = after_text(data, 8)
        written = [(8, at)]
        names, at = count(data, at)
        written.append((at - 4, at))
        for _ in range(names):
            begin, at = aligned(at, 4), after_text(data, at)
            written.append((begin, at))
        self._count, at = count(data, at)
        written.append((at - 4, at))
        self._layout = np.frombuffer(message, np.uint8, HEADER + at - _LAYOUT_AT, _LAYOUT_AT)
        self._written = np.zeros_like(self._layout)
        for begin, end in written:
            self._written[begin - 8 : end - 8] = 0xFF
        self._position_at = HEADER + aligned(at, 8)
