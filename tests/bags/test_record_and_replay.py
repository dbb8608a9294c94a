# SPDX-License-Identifier: Apache-2.0
"""A short episode recorded in the twin by the very launch files that users run, opened by stock tools, and replayed."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rosbag2_py
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import JointState

from humanoid_core import convert, endpoints
from humanoid_interfaces.msg import SafetyStatus

NAMESPACE = "/unitree_g1"
SECONDS = 6.0  # recorded, simulated


@pytest.fixture(scope="module")
def episode(cell, tmp_path_factory) -> Path:
    """Folder of an episode: calibration, then the scripted person reaches for a parcel."""
    out = tmp_path_factory.mktemp("episodes")
    with cell("collect.launch.py", out=out, operator_autostart="false") as running:
        running.message(endpoints.JOINT_STATES)
        running.message(endpoints.SYNC_FRAME)
        running.message(endpoints.SAFETY_STATUS, lambda m: m.state == SafetyStatus.HOLD)
        running.message(endpoints.RECORDER_STATUS)  # it is active
        clock = running.collect(endpoints.CLOCK)
        answer = running.call(endpoints.RECORDER_START, task="reach", instruction="Reach for the parcel.")
        assert answer.success, answer.message
        assert running.call(endpoints.OPERATOR_START).success
        running.message(
            endpoints.COMMAND_STATUS, lambda m: any(s.name == "teleop" and s.enabled and s.alive for s in m.sources)
        )
        answer = running.call(endpoints.SAFETY_ENGAGE, data=True)
        assert answer.success, answer.message
        end = convert.stamp_ns(clock[-1].clock) + int(SECONDS * 1e9)
        running.until(lambda: convert.stamp_ns(clock[-1].clock) > end, f"{SECONDS} s of simulated time")
        running.message(endpoints.SAFETY_STATUS, lambda m: m.state == SafetyStatus.ACTIVE)
        assert running.call(endpoints.SAFETY_ENGAGE, data=False).success
        answer = running.call(endpoints.RECORDER_STOP, outcome=1, note="of a test")
        assert answer.success, answer.message
        assert running.stop() == 0
        assert not running.deaths()
    return Path(answer.path)


@pytest.fixture(scope="module")
def counts(episode: Path) -> dict[str, int]:
    """Messages of each topic as the bag's metadata has them."""
    metadata = yaml.safe_load((episode / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    return {entry["topic_metadata"]["name"]: entry["message_count"] for entry in metadata["topics_with_message_count"]}


def mcap_file(episode: Path) -> Path:
    (file,) = episode.glob("*.mcap")
    return file


def test_every_topic_of_the_pipeline_is_there(counts):
    wanted = {
        f"{NAMESPACE}/{endpoint.name}"
        for endpoint in (
            endpoints.OPERATOR_FRAME,
            endpoints.JOINT_TARGETS.at(source="teleop"),
            endpoints.JOINT_COMMANDS,
            endpoints.JOINT_STATES,
            endpoints.CAMERA_COLOR_COMPRESSED.at(camera="head"),
            endpoints.CAMERA_DEPTH_COMPRESSED.at(camera="head"),
            endpoints.CAMERA_COLOR_COMPRESSED.at(camera="left_wrist"),
            endpoints.CAMERA_COLOR_COMPRESSED.at(camera="right_wrist"),
            endpoints.LIDAR_POINTS,
            endpoints.SCENE_OBJECTS,
            endpoints.SYNC_FRAME,
            endpoints.SAFETY_STATUS,
            endpoints.ROBOT_DESCRIPTION,
            endpoints.TF,
            endpoints.TF_STATIC,
        )
    }
    assert wanted <= {name for name, count in counts.items() if count}


def test_rates_are_as_expected_and_nothing_was_lost(episode):
    sidecar = yaml.safe_load((episode / "episode.yaml").read_text())
    assert sidecar["outcome"] == "success"
    assert sidecar["duration"] > SECONDS
    for topic in sidecar["topics"]:
        assert topic["lost"] == topic["dropped"] == 0, topic
        name = topic["name"].removeprefix(NAMESPACE)
        if name in ("/joint_states", "/camera/head/color/image_raw/compressed", "/lidar/points", "/imu/data"):
            expected = topic["expected_rate"] * sidecar["duration"]
            assert topic["written"] == pytest.approx(expected, rel=0.03, abs=2), name


def test_the_mcap_library_reads_and_decodes_all_of_it(episode, counts):
    found: Counter[str] = Counter()
    with mcap_file(episode).open("rb") as stream:
        for _, channel, _, message in make_reader(stream, decoder_factories=[DecoderFactory()]).iter_decoded_messages():
            found[channel.topic] += 1
            assert message is not None
    assert found == {name: count for name, count in counts.items() if count}


def test_the_rosbags_library_reads_and_decodes_all_of_it(episode, counts):
    found: Counter[str] = Counter()
    with AnyReader([episode]) as reader:
        for connection, _, payload in reader.messages():
            reader.deserialize(payload, connection.msgtype)
            found[connection.topic] += 1
    assert found == {name: count for name, count in counts.items() if count}


def test_rosbag2_py_reads_the_same_bytes_in_the_same_order(episode):
    reader = rosbag2_py.SequentialReader()
    reader.open(
        rosbag2_py.StorageOptions(uri=str(episode), storage_id="mcap"), rosbag2_py.ConverterOptions("cdr", "cdr")
    )
    with mcap_file(episode).open("rb") as stream:
        for _, channel, message in make_reader(stream).iter_messages():
            topic, payload, stamp = reader.read_next()
            assert (topic, payload, stamp) == (channel.topic, message.data, message.log_time)
    assert not reader.has_next()


def test_ros2_bag_info_knows_it(episode, counts):
    answer = subprocess.run(
        ["ros2", "bag", "info", str(episode)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert f"Topic: {NAMESPACE}/joint_states" in answer.stdout
    assert f"Count: {counts[f'{NAMESPACE}/joint_states']}" in answer.stdout


def test_the_checks_can_judge_it(episode):
    answer = subprocess.run(
        ["ros2", "run", "humanoid_dataset", "check", str(episode), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    episodes, _ = json.JSONDecoder().raw_decode(answer.stdout)  # `ros2 run` adds a line when a check fails
    verdicts = {check["name"]: check["status"] for check in episodes[0]["checks"]}
    for name in ("intact", "topics", "loss", "finite", "joint_names", "position_limits", "velocity_limits"):
        assert verdicts[name] == "passed", answer.stdout


def joint_targets(bag: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Joint names, stamps (k,) [s] and positions (k, n) [rad] of joint_targets/teleop."""
    reader = rosbag2_py.SequentialReader()
    reader.open(rosbag2_py.StorageOptions(uri=str(bag), storage_id="mcap"), rosbag2_py.ConverterOptions("cdr", "cdr"))
    reader.set_filter(rosbag2_py.StorageFilter(topics=[f"{NAMESPACE}/joint_targets/teleop"]))
    messages = []
    while reader.has_next():
        messages.append(deserialize_message(reader.read_next()[1], JointState))
    stamps = np.array([convert.stamp_ns(message.header.stamp) for message in messages]) * 1e-9
    return list(messages[0].name), stamps, np.array([message.position for message in messages])


def test_replayed_operator_frames_give_the_same_targets(cell, episode, tmp_path):
    with cell("replay.launch.py", bag=episode, out=tmp_path, recorder="true", rate="0.5", safety="false") as running:
        running.message(endpoints.CLOCK)
        running.message(endpoints.RECORDER_STATUS)  # it is active, and hears the clock soon
        running.until(lambda: running.call(endpoints.RECORDER_START, task="replay").success, "the recorder starts")
        assert running.wait(deadline=120.0) == 0
        assert not running.deaths()
    (replayed,) = (path.parent for path in tmp_path.rglob("metadata.yaml"))
    names, then, position_then = joint_targets(episode)
    names_now, now, position_now = joint_targets(replayed)
    assert names == names_now
    both = then[(then > now[0]) & (then < now[-1])]
    assert len(both) > 0.8 * len(then)
    moved = np.ptp(position_then, axis=0).max()
    assert moved > 0.3  # [rad]: there is something to compare
    # Retargeting takes the newest frame: on a busy machine either run may skip one and follow with the next.
    frame = 1.0 / 90.0  # [s] period of the scripted operator
    apart = []
    for joint in range(len(names)):
        error = np.interp(both, then, position_then[:, joint]) - np.interp(both, now, position_now[:, joint])
        speed = np.interp(both, then, np.abs(np.gradient(position_then[:, joint], then)))
        apart.append(np.abs(error) - frame * speed)
    assert np.percentile(apart, 99) < 0.01  # [rad] beyond what one frame explains
