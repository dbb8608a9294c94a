# SPDX-License-Identifier: Apache-2.0
"""One recorded operator onto several robots: what is read, what is written, that it is the live core's, its errors."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
import rosbag2_py
import webvr_recording
from PIL import Image
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String

import humanoid_description
from humanoid_core import convert
from humanoid_core.errors import HumanoidError
from humanoid_teleop.operator import SIDES, Hand, OperatorFrame
from humanoid_teleop.recordings import recorded_operator
from humanoid_teleop.replay import command as replay_motion
from humanoid_teleop.replay import measures as replay_motion_measures
from humanoid_teleop.replay import stream
from humanoid_teleop.replay.track import retarget
from humanoid_teleop.retargeting import Retargeter

START, PERIOD = 5_000_000_000, 16_666_667  # [ns]
ROBOTS = ("unitree_g1", "agibot_x2_ultra")


@pytest.fixture(scope="module")
def frames(new_person) -> list[OperatorFrame]:
    """A person who stands, takes hold of the dead-man after half a second, and moves slowly: 5 s at 60 Hz."""
    person, made = new_person(), []
    person.grip = 0.25
    for number in range(300):
        time = number / 60.0
        for side, sign in (("left", 1.0), ("right", -1.0)):
            person.engaged[side] = time >= 0.5
            swing = 0.08 * math.sin(1.5 * max(time - 1.0, 0.0))
            person.wrists[side] = np.array([0.30 + swing, 0.22 * sign, 1.10 + 0.5 * swing])
        made.append(person.frame(START + number * PERIOD, number))
    return made


@pytest.fixture(scope="module")
def bag(frames, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stream") / "operator"
    webvr_recording.write_bag(folder, frames, "/somewhere/operator/frame")
    return folder


@pytest.fixture(scope="module")
def out(bag, tmp_path_factory) -> Path:
    """What the command leaves behind for two robots, each in its process."""
    folder = tmp_path_factory.mktemp("replay") / "out"
    replay_motion.main([str(bag), "--robots", *ROBOTS, "--out", str(folder), "--columns", "3", "--jobs", "2"])
    return folder


def messages(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    reader = rosbag2_py.SequentialReader()
    reader.open_uri(str(folder))
    found: dict[str, list[tuple[int, bytes]]] = {}
    while reader.has_next():
        topic, payload, stamp = reader.read_next()
        found.setdefault(topic, []).append((stamp, payload))
    return found


def test_a_bag_gives_back_the_frames_that_it_was_made_of(bag, frames):
    read = stream.read(stream.Source(bag))
    assert len(read) == len(frames)
    for ours, theirs in zip(read, frames):
        assert ours.stamp == theirs.stamp
        assert ours.left.engaged == theirs.left.engaged
        known = theirs.validity > 0
        assert np.array_equal(ours.positions[known], theirs.positions[known])


def test_span_and_dead_man_of_a_bag(bag):
    part = stream.read(stream.Source(bag, start=1.0, duration=2.0))
    assert (part[0].stamp - START) * 1e-9 == pytest.approx(1.0, abs=0.02)
    assert (part[-1].stamp - part[0].stamp) * 1e-9 == pytest.approx(2.0, abs=0.04)
    held = stream.read(stream.Source(bag, start=1.0, duration=2.0, engage="always"))
    times = stream.seconds(held)
    assert [frame.right.engaged for frame in held] == (times >= stream.ENGAGE_AFTER).tolist()


@pytest.mark.parametrize("robot", ROBOTS)
def test_targets_are_the_live_cores_to_the_last_bit(out, frames, settings, robot):
    """The command's bag, made in a process beside another, against the core ticked here at the same stamps."""
    found = messages(out / robot)
    description = deserialize_message(found["/robot_description"][0][1], String).data
    model = humanoid_description.load(humanoid_description.find_config(robot))
    assert description == model.urdf
    core = Retargeter(model, settings)
    core.start(model.config.home)
    pending, last = list(frames), 0
    targets = found["/joint_targets/teleop"]
    assert len(targets) > 5.0 * 200
    for stamp, payload in targets:
        message = deserialize_message(payload, JointState)
        assert convert.stamp_ns(message.header.stamp) == stamp > last
        last = stamp
        while pending and pending[0].stamp <= stamp:
            core.update(pending.pop(0))
        wanted = core.tick(stamp)
        assert list(message.name) == list(wanted.joints)
        assert np.array_equal(message.position, wanted.position)
        assert np.array_equal(message.velocity, wanted.velocity)
    assert core.errors["left"].position < 0.05  # and it follows


