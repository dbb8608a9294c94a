# SPDX-License-Identifier: Apache-2.0
"""Alignment and clock models against synthetic truth. No ROS beyond serialization, no wall clock."""

from __future__ import annotations

import math
import random
import struct
from array import array
from itertools import pairwise

import numpy as np
import pytest
from geometry_msgs.msg import WrenchStamped
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Imu, JointState

from humanoid_core.convert import to_stamp
from humanoid_core.errors import ConfigError, MessageError
from humanoid_interfaces.msg import TactileArray
from humanoid_sync import readers
from humanoid_sync.aligner import Aligner
from humanoid_sync.checks import PlanError, check_types, check_values
from humanoid_sync.frames import AlignmentError, Flag, Frame
from humanoid_sync.plans import make_plan
from humanoid_sync.streams import Clock, Plan, Stream

SECOND = 1_000_000_000
MS = 1_000_000
START = 1000 * SECOND
JOINTS, INFO, IMU = "sensor_msgs/msg/JointState", "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/Imu"


def joints(stamp: int, value: float) -> bytes:
    message = JointState(name=["shoulder", "elbow"], position=[value, -value])
    message.header.stamp, message.header.frame_id = to_stamp(stamp), "base"
    return bytes(serialize_message(message))


def header_only(stamp: int) -> bytes:
    return b"\x00\x01\x00\x00" + struct.pack("<iI", *divmod(stamp, SECOND)) + struct.pack("<I", 1) + b"\0"


def stream(name: str, rate: float, policy: str = "nearest", **more: object) -> Stream:
    kind = JOINTS if policy in ("linear", "slerp") else INFO
    values = {"tolerance": max(0.03, 0.6 / rate), "max_gap": 3.0 / rate, "values": policy in ("linear", "slerp")}
    return Stream(name, name, kind, rate, policy, **{**values, **more})  # type: ignore[arg-type]


def plan(*streams: Stream, **more: object) -> Plan:
    return Plan(**{"rate": 30.0, "deadline": 0.15, "streams": list(streams), **more})  # type: ignore[arg-type]


def run(aligner: Aligner, events: list[tuple[int, str, bytes]], until: int | None = None) -> list[Frame]:
    """Push events (arrival, stream, payload) in order of arrival."""
    frames = []
    for arrival, name, payload in sorted(events, key=lambda event: event[0]):
        frames += aligner.push(name, payload, arrival)
    if until is not None:
        frames += aligner.advance(until)
    return frames


def robot(seconds: float, seed: int = 0, loss: float = 0.01) -> list[tuple[int, str, bytes]]:
    """Joints 500 Hz, IMU 200 Hz and three free cameras at 30 Hz with 20 to 60 ms latency, jittered, with losses.

    The joint's position is sin(2 pi t), so that interpolation can be held against truth.
    """
    rng = random.Random(seed)
    events = []
    for i in range(round(seconds * 500)):
        stamp = START + i * 2 * MS
        if rng.random() >= loss:
            delay = round(abs(rng.gauss(0, 0.5)) * MS) + MS // 5
            events.append((stamp + delay, "joints", joints(stamp, math.sin(2 * math.pi * (stamp - START) / SECOND))))
    for camera, phase, latency in (("cam0", 0, 20), ("cam1", 11, 40), ("cam2", 22, 60)):
        for i in range(round(seconds * 30)):
            stamp = START + phase * MS + round(i * SECOND / 30)
            if rng.random() >= loss:
                events.append((stamp + latency * MS + round(rng.random() * 5 * MS), camera, header_only(stamp)))
    return events


def robot_plan(**more: object) -> Plan:
    cameras = [stream(name, 30.0) for name in ("cam0", "cam1", "cam2")]
    return plan(stream("joints", 500.0, "linear", max_gap=0.02), *cameras, **more)


