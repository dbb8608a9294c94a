# SPDX-License-Identifier: Apache-2.0
"""The driver's node against the fake robot in another process and another DDS, joint by joint."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from driver_bench import Bench
from fake_process import patient_driver

from humanoid_core import config
from humanoid_core.errors import ConfigError
from humanoid_interfaces.msg import RobotStatus
from humanoid_robots.drivers import settings

pytest.importorskip("unitree_hg", reason="the maker's messages are not installed")
pytest.importorskip("cyclonedds", reason="the fake robot speaks through it")

WORKSPACE = Path(__file__).resolve().parents[3]
ROBOT = WORKSPACE / "config" / "robots" / "unitree_g1.yaml"
DRIVER = WORKSPACE / "config" / "drivers" / "unitree_g1.yaml"


@pytest.fixture(scope="module")
def bench(ros_domain, tmp_path_factory):
    file = patient_driver(tmp_path_factory.mktemp("driver"), "unitree_g1")
    made = Bench(ros_domain, "unitree_g1", "fake_unitree.py", file)
    yield made
    made.close()


# The tests of this module go on from each other, as a day at the robot does: joint 15 is the left shoulder's pitch.


def test_states_arrive_joint_by_joint(bench):
    state = bench.until(lambda: bench.states and bench.states[-1], "a state")
    state = bench.until(lambda: len(bench.states[-1].name) == 29 + 14 and bench.states[-1], "hands too")
    by_name = dict(zip(state.name, state.position))
    motors = settings.load(DRIVER).unitree.motors
    assert {name: by_name[name] for name in motors} == pytest.approx({n: 0.01 * i for n, i in motors.items()}, abs=1e-6)


def test_it_follows_with_a_rising_weight_and_right_checksums(bench):
    bench.until(lambda: bench.mode(RobotStatus.IDLE), "idle")
    assert bench.robot.ask()["commands"] == 0  # not before a command
    target = {"left_shoulder_pitch_joint": 0.25, "right_hand_middle_0_joint": 0.1}
    seen = bench.until(lambda: (answer := bench.robot.ask())["weight"] == 1.0 and answer, "full weight", **target)
    assert (seen["bad_crc"], seen["bad_mode"]) == (0, 0)
    assert seen["largest_weight_step"] < 0.05  # 2 s from 0 to 1
    assert seen["q"][15] == pytest.approx(0.25)
    gains = config.read_yaml(ROBOT)["joints"]["left_shoulder_pitch_joint"]
    assert (seen["kp"][15], seen["kd"][15], seen["modes"][15]) == (gains["kp"], gains["kd"], 1)
    assert seen["q"][16] == pytest.approx(0.16)  # not commanded: held where it was
    assert seen["modes"][:12] == [0] * 12  # legs are left alone
    assert seen["hand"]["right"][5] == [pytest.approx(5 | 16), pytest.approx(0.1), pytest.approx(1.5)]
    bench.until(
        lambda: (
            dict(zip(bench.states[-1].name, bench.states[-1].position))["left_shoulder_pitch_joint"]
            == pytest.approx(0.25, abs=1e-3)
        ),
        "the joint is there",
        **target,
    )


def test_silence_stops_it_softly(bench):
    bench.until(lambda: bench.mode(RobotStatus.STOPPING), "stopping")
    seen = bench.robot.ask()
    assert seen["weight"] == 1.0  # held
    assert seen["q"][15] == pytest.approx(0.25, abs=1e-3)


def test_a_jump_after_the_stop_is_refused(bench):
    for _ in range(20):
        bench.command(left_shoulder_pitch_joint=1.5)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["q"][15] == pytest.approx(0.25, abs=1e-3)


def test_a_lost_link_ends_it_and_its_return_begins_slowly(bench):
    target = {"left_shoulder_pitch_joint": 0.25}
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following", **target)
    bench.robot.ask(silent=True)
    bench.until(lambda: bench.mode(RobotStatus.FAULT), "a fault", **target)
    assert "old" in bench.status[-1].message
    bench.robot.ask(clear=True)
    for _ in range(20):
        bench.command(**target)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["commands"] <= 5  # what was on its way
    bench.robot.ask(silent=False, clear=True)
    seen = bench.until(lambda: (answer := bench.robot.ask())["commands"] >= 20 and answer, "commands again", **target)
    assert seen["weights_first"] < 0.1
    bench.until(lambda: bench.robot.ask()["weight"] == 1.0, "full weight", **target)


@pytest.mark.parametrize(
    ("order", "undo", "words"),
    [
        ({"mode_machine": 9}, {"mode_machine": 5}, "mode_machine 9"),
        ({"break_crc": 1}, {"break_crc": 0}, "checksum"),
        ({"motor_off": 20}, {"motor_off": -1}, "left_wrist_pitch_joint"),
    ],
)
def test_a_robot_that_is_not_right_is_not_commanded(bench, order, undo, words):
    target = {"left_shoulder_pitch_joint": 0.25}
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following", **target)
    bench.robot.ask(**order)
    bench.until(lambda: bench.mode(RobotStatus.FAULT) and words in bench.status[-1].message, words, **target)
    bench.robot.ask(clear=True)
    for _ in range(20):
        bench.command(**target)
        bench.executor.spin_once(timeout_sec=0.01)
    assert bench.robot.ask()["commands"] <= 5  # what was on its way
    bench.robot.ask(**undo)
    bench.until(lambda: bench.mode(RobotStatus.FOLLOWING), "following again", **target)


def test_at_the_end_control_is_handed_back(bench):
    target = {"left_shoulder_pitch_joint": 0.25}
    bench.until(lambda: bench.robot.ask()["weight"] == 1.0, "full weight", **target)
    bench.robot.ask(clear=True)
    os.killpg(bench.driver.pid, signal.SIGINT)
    bench.until(lambda: bench.driver.poll() is not None, "the launch ends")
    seen = bench.robot.ask()
    assert seen["weight"] == 0.0
    assert 0.0 < seen["largest_weight_step"] < 0.05
    assert seen["measured"][15] == pytest.approx(0.15, abs=0.01)  # back where the maker's controller holds it


def test_a_wrong_file_names_its_key(tmp_path):
    file = tmp_path / "g1.yaml"
    file.write_text("driver: unitree\nrate: 250.0\nunitree: {channel: arm_sdk, machines: [5], motors: {a: 1, b: 1}}\n")
    with pytest.raises(ConfigError, match=r"unitree: found motors \[1, 1\]"):
        settings.load(file)
    file.write_text("driver: unitree\nrate: 250.0\n")
    with pytest.raises(ConfigError, match=r"g1.yaml: unitree"):
        settings.load(file)
