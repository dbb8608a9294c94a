# SPDX-License-Identifier: Apache-2.0
"""The Net F/T's protocol against one on this machine: scale, losses, garbage, an overload, an old firmware."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from fake_netft import FakeNetFt

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.wrench import netft
from humanoid_sensors.wrench.netft import NetFt, Scale


@pytest.fixture
def sensor() -> Iterator[FakeNetFt]:
    made = FakeNetFt()
    yield made
    made.close()


def device(sensor: FakeNetFt, **arguments) -> NetFt:
    return NetFt("left wrist", "127.0.0.1", port=sensor.port, http_port=sensor.http_port, **arguments)


def readings(made: NetFt, count: int) -> list:
    found: list = []
    end = time.monotonic() + 20.0
    while len(found) < count and time.monotonic() < end:
        found += made.read()
    return found


def test_counts_become_newtons_by_the_sensors_own_page(sensor):
    made = device(sensor, bias=True)
    made.open()
    sensor.send(1, 700, (1_500_000, -2_000_000, 9_810_000, 1_000, 0, -2_500))
    sensor.send(2, 707, (0, 0, 0, 0, 0, 0))
    first, second = readings(made, 2)
    np.testing.assert_allclose(first.force, [1.5, -2.0, 9.81])
    np.testing.assert_allclose(first.torque, [1e-3, 0.0, -2.5e-3])  # counts per N mm
    assert (first.device_stamp, second.device_stamp - first.device_stamp) == (100_000_000, 1_000_000)
    assert (first.lost, second.lost) == (0, 0)
    assert abs(second.arrival - time.time_ns()) < 20 * 10**9
    made.close()
    end = time.monotonic() + 10.0
    while len(sensor.requests) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert sensor.requests == [(0x1234, 0x42, 0), (0x1234, 2, 0), (0x1234, 0, 0)]  # bias, start, stop


def test_lost_records_are_counted_and_counters_turn_over(sensor):
    made = device(sensor, scale=Scale(1e6, 1e6, 7000.0))
    made.open()
    for sequence, ft_sequence in ((2**32 - 2, 2**32 - 7), (2**32 - 1, 2**32 - 1), (3, 13)):
        sensor.send(sequence, ft_sequence)
    found = readings(made, 3)
    assert [one.lost for one in found] == [0, 0, 3]
    steps = np.diff([one.device_stamp for one in found])
    np.testing.assert_allclose(steps, [6e9 / 7000, 14e9 / 7000], atol=1)
    made.close()


def test_what_is_wrong_names_the_device_and_the_next_record_is_read(sensor):
    made = device(sensor, scale=Scale(1e6, 1e6, 7000.0))
    made.open()
    sensor.send_bytes(b"garbage")
    with pytest.raises(DeviceError, match=r"left wrist: found a datagram of 7 bytes"):
        readings(made, 1)
    sensor.send(1, 1, status=0x80020000)
    with pytest.raises(DeviceError, match=r"left wrist: found status 0x80020000"):
        readings(made, 1)
    sensor.send(2, 2)
    assert readings(made, 1)[0].lost == 0
    sensor.send(1, 1)
    with pytest.raises(DeviceError, match="behind a later one"):
        readings(made, 1)
    made.close()


def test_silence_is_a_loss(sensor, monkeypatch):
    monkeypatch.setattr(netft, "_SILENCE", 0.2)
    made = device(sensor, scale=Scale(1e6, 1e6, 7000.0))
    made.open()
    with pytest.raises(DeviceLost, match="silence"):
        readings(made, 1)
    made.close()
    monkeypatch.setattr(netft, "_SILENCE", 60.0)
    sensor.asked.clear()
    made.open()  # and again
    sensor.send(1, 1)
    assert len(readings(made, 1)) == 1
    made.close()


@pytest.mark.parametrize(
    ("change", "firmware", "words"),
    [
        ({"setfwver": "1.9.9"}, "2.0.1", r"left wrist: found firmware 1.9.9, expected 2.0.1 or newer"),
        ({"scfgfu": "lbf"}, "", "a page without a usable 'scfgfu'|'lbf'"),
        ({"cfgcpf": "many"}, "", "many"),
        ({"runrate": "0"}, "", "rate 0"),
    ],
)
def test_a_sensor_that_is_not_right_is_named(sensor, change, firmware, words):
    sensor.page.update(change)
    with pytest.raises(DeviceError, match=words):
        device(sensor, firmware=firmware).open()


def test_a_sensor_that_is_away_is_named(sensor):
    sensor.close()
    with pytest.raises(DeviceLost, match="left wrist"):
        device(sensor).open()
