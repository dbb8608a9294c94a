# SPDX-License-Identifier: Apache-2.0
"""Hesai PandarQT (64 lasers).

Source: the maker's PandarQT user manual, chapter 3 (packets) and appendices I and II (angles and firing times of the
model; each device's own angles come with it as a CSV file).
"""

from __future__ import annotations

import csv
import struct
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from humanoid_core.errors import ConfigError
from humanoid_sensors.errors import DeviceError
from humanoid_sensors.lidar.cloud import POINT, Decoder, in_order

_LASERS = 64
_UNIT_OF_DISTANCE = np.dtype([("distance", "<u2"), ("reflectivity", "u1"), ("reserved", "u1")])
_BLOCK = np.dtype([("azimuth", "<u2"), ("echo", _UNIT_OF_DISTANCE, (_LASERS,))])
_PACKET = np.dtype(
    [
        ("header", "u1", (12,)),
        ("block", _BLOCK, (4,)),
        ("reserved", "u1", (10,)),
        ("speed", "<u2"),
        ("microseconds", "<u4"),
        ("returns", "u1"),
        ("factory", "u1"),
        ("date", "u1", (6,)),
        ("sequence", "<u4"),
    ]
)
_MODE_AT, _SEQUENCE_AT = 1060, 1068
_SIZES = (_PACKET.itemsize - 4, _PACKET.itemsize)  # the sequence number can be switched off
_RETURNS = {0x33: 1, 0x37: 1, 0x38: 1, 0x39: 2, 0x3B: 2, 0x3C: 2}
_TURN = 36000  # [0.01 deg]
# Firing times after the packet's stamp [ns]: within a block 4 groups of 16 lasers, 2.056 us apart, with pauses.
_FIRST_BLOCK, _BLOCK_PERIOD = 25_710.0, 500_000.0 / 3.0
_LASER_TIME = np.array(
    [12310.0 + 34_295.0 * (i // 16) + 16_850.0 * (i % 16 // 8) + 2056.4 * (i % 8) for i in range(_LASERS)]
)


class PandarQt64(Decoder):
    """The frame is that of the maker's driver: y forward at azimuth 0, x right, z up.

    Args:
        device: Name, for errors.
        angles: CSV file of the device with laser, elevation and azimuth [deg].

    Raises:
        ConfigError: the file does not name 64 lasers.
    """

    def __init__(self, device: str, angles: Path) -> None:
        super().__init__(device)
        elevation, azimuth = _read_angles(angles)
        self._cos = np.cos(np.radians(elevation)).astype(np.float32)
        self._sin = np.sin(np.radians(elevation)).astype(np.float32)
        self._azimuth = azimuth.astype(np.float32)
        self._ring = np.argsort(np.argsort(elevation)).astype(np.uint16)  # 0 is the lowest
        self._last_azimuth: int | None = None
        self._sequence: int | None = None

    def check(self, datagram: bytes) -> None:
        if len(datagram) not in _SIZES:
            raise DeviceError(self.device, f"{len(datagram)} bytes", f"{_SIZES[1]} of a PandarQT")
        flag, major, lasers, blocks = datagram[:2], datagram[2], datagram[6], datagram[7]
        if flag != b"\xee\xff" or (lasers, blocks) != (_LASERS, 4):
            found = f"flag {flag.hex()}, {lasers} lasers, {blocks} blocks"
            raise DeviceError(self.device, found, "flag eeff, 64 lasers, 4 blocks of a PandarQT")
        if major != 3 or datagram[9] != 4:
            raise DeviceError(self.device, f"protocol {major}.{datagram[3]}, unit {datagram[9]} mm", "protocol 3, 4 mm")
        if datagram[_MODE_AT] not in _RETURNS:
            raise DeviceError(self.device, f"return mode 0x{datagram[_MODE_AT]:02x}", "one of the PandarQT's")

    def begins_sweep(self, datagram: bytes) -> bool:
        return self._last_azimuth is not None and struct.unpack_from("<H", datagram, 12)[0] < self._last_azimuth

    def missing_before(self, datagram: bytes) -> int:
        self._last_azimuth = struct.unpack_from("<H", datagram, 12)[0]
        if len(datagram) == _SIZES[0]:
            return 0
        sequence = struct.unpack_from("<I", datagram, _SEQUENCE_AT)[0]
        passed, self._sequence = (sequence - (sequence - 1 if self._sequence is None else self._sequence)), sequence
        return max(0, passed % 2**32 - 1)

    def decode(self, datagrams: bytes, arrival: int) -> tuple[int, int, np.ndarray]:
        count = len(datagrams) // (_SIZES[1] if len(datagrams) % _SIZES[1] == 0 else _SIZES[0])
        size = len(datagrams) // count
        rows = np.frombuffer(datagrams, np.uint8).reshape(count, size)
        packets = np.ascontiguousarray(rows[:, : _SIZES[0]]).view(_PRESENT)[:, 0]
        returns = _RETURNS[int(packets["returns"][0])]
        echo = packets["block"]["echo"]
        distance = echo["distance"]
        there = distance != 0
        if returns == 2:
            there[:, 1::2] &= distance[:, 1::2] != distance[:, ::2]
        packet, block, laser = np.nonzero(there)
        points = np.zeros(len(packet), POINT)
        angle = np.radians(
            np.float32(0.01) * packets["block"]["azimuth"][packet, block] + self._azimuth[laser], dtype=np.float32
        )
        metres = distance[there] * np.float32(0.004)
        flat = metres * self._cos[laser]
        points["x"], points["y"], points["z"] = flat * np.sin(angle), flat * np.cos(angle), metres * self._sin[laser]
        points["intensity"], points["ring"] = echo["reflectivity"][there], self._ring[laser]
        sent = np.array([_time(date, micro) for date, micro in zip(packets["date"], packets["microseconds"])])
        place = (_FIRST_BLOCK + _BLOCK_PERIOD * (np.arange(4) // returns))[:, None] + _LASER_TIME
        times = sent[packet] + place.astype(np.int64)[block, laser]
        return in_order(times, points)


_PRESENT = np.dtype([(name, _PACKET.fields[name][0]) for name in _PACKET.names[:-1]])  # type: ignore[index]


def _time(date: np.ndarray, microseconds: int) -> int:
    """Time since the epoch [ns] of the device's date and microseconds; a device that knows no date counts from 1970."""
    year, month, day, hour, minute, second = (int(part) for part in date)
    try:
        whole = datetime(1900 + year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return 1000 * int(microseconds)
    return int(whole.timestamp()) * 10**9 + 1000 * int(microseconds)


def _read_angles(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if row and row[0].strip().isdigit()]
        table = np.array([[float(cell) for cell in row[:3]] for row in rows])
    except (OSError, ValueError) as error:
        raise ConfigError(path, "", error, "laser, elevation, azimuth in each row") from error
    if table.shape != (_LASERS, 3) or table[:, 0].tolist() != list(range(1, _LASERS + 1)):
        raise ConfigError(path, "", f"{len(table)} lasers", f"lasers 1 to {_LASERS} in order")
    return table[:, 1], table[:, 2]
