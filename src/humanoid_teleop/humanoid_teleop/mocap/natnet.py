# SPDX-License-Identifier: Apache-2.0
"""OptiTrack's NatNet: frames of rigid bodies and skeletons, and the names that belong to them.

Format: as NaturalPoint publishes it with the NatNet SDK (direct depacketisation), versions 3.0 to 4.1. Little-endian;
axes as set in Motive (y up by default), metres; bones are aligned with them in the skeleton's T-pose.
"""

from __future__ import annotations

import struct

import numpy as np

from humanoid_teleop.mocap.segments import Sample, Segment, StreamError

COMMAND_PORT, DATA_PORT = 1510, 1511
MULTICAST = "239.255.42.99"
CONNECT, SERVER_INFO, REQUEST_NAMES, NAMES, FRAME, ECHO, ECHO_ANSWER = 0, 1, 4, 5, 7, 12, 13
OLDEST, NEWEST = (3, 0), (4, 1)

RIGID_BODY = struct.Struct("<i3f4ffh")  # id, position, quaternion xyzw, mean error, flags (bit 0: tracked)
LABELLED_MARKER = 26  # bytes


def request(kind: int, content: bytes = b"") -> bytes:
    """A message that asks the server for something: CONNECT, REQUEST_NAMES, or ECHO with 8 bytes to send back."""
    return struct.pack("<HH", kind, len(content)) + content


class NatNetReader:
    """Reads what a NatNet server sends. Without the server's answer to CONNECT the version is the one given.

    Args:
        version: Of the stream.
        names: Rigid bodies' names by id, for streams whose server cannot be asked.
    """

    def __init__(self, version: tuple[int, int] = (3, 0), names: dict[int, str] | None = None) -> None:
        self.version = version
        self._bodies: dict[int, str] = dict(names or {})
        self._bones: dict[tuple[int, int], str] = {}  # (skeleton, bone)
        self._ticks = 0  # of the server's clock per second; 0: not known

    @property
    def names(self) -> list[str]:
        """Names known so far."""
        return [*self._bodies.values(), *self._bones.values()]

    def echo(self, data: bytes) -> tuple[int, int] | None:
        """What was sent with ECHO, as a number, and the server's time [ns]; None where a packet is no answer to it."""
        if len(data) != 20 or struct.unpack_from("<H", data)[0] != ECHO_ANSWER or not self._ticks:
            return None
        asked, answered = struct.unpack_from("<QQ", data, 4)
        return asked, answered * 10**9 // self._ticks

    def read(self, data: bytes) -> Sample | None:
        """The sample in a packet; None where it carries something else, which is taken in.

        Raises:
            StreamError: it is no NatNet packet, cut off, or of a version that is not read here.
        """
        cursor = _Cursor(data)
        kind, size = cursor.take("<HH")
        if len(data) < 4 + size:
            raise StreamError(f"NatNet: found {len(data)} bytes, expected {4 + size}")
        if kind == SERVER_INFO:
            self._take_server(cursor)
        elif kind == NAMES:
            self._take_names(cursor)
        elif kind == FRAME:
            return self._frame(cursor)
        return None

    def _take_server(self, cursor: _Cursor) -> None:
        cursor.skip(256 + 4)  # application and its version
        major, minor = cursor.take("<BB")
        if not OLDEST <= (major, minor) <= NEWEST:
            raise StreamError(f"NatNet: found version {major}.{minor}, expected {OLDEST} to {NEWEST}")
        self.version = major, minor
        cursor.skip(2)
        (self._ticks,) = cursor.take("<Q")

    # --- names ---

    def _take_names(self, cursor: _Cursor) -> None:
        for _ in range(cursor.count()):
            kind = cursor.take("<i")[0]
            end = cursor.section(self.version)
            if kind == 0:  # marker set
                cursor.text()
                for _ in range(cursor.count()):
                    cursor.text()
            elif kind == 1:
                number, name = self._body_name(cursor)
                self._bodies[number] = name
            elif kind == 2:
                person = cursor.text()
                skeleton = cursor.take("<i")[0]
                for _ in range(cursor.count()):
                    number, name = self._body_name(cursor)
                    self._bones[skeleton, number] = name.removeprefix(f"{person}_")
            elif end is None:
                break  # of another kind, and this version does not say how long it is
            cursor.go(end)

    def _body_name(self, cursor: _Cursor) -> tuple[int, str]:
        name = cursor.text()
        number = cursor.take("<i")[0]
        cursor.skip(4 + 12)  # parent, offset
        markers = cursor.count()
        cursor.skip(markers * (12 + 4))  # positions, active labels
        if self.version >= (4, 0):
            for _ in range(markers):
                cursor.text()
        return number, name

    # --- frames ---

    def _frame(self, cursor: _Cursor) -> Sample:
        number = cursor.take("<i")[0]
        segments: dict[str, Segment] = {}
        self._skip_markers(cursor)
        count, end = cursor.count(), cursor.section(self.version)
        for _ in range(count):
            body, segment = _body(cursor)
            segments[self._bodies.get(body, str(body))] = segment
        cursor.go(end)
        count, end = cursor.count(), cursor.section(self.version)
        for _ in range(count):
            skeleton = cursor.take("<i")[0]
            for _ in range(cursor.count()):
                bone, segment = _body(cursor)
                bone &= 0xFFFF  # its skeleton stands in the upper half
                segments[self._bones.get((skeleton, bone), f"{skeleton}.{bone}")] = segment
        cursor.go(end)
        self._skip_rest(cursor)
        _, _, since_start, exposed = cursor.take("<IIdQ")  # time code twice; [s]; middle of the exposure in ticks
        return Sample(exposed / self._ticks if self._ticks else since_start, number, segments)

    def _skip_markers(self, cursor: _Cursor) -> None:
        count, end = cursor.count(), cursor.section(self.version)
        if end is None:
            for _ in range(count):
                cursor.text()
                cursor.skip(12 * cursor.count())
        cursor.go(end)
        count, end = cursor.count(), cursor.section(self.version)
        cursor.skip(12 * count if end is None else 0)
        cursor.go(end)

    def _skip_rest(self, cursor: _Cursor) -> None:
        """Everything between the skeletons and the times."""
        if self.version >= (4, 1):
            cursor.count()  # assets
            cursor.go(cursor.section(self.version))
        count, end = cursor.count(), cursor.section(self.version)
        cursor.skip(LABELLED_MARKER * count if end is None else 0)
        cursor.go(end)
        for _ in ("force plates", "devices"):
            count, end = cursor.count(), cursor.section(self.version)
            if end is None:
                for _ in range(count):
                    cursor.skip(4)  # id
                    for _ in range(cursor.count()):
                        cursor.skip(4 * cursor.count())
            cursor.go(end)


