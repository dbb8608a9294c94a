# SPDX-License-Identifier: Apache-2.0
"""Hostile requests, the limiters that answer them, and the verdicts of the referees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.rig import REPOSITORY
from humanoid_core import config
from humanoid_description import Robot, load
from humanoid_safety import referee
from humanoid_safety.body_model import BodyModel, BodySettings
from humanoid_safety.body_referee import BodyReferee
from humanoid_safety.limiter import Limiter
from humanoid_safety.limits import JointLimits
from humanoid_safety.robot_limits import bodies, commanded_limits, fingers
from humanoid_safety.surroundings import Surroundings, Table

SETTINGS = REPOSITORY / "src/humanoid_safety/config/safety.yaml"
RATES = (250.0, 500.0, 1000.0)
KINDS = ("jump", "wall", "bang", "noise", "ramp", "sine", "huge", "hands")
# A table in front of the robot, so that surroundings are met.
TABLE = Table("table", (0.55, 0.0), (0.5, 1.2), 0.72)


def robot_files() -> list[Path]:
    """Configurations of all robots."""
    return sorted((REPOSITORY / "config/robots").glob("*.yaml"))


@dataclass(frozen=True)
class Case:
    """A robot at a rate: its limits, bodies and referees."""

    robot: Robot
    rate: float
    limits: JointLimits
    body: BodyModel
    bounds: referee.Bounds
    body_referee: BodyReferee
    start: np.ndarray

    @staticmethod
    def of(path: Path, rate: float) -> Case:
        """Read a robot; settings are those of the node."""
        robot, values = load(path), config.read_yaml(SETTINGS)["/**/safety"]["ros__parameters"]
        limits = commanded_limits(robot)
        settings = BodySettings(**{name: values[name] for name in BodySettings.__dataclass_fields__})
        around = Surroundings((TABLE,), tuple(values["workspace_lower"]), tuple(values["workspace_upper"]))
        speeds = {robot.arm(side).elbow_frame: settings.elbow_speed for side in robot.config.operator.arms}
        speeds |= {hand.gripper_frame: settings.hand_speed for hand in robot.config.hands.values()}
        size = np.array([*TABLE.size, TABLE.height])
        centre = np.array([*TABLE.position, 0.5 * TABLE.height])
        judge = BodyReferee(
            robot,
            limits.names,
            fingers(robot),
            speeds,
            settings.self_distance,
            settings.surroundings_distance,
            {"table": (size, centre)},
            (np.array(around.lower), np.array(around.upper)),
        )
        start = np.clip(robot.home()[robot.index(limits.names)], limits.lower, limits.upper)
        bounds = referee.Bounds(
            limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, 1.0 / rate
        )
        return Case(robot, rate, limits, bodies(robot, around, settings), bounds, judge, start)


def block(case: Case, last: np.ndarray, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """A while of one kind of hostility: its name and requests (length, n) [rad]."""
    limits, n, dt = case.limits, len(case.limits.names), 1.0 / case.rate
    length = int(rng.integers(5, 400))
    t = np.arange(1, length + 1)[:, None]
    kind = str(rng.choice(KINDS))
    if kind == "jump":
        return kind, np.tile(rng.uniform(limits.lower - 1, limits.upper + 1), (length, 1))
    if kind == "wall":
        return kind, np.tile(np.where(rng.random(n) < 0.5, limits.lower, limits.upper), (length, 1))
    if kind == "bang":
        return kind, np.where((t // int(rng.integers(1, 90))) % 2 == 0, limits.lower - 9, limits.upper + 9)
    if kind == "noise":
        return kind, last + rng.normal(0, 10.0 ** rng.uniform(-5, 0), (length, n))
    if kind == "ramp":
        return kind, last + t * rng.uniform(-1.5, 1.5, n) * limits.velocity * dt
    if kind == "sine":
        return kind, last + rng.uniform(0, 0.8, n) * np.sin(t * dt * rng.uniform(0.1, 20.0, n))
    if kind == "huge":
        return kind, rng.choice([-999.0, 999.0], (length, n))
    # Both arms where they are most likely to meet each other and the body: the same random pose, mirrored or not.
    goal = case.start + rng.normal(0, 0.8, n)
    return kind, np.linspace(last, np.clip(goal, limits.lower, limits.upper), length)


@dataclass
class Tally:
    """Violations and margins of one law in some cases."""

    steps: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    shares: dict[str, float] = field(default_factory=dict)
    nearest: float = np.inf
    pair: tuple[str, str] = ("", "")
    fastest: float = 0.0
    seconds: float = 0.0

    def add(self, case: Case, commands: np.ndarray, seconds: float) -> None:
        """Judge commands (steps, n) [rad] that start at rest."""
        self.steps += len(commands) - 1
        self.seconds += seconds
        for name, rows in referee.over(commands, case.bounds).items():
            self.broken[name] += int(rows.sum())
        for name, share in referee.worst_share(commands, case.bounds).items():
            self.shares[name] = max(self.shares.get(name, 0.0), share)
        for begin in range(0, len(commands), 2000):
            before = commands[begin - 1] if begin else None
            verdict = case.body_referee.judge(commands[begin : begin + 2000], 1.0 / case.rate, before)
            self.broken["distance"] += verdict.too_near
            self.broken["workspace"] += verdict.outside
            self.broken["hand or elbow speed"] += verdict.too_fast
            self.fastest = max(self.fastest, *verdict.fastest.values())
            if verdict.nearest < self.nearest:
                self.nearest, self.pair = verdict.nearest, verdict.pair

    @property
    def violations(self) -> int:
        """All of them."""
        return sum(self.broken.values())

    def merged(self, other: Tally) -> Tally:
        """Both together."""
        nearer = self if self.nearest <= other.nearest else other
        names = {*self.shares, *other.shares}
        return Tally(
            self.steps + other.steps,
            self.broken + other.broken,
            {name: max(self.shares.get(name, 0.0), other.shares.get(name, 0.0)) for name in names},
            nearer.nearest,
            nearer.pair,
            max(self.fastest, other.fastest),
            self.seconds + other.seconds,
        )


Law = Callable[[Case, np.ndarray], np.ndarray]


def requests_of(case: Case, steps: int, seed: int) -> np.ndarray:
    """Hostile requests, (steps, n) [rad]."""
    rng, rows, count, last = np.random.default_rng(seed), [], 0, case.start
    while count < steps:
        rows.append(block(case, last, rng)[1])
        count += len(rows[-1])
        last = np.clip(rows[-1][-1], case.limits.lower, case.limits.upper)
    return np.vstack(rows)[:steps]


def ours(case: Case, requests: np.ndarray, disturb: np.random.Generator | None = None) -> np.ndarray:
    """The limiter; `disturb`: with stops and hand-overs thrown in."""
    everyone = np.ones(len(case.limits.names), dtype=bool)
    limiter = Limiter(case.limits, 1.0 / case.rate, catch_up=0.7, body=case.body)
    limiter.place(case.start, everyone)
    limiter.begin(everyone)
    out, stopping = np.empty((len(requests) + 1, len(everyone))), 0
    out[0] = case.start
    for row, request in enumerate(requests, 1):
        if disturb is not None and disturb.random() < 0.002:
            stopping = int(disturb.integers(1, 150))
            limiter.begin(disturb.random(len(everyone)) < 0.9)
        stopping = max(stopping - 1, 0)
        out[row] = limiter.stop() if stopping else limiter.follow(request)
    return out


def judged(law: Law, case: Case, requests: np.ndarray) -> Tally:
    """Run a law and judge what it sends."""
    tally = Tally()
    begin = time.process_time()
    commands = law(case, requests)
    tally.add(case, commands, time.process_time() - begin)
    return tally
