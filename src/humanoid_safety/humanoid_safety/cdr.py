# SPDX-License-Identifier: Apache-2.0
"""Finding one's way in a serialized message: CDR, little endian, as ROS 2 machines of today write it.

Offsets count from behind the encapsulation header of 4 bytes. Method: OMG, "DDS Interoperability Wire Protocol", 10.
"""

from __future__ import annotations

import struct

HEADER = 4  # [bytes]


def is_little_endian(message: bytes) -> bool:
    """Whether a serialized message is plain little-endian CDR."""
    return len(message) >= HEADER and message[1] == 1


def aligned(at: int, size: int) -> int:
    """The next offset at which a number of `size` bytes may stand."""
    return (at + size - 1) // size * size


def count(data: memoryview, at: int) -> tuple[int, int]:
    """A sequence's length and where its first element may start."""
    at = aligned(at, 4)
    return int(struct.unpack_from("<I", data, at)[0]), at + 4


def after_text(data: memoryview, at: int) -> int:
    """Where a string ends."""
    length, at = count(data, at)
    return at + length
