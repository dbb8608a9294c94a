# SPDX-License-Identifier: Apache-2.0
"""Velodyne VLP-16 (Puck).

Source: the maker's user manual 63-9243, chapters 6 and 9; vertical offsets from its table 9-1.
"""

from __future__ import annotations

import struct

import numpy as np

from humanoid_sensors.errors import DeviceError
from humanoid_sensors.lidar.cloud import POINT, Decoder, in_order, within_hour

_BLOCK = np.dtype([("flag", "<u2"), ("azimuth", "<u2"), ("echo", [("distance", "<u2"), ("reflectivity", "u1")], (32,))])
_PACKET = np.dtype([("block", _BLOCK, (12,)), ("microseconds", "<u4"), ("returns", "u1"), ("model", "u1")])
_RETURNS = {0x37: 1, 0x38: 1, 0x39: 2}  # strongest, last, both
_VLP16 = 0x22
_FIRING = 55.296e3  # [ns] all 16 lasers and a recharge
_LASER = 2.304e3  # [ns] from one laser to the next
_UNIT = np.float32(0.002)  # [m]
_DEGREES = np.array((-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15), dtype=float)
_HEIGHTS_MM = np.array(
    (11.2, -0.7, 9.7, -2.2, 8.1, -3.7, 6.6, -5.1, 5.1, -6.6, 3.7, -8.1, 2.2, -9.7, 0.7, -11.2), dtype=float
)
_TURN = 36000  # [0.01 deg]
_USUAL_STEP = 40  # [0.01 deg] per pair of firings at 10 turns per second

# By place in a block: 32 echoes are two firings of 16 lasers.
_PLACE_TIME = np.array([_FIRING * (i // 16) + _LASER * (i % 16) for i in range(32)])
_PLACE_SHARE = (_PLACE_TIME / (2 * _FIRING)).astype(np.float32)
_COS = np.tile(np.cos(np.radians(_DEGREES)), 2).astype(np.float32)
_SIN = np.tile(np.sin(np.radians(_DEGREES)), 2).astype(np.float32)
_HEIGHT = np.tile(_HEIGHTS_MM / 1000.0, 2).astype(np.float32)
_RING = np.tile(np.argsort(np.argsort(_DEGREES)), 2).astype(np.uint16)  # 0 is the lowest


class Vlp16(Decoder):
    """x is forward (azimuth 0), y left, z up; the origin is the maker's.

    Stamps are the device's microseconds after the full hour, with the hour of arrival; a device without GPS or PPS
    counts from its start.
    """

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._azimuth: int | None = None
        self._stamp: int | None = None

    def check(self, datagram: bytes) -> None:
        if len(datagram) != _PACKET.itemsize:
            raise DeviceError(self.device, f"{len(datagram)} bytes", f"{_PACKET.itemsize} of a VLP-16")
        returns, model = datagram[-2], datagram[-1]
        if model != _VLP16 or returns not in _RETURNS:
            raise DeviceError(self.device, f"model 0x{model:02x}, returns 0x{returns:02x}", "a VLP-16 (0x22)")
        if any(datagram[i : i + 2] != b"\xff\xee" for i in range(0, 1200, 100)):
            raise DeviceError(self.device, "a block without its flag", "12 blocks that begin with ff ee")

    def begins_sweep(self, datagram: bytes) -> bool:
        azimuth = struct.unpack_from("<H", datagram, 1102)[0]
        return self._azimuth is not None and azimuth < self._azimuth

    def missing_before(self, datagram: bytes) -> int:
        stamp = struct.unpack_from("<I", datagram, 1200)[0]
        length = 2 * _FIRING * 1e-3 * 12 / _RETURNS[datagram[1204]]  # [us]
        self._azimuth = struct.unpack_from("<H", datagram, 1102)[0]
        passed, self._stamp = (stamp - (stamp if self._stamp is None else self._stamp)) % 3_600_000_000, stamp
        return max(0, round(passed / length) - 1)

    def decode(self, datagrams: bytes, arrival: int) -> tuple[int, int, np.ndarray]:
        packets = np.frombuffer(datagrams, _PACKET)
        blocks = packets["block"]
        returns = _RETURNS[int(packets["returns"][0])]
        azimuth = blocks["azimuth"]
        echo = blocks["echo"]
        there = echo["distance"] != 0
        if returns == 2:  # where there was one echo only, the second block of a pair repeats the first
            there[:, 1::2] &= echo["distance"][:, 1::2] != echo["distance"][:, ::2]
        packet, block, place = np.nonzero(there)
        chosen = echo[packet, block, place]
        points = np.zeros(len(chosen), POINT)
        angle = azimuth[packet, block] + _steps(azimuth, returns)[packet, block] * _PLACE_SHARE[place]
        angle = np.radians(np.float32(0.01) * angle)
        distance = chosen["distance"] * _UNIT
        flat = distance * _COS[place]
        points["x"], points["y"] = flat * np.cos(angle), -flat * np.sin(angle)
        points["z"] = distance * _SIN[place] + _HEIGHT[place]
        points["intensity"], points["ring"] = chosen["reflectivity"], _RING[place]
        first = within_hour(1000 * int(packets["microseconds"][0]), arrival)
        since = (packets["microseconds"] - packets["microseconds"][0]).astype(np.int64) % 3_600_000_000
        pairs = np.arange(12) // returns
        times = 1000 * since[packet] + (2 * _FIRING * pairs[block] + _PLACE_TIME[place]).astype(np.int64)
        return in_order(first + times, points)


def _steps(azimuth: np.ndarray, returns: int) -> np.ndarray:
    """How far the head turns from each block to the next (n, 12) [0.01 deg]; where datagrams are missing, as usual."""
    one = azimuth[:, ::returns].astype(np.int32)
    steps = np.diff(one.ravel(), append=one[-1:, -1]) % _TURN
    known = steps[(steps > 0) & (steps < 4 * _USUAL_STEP)]
    usual = np.median(known) if len(known) else _USUAL_STEP
    steps = np.where((steps > 0) & (steps < 1.5 * usual), steps, usual).astype(np.float32)
    return np.repeat(steps.reshape(one.shape), returns, axis=1)
