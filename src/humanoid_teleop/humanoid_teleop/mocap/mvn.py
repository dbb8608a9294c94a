# SPDX-License-Identifier: Apache-2.0
"""Xsens MVN's network stream: MXTP02 datagrams, positions and quaternions of the body's segments.

Format: Xsens, "MVN real-time network streaming, protocol specification". Big-endian; a sample may be
spread over several datagrams. Axes: x forward, y left, z up, metres; segments are aligned with them in the T-pose.
"""

from __future__ import annotations

import struct

import numpy as np

from humanoid_teleop.mocap.segments import Sample, Segment, StreamError

PORT = 9763
HEADER = struct.Struct(">6sIBBIBBBB2xH")
ITEM = struct.Struct(">I3f4f")  # segment, position, quaternion wxyz
SEGMENTS = (
    "Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head",
    "RightShoulder", "RightUpperArm", "RightForeArm", "RightHand",
    "LeftShoulder", "LeftUpperArm", "LeftForeArm", "LeftHand",
    "RightUpperLeg", "RightLowerLeg", "RightFoot", "RightToe",
    "LeftUpperLeg", "LeftLowerLeg", "LeftFoot", "LeftToe",
)  # fmt: skip


class MvnReader:
    """Puts samples together from datagrams.

    Args:
        character: Of which person, where the stream carries several.
    """

    def __init__(self, character: int = 0) -> None:
        self._character = character
        self._counter: int | None = None
        self._next = 0  # datagram expected
        self._segments: dict[str, Segment] = {}

    def read(self, data: bytes) -> Sample | None:
        """The sample that a datagram completes; None where it completes none or is another person's or kind.

        Raises:
            StreamError: it is no MXTP datagram, or cut off.
        """
        if len(data) < HEADER.size or data[:4] != b"MXTP":
            raise StreamError(f"MVN: found {len(data)} bytes beginning {data[:6]!r}, expected an MXTP datagram")
        kind, counter, part, items, time, character, _, _, _, _ = HEADER.unpack_from(data)
        if kind != b"MXTP02" or character != self._character:
            return None
        if len(data) < HEADER.size + items * ITEM.size:
            raise StreamError(
                f"MVN: found {len(data)} bytes, expected {HEADER.size + items * ITEM.size} ({items} items)"
            )
        number, is_last = part & 0x7F, bool(part & 0x80)
        if number == 0:
            self._counter, self._next, self._segments = counter, 0, {}
        if counter != self._counter or number != self._next:  # its beginning was lost
            self._counter = None
            return None
        self._next += 1
        for item in range(items):
            segment, *values = ITEM.unpack_from(data, HEADER.size + item * ITEM.size)
            if 1 <= segment <= len(SEGMENTS):
                w, x, y, z = values[3:]
                self._segments[SEGMENTS[segment - 1]] = Segment(np.array(values[:3]), np.array([x, y, z, w]))
        return Sample(time * 1e-3, counter, self._segments) if is_last else None
