# SPDX-License-Identifier: Apache-2.0
"""A torso lift moved by a speed, through the whole core, on the robot that has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from humanoid_description import load
from humanoid_safety.arbiter import Source
from humanoid_safety.body_model import BodySettings
from humanoid_safety.gate import GateSettings, SafetyGate
from humanoid_safety.lift_gate import LiftGate
from humanoid_safety.referee import Bounds, violations
from humanoid_safety.robot_limits import allowed_deviation, bodies, commanded_limits, other_joints
from humanoid_safety.surroundings import Surroundings
from humanoid_safety.targets import StreamSettings

RATE = 500.0
STREAM = StreamSettings(period=0.004, oldest=0.3, ahead=0.5, latest=0.04)
SETTINGS = GateSettings(
    rate=RATE,
    sources=(Source("teleop", 100, "dead_man"), Source("planning", 20, "grant")),
    streams={"teleop": STREAM, "planning": STREAM},
    deadline_source=0.2,
    deadline_operator=0.3,
    deadline_heartbeat=0.5,
    deadline_robot=0.2,
    deviation_time=0.3,
    ramp_speed=0.5,
    ramp_gain=1.0,
    catch_up=0.7,
    hottest=85.0,
    highest_current=60.0,
    clock_jump=0.25,
    late_steps=10,
)
AROUND = Surroundings((), (-0.6, -1.1, 0.05), (1.1, 1.1, 2.3))


@pytest.fixture(scope="module")
def robot():
    return load(Path(__file__).parents[3] / "config" / "robots" / "agibot_g2.yaml")


class Bench:
    """Gate and a perfect robot; an operator who holds the dead-man and moves one arm."""

    def __init__(self, robot) -> None:
        limits = commanded_limits(robot)
        body = bodies(robot, AROUND, BodySettings(0.01, 0.01, 2.5, 2.0, 0.04, 0.002, 0.001))
        self.lift = LiftGate(robot, limits, RATE, deadline=0.25)
        self.gate = SafetyGate(limits, other_joints(robot), allowed_deviation(robot, 0.7), SETTINGS, body, self.lift)
        self.robot, self.limits, self.ticks = robot, limits, 0
        self.joints = robot.config.operator.lift.joints
        self.measured = dict(zip(robot.joints, robot.home().tolist()))
        self.arm = robot.config.groups["left_arm"]
        self.extra: dict[str, float] = {}
        self.source, self.speed = "teleop", 0.0
        self.rows: list[list[float]] = []
        self.run(0.1)
        assert self.gate.engage(True, self.ticks / RATE)[0]
        self.run(0.5)

    def run(self, seconds: float, speed: float | None = 0.0) -> None:
        """Time passes; the lift is asked for `speed` [m/s], by nobody where None."""
        for _ in range(round(seconds * RATE)):
            steady, now = self.ticks / RATE, self.ticks * 2_000_000
            gate = self.gate
            gate.joint_state(list(self.measured), np.array(list(self.measured.values())), steady)
            gate.heartbeat(steady)
            gate.operator(self.source == "teleop", steady)
            home = self.robot.config.home
            wanted = {joint: home[joint] + 0.1 * (1.0 - np.cos(steady)) for joint in self.arm} | self.extra
            gate.targets(self.source, list(wanted), np.array(list(wanted.values())), now, now, steady)
            if speed is not None and self.ticks % 10 == 0:
                self.lift.target(self.source, speed, steady)
            command = gate.step(now, steady)
            if command is not None:
                self.measured.update(zip(command.names, command.position))
            self.rows.append([self.measured[joint] for joint in self.limits.names])
            self.ticks += 1

    def torso(self) -> pin.SE3:
        model = self.robot.pinocchio()
        data = model.createData()
        pin.framesForwardKinematics(model, data, self.robot.q(self.measured))
        return data.oMf[model.getFrameId(self.robot.config.operator.torso_frame)]

    def height(self) -> float:
        return float(self.torso().translation[2])

    def lifted(self) -> np.ndarray:
        return np.array([self.measured[joint] for joint in self.joints])

    def faults(self) -> dict[str, float]:
        limits = self.limits
        bounds = Bounds(limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, 1.0 / RATE)
        return violations(np.array(self.rows), bounds)


@pytest.fixture(scope="module")
def bench(robot):
    return Bench(robot)


def test_it_goes_down_at_the_speed_asked_for_and_stays_upright(bench):
    start = bench.height()
    bench.run(0.5)
    assert bench.height() == start  # nobody asked
    bench.run(1.0, speed=-0.05)
    before = bench.height()
    bench.run(1.0, speed=-0.05)
    assert before - bench.height() == pytest.approx(0.05, abs=0.003)
    assert np.abs(bench.torso().rotation - np.eye(3)).max() < 1e-6
    bench.run(1.0, speed=0.0)
    held = bench.height()
    bench.run(0.5, speed=0.0)
    assert bench.height() == held
    assert bench.faults() == {}


def test_silence_brings_it_to_rest(bench):
    bench.run(0.5, speed=0.05)
    bench.run(1.5, speed=None)
    held = bench.height()
    bench.run(0.5, speed=None)
    assert bench.height() == held


def test_it_ends_where_its_way_ends(bench):
    lift = bench.robot.config.operator.lift
    for end, speed in ((lift.low, -1.0), (lift.high, 1.0)):
        bench.run(5.0, speed=speed)
        assert bench.lifted() == pytest.approx([end[joint] for joint in lift.joints], abs=1e-3)
    assert bench.faults() == {}


def test_the_arms_go_on_as_if_nothing_were(bench):
    arm = [bench.limits.names.index(joint) for joint in bench.arm]
    before = len(bench.rows)
    bench.run(1.0, speed=-0.03)
    moved = np.array(bench.rows[before:])[:, arm]
    time = (np.arange(before, len(bench.rows)) - 3) / RATE  # one target's period and one command behind
    home = np.array([bench.robot.config.home[joint] for joint in bench.arm])
    assert np.abs(moved - home - 0.1 * (1.0 - np.cos(time))[:, None]).max() < 1e-3


def test_a_source_that_names_the_joints_moves_them_itself(bench):
    held = dict(zip(bench.joints, bench.lifted().tolist()))
    bench.extra = held
    bench.run(1.0, speed=0.05)
    assert bench.lifted() == pytest.approx(list(held.values()), abs=1e-9)
    bench.extra = {}
