# SPDX-License-Identifier: Apache-2.0
"""WitMotion's packets over a pseudo-terminal: scales, stamps, losses, garbage, an old firmware, a line that is away."""

from __future__ import annotations

import os
import struct
import threading
import time
import tty
from collections.abc import Iterator

import numpy as np
import pytest

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.imu import witmotion
from humanoid_sensors.imu.witmotion import WitMotion
from humanoid_sensors.serial_line import RecordedLine, SerialLine

BAUD = 115200


def packet(kind: int, *values: int) -> bytes:
    data = bytes([0x55, kind]) + struct.pack("<4h", *values)
    return data + bytes([sum(data) & 0xFF])


def cycle(number: int = 0) -> bytes:
    """Acceleration of 1 g up, 100 deg/s about x, half a turn about z."""
    return packet(0x51, 0, number, 2048, 2500) + packet(0x52, 1638, 0, 0, 0) + packet(0x59, 0, 0, 0, 32767)


class Port:
    """A serial port of which the test holds the other end."""

    def __init__(self) -> None:
        self.end, self._ours = os.openpty()
        tty.setraw(self.end)
        self.name = os.ttyname(self._ours)

    def write(self, data: bytes) -> None:
        os.write(self.end, data)

    def close(self) -> None:
        for one in (self.end, self._ours):
            if one >= 0:
                os.close(one)
        self.end = self._ours = -1


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.close()


def device(port: Port, **arguments) -> WitMotion:
    return WitMotion("chest IMU", SerialLine("chest IMU", port.name, BAUD), **arguments)


def samples(made: WitMotion, count: int) -> list:
    found: list = []
    end = time.monotonic() + 20.0
    while len(found) < count and time.monotonic() < end:
        found += made.read()
    return found


def test_packets_become_samples_in_si_units(port):
    made = device(port)
    made.open()
    before = time.time_ns()
    port.write(cycle() + cycle(5))
    first, second = samples(made, 2)
    np.testing.assert_allclose(first.linear_acceleration, [0.0, 0.0, 9.8])
    np.testing.assert_allclose(first.angular_velocity, [np.radians(1638 / 32768 * 2000), 0.0, 0.0])
    np.testing.assert_allclose(first.orientation, [0.0, 0.0, 1.0, 0.0])
    assert (first.lost, second.lost) == (0, 0)
    assert second.stamp > first.stamp - 10**9  # by arrival
    assert before - 10**9 < first.stamp < time.time_ns()
    made.close()


def test_time_on_the_line_is_taken_off():
    class Line:
        byte_time = 1e-3

        def open(self) -> None: ...

        def write(self, data: bytes) -> None: ...

        def close(self) -> None: ...

        def read(self) -> tuple[bytes, int]:
            return cycle(), 10**9

    made = WitMotion("chest IMU", Line())
    made.open()
    (one,) = made.read()
    assert one.stamp == 10**9 - 33_000_000  # its first byte was 33 bytes ago


def test_without_quaternions(port):
    made = device(port, quaternion=False)
    made.open()
    port.write(packet(0x51, 0, 0, 2048, 0) + packet(0x52, 0, 0, 0, 0) + packet(0x53, 1, 2, 3, 4))
    (one,) = samples(made, 1)
    assert one.orientation is None
    made.close()


def test_garbage_is_named_and_what_follows_is_read(port):
    made = device(port)
    made.open()
    broken = bytearray(cycle())
    broken[14] ^= 0xFF  # in the angular velocity
    port.write(bytes(broken) + cycle())
    found: list = []
    skipped, names = 0, set()
    end = time.monotonic() + 20.0
    while not (found and skipped >= 11) and time.monotonic() < end:
        try:
            found += made.read()
        except DeviceError as error:
            skipped += int(str(error.found).removesuffix(" bytes that are no packet"))
            names.add(error.device)
    assert (skipped, names) == (11, {"chest IMU"})
    assert len(found) == 1  # the broken cycle lacks its angular velocity
    made.close()


def test_a_cycle_without_one_of_its_packets_is_lost(port):
    made = device(port)
    made.open()
    whole = cycle()
    port.write(whole[:11] + whole[22:] + whole[:22] + whole)
    found = samples(made, 1)
    assert len(found) == 1
    assert found[0].lost == 2  # one without angular velocity, one without quaternion
    made.close()


def answering(port: Port, version: int) -> threading.Thread:
    """Answer one question for the version."""

    def answer() -> None:
        asked = b""
        while len(asked) < 5:
            asked += os.read(port.end, 5)
        if asked == bytes([0xFF, 0xAA, 0x27, 0x2E, 0x00]):
            port.write(cycle() + packet(0x5F, version, 0, 0, 0))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    return thread


def test_an_old_firmware_is_named(port):
    made = device(port, firmware=1200)
    thread = answering(port, 1100)
    with pytest.raises(DeviceError, match=r"chest IMU: found firmware 1100, expected 1200 or newer"):
        made.open()
    thread.join()
    made.close()
    thread = answering(port, 1200)
    made.open()
    thread.join()
    made.close()


def test_no_answer_is_named(port, monkeypatch):
    monkeypatch.setattr(witmotion, "_ANSWER", 0.2)
    with pytest.raises(DeviceLost, match="at this baud rate"):
        device(port, firmware=1).open()


def test_a_line_that_is_away_or_goes_away_is_named(port, monkeypatch):
    with pytest.raises(DeviceLost, match="/dev/ttyUSB77"):
        WitMotion("chest IMU", SerialLine("chest IMU", "/dev/ttyUSB77", BAUD)).open()
    made = device(port)
    made.open()
    monkeypatch.setattr(witmotion, "_SILENCE", 0.1)
    with pytest.raises(DeviceLost, match=r"no packet for|serial port"):
        samples(made, 1)
    made.close()


def test_a_recording_is_played_and_ends(tmp_path):
    file = tmp_path / "imu.bin"
    file.write_bytes(cycle() * 20)
    made = WitMotion("chest IMU", RecordedLine("chest IMU", file, BAUD))
    made.open()
    assert len(samples(made, 20)) == 20
    with pytest.raises(EOFError):
        samples(made, 1)
    with pytest.raises(DeviceLost, match="absent"):
        WitMotion("chest IMU", RecordedLine("chest IMU", tmp_path / "absent", BAUD)).open()
