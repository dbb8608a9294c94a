# SPDX-License-Identifier: Apache-2.0
"""The Tiangong's driver against the fake robot in another process and another DDS."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driver_bench import Bench
from fake_process import patient_driver
from rclpy.serialization import deserialize_message, serialize_message

import humanoid_description
from humanoid_core import endpoints, ros
from humanoid_core.errors import ConfigError, MessageError
from humanoid_interfaces.msg import RobotStatus
from humanoid_robots.drivers import settings
from humanoid_robots.drivers.tiangong import Motor, TiangongDriver
from humanoid_robots.servo import Mode

pytest.importorskip("bodyctrl_msgs", reason="the maker's messages are not installed")
pytest.importorskip("cyclonedds", reason="the fake robot speaks through it")

from bodyctrl_msgs.msg import CmdMotorCtrl, CmdSetMotorPosition, MotorStatus, MotorStatusMsg

CONFIG = Path(__file__).resolve().parents[3] / "config"
TARGET = {"elbow_pitch_l_joint": -0.1, "head_yaw_joint": 0.05}  # motors 14 and 3, at 0.014 and 0.003 rad


@pytest.fixture(scope="module")
def bench(ros_domain, tmp_path_factory):
    file = patient_driver(tmp_path_factory.mktemp("driver"), "tiangong2_dex")
    made = Bench(ros_domain, "tiangong2_dex", "fake_tiangong.py", file)
    made.imu = []
    ros.subscribe(made.node, endpoints.IMU.at(place="data"), made.imu.append)
    yield made
    made.close()


# The tests of this module go on from each other, as a day at the robot does.


def test_states_of_all_parts_arrive_joint_by_joint(bench):
    motors = settings.load(CONFIG / "drivers" / "tiangong2_dex.yaml").tiangong.motors
    state = bench.until(lambda: bench.states and len(bench.states[-1].name) == len(motors) and bench.states[-1], "all")
    by_name = dict(zip(state.name, state.position))
    assert by_name == pytest.approx({joint: 0.001 * motor.id for joint, motor in motors.items()}, abs=1e-6)
    assert all(math.isnan(effort) for effort in state.effort)
    imu = bench.until(lambda: bench.imu and bench.imu[-1], "the IMU")
    assert (imu.linear_acceleration.z, imu.angular_velocity.z, imu.orientation.w) == (9.81, 0.1, 1.0)
    status = bench.until(
        lambda: bench.status and len(bench.status[-1].joint_names) == len(motors) and bench.status[-1], "currents"
    )
    currents = dict(zip(status.joint_names, status.currents))
    assert currents["elbow_pitch_l_joint"] == pytest.approx(0.5)


def test_it_follows_from_where_the_joints_are(bench):
    bench.until(lambda: bench.mode(RobotStatus.IDLE), "idle")
    assert bench.robot.ask()["commands"] == 0  # not before a command
    seen = bench.until(
        lambda: (answer := bench.robot.ask())["last"].get("14", 1.0) == pytest.approx(-0.1, abs=1e-5) and answer,
        "the set-point is there",
        **TARGET,
    )
    assert set(seen["parts"]) == {"arm", "head"}  # the waist was not commanded, the legs never are
    assert abs(seen["first"]["14"]) < 0.02
    assert seen["largest_step"] < 0.02  # 0.114 rad in 2 s
    assert seen["last"]["15"] == pytest.approx(0.015, abs=1e-5)  # not commanded: held where it was
    assert (seen["spd"], seen["cur"], seen["unknown"]) == ([pytest.approx(0.4)], [5.0], [])
    bench.until(
        lambda: bench.robot.ask()["measured"]["14"] == pytest.approx(-0.1, abs=1e-3), "the joint is there", **TARGET
    )


def test_silence_stops_it_and_a_jump_is_refused(bench):
    bench.until(lambda: bench.mode(RobotStatus.STOPPING), "stopping")
    for _ in range(20):
        bench.command(elbow_pitch_l_joint=-1.5)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["last"]["14"] == pytest.approx(-0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("order", "undo", "words"),
    [
        ({"silent": "all"}, {"silent": ""}, "old"),
        ({"silent": "head"}, {"silent": ""}, "head: the robot's state is"),
        ({"error_of": 16}, {"error_of": -1}, "wrist_pitch_l_joint"),
        ({"cut": True}, {"cut": False}, "no state of elbow_pitch_l_joint"),
    ],
    ids=["lost link", "one part silent", "motor error", "motors missing"],
)
def test_a_part_that_is_not_right_is_not_commanded(bench, order, undo, words):
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following", **TARGET)
    bench.robot.ask(**order)
    bench.until(lambda: bench.faulty(words), words, **TARGET)
    part = "head" if order.get("silent") == "head" else "arm"
    bench.robot.ask(clear=True)
    for _ in range(20):
        bench.command(**TARGET)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["parts"].get(part, 0) <= 5  # what was on its way
    bench.robot.ask(**undo)
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following again", **TARGET)


def test_at_the_end_it_holds_and_falls_silent(bench):
    bench.until(lambda: bench.robot.ask()["last"].get("14", 1.0) == pytest.approx(-0.1, abs=1e-5), "there", **TARGET)
    bench.robot.ask(clear=True)
    os.killpg(bench.driver.pid, signal.SIGINT)
    bench.until(lambda: bench.driver.poll() is not None, "the launch ends")
    seen = bench.robot.ask()
    assert seen["largest_step"] < 1e-3
    assert seen["measured"]["14"] == pytest.approx(-0.1, abs=2e-3)  # it stands where it was


# --- without a robot ---


@pytest.fixture(scope="module")
def robot():
    return humanoid_description.load(CONFIG / "robots" / "tiangong2_dex.yaml")


def driver(robot, **changes):
    file = CONFIG / "drivers" / "tiangong2_dex.yaml"
    read = settings.load(file)
    return TiangongDriver(robot, replace(read.tiangong, **changes), read.follower, str(file))


def follow(made, part, joint, start, goal, seconds=3.0):
    """What the driver sends after it followed one joint's command for some time; that joint began at `start`."""
    follower = made.followers[part]
    measured = np.zeros(len(follower.joints))
    measured[follower.joints.index(joint)] = start
    sent = []
    for now in range(0, round(seconds * 1e9), 10_000_000):
        follower.state(now, measured)
        follower.command(now, [joint], [goal], [0.3], [2.0])
        sent += [message for _, message in made.messages(now)]
    return sent


