# SPDX-License-Identifier: Apache-2.0
"""The first day at a robot, rehearsed: robot.launch.py with hardware:=real against a fake G1 in another DDS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import RobotStatus, SafetyStatus

pytest.importorskip("unitree_hg", reason="the maker's messages are not installed")
pytest.importorskip("cyclonedds", reason="the fake robot speaks through it")
sys.path.append(str(Path(__file__).parents[2] / "src" / "humanoid_robots" / "test"))

from fake_process import FakeRobot, patient_driver

ELBOW = "left_elbow_joint"  # motor 18, at 0.18 rad


class Rehearsal:
    """Fake robot, the launched robot side, and a station: heartbeat, and targets of a policy while `targets` is set."""

    def __init__(self, running: Any, robot: FakeRobot) -> None:
        self.running, self.robot = running, robot
        self.safety = running.collect(endpoints.SAFETY_STATUS)
        self.status = running.collect(endpoints.ROBOT_STATUS)
        self.states = running.collect(endpoints.JOINT_STATES)
        self.targets: dict[str, float] = {}
        self._heartbeat = ros.publisher(running.node, endpoints.SAFETY_HEARTBEAT)
        self._publisher = ros.publisher(running.node, endpoints.JOINT_TARGETS.at(source="policy"))
        running.node.create_timer(0.02, self._beat)

    def _beat(self) -> None:
        self._heartbeat.publish(ros.message_type(endpoints.SAFETY_HEARTBEAT.type)())
        if self.targets:
            now = self.running.node.get_clock().now().to_msg()
            message = ros.message_type(endpoints.JOINT_TARGETS.type)(name=list(self.targets))
            message.header.stamp, message.position = now, list(self.targets.values())
            self._publisher.publish(message)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        return self.running.until(condition, what)

    def next(self, messages: list[Any], more: int = 1) -> None:
        """Wait for more messages of a topic."""
        wanted = len(messages) + more
        self.until(lambda: len(messages) >= wanted, "the next message")

    def is_safety(self, state: int) -> bool:
        return bool(self.safety) and self.safety[-1].state == state

    def is_robot(self, mode: int, words: str = "") -> bool:
        return bool(self.status) and self.status[-1].mode == mode and words in self.status[-1].message

    def engage(self) -> None:
        """Take the robot where it is and follow."""
        self.until(lambda: self.states, "states")
        latest = self.states[-1]
        places = dict(zip(latest.name, latest.position))
        self.targets = {name: places[name] for name in (ELBOW, "left_shoulder_pitch_joint")}
        answer = None
        for _ in range(20):
            answer = self.running.call(endpoints.SAFETY_ENGAGE, data=True)
            if answer.success:
                break
            self.next(self.safety)
        assert answer is not None
        assert answer.success, answer.message
        self.until(lambda: self.is_safety(SafetyStatus.ACTIVE), "active")
        granted = self.running.call(endpoints.COMMAND_SELECT, source="policy", grant=60.0)
        assert granted.success, granted.message
        self.until(lambda: self.is_robot(RobotStatus.FOLLOWING), "the robot follows")


@pytest.fixture(scope="module")
def day(cell: Callable[..., Any], ros_domain: int, tmp_path_factory: Any) -> Iterator[Rehearsal]:
    robot = FakeRobot("fake_unitree.py", ros_domain)
    words = dict.fromkeys(("sensors", "sync", "recorder"), "false")
    words["driver_config"] = str(patient_driver(tmp_path_factory.mktemp("driver"), "unitree_g1"))
    try:
        with cell("robot.launch.py", hardware="real", **words) as running:
            yield Rehearsal(running, robot)
    finally:
        robot.stop()


# The tests follow each other as the hours of the day do.


def test_nothing_moves_before_somebody_engages(day):
    day.until(lambda: day.is_safety(SafetyStatus.HOLD) and day.states, "a robot that holds")
    assert len(day.states[-1].name) >= 29
    assert convert.stamp_ns(day.states[-1].header.stamp) > 1_600_000_000 * 10**9  # real time, not the twin's


def test_preflight_presses_the_stop_and_knows_what_the_robot_lacks(day):
    words = ["ros2", "run", "humanoid_bringup", "preflight", "--json", "--press", "--seconds", "2", "--wait", "5"]
    running = subprocess.Popen([*words, "--without", "camera/", "lidar/"], stdout=subprocess.PIPE, text=True)
    day.until(lambda: running.poll() is not None, "the table")
    assert running.stdout
    rows = {row["name"]: row for row in json.loads(running.stdout.readline())["rows"]}
    assert rows["stop button"]["status"] == "green", rows["stop button"]
    assert rows["URDF that runs"]["status"] == rows["joints"]["status"] == rows["heartbeat"]["status"] == "green"
    assert rows["joint_states"]["status"] == "red"  # the fake robot sends 100 a second, a G1 sends 500
    assert rows["clock"]["found"] != "simulated, /clock runs"
    day.until(lambda: day.is_safety(SafetyStatus.HOLD), "the stop was reset")


def test_engaged_it_follows(day):
    day.engage()
    day.targets[ELBOW] = 0.45
    day.until(lambda: abs(day.robot.ask()["measured"][18] - 0.45) < 0.02, "the elbow is where it should be")
    seen = day.robot.ask()
    assert (seen["bad_crc"], seen["bad_mode"]) == (0, 0)
    assert seen["largest_step"] < 0.1


def test_a_stop_holds_the_robot(day):
    assert day.running.call(endpoints.SAFETY_STOP).success
    day.until(lambda: day.is_safety(SafetyStatus.E_STOP), "emergency stop")
    before = day.robot.ask()["measured"][18]
    day.targets[ELBOW] = 1.2
    day.next(day.safety, 3)
    assert day.robot.ask()["measured"][18] == pytest.approx(before, abs=0.05)
    day.targets = {}
    assert day.running.call(endpoints.SAFETY_RESET).success
    day.until(lambda: not day.is_safety(SafetyStatus.E_STOP), "reset")


@pytest.mark.parametrize(
    ("order", "undo", "words"),
    [({"silent": True}, {"silent": False}, "old"), ({"mode_machine": 9}, {"mode_machine": 5}, "mode_machine 9")],
    ids=["lost link", "wrong mode"],
)
def test_trouble_ends_it_and_it_can_be_engaged_again(day, order, undo, words):
    day.engage()
    day.robot.ask(**order)
    day.until(lambda: day.is_robot(RobotStatus.FAULT, words), words)
    day.robot.ask(clear=True)
    day.next(day.status, 2)
    assert day.robot.ask()["commands"] <= 5  # what was on its way
    day.targets = {}
    assert day.running.call(endpoints.SAFETY_ENGAGE, data=False).success
    day.robot.ask(**undo)
    day.until(lambda: not day.is_robot(RobotStatus.FAULT), "the robot is right again")
    day.engage()
    day.until(lambda: day.robot.ask()["weight"] > 0.9, "it follows again")
    day.targets = {}
    assert day.running.call(endpoints.SAFETY_ENGAGE, data=False).success