def test_a_robot_by_itself_gets_the_same_figures(out, bag, tmp_path):
    """Whatever else is worked on, and in whichever process."""
    job = replay_motion.Job(ROBOTS[1], stream.Source(bag), tmp_path / "again", "", "", {}, 250.0, 0)
    alone = replay_motion.work(job, Queue()).figures
    report = json.loads((out / "comparison.json").read_text())["robots"][1]
    assert alone.pop("cpu_us_per_tick") > 0.0
    assert {key: value for key, value in report.items() if key != "cpu_us_per_tick"} == json.loads(json.dumps(alone))


def test_table_json_and_picture(out):
    report = json.loads((out / "comparison.json").read_text())
    assert [robot["robot"] for robot in report["robots"]] == list(ROBOTS)
    text = (out / "comparison.txt").read_text()
    for robot in report["robots"]:
        assert robot["robot"] in text
        assert robot["ticks_outside_limits"] == 0
        assert robot["seconds_followed"] == pytest.approx(2.0, abs=0.1)
        assert robot["wrist_error_mm"]["median"] < 20.0
        assert robot["clearance_mm"] > 0.0
        for side in SIDES:
            assert robot["sides"][side]["followed"]
            assert robot["sides"][side]["robot"]["rms_jerk"] < 5.0 * robot["sides"][side]["person"]["rms_jerk"] + 1.0
    with Image.open(out / "comparison.png") as picture:
        rows = np.asarray(picture.convert("L"), dtype=float)
    assert rows.shape[0] > 3 * 240  # operator and two robots
    for part in np.array_split(rows, 3):
        assert part.std() > 5.0


