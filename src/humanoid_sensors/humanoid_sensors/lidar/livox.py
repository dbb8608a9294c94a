# SPDX-License-Identifier: Apache-2.0
"""Livox Mid-360: points and IMU.

Source: the maker's "Livox LiDAR Communication Protocol, Mid-360", section 3 (point cloud and IMU data); fields as in
the header files of its SDK2. Like the SDK this does not check the packets' own checksum: UDP has one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from humanoid_sensors.errors import DeviceError
from humanoid_sensors.lidar.cloud import POINT, Decoder, in_order

_HEADER = struct.Struct("<BHHHHBBB12xIQ")
_VERSION = 0
_IMU, _MILLIMETRES, _CENTIMETRES, _SPHERICAL = 0, 1, 2, 3
_KINDS = {
    _MILLIMETRES: np.dtype([("xyz", "<i4", (3,)), ("reflectivity", "u1"), ("tag", "u1")]),
    _CENTIMETRES: np.dtype([("xyz", "<i2", (3,)), ("reflectivity", "u1"), ("tag", "u1")]),
    _SPHERICAL: np.dtype([("depth", "<u4"), ("theta", "<u2"), ("phi", "<u2"), ("reflectivity", "u1"), ("tag", "u1")]),
}
_HEAD = np.dtype(
    [
        ("version", "u1"),
        ("length", "<u2"),
        ("interval", "<u2"),
        ("points", "<u2"),
        ("count", "<u2"),
        ("frame", "u1"),
        ("kind", "u1"),
        ("clock", "u1"),
        ("reserved", "u1", (12,)),
        ("checksum", "<u4"),
        ("stamp", "<u8"),
    ]
)
GRAVITY = 9.80665  # [m/s2]; the device gives multiples of it


@dataclass(frozen=True)
class ImuSample:
    """What the device's own IMU measured, in the frame of its points.

    Attributes:
        stamp: Device time [ns].
        arrival: Host time [ns].
        angular_velocity: (3,) [rad/s].
        linear_acceleration: (3,) [m/s2].
    """

    stamp: int
    arrival: int
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray


class Mid360(Decoder):
    """x forward, y left, z up, as the maker draws it. The pattern does not repeat: a sweep is a period of time.

    Args:
        device: Name, for errors.
        period: Of a sweep [s].
    """

    def __init__(self, device: str, period: float = 0.1) -> None:
        super().__init__(device)
        self._period = round(period * 1e9)
        self._kind: int | None = None
        self._points = 0
        self._first = 0
        self._stamp = 0
        self._count: int | None = None

    def check(self, datagram: bytes) -> None:
        kind, points = self._layout(datagram)
        if kind not in _KINDS:
            raise DeviceError(self.device, f"data of kind {kind}", f"points: one of {', '.join(map(str, _KINDS))}")
        if len(datagram) != _HEADER.size + points * _KINDS[kind].itemsize:
            raise DeviceError(self.device, f"{len(datagram)} bytes", f"{points} points of kind {kind}")

    def imu(self, datagram: bytes, arrival: int) -> ImuSample:
        """Decode a datagram of the IMU's port.

        Raises:
            DeviceError: it is not one.
        """
        kind, _ = self._layout(datagram)
        if kind != _IMU or len(datagram) != _HEADER.size + 24:
            raise DeviceError(self.device, f"{len(datagram)} bytes of kind {kind}", "an IMU sample")
        values = np.array(struct.unpack_from("<6f", datagram, _HEADER.size))
        stamp = _HEADER.unpack_from(datagram)[9]
        return ImuSample(stamp, arrival, values[:3], GRAVITY * values[3:])

    def begins_sweep(self, datagram: bytes) -> bool:
        _, _, _, points, _, _, kind, _, _, stamp = _HEADER.unpack_from(datagram)
        changed = (kind, points) != (self._kind, self._points)
        return changed or not 0 <= stamp - self._first < self._period

    def missing_before(self, datagram: bytes) -> int:
        _, _, _, points, count, _, kind, _, _, stamp = _HEADER.unpack_from(datagram)
        if not self._datagrams:
            self._first = stamp
        lost = 0
        if self._count is not None:
            # The count begins anew at 0 with each of the device's frames.
            lost = count - self._count - 1 if count > self._count else count
        self._count, self._kind, self._points = count, kind, points
        return lost

    def decode(self, datagrams: bytes, arrival: int) -> tuple[int, int, np.ndarray]:
        assert self._kind is not None
        kind = self._kind
        packets = np.frombuffer(datagrams, np.dtype([("head", _HEAD), ("echo", _KINDS[kind], (self._points,))]))
        echo = packets["echo"]
        if kind == _SPHERICAL:
            depth = np.float32(1e-3) * echo["depth"]
            zenith, azimuth = (np.radians(np.float32(0.01) * echo[name]) for name in ("theta", "phi"))
            flat = depth * np.sin(zenith)
            place = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), depth * np.cos(zenith)], axis=-1)
        else:
            place = echo["xyz"] * np.float32(1e-3 if kind == _MILLIMETRES else 1e-2)
        packet, point = np.nonzero(place.any(axis=-1))  # no echo: all zero
        chosen = echo[packet, point]
        points = np.zeros(len(packet), POINT)
        points["x"], points["y"], points["z"] = place[packet, point].T
        points["intensity"], points["tag"] = chosen["reflectivity"], chosen["tag"]
        step = 100.0 * packets["head"]["interval"] / max(self._points, 1)  # [ns]; the interval is of the whole packet
        times = packets["head"]["stamp"].astype(np.int64)[packet] + (step[packet] * point).astype(np.int64)
        return in_order(times, points)

    def _layout(self, datagram: bytes) -> tuple[int, int]:
        """Kind of the data and number of points."""
        if len(datagram) < _HEADER.size:
            raise DeviceError(self.device, f"{len(datagram)} bytes", f"a Livox header of {_HEADER.size}")
        version, length, _, points, _, _, kind, _, _, _ = _HEADER.unpack_from(datagram)
        if version != _VERSION:
            raise DeviceError(self.device, f"protocol version {version}", f"{_VERSION}: another firmware?")
        if length != len(datagram):
            raise DeviceError(self.device, f"{len(datagram)} bytes", f"{length}, as its header says")
        return kind, points
