# SPDX-License-Identifier: Apache-2.0
"""Datagrams of which the answer is known; losses, garbage and wrong devices."""

from __future__ import annotations

import struct
from pathlib import Path

import lidar_packets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanoid_core.errors import ConfigError
from humanoid_sensors.errors import DeviceError
from humanoid_sensors.lidar.hesai import PandarQt64
from humanoid_sensors.lidar.livox import GRAVITY, Mid360
from humanoid_sensors.lidar.ouster import Ouster
from humanoid_sensors.lidar.velodyne import Vlp16

ANGLES = Path(__file__).parents[1] / "config" / "pandar_qt64_angles.csv"
START = 1_700_000_000 * 10**9
PACKET = 480_000  # [ns] of 96 points


def mid360_stream(count: int, kind: int = 1, skip: tuple[int, ...] = ()) -> list[bytes]:
    rng = np.random.default_rng(4)
    places = rng.uniform(-20, 20, (count, 96, 3)).round(3 if kind == 1 else 2)
    return [lidar_packets.mid360(places[i], START + i * PACKET, i, kind) for i in range(count) if i not in skip]


@pytest.mark.parametrize("kind", [1, 2])
def test_mid360_gives_back_places_and_times(kind):
    places = np.array([[1.0, 2.0, -0.5], [0.0, 0.0, 0.0], [-3.25, 0.5, 4.0]])
    decoder = Mid360("chest")
    decoder.feed(lidar_packets.mid360(places, START, kind=kind, interval=300), START)
    sweep = decoder.flush()
    assert sweep.stamp == START
    np.testing.assert_allclose(
        np.column_stack([sweep.points[axis] for axis in "xyz"]), places[[0, 2]], atol=1e-6
    )  # the point without an echo is left out
    assert sweep.points["t"].tolist() == [0, 20_000]  # 30 us for 3 points: 10 us apart
    assert sweep.points["intensity"].tolist() == [50, 52]


def test_mid360_in_spherical_coordinates():
    body = struct.pack("<IHHBB", 2000, 9000, 9000, 9, 0)  # 2 m, zenith 90 deg, azimuth 90 deg
    head = struct.pack("<BHHHHBBB12xIQ", 0, 36 + len(body), 100, 1, 0, 0, 3, 0, 0, START)
    decoder = Mid360("chest")
    decoder.feed(head + body, START)
    point = decoder.flush().points[0]
    assert [point[axis] for axis in "xyz"] == pytest.approx([0.0, 2.0, 0.0], abs=1e-6)


def test_mid360_sweeps_are_periods():
    decoder = Mid360("chest", period=0.1)
    sweeps = [decoder.feed(datagram, START) for datagram in mid360_stream(640)]
    ends = [i for i, sweep in enumerate(sweeps) if sweep]
    assert ends == [209, 418, 627]  # 0.1 s are 208.3 datagrams
    assert [sweep.stamp for sweep in sweeps if sweep] == [START, START + 209 * PACKET, START + 418 * PACKET]


def test_mid360_counts_what_is_lost():
    decoder = Mid360("chest")
    for datagram in mid360_stream(100, skip=(10, 11, 57)):
        decoder.feed(datagram, START)
    assert decoder.flush().lost == 3


def test_mid360_count_that_begins_anew_is_no_loss():
    decoder = Mid360("chest")
    for count in (0, 1, 2, 0, 1, 65535, 0):
        decoder.feed(lidar_packets.mid360(np.ones((1, 3)), START, count), START)
    assert decoder.flush().lost == 65533


def test_mid360_imu_in_si_units():
    sample = Mid360("chest").imu(lidar_packets.mid360_imu((0.1, -0.2, 0.3), (0.0, 0.0, 1.0), START), START + 5)
    assert sample.angular_velocity == pytest.approx([0.1, -0.2, 0.3])
    assert sample.linear_acceleration == pytest.approx([0.0, 0.0, GRAVITY])
    assert (sample.stamp, sample.arrival) == (START, START + 5)


