# SPDX-License-Identifier: Apache-2.0
"""WitMotion IMUs (WT901, HWT905 and their like) over their serial protocol.

Source: "WIT Standard Communication Protocol" and docs.wit-motion.com, HWT905-TTL, Protocol. A packet is 0x55, its kind,
four little-endian int16 and the sum of those ten bytes. Kinds: 0x51 acceleration, full scale 16 g of 9.8 m/s2; 0x52
angular velocity, full scale 2000 deg/s; 0x59 quaternion w, x, y, z, full scale 1; 0x5F registers that were asked for.
Full scale is 32768. A register is read by FF AA 27 <register> 00; 0x2E holds the firmware's version. The device sends
no time and no counter: stamps are arrivals less the time on the line, and what is lost is found by checksums and by
cycles without one of their packets.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator

import numpy as np

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.imu.sample import Sample
from humanoid_sensors.serial_line import Line

ACCELERATION, ANGULAR_VELOCITY, QUATERNION, REGISTERS = 0x51, 0x52, 0x59, 0x5F
_HEAD, _SIZE, _FULL = 0x55, 11, 32768.0
_ACCELERATION = 16.0 * 9.8 / _FULL  # [m/s2]
_ANGULAR_VELOCITY = np.radians(2000.0) / _FULL  # [rad/s]
_VERSION = 0x2E
_ANSWER = 1.0  # [s] in which the version must come
_SILENCE = 2.0  # [s] without a packet: the line is open, the device is not there


class WitMotion:
    """Samples of one IMU.

    Args:
        name: For people.
        line: To it.
        firmware: Lowest version that will do; 0: any, and it is not asked.
        quaternion: Whether it is set to send quaternions; a sample is then complete with one.
    """

    def __init__(self, name: str, line: Line, firmware: int = 0, quaternion: bool = True) -> None:
        self.name = name
        self._line, self._firmware, self._quaternion = line, firmware, quaternion
        self._rest = b""
        self._parts: dict[int, np.ndarray] = {}
        self._stamp, self._last_packet, self._lost = 0, 0.0, 0

    def open(self) -> None:
        self._line.open()
        self._rest, self._parts, self._lost, self._last_packet = b"", {}, 0, time.monotonic()
        if self._firmware:
            self._check_firmware()

    def read(self) -> Iterable[Sample]:
        data, arrival = self._line.read()
        skipped = 0
        for behind, packet in self._packets(data):
            if packet is None:
                skipped += 1
                continue
            self._last_packet = time.monotonic()
            stamp = arrival - round(1e9 * self._line.byte_time * (behind + _SIZE))
            sample = self._take(packet, stamp)
            if sample is not None:
                yield sample
        if time.monotonic() - self._last_packet > _SILENCE:
            raise DeviceLost(self.name, f"no packet for {_SILENCE:g} s", "packets")
        if skipped:
            raise DeviceError(self.name, f"{skipped} bytes that are no packet", "packets that begin with 0x55")

    def close(self) -> None:
        self._line.close()

    def _packets(self, data: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Each packet and how many bytes came behind it; None for each byte that is part of none."""
        self._rest += data
        while len(self._rest) >= _SIZE:
            packet = self._rest[:_SIZE]
            fits = packet[0] == _HEAD and sum(packet[:-1]) & 0xFF == packet[-1]
            self._rest = self._rest[_SIZE if fits else 1 :]
            yield len(self._rest), packet if fits else None

    def _take(self, packet: bytes, stamp: int) -> Sample | None:
        kind, values = packet[1], np.array(struct.unpack("<4h", packet[2:10]), float)
        if kind == ACCELERATION:  # the first of a cycle
            self._lost += bool(self._parts)  # one that was not completed
            self._parts, self._stamp = {}, stamp
        if kind in (ACCELERATION, ANGULAR_VELOCITY, QUATERNION):
            self._parts[kind] = values
        last = QUATERNION if self._quaternion else ANGULAR_VELOCITY
        if kind != last:
            return None
        parts, self._parts = self._parts, {}
        if not {ACCELERATION, ANGULAR_VELOCITY} <= parts.keys():
            self._lost += 1
            return None
        lost, self._lost = self._lost, 0
        turned = parts[QUATERNION][[1, 2, 3, 0]] if self._quaternion else None
        return Sample(
            self._stamp,
            parts[ANGULAR_VELOCITY][:3] * _ANGULAR_VELOCITY,
            parts[ACCELERATION][:3] * _ACCELERATION,
            None if turned is None else turned / max(float(np.linalg.norm(turned)), 1e-9),
            lost,
        )

    def _check_firmware(self) -> None:
        self._line.write(bytes([0xFF, 0xAA, 0x27, _VERSION, 0x00]))
        until = time.monotonic() + _ANSWER
        while time.monotonic() < until:
            for _, packet in self._packets(self._line.read()[0]):
                if packet is not None and packet[1] == REGISTERS:
                    (version,) = struct.unpack_from("<H", packet, 2)
                    if version < self._firmware:
                        raise DeviceError(self.name, f"firmware {version}", f"{self._firmware} or newer")
                    return
        raise DeviceLost(self.name, "no answer to a question for its firmware", "a WitMotion IMU at this baud rate")
