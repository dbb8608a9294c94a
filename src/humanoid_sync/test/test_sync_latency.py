# SPDX-License-Identifier: Apache-2.0
"""Latency calibration: known latencies are found, what cannot be told is refused, the configuration is written."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import rosbag2_py
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Imu, JointState

from humanoid_core.convert import to_stamp
from humanoid_core.errors import ConfigError
from humanoid_sync import calibrate
from humanoid_sync.latency import LatencyError, Signal, estimate, rates
from humanoid_sync.plans import Latency, make_plan, read_latencies, robot_topics

ROOT = Path(__file__).parents[3]
START = 1000.0


class Motion:
    """Joints that move irregularly: sums of sines."""

    def __init__(self, joints: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._speed = rng.uniform(0.5, 6.0, (joints, 20))
        self._phase = rng.uniform(0.0, 2.0 * math.pi, (joints, 20))
        self._size = rng.normal(0.0, 0.2, (joints, 20)) / self._speed

    def __call__(self, times: np.ndarray) -> np.ndarray:
        """Positions, (n, joints)."""
        angles = self._speed[:, :, None] * times + self._phase[:, :, None]
        return (self._size[:, :, None] * np.sin(angles)).sum(axis=1).T


def gyroscope(motion: Motion, times: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clean = (motion(times + 5e-4) - motion(times - 5e-4)) / 1e-3 @ rng.normal(size=(7, 3))
    return clean + rng.normal(0.0, 0.05 * clean.std(), clean.shape)


@pytest.mark.parametrize("latency", [-0.0613, 0.0, 0.0172, 0.2304])
def test_imu_against_joints(latency):
    motion = Motion(7, 3)
    joints, imu = np.arange(0.0, 30.0, 0.002), np.arange(0.0, 30.0, 0.005)
    found = estimate(rates(joints, motion(joints)), Signal(imu + latency, gyroscope(motion, imu, 1)))
    assert found.latency == pytest.approx(latency, abs=0.5e-3)  # a fifth of the finest step between samples
    assert abs(found.latency - latency) <= 4.0 * found.sd
    assert found.sd < 2e-3


def test_what_cannot_be_told_is_refused():
    times, rng = np.arange(0.0, 30.0, 0.005), np.random.default_rng(0)
    moving = rates(times, Motion(7, 3)(times))
    noise = Signal(times, rng.normal(size=(len(times), 3)))
    with pytest.raises(LatencyError, match="do not see the same"):
        estimate(moving, noise)
    with pytest.raises(LatencyError, match="no motion"):
        estimate(rates(times, np.zeros((len(times), 2))), noise)
    with pytest.raises(LatencyError, match="repeats itself"):
        estimate(rates(times, np.sin(20 * times)[:, None]), Signal(times, np.cos(20 * times)[:, None]))
    late = Signal(moving.times + 0.12, moving.values)
    with pytest.raises(LatencyError, match="end of the range"):
        estimate(moving, late, longest=0.1)
    with pytest.raises(LatencyError, match="in common"):
        estimate(Signal(moving.times[:900], moving.values[:900]), noise)


def picture(x: float, y: float, texture: np.ndarray) -> bytes:
    """A view of a large texture, moved by (x, y) [px]."""
    moved = cv2.warpAffine(texture, np.array([[1.0, 0.0, x - 200], [0.0, 1.0, y - 200]]), (320, 240))
    return bytes(cv2.imencode(".jpg", moved, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])


def record(folder: Path, camera_latency: float, imu_latency: float) -> None:
    """Joints 200 Hz, a gyroscope 200 Hz and a camera 30 Hz that sees joints 0 and 1 turn it."""
    motion, rng = Motion(7, 5), np.random.default_rng(2)
    writer = rosbag2_py.SequentialWriter()
    writer.open(rosbag2_py.StorageOptions(str(folder), "mcap"), rosbag2_py.ConverterOptions("cdr", "cdr"))
    kinds = {
        "joint_states": JointState,
        "imu/data": Imu,
        "camera/head/color/camera_info": CameraInfo,
        "camera/head/color/image_raw/compressed": CompressedImage,
    }
    for i, (topic, kind) in enumerate(kinds.items()):
        name = f"sensor_msgs/msg/{kind.__name__}"
        writer.create_topic(rosbag2_py.TopicMetadata(i, f"/g1/{topic}", name, "cdr"))
    events = []
    times = np.arange(0.0, 20.0, 0.005)
    for t, position, rate in zip(times, motion(times), gyroscope(motion, times, 1)):
        message = JointState(name=[f"j{i}" for i in range(7)], position=position.tolist())
        events.append((t, "joint_states", message))
        message = Imu()
        message.angular_velocity.x, message.angular_velocity.y, message.angular_velocity.z = rate.tolist()
        events.append((t + imu_latency, "imu/data", message))
    texture = cv2.GaussianBlur(rng.integers(0, 255, (700, 800), dtype=np.uint8), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    times = np.arange(0.0, 20.0, 1.0 / 30.0)
    for t, position in zip(times, motion(times)):
        image = CompressedImage(format="jpeg", data=picture(60.0 * position[0], 60.0 * position[1], texture))
        events.append((t + camera_latency, "camera/head/color/camera_info", CameraInfo()))
        events.append((t + camera_latency, "camera/head/color/image_raw/compressed", image))
    for t, topic, message in sorted(events, key=lambda event: event[0]):
        stamp = round((START + t) * 1e9)
        message.header.stamp = to_stamp(stamp)
        writer.write(f"/g1/{topic}", serialize_message(message), stamp + 5_000_000)
    writer.close()


def test_command_measures_and_writes_the_configuration(tmp_path, monkeypatch, capsys):
    record(tmp_path / "bag", camera_latency=0.0417, imu_latency=0.0123)
    file = tmp_path / "latencies.yaml"
    file.write_text("robots: {other: {lidar: {latency: 0.1, sd: 0.001}}}\n")

    def run(*words: str) -> int:
        arguments = ["calibrate", str(tmp_path / "bag"), *words, "--latencies", str(file)]
        monkeypatch.setattr(sys, "argv", [*arguments, "--streams", str(ROOT / "config" / "sync" / "default.yaml")])
        return calibrate.main()

    assert run("head_color", "--robot-name", "g1_01", "--write") == 0
    assert run("imu_data", "--robot-name", "g1_01", "--write") == 0
    found = read_latencies(file, "g1_01")
    assert found["head_color"].latency == pytest.approx(0.0417, abs=3e-3)  # a tenth of the camera's period
    assert found["imu_data"].latency == pytest.approx(0.0123, abs=0.5e-3)
    assert found["imu_data"].against == "joint_states"
    assert read_latencies(file, "other") == {"lidar": Latency(0.1, 0.001)}
    robot = tmp_path / "robot.yaml"
    robot.write_text("joint_state_rate: 200.0\ncommand_rate: 200.0\nimus: {data: {frame: a, rate: 200.0}}\n")
    plan = make_plan(ROOT / "config" / "sync" / "default.yaml", robot_topics(robot), found)
    assert {s.name: s.latency for s in plan.streams}["imu_data"] == found["imu_data"].latency
    assert "written to" in capsys.readouterr().out
    assert run("no_such_stream") == 1
    assert "expected one of" in capsys.readouterr().err


def test_wrong_latencies_are_named(tmp_path):
    file = tmp_path / "latencies.yaml"
    file.write_text("robots: {g1: {imu: {latency: 0.1, sd: 0.1, age: 3}}}\n")
    with pytest.raises(ConfigError, match=r"robots\.g1\.imu\.age"):
        read_latencies(file, "g1")
    file.write_text("robot: {}\n")
    with pytest.raises(ConfigError, match="unknown key"):
        read_latencies(file, "g1")
