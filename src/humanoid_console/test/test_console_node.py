# SPDX-License-Identifier: Apache-2.0
"""The node with real topics, in one process: subscriptions follow the clients."""

import threading
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.experimental import EventsExecutor
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from humanoid_console.foxglove_view_node import FoxgloveViewNode
from humanoid_core import endpoints, ros

CONFIG = Path(__file__).resolve().parents[1] / "config" / "foxglove_view.yaml"


class Turning:
    """Executor in a thread; work that touches nodes is handed to it."""

    def __init__(self, *nodes) -> None:
        self._executor = EventsExecutor()
        for node in nodes:
            self._executor.add_node(node)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.02)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()


@pytest.fixture
def context():
    (section,) = yaml.safe_load(CONFIG.read_text(encoding="utf-8")).values()
    defaults = section["ros__parameters"]
    given = {**defaults, "port": 0, "discovery_period": 0.1}
    arguments = ["--ros-args", "-r", "__ns:=/g1"]
    for name, value in given.items():
        arguments += ["-p", f"{name}:={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"]
    rclpy.init(args=arguments)
    yield
    rclpy.try_shutdown()


def test_topics_are_subscribed_to_only_while_somebody_looks(context, connect_to):
    robot = rclpy.create_node("robot")
    states = ros.publisher(robot, endpoints.JOINT_STATES)
    description = ros.publisher(robot, endpoints.ROBOT_DESCRIPTION)
    description.publish(String(data="<robot/>"))
    view = FoxgloveViewNode()
    turning = Turning(robot, view)
    client = connect_to(view.port)
    try:
        client.read_until(lambda: {"/joint_states", "/robot_description"} <= set(client.channels))
        channel = client.channels["/joint_states"]
        assert channel["schemaName"] == "sensor_msgs/msg/JointState"
        assert "MSG: std_msgs/Header" in channel["schema"]
        assert "/parameter_events" not in client.channels
        assert states.get_subscription_count() == 0

        client.subscribe("/joint_states")
        _wait(lambda: states.get_subscription_count() == 1)
        states.publish(JointState(name=["a"], position=[0.5]))
        client.read_until(lambda: bool(client.of("/joint_states")))
        assert deserialize_message(client.of("/joint_states")[0], JointState).position[0] == 0.5
        assert abs(client.messages[0][1] - view.get_clock().now().nanoseconds) < 60e9

        # What was latched before anybody looked comes, and again for each that looks later.
        client.subscribe("/robot_description")
        client.read_until(lambda: bool(client.of("/robot_description")))
        late = connect_to(view.port)
        late.read_until(lambda: "/robot_description" in late.channels)
        late.subscribe("/robot_description")
        late.read_until(lambda: bool(late.of("/robot_description")))
        assert deserialize_message(late.of("/robot_description")[0], String).data == "<robot/>"
        late.close()

        client.unsubscribe("/joint_states")
        _wait(lambda: states.get_subscription_count() == 0)
        client.close()
        _wait(lambda: description.get_subscription_count() == 0)
    finally:
        client.close()
        turning.stop()
        view.destroy_node()
        robot.destroy_node()


def test_topics_go_when_their_publishers_go(context, connect_to):
    robot, view = rclpy.create_node("robot"), FoxgloveViewNode()
    turning = Turning(robot, view)
    client = connect_to(view.port)
    try:
        short = robot.create_publisher(String, "short", 1)
        client.read_until(lambda: "/short" in client.channels)
        robot.destroy_publisher(short)
        client.read_until(lambda: "/short" not in client.channels)
    finally:
        client.close()
        turning.stop()
        view.destroy_node()
        robot.destroy_node()


def _wait(done) -> None:
    waiting = threading.Event()
    for _ in range(1000):
        if done():
            return
        waiting.wait(0.01)
    raise AssertionError("did not happen within 10 s")
