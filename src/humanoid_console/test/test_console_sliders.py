# SPDX-License-Identifier: Apache-2.0
"""Joint sliders: ranges from the model, the page's server, and what the node publishes."""

from __future__ import annotations

import io
import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from PIL import Image
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState

import humanoid_description
from humanoid_console.joint_sliders import Positions, Slider, SliderError, sliders_of
from humanoid_console.joint_sliders_node import JointSlidersNode
from humanoid_console.slider_server import MOST_BYTES, SliderServer
from humanoid_core import endpoints, ros
from humanoid_core.errors import ConfigError

TWO = [Slider("elbow", "arm", -1.0, 2.0, 0.5, "rad"), Slider("lift", "torso", 0.0, 0.3, 0.1, "m")]


# --- core ---


def test_sliders_have_the_ranges_of_the_urdf_and_start_at_home() -> None:
    robot = humanoid_description.load(humanoid_description.find_config("unitree_g1"))
    sliders = {slider.name: slider for slider in sliders_of(robot)}
    assert set(sliders) == set(robot.joints)
    knee, elbow = sliders["left_knee_joint"], sliders["left_elbow_joint"]
    assert (knee.lower, knee.upper, knee.home, knee.group) == (-0.087267, 2.8798, 0.0, "left_leg")
    assert elbow.home == robot.config.home["left_elbow_joint"]
    assert next(iter(sliders)) == robot.config.groups["left_arm"][0]  # in the order of the groups


def test_wheels_turn_half_a_turn_and_what_mimics_has_no_slider() -> None:
    robot = humanoid_description.load(humanoid_description.find_config("agibot_g2"))
    sliders = {slider.name: slider for slider in sliders_of(robot)}
    assert not set(sliders) & set(robot.mimics)
    assert robot.config.drive
    wheel = sliders[robot.config.drive.wheels[0].rolling]
    assert (wheel.lower, wheel.upper, wheel.home, wheel.group) == (-math.pi, math.pi, 0.0, "wheels")


def test_positions_stay_inside_their_ranges_and_go_home() -> None:
    positions = Positions(TWO)
    positions.move({"elbow": 7, "lift": 0.2})
    assert positions.now() == {"elbow": 2.0, "lift": 0.2}
    positions.home()
    assert positions.now() == {"elbow": 0.5, "lift": 0.1}


@pytest.mark.parametrize("wrong", [{"knee": 0.1}, {"elbow": "up"}, {"elbow": math.nan}, {"elbow": True}])
def test_what_no_slider_can_take_moves_nothing(wrong: dict[str, Any]) -> None:
    positions = Positions(TWO)
    with pytest.raises(SliderError):
        positions.move({"lift": 0.3, **wrong})
    assert positions.now() == {"elbow": 0.5, "lift": 0.1}


# --- server ---


@pytest.fixture
def server() -> Iterator[SliderServer]:
    def paint(positions: dict[str, float], azimuth: float, elevation: float) -> bytes:
        return json.dumps([positions["elbow"], azimuth, elevation]).encode()

    server = SliderServer("Robot", "<p>page</p>", Positions(TWO), lambda: "careful", paint, "127.0.0.1", 0)
    yield server
    server.stop()


def ask(port: int, path: str, content: Any = None, **headers: str) -> tuple[int, bytes]:
    data = None if content is None else json.dumps(content).encode()
    kind = {} if content is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {**kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_page_moves_joints_and_sees_where_they_are(server: SliderServer) -> None:
    assert ask(server.port, "/") == (200, b"<p>page</p>")
    start = json.loads(ask(server.port, "/sliders")[1])
    assert [slider["name"] for slider in start["sliders"]] == ["elbow", "lift"]
    assert (start["title"], start["warning"], start["pictures"]) == ("Robot", "careful", True)
    assert json.loads(ask(server.port, "/move", {"elbow": 1.25})[1])["positions"]["elbow"] == 1.25
    assert json.loads(ask(server.port, "/picture.png?azimuth=0.5&elevation=0.1")[1]) == [1.25, 0.5, 0.1]
    assert json.loads(ask(server.port, "/home", {})[1])["positions"]["elbow"] == 0.5


def test_wrong_requests_are_refused_and_move_nothing(server: SliderServer) -> None:
    assert ask(server.port, "/nothing")[0] == 404
    assert ask(server.port, "/picture.png?azimuth=left")[0] == 400
    assert ask(server.port, "/move", {"knee": 1.0})[0] == 400
    assert ask(server.port, "/move", [1.0])[0] == 400
    assert ask(server.port, "/move", {"elbow": 1.0}, **{"Content-Type": "text/plain"})[0] == 400
    assert ask(server.port, "/move", {"elbow": "1" * MOST_BYTES})[0] == 400
    assert ask(server.port, "/move", {"elbow": 1.0}, Host="elsewhere.example")[0] == 403
    assert ask(server.port, "/state", Host="elsewhere.example")[0] == 403
    assert server.positions.now()["elbow"] == 0.5


def test_a_port_that_is_taken_is_named(server: SliderServer) -> None:
    with pytest.raises(ConfigError, match=str(server.port)):
        SliderServer("Robot", "", Positions(TWO), lambda: "", None, "127.0.0.1", server.port)


# --- node ---


@pytest.fixture
def node() -> Iterator[JointSlidersNode]:
    given = {
        "robot_config": humanoid_description.find_config("unitree_g1"),
        "host": "127.0.0.1",
        "port": 0,
        "rate": 100.0,
        "use_sim_time": True,  # launch files set it for the twin; no clock runs here
    }
    arguments = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    rclpy.init(args=["--ros-args", "-r", "__ns:=/g1", *arguments])
    node = JointSlidersNode()
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_node_publishes_the_sliders_until_a_robot_does(node: JointSlidersNode) -> None:
    heard: list[JointState] = []
    reader = rclpy.create_node("reader", namespace="/g1")
    ros.subscribe(reader, endpoints.JOINT_STATES, heard.append)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(reader)

    def turn_until(done: Callable[[], bool]) -> None:
        for _ in range(2000):
            executor.spin_once(timeout_sec=0.01)
            if done():
                return
        raise AssertionError("it did not come to pass")

    turn_until(lambda: bool(heard))
    assert ask(node.port, "/move", {"left_elbow_joint": 1.0})[0] == 200
    turn_until(lambda: dict(zip(heard[-1].name, heard[-1].position))["left_elbow_joint"] == 1.0)
    assert heard[-1].header.stamp.sec > 0

    status, picture = ask(node.port, "/picture.png?azimuth=0&elevation=0")
    image = np.asarray(Image.open(io.BytesIO(picture)))
    assert status == 200
    assert image.shape == (560, 420, 3)

    robot = reader.create_publisher(JointState, "/g1/joint_states", 1)
    turn_until(lambda: "keep still" in json.loads(ask(node.port, "/state")[1])["warning"])
    said = len(heard)
    for _ in range(20):
        executor.spin_once(timeout_sec=0.01)
    assert len(heard) == said
    reader.destroy_publisher(robot)
    turn_until(lambda: len(heard) > said)
    reader.destroy_node()
