# SPDX-License-Identifier: Apache-2.0
"""The dead-man flags out of a serialized OperatorFrame.

A frame has up to 50 finger joints and a dozen poses; turning all of it into Python objects to look at two flags costs a
tenth of a core at 250 Hz. Serialized (CDR, little endian: what ROS 2 machines of today write) it is read in
microseconds.
"""

from __future__ import annotations

import struct

from humanoid_core.errors import MessageError
from humanoid_safety.cdr import HEADER, after_text, aligned, count, is_little_endian

_POSE = 7 * 8


def engaged(frame: bytes) -> bool:
    """Whether a hand of the operator holds the dead-man.

    Args:
        frame: A serialized humanoid_interfaces/msg/OperatorFrame.

    Raises:
        MessageError: it is not one.
    """
    if not is_little_endian(frame):
        raise MessageError("operator/frame", f"encoding {frame[:4].hex(' ')}", "little-endian CDR")
    try:
        return _engaged(memoryview(frame)[HEADER:])
    except (IndexError, struct.error) as error:
        raise MessageError("operator/frame", f"{len(frame)} bytes that end early", "a whole frame") from error


def _engaged(data: memoryview) -> bool:
    at = after_text(data, 8)  # stamp; frame_id
    at = after_text(data, at)  # source
    at = aligned(at, 4) + 4  # sequence
    poses, at = count(data, at)
    for _ in range(poses):
        at = aligned(after_text(data, at), 8) + _POSE + 1  # name, pose, validity
    left = data[at] != 0
    at += 2  # engaged, validity
    joints, at = count(data, at)
    at = aligned(at, 8) + joints * _POSE if joints else at
    at = aligned(at, 4) + 8  # grip, trigger
    axes, at = count(data, at)
    buttons, at = count(data, at + 4 * axes)
    return left or data[at + buttons] != 0