def test_every_tick_is_answered_and_interpolation_is_exact():
    frames = run(Aligner(robot_plan()), robot(10.0), START + 11 * SECOND)
    inside = [frame for frame in frames if frame.stamp < START + 9 * SECOND]
    assert [b.stamp - a.stamp for a, b in pairwise(inside)] == [33_333_333] * (len(inside) - 1)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    errors, skews = [], []
    for frame in inside[2:]:
        part = frame.streams[0]
        assert not part.flags
        assert len(part.source_stamps) in (1, 2)
        errors.append(abs(part.values[0] - math.sin(2 * math.pi * (frame.stamp - START) / SECOND)))
        assert part.values[1] == -part.values[0]
        skews += [abs(camera.residual) for camera in frame.streams[1:] if not camera.flags & Flag.MISSING]
    assert max(errors) < 2e-4  # a straight line over 4 ms of that sine is off by 8e-5
    assert np.percentile(skews, 95) <= 0.5 / 30 + 1e-3  # nobody can be nearer than half a period of a free camera


def test_images_take_the_nearest_not_the_newest():
    aligner = Aligner(plan(stream("cam", 30.0)))
    events = [(START + i * 33 * MS + 60 * MS, "cam", header_only(START + i * 33 * MS)) for i in range(30)]
    for frame in run(aligner, events)[3:]:
        (part,) = frame.streams
        stamps = [START + i * 33 * MS for i in range(30)]
        assert part.source_stamps == (min(stamps, key=lambda stamp: abs(stamp - frame.stamp)),)
        assert part.residual == pytest.approx((part.source_stamps[0] - frame.stamp) * 1e-9)


def test_a_silent_stream_is_flagged_every_frame_and_blocks_nobody():
    events = [event for event in robot(10.0) if event[1] != "cam1" or not 3.0 <= (event[0] - START) / SECOND < 7.5]
    aligner = Aligner(robot_plan())
    released: dict[int, int] = {}
    for arrival, name, payload in sorted(events, key=lambda event: event[0]):
        for frame in aligner.push(name, payload, arrival):
            released[frame.stamp] = arrival
            silent = frame.streams[2]
            if START + 3.1 * SECOND < frame.stamp < START + 7.3 * SECOND:
                assert silent.flags & Flag.MISSING
                assert silent.source_stamps == ()
                assert not frame.streams[0].flags
    assert max(arrival - stamp for stamp, arrival in released.items()) <= 160 * MS
    given_up = [arrival - stamp for stamp, arrival in released.items() if 4.2 < (stamp - START) / SECOND < 7.3]
    assert max(given_up) < 105 * MS  # no longer waited for; cam2 is 60 ms late and up to a period apart
    health = {entry.name: entry for entry in aligner.health()}
    assert health["cam1"].gaps == 1
    assert health["cam1"].longest_gap == pytest.approx(4.5, abs=0.1)
    assert health["cam1"].missing >= 120
    assert health["joints"].missing <= 1


def test_a_gap_is_never_bridged_silently():
    events = [event for event in robot(6.0, loss=0.0) if event[1] == "joints"]
    events = [event for event in events if not 2.0 <= (event[0] - START) / SECOND < 2.05]
    frames = run(Aligner(plan(stream("joints", 500.0, "linear", max_gap=0.02, tolerance=0.03))), events)
    flagged = [frame for frame in frames if frame.streams[0].flags & Flag.INTERPOLATED_GAP]
    assert flagged
    for frame in frames[1:]:
        stamps = frame.streams[0].source_stamps
        across = len(stamps) == 2 and stamps[1] - stamps[0] > 20 * MS
        assert bool(frame.streams[0].flags & Flag.INTERPOLATED_GAP) == across
    joined = [event for event in robot(6.0, loss=0.0) if event[1] == "joints"]
    long = [event for event in joined if not START + 2 * SECOND <= event[0] < START + 3 * SECOND]
    frames = run(Aligner(plan(stream("joints", 500.0, "linear", max_gap=0.02))), long)
    missing = [frame for frame in frames if frame.streams[0].flags & Flag.MISSING]
    assert len(missing) in range(26, 31)
    assert all(len(frame.streams[0].values) == 0 for frame in missing)


