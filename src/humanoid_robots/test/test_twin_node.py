# SPDX-License-Identifier: Apache-2.0
"""The node in one process: its topics, encodings, services and what it does when commands cease."""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rclpy
from cv_bridge import CvBridge
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import RobotStatus
from humanoid_interfaces.srv import ResetScene
from humanoid_robots.twin_node import TwinNode

ROOT = Path(__file__).parents[3]
HEAD = {"camera": "head"}


class Bench:
    """A running twin and a listener; messages by topic."""

    def __init__(self, context: rclpy.Context) -> None:
        file = ROOT / "src" / "humanoid_robots" / "config" / "twin.yaml"
        values = {
            "robot_config": str(ROOT / "config" / "robots" / "unitree_g1.yaml"),
            "scene": str(ROOT / "config" / "scenes" / "parcel_sorting.yaml"),
            "time_scale": 20.0,
            "patience": 2.0,
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        arguments = ["--ros-args", "--params-file", str(file)]
        self.twin = TwinNode(context=context, cli_args=arguments, parameter_overrides=overrides)
        self.listener = Node("listener", context=context)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self.executor = SingleThreadedExecutor(context=context)
        for node in (self.twin, self.listener):
            self.executor.add_node(node)

    def listen(self, *topics: endpoints.Endpoint) -> None:
        for topic in topics:
            ros.subscribe(self.listener, topic, self.heard[topic.name].append)

    def until(self, condition: Callable[[], bool], limit: float = 60.0) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end, {name: len(found) for name, found in self.heard.items()}
            self.executor.spin_once(timeout_sec=0.05)

    def pair(self, first: str, second: str) -> tuple[Any, Any]:
        """A message of each topic, with the same header."""

        def found() -> Iterator[tuple[Any, Any]]:
            return ((a, b) for a in self.heard[first] for b in self.heard[second] if a.header == b.header)

        self.until(lambda: next(found(), None) is not None)
        return next(found())

    def ask(self, endpoint: endpoints.Endpoint, request: Any) -> Any:
        future = ros.client(self.listener, endpoint).call_async(request)
        self.until(future.done)
        return future.result()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    context = rclpy.Context()
    rclpy.init(context=context)
    made = Bench(context)
    made.listen(
        endpoints.CLOCK,
        endpoints.JOINT_STATES,
        endpoints.ROBOT_STATUS,
        endpoints.SCENE_OBJECTS,
        endpoints.SCENE_EVENTS,
        endpoints.LIDAR_POINTS,
        endpoints.AUDIO,
        endpoints.TIME_SCALE,
        endpoints.TF,
        endpoints.TACTILE.at(place="left_palm"),
        endpoints.CAMERA_COLOR.at(**HEAD),
        endpoints.CAMERA_COLOR_COMPRESSED.at(**HEAD),
        endpoints.CAMERA_DEPTH_COMPRESSED.at(**HEAD),
        endpoints.CAMERA_DEPTH.at(**HEAD),
        endpoints.CAMERA_COLOR_INFO.at(**HEAD),
    )
    assert made.twin.trigger_configure().name == "SUCCESS"
    assert made.twin.trigger_activate().name == "SUCCESS"
    wanted = [name for name in made.heard]
    made.until(lambda: all(made.heard[name] for name in wanted))
    yield made
    made.twin.destroy_node()
    made.listener.destroy_node()
    rclpy.shutdown(context=context)


def test_clock_goes_on_period_by_period(bench: Bench) -> None:
    times = np.array([convert.stamp_ns(message.clock) for message in bench.heard["/clock"]])
    assert np.all(np.diff(times) > 0)
    assert np.all(np.diff(times) % 2_000_000 == 0)
    assert times[0] >= 1_000_000_000


def test_joint_states_carry_every_joint_at_the_time_of_the_clock(bench: Bench) -> None:
    message = bench.heard["joint_states"][-1]
    assert len(message.name) == len(message.position) == len(message.velocity) == len(message.effort) == 43
    assert convert.stamp_ns(message.header.stamp) % 2_000_000 == 0


def test_images_are_encoded_as_image_transport_does(bench: Bench) -> None:
    bridge = CvBridge()
    color, raw = bench.pair("camera/head/color/image_raw/compressed", "camera/head/color/image_raw")
    assert color.format == "rgb8; jpeg compressed bgr8"
    shown = bridge.compressed_imgmsg_to_cv2(color, "bgr8")
    assert shown.shape == (480, 640, 3)
    assert (raw.encoding, raw.step) == ("rgb8", 1920)
    assert np.abs(bridge.imgmsg_to_cv2(raw, "bgr8").astype(int) - shown).mean() < 4  # of 255: what JPEG loses
    depth, raw = bench.pair("camera/head/depth/image_rect_raw/compressedDepth", "camera/head/depth/image_rect_raw")
    assert depth.format == "16UC1; compressedDepth png"
    assert struct.unpack("<iff", bytes(depth.data[:12])) == (0, 0.0, 0.0)
    image = cv2.imdecode(np.frombuffer(depth.data, np.uint8)[12:], cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    assert image.shape == (480, 640)
    assert (raw.encoding, raw.step) == ("16UC1", 1280)
    np.testing.assert_array_equal(bridge.imgmsg_to_cv2(raw), image)
    info, _ = bench.pair("camera/head/color/camera_info", "camera/head/color/image_raw/compressed")
    assert info.header.frame_id == "head_camera_color_optical"
    assert info.k[0] == info.k[4] == pytest.approx(240 / np.tan(0.733 / 2))


def test_cloud_has_a_time_for_each_point(bench: Bench) -> None:
    cloud = bench.heard["lidar/points"][0]
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "intensity", "t"]
    rows = np.frombuffer(cloud.data, dtype=[("xyz", "<f4", 3), ("i", "<f4"), ("t", "<u4")])
    assert len(rows) == cloud.width > 1000
    assert np.isfinite(rows["xyz"]).all()
    assert rows["t"][0] < 10_000_000
    assert 80_000_000 < rows["t"][-1] < 100_000_000


def test_sound_comes_in_samples_of_16_bit_stamped_by_their_index(bench: Bench) -> None:
    chunk = bench.heard["audio"][0]
    assert (chunk.encoding, chunk.sample_rate, chunk.channels) == ("pcm_s16le", 16000, 1)
    assert chunk.header.frame_id == "gaze"
    samples = np.frombuffer(chunk.data, "<i2")
    assert len(samples) == 320
    assert 10.0 < samples.std() < 100.0  # the room's noise: 60 dB under full scale
    assert convert.stamp_ns(chunk.header.stamp) == pytest.approx(chunk.first_sample * 62_500, abs=1)


def test_base_footprint_is_under_the_base(bench: Bench) -> None:
    first, second = bench.heard["tf"][0].transforms
    assert (first.header.frame_id, first.child_frame_id) == ("odom", "base_link")
    assert (second.header.frame_id, second.child_frame_id) == ("base_link", "base_footprint")
    assert second.transform.translation.z == pytest.approx(-first.transform.translation.z)


def test_tactile_layout_is_complete(bench: Bench) -> None:
    message = bench.heard["tactile/left_palm"][0]
    assert message.rows * message.columns == len(message.values) == len(message.positions) == 12


def test_follows_commands_and_stops_when_they_cease(bench: Bench) -> None:
    commands = ros.publisher(bench.listener, endpoints.JOINT_COMMANDS)
    bench.until(lambda: commands.get_subscription_count() > 0)
    status = bench.heard["robot/status"]
    name = "left_elbow_joint"

    def following() -> bool:
        commands.publish(JointState(name=[name], position=[-0.35]))
        return bool(status) and status[-1].mode == RobotStatus.FOLLOWING

    bench.until(following)
    bench.until(lambda: status[-1].mode == RobotStatus.STOPPING)
    last = bench.heard["joint_states"][-1]
    assert last.position[list(last.name).index(name)] == pytest.approx(-0.35, abs=0.02)


def test_time_waits_for_commands_until_they_cease(bench: Bench) -> None:
    """Commands stamped with the time of the clock; without them it stands still, but not for ever."""
    commands = ros.publisher(bench.listener, endpoints.JOINT_COMMANDS)
    bench.until(lambda: commands.get_subscription_count() > 0)
    clock, status = bench.heard["/clock"], bench.heard["robot/status"]

    def following() -> bool:
        message = JointState(name=["left_elbow_joint"], position=[-0.35])
        message.header.stamp = clock[-1].clock
        commands.publish(message)
        return bool(status[-1].mode == RobotStatus.FOLLOWING)

    bench.until(following)
    for _ in range(50):
        following()
        bench.executor.spin_once(timeout_sec=0.05)
    last = convert.stamp_ns(clock[-1].clock)
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        bench.executor.spin_once(timeout_sec=0.05)
    assert convert.stamp_ns(clock[-1].clock) - last <= 16_000_000
    bench.until(lambda: status[-1].mode == RobotStatus.STOPPING)
    assert convert.stamp_ns(clock[-1].clock) - last > 100_000_000


def test_reset_draws_the_scene_anew_and_time_goes_on(bench: Bench) -> None:
    before = bench.heard["scene/objects"][-1]
    answer = bench.ask(endpoints.SCENE_RESET, ResetScene.Request(seed=11))
    assert answer.success, answer.message
    bench.until(lambda: bench.heard["scene/objects"][-1].seed == 11)
    after = bench.heard["scene/objects"][-1]
    assert [item.name for item in after.objects] == [item.name for item in before.objects]
    assert after.objects[0].pose.position != before.objects[0].pose.position
    assert convert.stamp_ns(after.header.stamp) > convert.stamp_ns(before.header.stamp)
    bench.until(lambda: [event.kind for event in bench.heard["scene/events"]].count("reset") >= 2)


def test_unknown_scene_is_refused_and_the_old_one_stays(bench: Bench) -> None:
    answer = bench.ask(endpoints.SCENE_RESET, ResetScene.Request(scene="moon"))
    assert not answer.success
    assert "moon.yaml" in answer.message
    assert bench.heard["scene/objects"][-1].scene == "parcel_sorting"


def test_deactivated_time_stands_still_and_activated_it_goes_on(bench: Bench) -> None:
    assert bench.twin.trigger_deactivate().name == "SUCCESS"
    bench.executor.spin_once(timeout_sec=0.1)
    stopped = bench.twin._twin.now if bench.twin._twin is not None else 0
    assert not bench.ask(endpoints.SCENE_RESET, ResetScene.Request()).success
    assert bench.twin._twin is not None
    assert bench.twin._twin.now == stopped
    assert bench.twin.trigger_activate().name == "SUCCESS"
    bench.until(lambda: convert.stamp_ns(bench.heard["/clock"][-1].clock) > stopped + 10_000_000)
