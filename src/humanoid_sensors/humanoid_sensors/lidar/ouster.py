# SPDX-License-Identifier: Apache-2.0
"""Ouster OS sensors, all beam counts and modes.

Source: the maker's Software User Manual, "Lidar Data" (packet profiles) and "Coordinate Frames and XYZ Calculation".
The maker's Python library cannot share an environment with this workspace (it pins psutil, rosbags and a test
framework), so it ran apart to give the figures of test_lidar_captures.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humanoid_core.errors import ConfigError
from humanoid_sensors.errors import DeviceError
from humanoid_sensors.lidar.cloud import POINT, Decoder, in_order


@dataclass(frozen=True)
class _Profile:
    """How a datagram is laid out.

    Attributes:
        header: Before the columns [bytes].
        footer: After them [bytes].
        frame_at: Where the frame number is.
        column: Head of a column.
        pixel: One echo.
        tail: End of a column.
        bits: Of the range.
    """

    header: int
    footer: int
    frame_at: int
    column: tuple[tuple[str, str], ...]
    pixel: np.dtype[Any]
    tail: tuple[tuple[str, str], ...]
    bits: int

    def column_type(self, rows: int) -> np.dtype[Any]:
        return np.dtype([*self.column, ("pixel", self.pixel, (rows,)), *self.tail])


_PROFILES = {
    "LEGACY": _Profile(
        header=0,
        footer=0,
        frame_at=10,
        column=(("stamp", "<u8"), ("measurement", "<u2"), ("frame", "<u2"), ("encoder", "<u4")),
        pixel=np.dtype(
            [("range", "<u4"), ("reflectivity", "<u2"), ("signal", "<u2"), ("ambient", "<u2"), ("unused", "<u2")]
        ),
        tail=(("status", "<u4"),),
        bits=20,
    ),
    "RNG19_RFL8_SIG16_NIR16": _Profile(
        header=32,
        footer=32,
        frame_at=2,
        column=(("stamp", "<u8"), ("measurement", "<u2"), ("status", "<u2")),
        pixel=np.dtype(
            {
                "names": ["range", "reflectivity", "signal", "ambient"],
                "formats": ["<u4", "u1", "<u2", "<u2"],
                "offsets": [0, 4, 6, 8],
                "itemsize": 12,
            }
        ),
        tail=(),
        bits=19,
    ),
}


class Ouster(Decoder):
    """The frame is the maker's sensor frame: x away from the connector, y left, z up, origin in the middle of the base.

    Args:
        device: Name, for errors.
        metadata: JSON file of the device (its `GET /api/v1/sensor/metadata`, or that of older firmware).

    Raises:
        ConfigError: the file lacks what decoding needs, or names a packet profile that is not supported.
    """

    def __init__(self, device: str, metadata: Path) -> None:
        super().__init__(device)
        told = _read(metadata)
        name = told.get("udp_profile_lidar", "LEGACY")
        if name not in _PROFILES:
            raise ConfigError(metadata, "udp_profile_lidar", name, f"one of {', '.join(_PROFILES)}")
        self._profile = _PROFILES[name]
        self._rows = int(_wanted(told, metadata, "pixels_per_column"))
        self._columns = int(_wanted(told, metadata, "columns_per_packet"))
        self._width = int(_wanted(told, metadata, "columns_per_frame"))
        self._type = self._profile.column_type(self._rows)
        self._size = self._profile.header + self._columns * self._type.itemsize + self._profile.footer
        self._direction, self._offset = _rays(told, metadata, self._rows, self._width)
        altitude = np.asarray(_wanted(told, metadata, "beam_altitude_angles"), float)
        self._ring = np.argsort(np.argsort(altitude)).astype(np.uint16)  # 0 is the lowest
        self._frame: int | None = None
        self._first: int | None = None

    def check(self, datagram: bytes) -> None:
        if len(datagram) != self._size:
            expected = f"{self._size} of {self._rows} beams, {self._columns} columns a packet, as the metadata says"
            raise DeviceError(self.device, f"{len(datagram)} bytes", expected)
        if self._measurement(datagram) >= self._width:
            raise DeviceError(self.device, f"column {self._measurement(datagram)}", f"below {self._width}")

    def begins_sweep(self, datagram: bytes) -> bool:
        return self._frame is not None and self._frame_of(datagram) != self._frame

    def missing_before(self, datagram: bytes) -> int:
        frame, first = self._frame_of(datagram), self._measurement(datagram)
        lost = 0
        if self._frame is not None and self._first is not None:
            columns = (frame - self._frame) % 65536 * self._width + first - self._first
            lost = max(0, columns // self._columns - 1)
        self._frame, self._first = frame, first
        return lost

    def decode(self, datagrams: bytes, arrival: int) -> tuple[int, int, np.ndarray]:
        rows = np.frombuffer(datagrams, np.uint8).reshape(-1, self._size)
        body = rows[:, self._profile.header : self._size - self._profile.footer]
        columns = np.ascontiguousarray(body).view(self._type).ravel()
        columns = columns[(columns["status"] & 1).astype(bool) & (columns["measurement"] < self._width)]
        millimetres = columns["pixel"]["range"] & (2**self._profile.bits - 1)
        column, row = np.nonzero(millimetres)
        points = np.zeros(len(column), POINT)
        at = columns["measurement"][column].astype(np.intp) * self._rows + row
        metres = (np.float32(1e-3) * millimetres[column, row])[:, None]
        place = metres * self._direction[at] + self._offset[at]
        points["x"], points["y"], points["z"] = place.T
        pixel = columns["pixel"][column, row]
        points["intensity"], points["ring"] = pixel["signal"], self._ring[row]
        return in_order(columns["stamp"][column].astype(np.int64), points)

    def _frame_of(self, datagram: bytes) -> int:
        return int(struct.unpack_from("<H", datagram, self._profile.frame_at)[0])

    def _measurement(self, datagram: bytes) -> int:
        return int(struct.unpack_from("<H", datagram, self._profile.header + 8)[0])


def _rays(told: dict[str, Any], file: Path, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Direction and offset (width * rows, 3) [m] of every pixel: place = range * direction + offset."""
    altitude = np.radians(np.asarray(_wanted(told, file, "beam_altitude_angles"), float))
    azimuth = -np.radians(np.asarray(_wanted(told, file, "beam_azimuth_angles"), float))
    if altitude.shape != (rows,) or azimuth.shape != (rows,):
        raise ConfigError(file, "beam_altitude_angles", f"{altitude.size} and {azimuth.size}", f"{rows} of both angles")
    beam = np.asarray(told.get("beam_to_lidar_transform", np.eye(4)), float).reshape(4, 4)
    arm = np.array((beam[0, 3], beam[2, 3])) * 1e-3
    if "lidar_origin_to_beam_origin_mm" in told:
        arm[0] = 1e-3 * float(told["lidar_origin_to_beam_origin_mm"])
    encoder = 2 * np.pi * (1.0 - np.arange(width) / width)[:, None]
    heading = encoder + azimuth
    flat = np.cos(altitude)
    direction = np.stack(
        [np.cos(heading) * flat, np.sin(heading) * flat, np.broadcast_to(np.sin(altitude), heading.shape)], axis=-1
    )
    centre = np.stack([arm[0] * np.cos(encoder), arm[0] * np.sin(encoder), np.full_like(encoder, arm[1])], axis=-1)
    offset = centre - np.hypot(*arm) * direction
    lidar = np.asarray(_wanted(told, file, "lidar_to_sensor_transform"), float).reshape(4, 4)
    turn, shift = lidar[:3, :3], 1e-3 * lidar[:3, 3]
    return (
        (direction @ turn.T).reshape(-1, 3).astype(np.float32),
        (offset @ turn.T + shift).reshape(-1, 3).astype(np.float32),
    )


def _read(path: Path) -> dict[str, Any]:
    """All keys of the metadata in one mapping, whichever section they stand in."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(path, "", error, "the sensor's metadata as JSON") from error
    told: dict[str, Any] = {}
    for key, value in data.items():
        told.update(value if isinstance(value, dict) else {key: value})
        if isinstance(value, dict):
            told.update({k: v for inner in value.values() if isinstance(inner, dict) for k, v in inner.items()})
    return told


def _wanted(told: dict[str, Any], file: Path, key: str) -> Any:
    if key not in told:
        raise ConfigError(file, key, "nothing", "what the sensor says of itself")
    return told[key]