def test_same_arrivals_give_the_same_frames_however_often_one_looks():
    events = sorted(robot(5.0, seed=4), key=lambda event: event[0])
    offline = run(Aligner(robot_plan()), events, events[-1][0])
    live, aligner, rng = [], Aligner(robot_plan()), random.Random(1)
    aligner.advance(START - 5 * SECOND)
    now = START
    for arrival, name, payload in events:
        while now < arrival:
            live += aligner.advance(now)
            now += rng.randrange(1, 8) * MS
        live += aligner.push(name, payload, arrival)
    live += aligner.advance(events[-1][0])
    assert live == offline
    assert all(a.streams[0].values.tobytes() == b.streams[0].values.tobytes() for a, b in zip(live, offline))


def test_look_ahead_finds_what_came_too_late_for_live():
    events = [
        (arrival + (400 * MS if name == "cam2" else 0), name, data) for arrival, name, data in robot(4.0, loss=0.0)
    ]
    live, patient = Aligner(robot_plan()), Aligner(robot_plan(), look_ahead=True)
    run(live, events)
    frames = run(patient, events) + patient.finish()
    assert [b.stamp - a.stamp for a, b in pairwise(frames)] == [33_333_333] * (len(frames) - 1)
    assert live.health()[3].missing > 50
    assert live.health()[3].late > 100
    inside = [frame for frame in frames if frame.stamp < START + 4 * SECOND]
    assert sum(bool(frame.streams[3].flags & Flag.MISSING) for frame in inside) <= 1


def test_memory_stays_bounded():
    aligner = Aligner(plan(stream("joints", 500.0, "linear"), stream("dead", 30.0)))
    payload = joints(0, 0.0)
    for i in range(50_000):
        stamp = START + i * 2 * MS
        aligner.push_stamp("joints", stamp, payload, stamp + MS)
    assert len(aligner._tracks["joints"].stamps) < 400
    backwards = Aligner(plan(stream("master", 30.0), stream("joints", 500.0, "linear"), master="master"))
    for i in range(50_000):  # the master never comes: nothing asks for these
        backwards.push_stamp("joints", START + i * 2 * MS, payload, START + i * 2 * MS)
    assert len(backwards._tracks["joints"].stamps) <= 8192


def test_disorder_and_duplicates_change_nothing():
    tidy = [event for event in robot(3.0, loss=0.0) if event[1] == "joints"]
    rng = random.Random(2)
    messy = [(arrival + rng.randrange(20) * MS, name, data) for arrival, name, data in tidy]
    messy += rng.sample(messy, 100)
    plan_ = plan(stream("joints", 500.0, "linear", max_gap=0.02))
    until = START + 4 * SECOND
    clean = {frame.stamp: frame.streams[0].values for frame in run(Aligner(plan_, look_ahead=True), tidy, until)}
    dirty = {frame.stamp: frame.streams[0].values for frame in run(Aligner(plan_, look_ahead=True), messy, until)}
    common = sorted(set(clean) & set(dirty))[2:-40]
    assert len(common) > 40
    assert all(abs(clean[stamp][0] - dirty[stamp][0]) < 1e-3 for stamp in common)


def test_master_stream_sets_the_instants():
    events = robot(3.0, loss=0.0)
    frames = run(Aligner(robot_plan(master="cam0")), events)
    stamps = [START + round(i * SECOND / 30) for i in range(90)]
    assert [frame.stamp for frame in frames] == stamps[: len(frames)]
    assert len(frames) > 80
    assert all(frame.streams[1].residual == 0.0 for frame in frames)


def test_previous_and_window_and_latency():
    streams = [
        stream("held", 10.0, "previous", tolerance=0.25),
        stream("sound", 100.0, "window"),
        stream("slow", 30.0, latency=0.05),
    ]
    events = [(START + i * 100 * MS + MS, "held", header_only(START + i * 100 * MS)) for i in range(20)]
    events += [(START + i * 10 * MS + MS, "sound", header_only(START + i * 10 * MS)) for i in range(200)]
    events += [(START + i * 33 * MS + MS, "slow", header_only(START + i * 33 * MS)) for i in range(60)]
    frames = run(Aligner(plan(*streams)), events)[4:]
    for frame in frames:
        held, sound, slow = frame.streams
        assert 0 <= frame.stamp - held.source_stamps[0] <= 100 * MS
        first, last = sound.source_stamps
        assert frame.stamp - 33_333_333 < first <= last <= frame.stamp
        assert last - first >= 20 * MS
        assert slow.residual == pytest.approx((slow.source_stamps[0] - frame.stamp) * 1e-9 - 0.05)


