# SPDX-License-Identifier: Apache-2.0
"""Reads JointState and writes TFMessage in their serialized form (CDR version 1).

At 500 joint states per second most are dropped by the throttle, so that building a Python message for each would
cost far more than the work that is left. A message's names seldom change: everything before the positions is
compared as one block of bytes.
"""

import struct

import numpy as np

_ORIGIN = 4  # CDR aligns relative to the end of its 4-byte header
_STAMP = 12  # end of the stamp in a message that begins with std_msgs/Header


def _aligned(at: int, size: int) -> int:
    return at + (_ORIGIN - at) % size


class JointStateLayout:
    """Where things lie in the JointState messages of one publisher."""

    def __init__(self, raw: bytes) -> None:
        self._order = "<" if raw[1] & 1 else ">"
        at = self._string(raw, _STAMP)[1]
        count, at = self._length(raw, at)
        self.names: list[str] = []
        for _ in range(count):
            name, at = self._string(raw, at)
            self.names.append(name)
        self.count, at = self._length(raw, at)
        self._fixed = raw[:4], raw[_STAMP:at]
        self._at = _aligned(at, 8)

    def _length(self, raw: bytes, at: int) -> tuple[int, int]:
        at = _aligned(at, 4)
        return struct.unpack_from(self._order + "I", raw, at)[0], at + 4

    def _string(self, raw: bytes, at: int) -> tuple[str, int]:
        length, at = self._length(raw, at)
        return raw[at : at + length - 1].decode(), at + length

    def matches(self, raw: bytes) -> bool:
        """Whether a message has these names, in this order."""
        return raw.startswith(self._fixed[1], _STAMP) and raw.startswith(self._fixed[0])

    def stamp(self, raw: bytes) -> tuple[int, int]:
        """Stamp of the message: seconds and nanoseconds."""
        return struct.unpack_from(self._order + "iI", raw, 4)

    def positions(self, raw: bytes) -> np.ndarray:
        """Positions in the message, (n,) [rad or m]."""
        return np.frombuffer(raw, self._order + "f8", self.count, self._at)


class TransformWriter:
    """A serialized TFMessage whose stamps and poses are filled in anew each time."""

    def __init__(self, frames: list[tuple[str, str]]) -> None:
        body = bytearray(struct.pack("<I", len(frames)))
        stamps, poses = [], []
        for frame in frames:
            stamps.append(len(body) // 4)
            body += bytes(8)
            for name in frame:
                text = name.encode() + b"\0"
                body += bytes(-len(body) % 4) + struct.pack("<I", len(text)) + text
            body += bytes(-len(body) % 8)
            poses.append(len(body) // 8)
            body += bytes(56)
        self._body = body + bytes(-len(body) % 8)
        self._stamps = np.array(stamps, int)
        self._words = np.frombuffer(self._body, "<u4")
        self._doubles = np.frombuffer(self._body, "<f8")
        self._poses = np.array(poses, int)[:, None] + np.arange(7)

    def write(self, sec: int, nanosec: int, poses: np.ndarray) -> bytes:
        """The message for one stamp and poses of shape (n, 7), position [m] and quaternion xyzw."""
        self._words[self._stamps] = sec & 0xFFFFFFFF
        self._words[self._stamps + 1] = nanosec
        self._doubles[self._poses] = poses
        return b"\x00\x01\x00\x00" + self._body