def test_vlp16_interpolates_between_blocks():
    decoder = Vlp16("puck")
    for i in range(3):
        decoder.feed(lidar_packets.vlp16(4.8 * i, 1327 * i), 1000)
    points = decoder.flush().points
    azimuth = np.degrees(np.arctan2(-points["y"], points["x"]))
    time_us = points["t"] / 1000
    # The head turns 0.4 deg in 110.592 us.
    np.testing.assert_allclose(azimuth % 360, 0.4 * time_us / 110.592, atol=0.006)
    flat = np.hypot(points["x"], points["y"])
    assert flat.max() == pytest.approx(5.0 * np.cos(np.radians(1)), abs=1e-3)
    assert np.unique(points["ring"]).tolist() == list(range(16))
    lowest = points[points["ring"] == 0]
    assert lowest["z"] == pytest.approx(5 * np.sin(np.radians(-15)) + 0.0112, abs=1e-5)


def test_vlp16_counts_what_is_lost_and_turns():
    decoder = Vlp16("puck")
    sweeps = []
    for i in range(160):
        if i not in (20, 21):
            sweeps.append(decoder.feed(lidar_packets.vlp16(4.8 * i % 360, round(1327.104 * i)), 1000))
    complete = [sweep for sweep in sweeps if sweep]
    assert [(sweep.datagrams, sweep.lost) for sweep in complete] == [(73, 2), (75, 0)]


def test_vlp16_stamp_gets_the_hour_of_its_arrival():
    decoder = Vlp16("puck")
    decoder.feed(lidar_packets.vlp16(0.0, 3_599_999_000), 7 * 3600 * 10**9 + 50_000)  # sent just before the full hour
    assert decoder.flush().stamp == 7 * 3600 * 10**9 - 1_000_000


def decoders(tmp_path):
    metadata = tmp_path / "os.json"
    metadata.write_text(
        '{"pixels_per_column": 2, "columns_per_packet": 16, "columns_per_frame": 512, "beam_altitude_angles": [1, 2],'
        ' "beam_azimuth_angles": [0, 0], "lidar_to_sensor_transform": [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]}'
    )
    return [Mid360("chest"), Vlp16("chest"), PandarQt64("chest", ANGLES), Ouster("chest", metadata)]


@pytest.mark.parametrize("which", range(4))
def test_garbage_is_refused_by_name_and_nothing_of_it_used(which, tmp_path):
    decoder = decoders(tmp_path)[which]
    for garbage in (b"", b"hello", bytes(1206), bytes(1072), bytes(60), b"\xff" * 1206):
        with pytest.raises(DeviceError, match=r"^chest: found"):
            decoder.feed(garbage, START)
    assert decoder.flush() is None


@given(st.binary(max_size=1500))
def test_no_bytes_make_a_decoder_fall_over(datagram):
    for decoder in (Mid360("chest"), Vlp16("chest"), PandarQt64("chest", ANGLES)):
        try:
            decoder.feed(datagram, START)
        except DeviceError:
            continue
        decoder.flush()


def test_another_model_or_protocol_is_named():
    newer = bytearray(lidar_packets.mid360(np.ones((1, 3)), START))
    newer[0] = 7
    with pytest.raises(DeviceError, match=r"protocol version 7.*another firmware"):
        Mid360("chest").feed(bytes(newer), START)
    hdl32 = bytearray(lidar_packets.vlp16(0.0, 0))
    hdl32[-1] = 0x21
    with pytest.raises(DeviceError, match="model 0x21"):
        Vlp16("puck").feed(bytes(hdl32), START)


def test_a_wrong_calibration_is_named(tmp_path):
    file = tmp_path / "angles.csv"
    file.write_text("Laser id,Elevation,Azimuth\n1,2,3\n")
    with pytest.raises(ConfigError, match=r"angles.csv: found 1 lasers"):
        PandarQt64("front", file)
    file.write_text('{"data_format": {"pixels_per_column": 32}}')
    with pytest.raises(ConfigError, match="columns_per_packet"):
        Ouster("os1", file)
    file.write_text('{"udp_profile_lidar": "FUSA_RNG15_RFL8_NIR8_DUAL"}')
    with pytest.raises(ConfigError, match="udp_profile_lidar"):
        Ouster("os1", file)