def test_orientations_go_along_the_great_circle():
    def imu(stamp: int, angle: float) -> bytes:
        message = Imu()
        message.header.stamp = to_stamp(stamp)
        message.orientation.z, message.orientation.w = math.sin(angle / 2), math.cos(angle / 2)
        message.angular_velocity.z = angle
        return bytes(serialize_message(message))

    one = Stream("imu", "imu", IMU, 10.0, "slerp", tolerance=0.1, max_gap=0.3, values=True)
    events = [(START + i * 100 * MS, "imu", imu(START + i * 100 * MS, 2.0 * i)) for i in range(10)]
    for frame in run(Aligner(plan(one)), events)[1:]:
        values = frame.streams[0].values
        angle = 20.0 * (frame.stamp - START) / SECOND
        assert math.hypot(*values[:4]) == pytest.approx(1.0)
        assert abs(values[2] * math.sin(angle / 2) + values[3] * math.cos(angle / 2)) == pytest.approx(1.0, abs=1e-6)
        assert values[6] == pytest.approx(angle)


def test_stamps_that_cannot_be_host_time_are_flagged():
    for wrong in (10 * MS, -600 * MS):
        aligner = Aligner(plan(stream("cam", 30.0, tolerance=1.0)))
        events = [(START + i * 33 * MS, "cam", header_only(START + i * 33 * MS + wrong)) for i in range(60)]
        parts = [frame.streams[0] for frame in run(aligner, events)][20:]
        assert all(part.flags & Flag.CLOCK_UNCERTAIN and math.isnan(part.uncertainty) for part in parts)


def test_a_device_clock_is_mapped_to_host_time():
    aligner = Aligner(plan(stream("cam", 30.0, clock="cam"), clocks={"cam": Clock()}))
    rng = random.Random(5)
    frames = []
    for i in range(600):
        true = START + round(i * SECOND / 30)
        device = round((true - START) * (1 + 50e-6)) + 77 * SECOND
        arrival = true + 20 * MS + round(rng.expovariate(1 / 0.002) * 1e9)
        aligner.push_clock("cam", device, arrival)
        frames += aligner.push("cam", header_only(device), arrival)
    assert frames[5].streams[0].flags & Flag.CLOCK_UNCERTAIN
    late = [frame for frame in frames if frame.stamp > START + 10 * SECOND]
    for frame in late:
        (part,) = frame.streams
        assert not part.flags
        true = START + round((part.source_stamps[0] - 77 * SECOND) / (1 + 50e-6))
        assert part.residual == pytest.approx((true + 20 * MS - frame.stamp) * 1e-9, abs=5e-4)
        assert 0 < part.uncertainty < 1e-3
    health = aligner.health()[0]
    assert health.clock_drift == pytest.approx(-50e-6, abs=10e-6)


def test_time_that_jumps_begins_a_new_timeline():
    aligner = Aligner(robot_plan())
    before = run(aligner, robot(2.0))
    cameras = [arrival - 500 * SECOND for arrival, name, _ in robot(2.0) if name == "cam0"]
    earlier = [(arrival, "cam0", header_only(arrival - 20 * MS)) for arrival in cameras]
    frames = run(aligner, earlier)
    waited = [frame for frame in frames if frame.stamp >= START]
    assert [frame.stamp for frame in before + waited] == sorted(frame.stamp for frame in before + waited)
    assert len(frames) > len(waited) + 30
    assert all(frame.stamp < START for frame in frames[len(waited) :])


# --- reading CDR ---


def values(kind: str, message: object) -> array:
    return readers.LAYOUTS[kind].reader()(bytes(serialize_message(message)))


