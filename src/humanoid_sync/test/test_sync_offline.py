# SPDX-License-Identifier: Apache-2.0
"""Bags through the live core: bit for bit the live frames, and real recordings with gaps."""

from __future__ import annotations

import json
import math
import struct
import sys
from pathlib import Path

import pytest
import rosbag2_py

from humanoid_sync import offline, report
from humanoid_sync.aligner import Aligner
from humanoid_sync.frames import Flag, Frame
from humanoid_sync.streams import Plan, Stream

SECOND = 1_000_000_000
MS = 1_000_000
START = 1000 * SECOND
JOINTS, INFO = "sensor_msgs/msg/JointState", "sensor_msgs/msg/CameraInfo"


def joint_state(stamp: int, value: float) -> bytes:
    """A JointState with one joint and no frame, laid out by hand."""
    head = b"\x00\x01\x00\x00" + struct.pack("<iI", *divmod(stamp, SECOND)) + struct.pack("<I", 1) + b"\0\0\0\0"
    names = struct.pack("<I", 1) + struct.pack("<I", 2) + b"a\0\0\0"
    return head + names + struct.pack("<I", 1) + b"\0" * 4 + struct.pack("<d", value) + b"\0" * 8


def events(seconds: int) -> list[tuple[int, str, bytes]]:
    joints = [START + i * 2 * MS for i in range(seconds * 500)]
    camera = [START + i * 33 * MS for i in range(seconds * 30)]
    made = [(stamp + 300_000 + i % 7, "joints", joint_state(stamp, math.sin(i))) for i, stamp in enumerate(joints)]
    made += [(stamp + 40 * MS + 1, "head", joint_state(stamp, 0.0)) for stamp in camera]
    return sorted(made)


PLAN = Plan(
    rate=30.0,
    deadline=0.15,
    streams=[
        Stream("joints", "joint_states", JOINTS, 500.0, "linear", tolerance=0.02, max_gap=0.05, values=True),
        Stream("head", "camera/head/color/camera_info", INFO, 30.0, "nearest", tolerance=0.05, max_gap=0.1),
    ],
)


def write_bag(folder: Path, made: list[tuple[int, str, bytes]], prefix: str) -> None:
    writer = rosbag2_py.SequentialWriter()
    writer.open(
        rosbag2_py.StorageOptions(uri=str(folder), storage_id="mcap"), rosbag2_py.ConverterOptions("cdr", "cdr")
    )
    topics = {stream.name: f"{prefix}/{stream.topic}" for stream in PLAN.streams}
    for number, stream in enumerate(PLAN.streams):
        writer.create_topic(rosbag2_py.TopicMetadata(number, topics[stream.name], stream.type, "cdr"))
    for arrival, name, payload in made:
        writer.write(topics[name], payload, arrival)
    writer.close()


def bits(frame: Frame) -> tuple:
    """All of a frame, to the last bit, whatever NaN is."""
    parts = [
        (p.name, p.flags, p.source_stamps, struct.pack("2d", p.residual, p.uncertainty), p.values.tobytes())
        for p in frame.streams
    ]
    return (frame.stamp, frame.sequence, *parts)


def live(made: list[tuple[int, str, bytes]]) -> list[Frame]:
    aligner, frames = Aligner(PLAN), []
    for arrival, name, payload in made:
        frames += aligner.push(name, payload, arrival)
    return frames


@pytest.mark.parametrize("prefix", ["", "/g1_01"])
def test_a_bag_gives_bit_for_bit_the_live_frames(tmp_path, prefix):
    made = events(3)
    write_bag(tmp_path / "bag", made, prefix)
    frames = list(offline.align_bag(tmp_path / "bag", PLAN).frames())
    assert [bits(frame) for frame in frames] == [bits(frame) for frame in live(made)]


def test_command_writes_frames_and_prints_health(tmp_path, monkeypatch, capsys):
    made = [event for event in events(3) if event[1] != "head" or not 1.0 < (event[0] - START) / SECOND < 2.0]
    write_bag(tmp_path / "bag", made, "")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "rate: 30.0\ndeadline: 0.15\nstreams:\n"
        f"  - {{name: joints, topic: joint_states, type: {JOINTS}, rate: 500.0, policy: linear,\n"
        "     tolerance: 0.02, max_gap: 0.05, values: true}\n"
        f"  - {{name: head, topic: camera/head/color/camera_info, type: {INFO}, rate: 30.0, policy: nearest,\n"
        "     tolerance: 0.05, max_gap: 0.1}\n"
    )
    output = tmp_path / "frames.jsonl"
    arguments = ["align", str(tmp_path / "bag"), "--streams", str(plan), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert offline.main() == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    frames = live(made)
    assert [line["stamp"] for line in lines] == [frame.stamp for frame in frames]
    assert [line["streams"]["joints"]["values"] for line in lines] == [list(f.streams[0].values) for f in frames]
    printed = capsys.readouterr().out
    (head,) = [line.split() for line in printed.splitlines() if line.startswith("head ")]
    assert head[4] == "1"  # gaps
    assert float(head[5]) == pytest.approx(1.0, abs=0.1)
    assert int(head[6]) >= 25  # missing
    assert "head: 1 gap(s): 1.0" in printed
    monkeypatch.setattr(sys, "argv", ["align", str(tmp_path / "nothing"), "--streams", str(plan)])
    assert offline.main() == 1


def test_a_bag_without_any_of_the_streams_is_refused(tmp_path):
    other = Plan(rate=30.0, deadline=0.1, streams=[Stream("x", "x", INFO, 30.0, "nearest", 0.05, 0.1)])
    write_bag(tmp_path / "bag", events(1), "")
    with pytest.raises(offline.BagMismatch, match="expected some of x"):
        offline.align_bag(tmp_path / "bag", other)


def test_the_real_gap_of_half_a_minute_is_reported_and_not_bridged(shared_data):
    bag = shared_data / "rosbag" / "crazyflie_vicon_fly90bag"
    pose = "geometry_msgs/msg/PoseStamped"
    topic = "vicon/Group466CF/Group466CF/pose"
    vicon = Stream("vicon", topic, pose, 100.0, "slerp", tolerance=0.05, max_gap=0.1, values=True)
    plan = Plan(rate=30.0, deadline=0.15, streams=[vicon])
    result = offline.align_bag(bag, plan)
    frames = list(result.frames())
    health = report.health(vicon, result, result.columns[0])
    assert health.messages == 754
    assert health.longest_gap == pytest.approx(32.6, abs=0.1)
    missing = sum(bool(frame.streams[0].flags & Flag.MISSING) for frame in frames)
    assert missing >= round(32.4 * 30)
    for frame in frames:
        (part,) = frame.streams
        assert all(abs(stamp - frame.stamp) <= 0.15 * SECOND for stamp in part.source_stamps)
