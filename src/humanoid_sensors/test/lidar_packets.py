# SPDX-License-Identifier: Apache-2.0
"""Datagrams of LiDARs made from places, and those of the real captures."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

VLP16_DEGREES = (-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15)


def mid360(
    places: np.ndarray, stamp: int, count: int = 0, kind: int = 1, frame: int = 0, interval: int = 4800
) -> bytes:
    """A datagram of a Mid-360 with places (n, 3) [m]; `interval` is its length in time [0.1 us]."""
    layouts = {1: ("<iiiBB", 1000.0), 2: ("<hhhBB", 100.0)}
    layout, unit = layouts[kind]
    body = b"".join(
        struct.pack(layout, *(round(float(v) * unit) for v in place), 50 + i % 100, 0) for i, place in enumerate(places)
    )
    head = struct.pack(
        "<BHHHHBBB12xIQ", 0, 36 + len(body), interval, len(places), count & 0xFFFF, frame, kind, 0, 0, stamp
    )
    return head + body


def mid360_imu(turn: tuple[float, ...], pull: tuple[float, ...], stamp: int) -> bytes:
    """A sample of a Mid-360's IMU: [rad/s], multiples of gravity."""
    return struct.pack("<BHHHHBBB12xIQ", 0, 60, 0, 1, 0, 0, 0, 0, 0, stamp) + struct.pack("<6f", *turn, *pull)


def vlp16(azimuth: float, microseconds: int, distance: float = 5.0, step: float = 0.4) -> bytes:
    """A VLP-16 datagram in which every laser sees `distance` [m], from azimuth on, `step` per block [deg]."""
    body = b""
    for block in range(12):
        angle = round(100 * (azimuth + block * step)) % 36000
        body += b"\xff\xee" + struct.pack("<H", angle) + struct.pack("<HB", round(500 * distance), 77) * 32
    return body + struct.pack("<IBB", microseconds, 0x37, 0x22)


def recorded_scans(folder: Path) -> list[bytes]:
    """Serialized messages of a bag with raw scans, in order."""
    bag = next(folder.glob("*.db3"))
    with sqlite3.connect(f"file:{bag}?mode=ro", uri=True) as base:
        return [data for (data,) in base.execute("select data from messages order by timestamp")]


def scan_datagrams(scan: bytes, room: int, sized: bool) -> Iterator[tuple[int, bytes]]:
    """(arrival, payload) in a serialized VelodyneScan (room 1206) or PandarScan (room 1500, with the size used)."""
    length = struct.unpack_from("<I", scan, 12)[0]
    at = _aligned(16 + length)
    count = struct.unpack_from("<I", scan, at)[0]
    at += 4
    for _ in range(count):
        at = _aligned(at)
        seconds, rest = struct.unpack_from("<II", scan, at)
        used = struct.unpack_from("<I", scan, at + 8 + room)[0] if sized else room
        yield seconds * 10**9 + rest, scan[at + 8 : at + 8 + used]
        at += 8 + room + (4 if sized else 0)


def _aligned(at: int) -> int:
    return 4 + (at - 4 + 3) // 4 * 4


def pcd(path: Path, kind: np.dtype) -> np.ndarray:
    """Points of a binary PCD."""
    data = path.read_bytes()
    start = data.index(b"DATA binary\n") + len(b"DATA binary\n")
    return np.frombuffer(data[start : start + (len(data) - start) // kind.itemsize * kind.itemsize], kind)