def test_readers_agree_with_rclpy():
    rng = random.Random(0)
    for frame in ("", "a", "base_link", "torso_imu_"):
        state = JointState(
            name=["j" * k for k in range(7)], position=[rng.random() for _ in range(7)], velocity=[1.0] * 7
        )
        imu = Imu()
        wrench = WrenchStamped()
        tactile = TactileArray(quantity=1, rows=2, columns=2, values=[1.0, 2.5, -3.0, 4.0])
        imu.orientation.x, imu.angular_velocity.y, imu.linear_acceleration.z = 0.5, 0.25, 9.81
        wrench.wrench.force.x, wrench.wrench.torque.z = 3.0, -2.0
        for message in (state, imu, wrench, tactile, CameraInfo()):
            message.header.frame_id = frame
            message.header.stamp = to_stamp(1_700_000_000_123_456_789)
            assert readers.stamp_ns(serialize_message(message)) == 1_700_000_000_123_456_789
        reader = readers.LAYOUTS[JOINTS].reader()
        assert list(reader(serialize_message(state))) == list(state.position)
        state.name, state.position = ["other"], [4.5]
        assert list(reader(serialize_message(state))) == [4.5]
        state.name, state.position = ["other"], []
        assert list(reader(serialize_message(state))) == []
        assert list(values(IMU, imu)) == [0.5, 0, 0, 1, 0, 0.25, 0, 0, 0, 9.81]
        assert list(values("geometry_msgs/msg/WrenchStamped", wrench)) == [3.0, 0, 0, 0, 0, -2.0]
        assert list(values("humanoid_interfaces/msg/TactileArray", tactile)) == [1.0, 2.5, -3.0, 4.0]


def test_bad_input_names_what_is_wrong(tmp_path):
    with pytest.raises(MessageError, match="little-endian"):
        readers.stamp_ns(b"\x00\x00\x00\x00" + b"\0" * 20)
    with pytest.raises(AlignmentError, match="joints"):
        Aligner(robot_plan()).push("nobody", header_only(START), START)
    file = tmp_path / "plan.yaml"
    start = "rate: 30.0\ndeadline: 0.1\nstreams:\n"
    for bad, word in (
        ("{name: a, topic: a, type: x, rate: 30.0, policy: nearest, tolerance: 0.01, max_gap: 0.1}", "half a period"),
        ("{name: a, topic: a, type: x, rate: 30.0, policy: linear, tolerance: 0.1, max_gap: 0.1}", "values"),
        ("{name: a, topic: a, type: x, rate: 30.0, policy: newest, tolerance: 0.1, max_gap: 0.1}", "policy"),
        ("{name: a, topic: a, type: x, rate: 30.0, policy: nearest, tolerance: 0.1, max_gap: 0.01}", "max_gap"),
        (
            "{name: a, topic: a, type: x, rate: 9, policy: nearest, tolerance: 0.1, max_gap: 9, clock: c}",
            "clock 'c'",
        ),
        ("{name: a, topic: a, type: x, rate: 9.0, policy: nearest, tolerance: 0.1, max_gap: 0.2, latency: 9.0}", "2 s"),
    ):
        file.write_text(start + f"  - {bad}\n")
        with pytest.raises(ConfigError, match=word):
            make_plan(file, [])


def test_types_that_cannot_be_aligned_are_named():
    for kind, policy, word in (
        ("sensor_msgs/msg/RegionOfInterest", "nearest", "begins with x_offset"),
        ("no_such_msgs/msg/Thing", "nearest", "installed"),
        ("sensor_msgs/msg/Range", "linear", "values of sensor_msgs/msg/Range"),
    ):
        one = Stream("a", "some/topic", kind, 30.0, policy, 0.05, 0.1, values=policy == "linear")
        with pytest.raises(PlanError, match=f"some/topic.*{word}"):
            check_types(plan(one))
    check_values(robot_plan())


def test_values_are_plain_doubles():
    frames = run(Aligner(robot_plan()), robot(1.0))
    assert isinstance(frames[-1].streams[0].values, array)
    assert frames[-1].streams[0].values.typecode == "d"
