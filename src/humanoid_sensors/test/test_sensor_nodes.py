# SPDX-License-Identifier: Apache-2.0
"""Nodes in this process: messages on the right topics with stamps of measurement; diagnostics when a device is away."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import lidar_packets
import numpy as np
import pytest
import rclpy
from fake_netft import FakeNetFt
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from test_lidar_device import capture

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import TactileArray
from humanoid_sensors.camera.frame import Frame
from humanoid_sensors.camera_node import CameraNode
from humanoid_sensors.imu_node import ImuNode
from humanoid_sensors.lidar_node import LidarNode
from humanoid_sensors.microphone_node import MicrophoneNode
from humanoid_sensors.tactile_node import TactileNode
from humanoid_sensors.wrench_node import WrenchNode

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


def test_an_imu_publishes_without_orientation_where_it_has_none(harness):
    topic = endpoints.IMU.at(place="chest")
    words = {"device": "chest IMU", "place": "chest", "source": "simulated", "frame": "imu_chest"}
    _, heard = harness.start(ImuNode, [topic], **words)
    harness.until(lambda: len(heard[topic.name]) >= 10, "ten samples")
    message = heard[topic.name][0]
    assert (message.linear_acceleration.z, message.orientation.w) == (9.80665, 1.0)
    assert message.header.frame_id == "imu_chest"
    stamps = [convert.stamp_ns(one.header.stamp) for one in heard[topic.name]]
    assert np.diff(stamps).tolist() == [5_000_000] * (len(stamps) - 1)


def test_a_wrench_from_the_network_is_on_the_hosts_time(harness, monkeypatch):
    sensor = FakeNetFt()
    topic = endpoints.WRENCH.at(place="left_wrist")
    clock = endpoints.CLOCK_SAMPLE.at(stream=topic.name)
    words = {"device": "left wrist", "place": "left_wrist", "source": "netft", "frame": "left_wrist_wrench"}
    scales = {"counts_per_newton": 1e6, "counts_per_newton_metre": 1e6, "sensor_rate": 1000.0}
    _, heard = harness.start(WrenchNode, [topic, clock], **words, **scales, address="127.0.0.1", port=sensor.port)
    numbers = itertools.count()

    def enough() -> bool:
        number = next(numbers)
        sensor.send(number + 1, 7000 + number, (0, 0, -9_810_000, 500_000, 0, 0))
        return len(heard[topic.name]) >= 20 and len(heard[clock.name]) >= 20

    harness.until(enough, "twenty of each")
    message = heard[topic.name][-1]
    assert (message.wrench.force.z, message.wrench.torque.x) == (-9.81, 0.5)
    assert convert.stamp_ns(heard[clock.name][0].device_stamp) // 10**6 >= 7000
    assert abs(convert.stamp_ns(message.header.stamp) - time.time_ns()) < 60 * 10**9
    sensor.close()


def test_pads_are_published_with_their_layout_and_zeroed_when_asked(harness, tmp_path):
    file = tmp_path / "pads.yaml"
    file.write_text(
        "pads: {thumb: {frame: thumb_pad, register: 0, rows: 2, columns: 3, pitch: [0.004, 0.003], quantity: force}}"
    )
    topic = endpoints.TACTILE.at(place="left_thumb")
    words = {"device": "left hand", "source": "simulated", "layout": str(file), "prefix": "left_", "drift_time": 0.0}
    node, heard = harness.start(TactileNode, [topic], **words, zero_readings=2)
    harness.until(lambda: len(heard[topic.name]) >= 5, "five readings")
    first = heard[topic.name][0]
    assert (first.rows, first.columns, first.quantity, len(first.positions)) == (2, 3, TactileArray.FORCE, 6)
    assert first.header.frame_id == "left_thumb_pad"
    assert list(first.values) == [0.0] * 6
    assert any(any(message.values) for message in heard[topic.name][2:])
    client = harness.nodes[0].create_client(Trigger, "tactile/zero")
    harness.until(client.service_is_ready, "the service")
    heard[topic.name].clear()
    answer = client.call_async(Trigger.Request())
    harness.until(answer.done, "an answer")
    assert answer.result().success
    harness.until(lambda: [0.0] * 6 in [list(one.values) for one in heard[topic.name]], "a new zero")
    assert node.health.total > 0


def test_sound_is_counted_without_gaps_and_stamped_by_its_count(harness):
    words = {"device": "head microphone", "source": "simulated", "frame": "head", "rate": 16000, "block": 160}
    _, heard = harness.start(MicrophoneNode, [endpoints.AUDIO], **words)
    harness.until(lambda: len(heard["audio"]) >= 20, "twenty chunks")
    chunks = heard["audio"]
    assert np.diff([chunk.first_sample for chunk in chunks]).tolist() == [160] * (len(chunks) - 1)
    assert np.diff([convert.stamp_ns(chunk.header.stamp) for chunk in chunks]).tolist() == [10_000_000] * (
        len(chunks) - 1
    )
    assert (chunks[0].sample_rate, chunks[0].channels, chunks[0].encoding) == (16000, 1, "pcm_s16le")
    assert len(chunks[0].data) == 320
