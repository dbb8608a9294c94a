# SPDX-License-Identifier: Apache-2.0
"""Bytes of a device: from a serial line, or a recording of one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

import serial

from humanoid_sensors.errors import DeviceLost

_PATIENCE = 0.1  # [s]
_BITS = 10  # of a byte on the line: start, eight, stop


class Line(Protocol):
    """Bytes in and out."""

    @property
    def byte_time(self) -> float:
        """How long one byte takes [s]."""

    def open(self) -> None:
        """Begin; raises DeviceLost where that cannot be."""

    def read(self) -> tuple[bytes, int]:
        """What has come, at once or within a fraction of a second, and when the last of it arrived [ns].

        Raises:
            DeviceLost: the line is gone.
            EOFError: a recording has ended.
        """

    def write(self, data: bytes) -> None:
        """Send; raises DeviceLost."""

    def close(self) -> None:
        """End."""


class SerialLine:
    """A serial port, 8 data bits, no parity, one stop bit.

    Args:
        device: Name, for errors.
        port: Such as /dev/ttyUSB0.
        baud: [bit/s].
    """

    def __init__(self, device: str, port: str, baud: int) -> None:
        self._device, self._port, self._baud = device, port, baud
        self._serial: serial.Serial | None = None
        self.byte_time = _BITS / baud

    def open(self) -> None:
        try:
            self._serial = serial.Serial(self._port, self._baud, timeout=_PATIENCE, write_timeout=1.0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceLost(self._device, error, f"a serial port at {self._port}") from error

    def read(self) -> tuple[bytes, int]:
        assert self._serial is not None
        try:
            data = self._serial.read(max(1, self._serial.in_waiting))
        except (serial.SerialException, OSError, TypeError) as error:
            raise DeviceLost(self._device, error, f"the serial port {self._port}") from error
        return data, time.time_ns()

    def write(self, data: bytes) -> None:
        assert self._serial is not None
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise DeviceLost(self._device, error, f"the serial port {self._port}") from error

    def close(self) -> None:
        if self._serial is not None:
            self._serial.close()
        self._serial = None


class RecordedLine:
    """The bytes of a file at the pace of a line.

    Args:
        device: Name, for errors.
        file: What once came over the line.
        baud: How fast [bit/s].
    """

    def __init__(self, device: str, file: Path, baud: int) -> None:
        self._device, self._file, self.byte_time = device, file, _BITS / baud
        self._data, self._at, self._begin = b"", 0, 0.0

    def open(self) -> None:
        try:
            self._data = self._file.read_bytes()
        except OSError as error:
            raise DeviceLost(self._device, error.strerror or error, f"a recording at {self._file}") from error
        self._at, self._begin = 0, time.monotonic()

    def read(self) -> tuple[bytes, int]:
        if self._at >= len(self._data):
            raise EOFError
        time.sleep(min(_PATIENCE, 64 * self.byte_time))
        upto = int((time.monotonic() - self._begin) / self.byte_time)
        piece = self._data[self._at : upto]
        self._at += len(piece)
        return piece, time.time_ns()

    def write(self, data: bytes) -> None:
        """A recording does not listen."""

    def close(self) -> None:
        self._data = b""
