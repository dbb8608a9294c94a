# SPDX-License-Identifier: Apache-2.0
"""Nodes in this process: messages on the right topics with stamps of measurement; diagnostics when a device is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import lidar_packets
import numpy as np
import pytest
import rclpy
from rclpy.parameter import Parameter
from test_lidar_device import capture

from humanoid_core import convert, endpoints, ros
from humanoid_sensors.camera.frame import Frame
from humanoid_sensors.camera_node import CameraNode
from humanoid_sensors.lidar_node import LidarNode

DEADLINE = 30.0


class Harness:
    """A node that is configured and activated, and what it publishes."""

    def __init__(self, domain: int) -> None:
        self.context = rclpy.Context()
        self.context.init(domain_id=domain)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.nodes: list[Any] = []

    def start(
        self, kind: type, topics: list[endpoints.Endpoint], **parameters: Any
    ) -> tuple[Any, dict[str, list[Any]]]:
        listener = rclpy.create_node("listener", context=self.context)
        heard: dict[str, list[Any]] = {topic.name: [] for topic in topics}
        for topic in topics:
            ros.subscribe(listener, topic, heard[topic.name].append)
        given = [Parameter(name, value=value) for name, value in parameters.items()]
        node = kind(context=self.context, parameter_overrides=given)
        for one in (listener, node):
            self.executor.add_node(one)
            self.nodes.append(one)
        assert node.trigger_configure() is not None
        self.until(lambda: all(listener.count_publishers(topic.name) for topic in topics), "publishers")
        node.trigger_activate()
        return node, heard

    def until(self, condition: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, what
            self.executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()


@pytest.fixture
def harness(ros_domain) -> Iterator[Harness]:
    made = Harness(ros_domain)
    yield made
    made.close()


def test_a_camera_publishes_pictures_with_one_stamp(harness):
    raw, compressed, info = (
        endpoint.at(camera="head")
        for endpoint in (endpoints.CAMERA_COLOR, endpoints.CAMERA_COLOR_COMPRESSED, endpoints.CAMERA_COLOR_INFO)
    )
    clock = endpoints.CLOCK_SAMPLE.at(stream=info.name)
    words = {"device": "head camera", "camera": "head", "source": "pattern", "frame": "head_optical", "width": 64}
    _, heard = harness.start(CameraNode, [raw, compressed, info, clock], **words, height=48, stamp_offset=0.004)
    harness.until(lambda: all(len(messages) >= 5 for messages in heard.values()), "five of each")
    image = heard[raw.name][2]
    assert (image.encoding, image.height, image.width, image.step) == ("rgb8", 48, 64, 192)
    assert image.header.frame_id == "head_optical"
    by_stamp = {convert.stamp_ns(message.header.stamp): message for message in heard[compressed.name]}
    jpeg = by_stamp[convert.stamp_ns(image.header.stamp)]
    pixels = Frame(0, 0, 0, jpeg=jpeg.data.tobytes()).pixels("head").astype(int)
    assert np.abs(pixels - np.frombuffer(image.data, np.uint8).reshape(48, 64, 3)).mean() < 12
    device = {convert.stamp_ns(sample.device_stamp) for sample in heard[clock.name]}
    assert convert.stamp_ns(image.header.stamp) - 4_000_000 in device
    assert heard[info.name][0].k[0] == 0.0  # not calibrated


def test_a_lidar_publishes_sweeps_from_a_capture(harness, tmp_path):
    file = tmp_path / "mid360.pcap"
    start = 1_700_000_000 * 10**9
    places = np.random.default_rng(0).uniform(-5, 5, (96, 3)).round(3)
    datagrams = [(start + i * 480_000, 56301, lidar_packets.mid360(places, start + i * 480_000, i)) for i in range(460)]
    capture(file, [*datagrams, (start, 56401, lidar_packets.mid360_imu((0, 0, 1), (0, 0, 1), start))])
    imu, clock = endpoints.IMU.at(place="lidar"), endpoints.CLOCK_SAMPLE.at(stream="lidar/points")
    words = {"device": "chest LiDAR", "model": "livox_mid360", "frame": "mid360_link", "capture": str(file)}
    _, heard = harness.start(LidarNode, [endpoints.LIDAR_POINTS, imu, clock], **words)
    harness.until(lambda: len(heard["lidar/points"]) >= 2 and heard[imu.name], "two sweeps and an IMU sample")
    cloud = heard["lidar/points"][0]
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "intensity", "t", "ring", "tag"]
    assert cloud.width == 209 * 96
    xyz = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)[:96, :12].copy().view("<f4")
    np.testing.assert_allclose(xyz, places, atol=1e-4)
    first, second = (convert.stamp_ns(message.header.stamp) for message in heard["lidar/points"][:2])
    assert second - first == pytest.approx(209 * 480_000, abs=20_000_000)
    assert heard[imu.name][0].linear_acceleration.z == pytest.approx(9.80665)


def test_a_device_that_is_away_is_an_error_in_diagnostics_and_no_end(harness):
    words = {"device": "wrist camera", "camera": "wrist", "source": "v4l2", "url": "/dev/video87", "frame": "wrist"}
    node, heard = harness.start(CameraNode, [endpoints.DIAGNOSTICS], **words, retry=0.05)
    harness.until(
        lambda: any("/dev/video87" in m.status[0].message for m in heard["/diagnostics"]), "a fault that names it"
    )
    assert heard["/diagnostics"][-1].status[0].level == b"\x02"
    assert node.trigger_deactivate() is not None
