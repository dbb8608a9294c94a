# SPDX-License-Identifier: Apache-2.0
"""Real recordings, aligned offline: every gap is reported, and clocks agree with what others measured.

They are no part of the repository: without them these tests skip. What is expected is counted here from the raw data.
"""

from __future__ import annotations

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import rosbag2_py
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, JointState

from humanoid_core.convert import to_stamp
from humanoid_sync import offline, report
from humanoid_sync.batch import Batch
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.frames import Flag
from humanoid_sync.streams import Plan, Stream

RULES = Path(__file__).parents[3] / "config" / "sync" / "default.yaml"
SECOND = 1_000_000_000


def read(bag: Path) -> dict[str, list[tuple[bytes, int]]]:
    """Messages by topic: payload, arrival."""
    reader = rosbag2_py.SequentialReader()
    reader.open_uri(str(bag))
    found: dict[str, list[tuple[bytes, int]]] = {}
    while reader.has_next():
        topic, payload, arrival = reader.read_next()
        found.setdefault(topic, []).append((payload, arrival))
    return found


def inner_gaps(stamps: list[int], longest: float) -> list[float]:
    steps = np.diff(np.sort(np.array(stamps))) * 1e-9
    return sorted(steps[steps > longest].tolist())


def reported(plan: Plan, result: Batch, name: str) -> list[report.Gap]:
    (stream,) = (stream for stream in plan.streams if stream.name == name)
    return report.gaps(stream, result.samples[name], result.span)


def check_gaps(plan: Plan, result: Batch, raw: dict[str, list[int]]) -> None:
    """All gaps between samples are reported, no others; and no frame inside one pretends."""
    for stream, column in zip(plan.streams, result.columns):
        gaps = reported(plan, result, stream.name)
        inside = sorted(gap.length for gap in gaps if not gap.remark)
        assert inside == pytest.approx(inner_gaps(raw[stream.name], stream.max_gap), abs=1e-6)
        for gap in gaps:
            reach = round((stream.tolerance + stream.max_gap) * 1e9)
            deep = (result.instants > gap.begin + reach) & (result.instants < gap.end - reach)
            assert (column.flags[deep] & int(Flag.MISSING)).all()
            across = (result.instants > gap.begin) & (result.instants < gap.end)
            assert ((column.first < 0) | (column.first == column.last) | (column.flags & 4 > 0))[across].all()


