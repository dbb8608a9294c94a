# SPDX-License-Identifier: Apache-2.0
"""Plans from a robot's configuration and the rules for kinds of streams; warnings as stretches of time."""

from __future__ import annotations

from pathlib import Path

import pytest

from humanoid_core.config import read_yaml
from humanoid_core.errors import ConfigError
from humanoid_sync.checks import check_types
from humanoid_sync.frames import Warning
from humanoid_sync.plans import Latency, Topic, make_plan, robot_topics
from humanoid_sync.remarks import Remark, Remarks

CONFIG = Path(__file__).parents[3] / "config"
RULES = CONFIG / "sync" / "default.yaml"


@pytest.mark.parametrize("robot", sorted(path.stem for path in (CONFIG / "robots").glob("*.yaml")))
def test_every_robot_has_all_its_streams(robot):
    file = CONFIG / "robots" / f"{robot}.yaml"
    plan, data = make_plan(RULES, robot_topics(file)), read_yaml(file)
    check_types(plan)
    streams = {stream.topic: stream for stream in plan.streams}
    assert streams["joint_states"].rate == data["joint_state_rate"]
    assert streams["joint_commands"].policy == "previous"
    assert streams["operator/frame"].name == "operator"
    for name, camera in data["cameras"].items():
        assert streams[f"camera/{name}/color/camera_info"].rate == camera["color"]["rate"]
        assert (f"camera/{name}/depth/camera_info" in streams) == bool(camera.get("depth"))
    for section, kind in (("imus", "imu"), ("wrenches", "wrench"), ("tactile", "tactile")):
        for place, sensor in (data.get(section) or {}).items():
            assert streams[f"{kind}/{place}"].rate == sensor["rate"]
    assert ("lidar/points" in streams) == bool(data.get("lidar"))
    assert ("odom" in streams) == (data["base"] == "wheeled")


def test_slow_streams_get_room():
    plan = make_plan(RULES, [Topic("imu/slow", "sensor_msgs/msg/Imu", 4.0)], foreign=True)
    (stream,) = plan.streams
    assert stream.tolerance == pytest.approx(1.05 / 4.0)
    assert stream.max_gap == pytest.approx(3.0 / 4.0)


def test_latencies_and_streams_in_full_go_before_rules(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(
        RULES.read_text()
        .replace("clocks: {}", "clocks: {board: {wraps: 4294967.296, tick: 0.001}}")
        .split("streams: []")[0]
        + "streams:\n  - {name: imu_data, topic: imu/data, type: sensor_msgs/msg/Imu, rate: 100.0, policy: slerp,\n"
        "     tolerance: 0.02, max_gap: 0.05, values: true, clock: board}\n"
    )
    topics = [Topic("imu/data", "sensor_msgs/msg/Imu", 200.0), Topic("imu/torso", "sensor_msgs/msg/Imu", 200.0)]
    plan = make_plan(file, topics, {"imu_torso": Latency(0.003, 0.001)})
    streams = {stream.name: stream for stream in plan.streams}
    assert (streams["imu_data"].rate, streams["imu_data"].clock) == (100.0, "board")
    assert streams["imu_torso"].latency == 0.003
    assert plan.clocks["board"].wraps == 4294967.296


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("command_rate: 500.0\n", "joint_state_rate.rate"),
        ("joint_state_rate: 500.0\ncommand_rate: 500.0\nimus: {data: {frame: a}}\n", r"imus\.data\.rate"),
        ("joint_state_rate: 0\n", "above 0"),
    ],
)
def test_a_robot_without_rates_is_named(tmp_path, content, word):
    file = tmp_path / "robot.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=word):
        robot_topics(file)


def test_a_master_that_is_no_stream_is_named(tmp_path):
    file = tmp_path / "site.yaml"
    file.write_text(RULES.read_text().replace('master: ""', "master: head_colour"))
    with pytest.raises(ConfigError, match="'head_colour' is none of imu_data"):
        make_plan(file, [Topic("imu/data", "sensor_msgs/msg/Imu", 200.0)], foreign=True)


def test_warnings_become_stretches():
    remarks, second = Remarks(), 1_000_000_000
    bad, worse = Warning("head", "rate", "20 Hz"), Warning("head", "rate", "10 Hz")
    assert remarks.update([], 10 * second) == []
    assert remarks.update([bad], 11 * second) == [Remark(11 * second, 11 * second, "head: 20 Hz")]
    assert remarks.update([worse], 15 * second) == []
    assert remarks.update([worse], 16 * second) == [Remark(11 * second, 16 * second, "head: 20 Hz")]
    assert remarks.update([], 17 * second) == [Remark(16 * second, 17 * second, "head: 10 Hz")]
    assert remarks.update([], 18 * second) == []