def test_errors_name_file_topic_and_what_was_expected(bag, frames, tmp_path):
    def error(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            replay_motion.main(["--out", str(tmp_path / "out"), *arguments])
        return str(ended.value.code)

    assert "nowhere: found no such file, expected a bag with operator/frame, a BVH or a CSV file" in error("nowhere")
    assert "/other" in error(str(bag), "--topic", "other")
    assert "/somewhere/operator/frame (humanoid_interfaces/msg/OperatorFrame)" in error(str(bag), "--topic", "other")
    idle = [OperatorFrame(frame.stamp, positions=frame.positions, validity=frame.validity) for frame in frames]
    webvr_recording.write_bag(tmp_path / "idle", idle)
    assert "found a dead-man that nobody holds, expected one that is held, or --engage always" in error(
        str(tmp_path / "idle")
    )
    assert "found 0 operator frames in the span asked for, expected 2 at least" in error(str(bag), "--start", "60")
    (tmp_path / "text.mcap").write_text("no bag")
    assert f"{tmp_path / 'text.mcap'}: found" in error(str(tmp_path / "text.mcap"))
    assert "unknown settings" in error(str(bag), "--set", "speedy=1")
    assert "found no value, expected NAME=VALUE" in error(str(bag), "--set", "clutched")
    assert "found unitree_g7, expected one of" in error(str(bag), "--robots", "unitree_g1", "unitree_g7")
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out" / "mine").touch()
    assert "found a folder with files in it, expected a new or empty folder" in error(str(bag))


def test_bag_of_two_operators_asks_which(frames, tmp_path):
    folder = tmp_path / "two"
    webvr_recording.write_bag(folder, frames[:2])
    kind = recorded_operator.endpoints.OPERATOR_FRAME.type
    types = {"/a/operator/frame": kind, "/b/operator/frame": kind}
    with pytest.raises(HumanoidError, match="choose it with --topic"):
        recorded_operator._topic(folder, "", types)
    assert recorded_operator._topic(folder, "b/operator/frame", types) == "/b/operator/frame"


# --- measures ---


def test_smoothness_of_a_minimum_jerk_movement():
    """LDLJ of a minimum-jerk course is -ln 204.8 (Balasubramanian et al.); its jerk is known in closed form."""
    x = np.linspace(0.0, 1.0, 201)
    course = 10 * x**3 - 15 * x**4 + 6 * x**5
    rest = np.zeros(40)
    path = 0.4 * np.concatenate([rest, course, rest + 1.0])[:, None] * [0.6, 0.0, 0.8]
    found = replay_motion_measures.smoothness(path)
    seconds = 2.0 * (280 - 20) / 200.0
    wanted = -math.log(204.8 * (seconds / 2.0) ** 3)
    assert found["ldlj"] == pytest.approx(wanted, abs=0.15)
    assert found["rms_jerk"] == pytest.approx(0.4 / 2.0**3 * math.sqrt(720.0 * 2.0 / seconds), rel=0.1)
    assert -1.7 < found["sparc"] < -1.3
    noisy = path + np.random.default_rng(1).normal(scale=0.01, size=path.shape)
    shaken = replay_motion_measures.smoothness(noisy)
    assert shaken["ldlj"] < found["ldlj"] - 1.0
    assert shaken["sparc"] < found["sparc"] - 0.2
    assert shaken["rms_jerk"] > 5.0 * found["rms_jerk"]


def test_clearance_sees_fingers_in_the_body_and_not_in_their_own_hand(robot, settings, frames):
    track = retarget(frames[:2], robot, settings)
    close = dict(zip(track.joints, track.position[-1]))
    fist = {joint: value for hand in robot.config.hands.values() for joint, value in hand.closed.items()}
    away = replay_motion_measures._clearance(_only(track, {**close, **fist}), robot)
    assert away[0] > 0.005
    across = {"left_shoulder_yaw_joint": -1.2, "left_elbow_joint": -0.2, "left_shoulder_roll_joint": 0.0}
    touching = replay_motion_measures._clearance(_only(track, {**close, **fist, **across}), robot)
    assert touching[0] < away[0]
    assert "left" in touching[1] + touching[2]


def _only(track, positions: dict[str, float]):
    from dataclasses import replace

    row = np.array([[positions[joint] for joint in track.joints]])
    return replace(track, stamps=track.stamps[:1], position=row)


# --- real recordings ---


def test_recorded_headset_drives_robots(tmp_path):
    data = Path(os.environ.get("HUMANOID_SHARED_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
    recording = data / "vr_teleop" / "webvr_tracked_recording.json.gz"
    if not recording.is_file():
        pytest.skip(f"no recording in {data}: set HUMANOID_SHARED_DATA")
    made = webvr_recording.frames(recording)
    webvr_recording.write_bag(tmp_path / "vr", made)
    read = stream.read(stream.Source(tmp_path / "vr", duration=6.0))
    assert isinstance(read[0].left, Hand)
    model = humanoid_description.load(humanoid_description.find_config(ROBOTS[0]))
    from humanoid_teleop.settings import load_settings

    track = retarget(read, model, load_settings(operator_height=1.75))
    found = replay_motion_measures.figures(track, read, model)
    assert found["ticks_outside_limits"] == 0
    assert found["seconds_followed"] > 2.0
    assert found["wrist_error_mm"]["median"] < 60.0


def test_whole_body_of_a_clip_keeps_ranges_speeds_and_feet(clips, robot, tmp_path):
    """A real walk, judged from the file that is written."""
    clip, out = clips / "cmu_02_01_walk.bvh", tmp_path / "out"
    options = ["--whole-body", "--robots", "unitree_g1", "--duration", "1.5", "--out", str(out)]
    replay_motion.main([str(clip), *options])
    data = np.genfromtxt(out / "unitree_g1.csv", delimiter=",", names=True)
    (result,) = json.loads((out / "whole_body.json").read_text())["robots"]
    joints = [name for name in data.dtype.names if name in robot.joints]
    position, limits = np.array([data[joint] for joint in joints]), robot.limits(joints)
    assert {"left_ankle_roll_joint", "waist_yaw_joint", "right_wrist_yaw_joint"} <= set(joints)
    assert (position >= limits.lower[:, None] - 1e-6).all()
    assert (position <= limits.upper[:, None] + 1e-6).all()
    speed = np.abs(np.diff(position, axis=1)) / np.diff(data["time"])
    assert speed.max() < 12.0 + 1e-3  # [rad/s]
    assert np.ptp(data["base_x"]) > 0.5  # [m]: it walks
    turn = np.array([data[f"base_q{axis}"] for axis in "xyzw"])
    assert np.linalg.norm(turn, axis=0) == pytest.approx(1.0, abs=1e-6)
    assert 0.0 < data["left_foot_stands"].mean() < 1.0
    assert result["feet_mm_p95"] < 20.0
    assert result["slide_mm_s_p95"] < 50.0
    assert result["place_mm"]["median"] < 40.0


def test_whole_body_needs_a_clip_and_legs(bag, clips, tmp_path):
    walk = clips / "cmu_02_01_walk.bvh"
    for file, name, expected in ((bag, "unitree_g1", "a BVH file"), (walk, "agibot_g2", "each leg")):
        with pytest.raises(SystemExit, match=expected):
            replay_motion.main([str(file), "--whole-body", "--robots", name, "--out", str(tmp_path / name)])