def header_stamp(payload: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("<iI", payload, 4)
    return seconds * SECOND + nanoseconds


@pytest.mark.parametrize(
    ("name", "longest"),
    [
        ("crazyflie_vicon_fly90bag", 32.601),
        ("crazyflie_vicon_yx4bag", None),
        ("car_ins_start_a", None),
        ("gpl3/tactip_arm_a", 20.042),
    ],
)
def test_bags_with_gaps(shared_data, name, longest):
    bag = shared_data / "rosbag" / name
    plan = offline.plan_of_bag(bag, RULES)
    result = offline.align_bag(bag, plan)
    raw = {topic.lstrip("/").replace("/", "_"): messages for topic, messages in read(bag).items()}
    check_gaps(plan, result, {s.name: [header_stamp(p) for p, _ in raw[s.name]] for s in plan.streams})
    found = [gap.length for stream in plan.streams for gap in reported(plan, result, stream.name)]
    if longest is not None:
        assert max(found) == pytest.approx(longest, abs=1e-3)
        assert f"{longest:.3f} s from" in report.table(plan, result)


def test_flight_controller_with_time_sync_status(shared_data):
    bag = shared_data / "rosbag" / "gpl3" / "aerial_arm_1"
    found = read(bag)
    topics = [topic for topic in found if topic.startswith("/fmu/out/")]
    arrivals = {topic: [arrival for _, arrival in found[topic]] for topic in topics}
    rates = {topic: report.rate_of(arrivals[topic]) for topic in topics}
    types = offline.Bag(bag).types
    streams = [
        Stream(topic[9:], topic, types[topic], rate, "nearest", 0.6 / rate + 0.005, 3.0 / rate, stamp="microseconds")
        for topic, rate in rates.items()
    ]
    plan = Plan(30.0, 0.15, streams)
    result = offline.align_bag(bag, plan)
    raw = {topic[9:]: [int.from_bytes(p[4:12], "little") * 1000 for p, _ in found[topic]] for topic in topics}
    check_gaps(plan, result, raw)
    assert not any((column.flags & int(Flag.CLOCK_UNCERTAIN)).any() for column in result.columns)  # verified host time
    # The controller's own clock, as it was before its agent converted stamps: stamp plus the offset that the status
    # tells. Our one-way model has to come to what their two-way exchange came to.
    status = [
        (struct.unpack_from("<Q", p, 4)[0], struct.unpack_from("<q", p, 36)[0])
        for p, _ in found[topics[0][:9] + "timesync_status"]
    ]
    when, offsets = (np.array(column, dtype=np.int64) for column in zip(*status))
    theirs = -np.polyfit((when - when[0]) * 1e-6, (offsets - offsets[0]) * 1e-6, 1)[0]
    model, errors = ClockModel(), []
    for payload, arrival in found["/fmu/out/vehicle_angular_velocity"]:
        stamp = int.from_bytes(payload[4:12], "little")
        device = (stamp + int(offsets[0])) * 1000 - round(theirs * (stamp - int(when[0])) * 1000)
        model.add(device, arrival)
        errors.append((model.to_host(device)[0] - stamp * 1000) * 1e-9)
    assert model.state().drift == pytest.approx(theirs, abs=30e-6)  # 8 s, jitter of milliseconds
    late = np.array(errors[400:])
    assert late.std() < 0.1e-3  # apart from the constant least delay
    assert 0.0 < late.mean() < 5e-3


def test_robot_log_with_short_gaps(shared_data, tmp_path):
    rows = {}
    for name in ("state", "imu"):
        with gzip.open(shared_data / "robot" / "go2_lowstate" / f"{name}_history.csv.gz", "rt") as file:
            rows[name] = [(int(float(row[0])) if "." in row[0] else int(row[0]), row[1:]) for row in csv.reader(file)]
    writer = rosbag2_py.SequentialWriter()
    writer.open(rosbag2_py.StorageOptions(str(tmp_path / "bag"), "mcap"), rosbag2_py.ConverterOptions("cdr", "cdr"))
    for i, (topic, kind) in enumerate((("/go2/joint_states", "JointState"), ("/go2/imu/data", "Imu"))):
        writer.create_topic(rosbag2_py.TopicMetadata(i, topic, f"sensor_msgs/msg/{kind}", "cdr"))
    for (stamp, joints), (imu_stamp, turned) in zip(rows["state"], rows["imu"]):
        state = JointState(name=[f"joint_{i}" for i in range(12)], position=[float(x) for x in joints[:12]])
        imu = Imu()
        q = imu.orientation
        q.w, q.x, q.y, q.z = (float(x) for x in turned[:4])
        state.header.stamp, imu.header.stamp = to_stamp(stamp), to_stamp(imu_stamp)
        writer.write("/go2/joint_states", serialize_message(state), stamp + 200_000)
        writer.write("/go2/imu/data", serialize_message(imu), imu_stamp + 200_000)
    writer.close()
    plan = offline.plan_of_bag(tmp_path / "bag", RULES)
    for look_ahead in (False, True):
        result = offline.align_bag(tmp_path / "bag", plan, look_ahead)
        check_gaps(
            plan, result, {"joint_states": [t for t, _ in rows["state"]], "imu_data": [t for t, _ in rows["imu"]]}
        )
        lengths = [gap.length for gap in reported(plan, result, "joint_states")]
        assert max(lengths) == pytest.approx(0.6076, abs=1e-3)
        assert sum(length > 0.1 for length in lengths) == 46
        assert np.diff(result.instants).tolist() == [round(SECOND / 30)] * (len(result) - 1)