def test_commands_stay_within_the_working_ranges(robot):
    made = driver(robot)
    sent = follow(made, "arm", "wrist_pitch_l_joint", start=-0.77, goal=-0.95)
    assert made.outputs["/arm/cmd_pos"] == "bodyctrl_msgs/msg/CmdSetMotorPosition"
    read = deserialize_message(sent[-1], CmdSetMotorPosition)
    by_id = {one.name: one for one in read.cmds}
    margin = robot.config.joints["wrist_pitch_l_joint"].margin
    assert by_id[16].pos == pytest.approx(math.radians(-45.0) + margin, abs=1e-6)  # the URDF's own end is at -76 deg
    assert by_id[16].cur == 5.0
    assert set(by_id) == {*range(11, 18), *range(21, 28)}


def test_control_with_gains(robot):
    made = driver(robot, channel="cmd_ctrl")
    sent = follow(made, "head", "head_yaw_joint", start=0.1, goal=0.2)
    first, last = (deserialize_message(one, CmdMotorCtrl).cmds[1] for one in (sent[1], sent[-1]))
    assert first.pos == pytest.approx(0.1, abs=1e-2)  # from where it is
    gains = robot.config.joints["head_yaw_joint"]
    assert (last.name, last.kp, last.kd) == (3, pytest.approx(gains.kp), pytest.approx(gains.kd))
    assert (last.pos, last.spd, last.tor) == pytest.approx((0.2, 0.3, 2.0))


def test_a_cut_message_is_no_state(robot):
    made = driver(robot)
    status = MotorStatusMsg(status=[MotorStatus(name=n, pos=0.1) for n in (2, 3)])
    status.header.frame_id = "any"
    (head,) = (one for one in made.inputs if one.topic == "/head/status")
    message = serialize_message(status)
    head.take(message, 0)
    assert made.followers["head"].step(0) is None
    assert made.followers["head"].mode is Mode.IDLE
    with pytest.raises(MessageError, match="bytes"):
        head.take(message[:-5], 0)
    made.followers["head"].step(0)
    assert made.followers["head"].mode is Mode.FAULT
    with pytest.raises(MessageError, match="begins with"):
        head.take(b"\0\0" + message[2:], 0)


def test_a_wrong_file_names_its_key(robot, tmp_path):
    with pytest.raises(ConfigError, match=r"tiangong.motors: found head_roll_joint"):
        driver(robot, motors={"head_roll_joint": Motor("head", 1)})
    with pytest.raises(ConfigError, match="none that may be commanded"):
        driver(robot, motors={"hip_roll_l_joint": Motor("leg", 51)})
    file = tmp_path / "t.yaml"
    file.write_text("driver: tiangong\nrate: 250.0\ntiangong: {motors: {a: {part: arm, id: 1}, b: {part: leg, id: 1}}}")
    with pytest.raises(ConfigError, match=r"each id once"):
        settings.load(file)
