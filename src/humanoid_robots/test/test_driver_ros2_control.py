# SPDX-License-Identifier: Apache-2.0
"""The ros2_control driver against controllers in another process that check trajectories as the real ones do."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rclpy
from driver_bench import Bench
from fake_process import patient_driver
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from humanoid_core import convert
from humanoid_core.errors import ConfigError, MessageError
from humanoid_interfaces.msg import RobotStatus
from humanoid_robots.driver_node import DriverNode
from humanoid_robots.drivers import settings
from humanoid_robots.drivers.ros2_control import Ros2ControlDriver
from humanoid_robots.servo import Mode

CONFIG = Path(__file__).resolve().parents[3] / "config"
NAME = "unitree_g1_ros2_control"
ELBOW = "left_elbow_joint"
TARGET = {ELBOW: 0.25}  # from 0.1


@pytest.fixture(scope="module", params=["topic", "action"])
def bench(request, ros_domain, tmp_path_factory):
    file = patient_driver(tmp_path_factory.mktemp("driver"), NAME)
    text = file.read_text(encoding="utf-8").replace("channel: topic", f"channel: {request.param}")
    text = text.replace("states: /joint_states", "states: /hw/joint_states")  # the driver's own are in the root here
    file.write_text(text, encoding="utf-8")
    made = Bench(ros_domain, "unitree_g1", "fake_controllers.py", file)
    made.channel = request.param
    yield made
    made.close()


# The tests of this module go on from each other, as a day at the robot does, once for each channel.


def test_states_arrive_with_their_own_stamps(bench):
    bench.until(lambda: len(bench.states) > 10, "states")
    by_name = dict(zip(bench.states[-1].name, bench.states[-1].position))
    assert by_name[ELBOW] == pytest.approx(0.1)
    assert len(by_name) == 14  # the gantry's joint is not the robot's
    bench.robot.ask(late=0.5)
    bench.until(
        lambda: bench.node.get_clock().now().nanoseconds - convert.stamp_ns(bench.states[-1].header.stamp) > 4e8,
        "stamps of measurement, not of arrival",
    )
    bench.robot.ask(late=0.0)


def test_it_follows_from_where_the_joints_are(bench):
    bench.until(lambda: bench.mode(RobotStatus.IDLE), "idle")
    assert bench.robot.ask()["commands"] == 0  # not before a command
    seen = bench.until(
        lambda: (answer := bench.robot.ask())["goal"][ELBOW] == pytest.approx(0.25) and answer, "there", **TARGET
    )
    assert (seen["refused"], seen["why"]) == (0, "")
    assert seen["durations"] == [pytest.approx(0.05)]
    assert seen["largest_step"] < 0.1  # 0.15 in 1 s, at 50 Hz
    assert seen["goal"]["left_wrist_yaw_joint"] == pytest.approx(0.1)  # not commanded: held where it was
    assert seen["goal"]["right_elbow_joint"] == pytest.approx(0.1)
    assert (seen["goals"] > 0) == (bench.channel == "action")
    bench.until(lambda: bench.robot.ask()["measured"][ELBOW] == pytest.approx(0.25, abs=1e-3), "it moved", **TARGET)


def test_silence_stops_it_and_a_jump_is_refused(bench):
    bench.until(lambda: bench.mode(RobotStatus.STOPPING), "stopping")
    for _ in range(20):
        bench.command(left_elbow_joint=1.2)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["goal"][ELBOW] == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(
    ("order", "undo", "words"),
    [
        ({"silent": True}, {"silent": False}, "s old"),
        ({"late": 30.0}, {"late": 0.0}, "stamped 30"),
        ({"nan": True}, {"nan": False}, "s old"),
    ],
    ids=["lost link", "late states", "no numbers"],
)
def test_states_that_are_not_right_end_it(bench, order, undo, words):
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following", **TARGET)
    bench.robot.ask(**order)
    bench.until(lambda: bench.faulty(words), words, **TARGET)
    bench.robot.ask(clear=True)
    for _ in range(20):
        bench.command(**TARGET)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["commands"] <= 4  # what was on its way, to two controllers
    bench.robot.ask(**undo)
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following again", **TARGET)


def test_a_controllers_refusal_is_heard_where_it_can_be(bench):
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following", **TARGET)
    if bench.channel == "topic":
        bench.robot.ask(refuse=True, clear=True)
        bench.until(lambda: bench.robot.ask()["refused"] > 3, "refusals", **TARGET)
        assert bench.mode(RobotStatus.FOLLOWING)  # a topic does not answer
        bench.robot.ask(refuse=False)
        return
    for order, words in (({"refuse": True}, "rejected"), ({"abort": True}, "error -4: left elbow strays")):
        bench.robot.ask(**order)
        bench.until(
            lambda words=words: bench.mode(RobotStatus.FAULT) and words in bench.status[-1].message, words, **TARGET
        )
        bench.robot.ask(**dict.fromkeys(order, False))
        bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following again", **TARGET)


def test_at_the_end_it_holds_and_falls_silent(bench):
    bench.until(lambda: bench.robot.ask()["goal"][ELBOW] == pytest.approx(0.25, abs=1e-5), "there", **TARGET)
    bench.robot.ask(clear=True)
    os.killpg(bench.driver.pid, signal.SIGINT)
    bench.until(lambda: bench.driver.poll() is not None, "the launch ends")
    seen = bench.robot.ask()
    assert seen["largest_step"] < 1e-3
    assert seen["measured"][ELBOW] == pytest.approx(0.25, abs=2e-3)


# --- without a robot ---


def driver(robot, now=lambda: 10**18, **changes):
    read = settings.load(CONFIG / "drivers" / f"{NAME}.yaml")
    return Ros2ControlDriver(robot, replace(read.ros2_control, **changes), read.follower, "file.yaml", now)


def states(names, position, stamp=10**18):
    message = JointState(name=list(names), position=list(position))
    message.header.stamp = convert.to_stamp(stamp)
    return serialize_message(message)


def test_a_controller_whose_joints_are_missing_is_not_commanded_and_the_other_is(robot):
    made = driver(robot)
    left, right = made.followers.values()
    (source,) = made.inputs
    (reading,) = source.take(states(left.joints, np.full(7, 0.1)), 0)
    assert reading.stamp == 10**18
    assert np.isnan(reading.effort).all()
    assert (left.step(0), left.mode) == (None, Mode.IDLE)
    assert (right.step(0), right.mode) == (None, Mode.FAULT)
    with pytest.raises(MessageError, match="finite"):
        source.take(states(left.joints, [np.nan] * 7), 0)
    with pytest.raises(MessageError, match="at least"):
        source.take(states(left.joints, np.zeros(7))[:60], 0)


@pytest.mark.parametrize("ago", [1.0, -1.0])
def test_states_that_are_stamped_long_ago_or_in_the_future_are_not_trusted(robot, ago):
    made = driver(robot)
    left = next(iter(made.followers.values()))
    made.inputs[0].take(states(left.joints, np.full(7, 0.1), stamp=10**18 - round(1e9 * ago)), 0)
    left.step(0)
    assert left.mode is Mode.FAULT
    assert f"stamped {ago:.3f} s ago" in left.reason


def test_a_clock_of_the_robots_own_is_not_ours(robot):
    made = driver(robot, stamps="robot")
    left = next(iter(made.followers.values()))
    (reading,) = made.inputs[0].take(states(left.joints, np.full(7, 0.1), stamp=5 * 10**9), 0)
    assert (reading.stamp, reading.device_stamp) == (None, 5 * 10**9)
    left.step(0)
    assert left.mode is Mode.IDLE


def test_a_driver_does_not_listen_to_itself(ros_domain):
    context = rclpy.Context()
    context.init(domain_id=ros_domain)
    given = {
        "robot_config": str(CONFIG / "robots" / "unitree_g1.yaml"),
        "driver_config": str(CONFIG / "drivers" / f"{NAME}.yaml"),
    }
    parameters = [Parameter(name, value=value) for name, value in given.items()]
    for namespace, wanted in (("/", TransitionCallbackReturn.FAILURE), ("/g1", TransitionCallbackReturn.SUCCESS)):
        node = DriverNode(context=context, namespace=namespace, parameter_overrides=parameters)
        assert node.trigger_configure() == wanted
        node.destroy_node()
    context.try_shutdown()


def test_a_wrong_file_names_its_key(robot, tmp_path):
    with pytest.raises(ConfigError, match=r"file.yaml: ros2_control.controllers./legs: found left_knee_joint"):
        driver(robot, controllers={"/legs": ("left_knee_joint",)})
    file = tmp_path / "r.yaml"
    for words, message in (
        ("{controllers: {/a: [x], /b: [x]}}", "each joint by one"),
        ("{controllers: {a: [x]}}", "names must be absolute"),
        ("{controllers: {/a: [x]}, horizon: 0.0}", "horizon"),
    ):
        file.write_text(f"driver: ros2_control\nrate: 50.0\nros2_control: {words}\n")
        with pytest.raises(ConfigError, match=message):
            settings.load(file)
