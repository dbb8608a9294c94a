# SPDX-License-Identifier: Apache-2.0
"""UDP datagrams out of a capture: pcap and pcapng, Ethernet, Linux "any" and raw IP, VLAN tags, fragmented IPv4.

Source: IETF drafts draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; RFC 791, 768.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from humanoid_sensors.errors import DeviceError

_ETHERNET, _RAW, _LINUX = 1, 101, 113
_PCAPNG = 0x0A0D0D0A


@dataclass(frozen=True)
class Datagram:
    """One UDP datagram.

    Attributes:
        stamp: Of capture [ns].
        source: Address and port.
        port: Port that it went to.
        payload: What it carries.
    """

    stamp: int
    source: tuple[str, int]
    port: int
    payload: bytes


def read(path: Path) -> Iterator[Datagram]:
    """The datagrams of a capture, in its order. What is cut off at the end is left out.

    Raises:
        DeviceError: the file is missing or is no capture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DeviceError(str(path), error.strerror or error, "a readable capture") from error
    parts: dict[tuple[bytes, int], list[tuple[int, bytes]]] = {}
    for stamp, link, frame in _frames(path, data):
        packet = _ip(link, frame)
        if packet is None:
            continue
        whole = _reassembled(packet, parts)
        if whole is None or len(whole) < 8:
            continue
        source_port, port, length = struct.unpack_from(">HHH", whole)
        address = ".".join(map(str, packet[12:16]))
        yield Datagram(stamp, (address, source_port), port, whole[8:length])


def _frames(path: Path, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Capture time [ns], link type and bytes of each frame."""
    if len(data) < 24:
        raise DeviceError(str(path), f"{len(data)} bytes", "a pcap or pcapng capture")
    for order in "<>":
        magic = struct.unpack_from(order + "I", data)[0]
        if magic in (0xA1B2C3D4, 0xA1B23C4D):
            return (yield from _classic(data, order, 1000 if magic == 0xA1B2C3D4 else 1))
        if magic == _PCAPNG and struct.unpack_from(order + "I", data, 8)[0] == 0x1A2B3C4D:
            return (yield from _next_generation(data, order))
    raise DeviceError(str(path), f"a file that begins with {data[:4].hex()}", "a pcap or pcapng capture")


def _classic(data: bytes, order: str, unit: int) -> Iterator[tuple[int, int, bytes]]:
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, rest, kept, _ = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + kept > len(data):
            return
        yield seconds * 10**9 + rest * unit, link, data[at : at + kept]
        at += kept


def _next_generation(data: bytes, order: str) -> Iterator[tuple[int, int, bytes]]:
    interfaces: list[tuple[int, int]] = []  # link type, ticks per second
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from(order + "II", data, at)
        if length < 12 or at + length > len(data):
            return
        body = data[at + 8 : at + length - 4]
        if kind == _PCAPNG:
            interfaces = []
        elif kind == 1:
            interfaces.append((struct.unpack_from(order + "H", body)[0], _ticks(body[8:], order)))
        elif kind == 6:
            number, high, low, kept = struct.unpack_from(order + "IIII", body)
            link, ticks = interfaces[number]
            yield ((high << 32) + low) * 10**9 // ticks, link, body[20 : 20 + kept]
        at += length


def _ticks(options: bytes, order: str) -> int:
    at = 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from(order + "HH", options, at)
        if code == 9 and length == 1:
            value = options[at + 4]
            return 2 ** (value & 0x7F) if value & 0x80 else 10**value
        at += 4 + (length + 3) // 4 * 4
    return 10**6


def _ip(link: int, frame: bytes) -> bytes | None:
    """The IPv4 packet with UDP in a frame; None where there is none."""
    if link == _RAW:
        packet = frame
    else:
        head = {_ETHERNET: 12, _LINUX: 14}.get(link)
        if head is None or len(frame) < head + 2:
            return None
        kind = frame[head : head + 2]
        while kind in (b"\x81\x00", b"\x88\xa8"):
            head += 4
            kind = frame[head : head + 2]
        if kind != b"\x08\x00":
            return None
        packet = frame[head + 2 :]
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != 17:
        return None
    return packet[: struct.unpack_from(">H", packet, 2)[0]]


def _reassembled(packet: bytes, parts: dict[tuple[bytes, int], list[tuple[int, bytes]]]) -> bytes | None:
    """The whole content of an IP packet once all of its fragments are there."""
    identity, flags = struct.unpack_from(">HH", packet, 4)
    offset, more = 8 * (flags & 0x1FFF), bool(flags & 0x2000)
    content = packet[4 * (packet[0] & 15) :]
    if not offset and not more:
        return content
    key = (packet[12:20], identity)
    parts.setdefault(key, []).append((offset if more else offset | 1 << 20, content))
    fragments = sorted((at & 0xFFFFF, at >> 20, piece) for at, piece in parts[key])
    whole = b""
    for at, _, piece in fragments:
        if at != len(whole):
            return None
        whole += piece
    if not fragments[-1][1]:
        return None
    del parts[key]
    return whole
