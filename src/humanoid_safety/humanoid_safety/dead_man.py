# SPDX-License-Identifier: Apache-2.0
"""The dead-man flags out of a serialized OperatorFrame.

A frame has up to 50 finger joints and a dozen poses; turning all of it into Python objects to look at two flags costs a
tenth of a core at 250 Hz. Serialized (CDR, little endian: what ROS 2 machines of today write) it is read in
microseconds.
"""

from __future__ import annotations

import struct

from humanoid_core.errors import MessageError

_POSE = 7 * 8


def engaged(frame: bytes) -> bool:
    """Whether a hand of the operator holds the dead-man.

    Args:
        frame: A serialized humanoid_interfaces/msg/OperatorFrame.

    Raises:
        MessageError: it is not one.
    """
    if len(frame) < 4 or frame[1] != 1:
        raise MessageError("operator/frame", f"encoding {frame[:4].hex(' ')}", "little-endian CDR")
    try:
        return _engaged(memoryview(frame)[4:])  # offsets count from behind the encapsulation header
    except (IndexError, struct.error) as error:
        raise MessageError("operator/frame", f"{len(frame)} bytes that end early", "a whole frame") from error


def _engaged(data: memoryview) -> bool:
    at = _after_text(data, 8)  # stamp; frame_id
    at = _after_text(data, at)  # source
    at = _aligned(at, 4) + 4  # sequence
    poses, at = _count(data, at)
    for _ in range(poses):
        at = _aligned(_after_text(data, at), 8) + _POSE + 1  # name, pose, validity
    left = data[at] != 0
    at += 2  # engaged, validity
    joints, at = _count(data, at)
    at = _aligned(at, 8) + joints * _POSE if joints else at
    at = _aligned(at, 4) + 8  # grip, trigger
    axes, at = _count(data, at)
    buttons, at = _count(data, at + 4 * axes)
    return left or data[at + buttons] != 0


def _aligned(at: int, size: int) -> int:
    return (at + size - 1) // size * size


def _count(data: memoryview, at: int) -> tuple[int, int]:
    """A sequence's length and where its first element may start."""
    at = _aligned(at, 4)
    return int(struct.unpack_from("<I", data, at)[0]), at + 4


def _after_text(data: memoryview, at: int) -> int:
    length, at = _count(data, at)
    return at + length