def _body(cursor: _Cursor) -> tuple[int, Segment]:
    body, x, y, z, qx, qy, qz, qw, _, flags = cursor.unpack(RIGID_BODY)
    return body, Segment(np.array([x, y, z]), np.array([qx, qy, qz, qw]), bool(flags & 1))


class _Cursor:
    """Reads a packet from front to back; its end is an error, never a wrong number."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, layout: str) -> tuple:
        return self.unpack(struct.Struct(layout))

    def unpack(self, layout: struct.Struct) -> tuple:
        self.skip(layout.size)
        return layout.unpack_from(self._data, self._at - layout.size)

    def skip(self, size: int) -> None:
        self._at += size
        if self._at > len(self._data):
            raise StreamError(f"NatNet: the packet of {len(self._data)} bytes ends too early")

    def count(self) -> int:
        """A number of things that follow; more than there are bytes cannot be."""
        (number,) = self.take("<i")
        if not 0 <= number <= len(self._data):
            raise StreamError(f"NatNet: found a count of {number} in a packet of {len(self._data)} bytes")
        return int(number)

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise StreamError("NatNet: a name has no end")
        name = self._data[self._at : end].decode(errors="replace")
        self._at = end + 1
        return name

    def section(self, version: tuple[int, int]) -> int | None:
        """Where the section that begins here ends; None before version 4.1, which has no sizes."""
        if version < (4, 1):
            return None
        (size,) = self.take("<i")
        if not 0 <= size <= len(self._data) - self._at:
            raise StreamError(f"NatNet: found a section of {size} bytes, expected at most {len(self._data) - self._at}")
        return self._at + int(size)

    def go(self, end: int | None) -> None:
        if end is not None:
            self._at = end
