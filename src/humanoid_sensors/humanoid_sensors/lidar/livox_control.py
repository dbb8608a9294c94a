# SPDX-License-Identifier: Apache-2.0
"""Commands of a Livox Mid-360: asks its firmware, tells it where to send and starts it.

Source: the maker's "Livox LiDAR Communication Protocol, Mid-360", section 2; field order, keys and checksums as in the
header files of its SDK2.
"""

from __future__ import annotations

import binascii
import itertools
import socket
import struct
import zlib

from humanoid_sensors.errors import DeviceError, DeviceLost

COMMAND_PORT = 56100
_HEAD = struct.Struct("<BBHIHBB6x")  # start, version, length, sequence, command, kind, sender
_WRAPPER = _HEAD.size + 6  # with the checksums of head and data
_START = 0xAA
_SET, _ASK = 0x0100, 0x0101
_COMMAND, _ANSWER = 0, 1
_DATA_KIND, _POINTS_TO, _IMU_TO, _WORK_MODE, _IMU_ON, _FIRMWARE = 0x0000, 0x0006, 0x0007, 0x001A, 0x001C, 0x8002
_NORMAL = 1
_MILLIMETRES = 1
_TRIES = 3


def packed(sequence: int, command: int, kind: int, sender: int, data: bytes) -> bytes:
    """A command or answer as a datagram."""
    head = _HEAD.pack(_START, 0, _WRAPPER + len(data), sequence, command, kind, sender)
    check = struct.pack("<HI", binascii.crc_hqx(head, 0xFFFF), zlib.crc32(data) if data else 0)
    return head + check + data


def unpacked(device: str, datagram: bytes) -> tuple[int, int, int, bytes]:
    """Sequence, command, kind and data of a datagram.

    Raises:
        DeviceError: it is none, or a checksum is wrong.
    """
    if len(datagram) < _WRAPPER or datagram[0] != _START:
        raise DeviceError(device, f"{len(datagram)} bytes, {datagram[:1].hex()}", "an answer that begins with aa")
    _, _, length, sequence, command, kind, _ = _HEAD.unpack_from(datagram)
    head_check, data_check = struct.unpack_from("<HI", datagram, _HEAD.size)
    data = datagram[_WRAPPER:]
    good = head_check == binascii.crc_hqx(datagram[: _HEAD.size], 0xFFFF)
    if length != len(datagram) or not good or data_check != (zlib.crc32(data) if data else 0):
        raise DeviceError(device, "a wrong length or checksum", "an answer as it was sent")
    return sequence, command, kind, data


def values(pairs: dict[int, bytes]) -> bytes:
    """Keys with their values, as commands carry them."""
    body = b"".join(struct.pack("<HH", key, len(value)) + value for key, value in pairs.items())
    return struct.pack("<HH", len(pairs), 0) + body


class LivoxControl:
    """Sets a Mid-360 up.

    Args:
        device: Name, for errors.
        address: Of the device.
        host: Address of this machine that it shall send to.
        ports: Of this machine for points and IMU.
        firmware: Lowest firmware wanted, such as "13.18.1.1"; "": any.
        timeout: For an answer [s].
        command_port: Of the device.
    """

    def __init__(
        self,
        device: str,
        address: str,
        host: str,
        ports: tuple[int, int],
        firmware: str = "",
        timeout: float = 0.5,
        command_port: int = COMMAND_PORT,
    ) -> None:
        self._device, self._to, self._host, self._ports = device, (address, command_port), host, ports
        self._wanted = tuple(int(part) for part in firmware.split(".")) if firmware else ()
        self._timeout = timeout
        self._sequence = itertools.count(1)

    def set_up(self) -> None:
        """Check the firmware, then let it send points and IMU samples here.

        Raises:
            DeviceLost: it does not answer.
            DeviceError: it refuses, or its firmware is too old.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(self._timeout)
            found = self._firmware(self._call(line, _ASK, struct.pack("<HHH", 1, 0, _FIRMWARE)))
            if found < self._wanted:
                words = ".".join(map(str, self._wanted))
                raise DeviceError(self._device, f"firmware {'.'.join(map(str, found))}", f"{words} or newer")
            here = socket.inet_aton(self._host)
            answer = self._call(
                line,
                _SET,
                values(
                    {
                        _DATA_KIND: bytes([_MILLIMETRES]),
                        _POINTS_TO: here + struct.pack("<HH", self._ports[0], 56300),
                        _IMU_TO: here + struct.pack("<HH", self._ports[1], 56400),
                        _IMU_ON: b"\x01",
                        _WORK_MODE: bytes([_NORMAL]),
                    }
                ),
            )
            if answer[0] != 0:
                key = struct.unpack_from("<H", answer, 1)[0] if len(answer) >= 3 else 0
                raise DeviceError(self._device, f"refusal {answer[0]} of key 0x{key:04x}", "the settings taken")

    def _call(self, line: socket.socket, command: int, data: bytes) -> bytes:
        for _ in range(_TRIES):
            number = next(self._sequence)
            line.sendto(packed(number, command, _COMMAND, 0, data), self._to)
            try:
                sequence, answered, kind, answer = unpacked(self._device, line.recv(2048))
            except (TimeoutError, ConnectionError):
                continue
            if (sequence, answered, kind) == (number, command, _ANSWER) and answer:
                return answer
        raise DeviceLost(self._device, "no answer", f"a Livox at {self._to[0]}, port {self._to[1]}")

    def _firmware(self, answer: bytes) -> tuple[int, ...]:
        at, found = 3, {}
        while at + 4 <= len(answer):
            key, length = struct.unpack_from("<HH", answer, at)
            found[key] = answer[at + 4 : at + 4 + length]
            at += 4 + length
        if answer[0] != 0 or len(found.get(_FIRMWARE, b"")) != 4:
            raise DeviceError(self._device, f"answer {answer[:16].hex()}", "its firmware version")
        return tuple(found[_FIRMWARE])
