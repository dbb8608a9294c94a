# SPDX-License-Identifier: Apache-2.0
"""The limiter: cost, violations under adversaries beside other laws, interference with clean human motion, stopping."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import replace

import numpy as np

from bench.report import Figure
from bench.rig import ROBOT_CONFIG, Rig, node
from bench.safety_adversaries import RATES, SETTINGS, Case, Tally, judged, ours, requests_of, robot_files
from bench.safety_interference import interference
from bench.safety_peers import LAWS
from humanoid_core import config
from humanoid_description import Robot, load
from humanoid_safety.arbiter import Source
from humanoid_safety.body_model import BodySettings
from humanoid_safety.gate import GateSettings, SafetyGate
from humanoid_safety.limiter import Limiter
from humanoid_safety.robot_limits import bodies, commanded_limits
from humanoid_safety.surroundings import Surroundings
from humanoid_safety.targets import StreamSettings

DOMAIN = 65
STEPS = int(os.environ.get("BENCH_SAFETY_STEPS", 1_000_000))  # of adversaries, over all robots and rates
PEER_SHARE = 20  # peers and ours side by side get this part of them


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = load(ROBOT_CONFIG)
    whole = replace(robot, config=replace(robot.config, commanded=tuple(robot.config.groups)))
    figures = {}
    for each in (robot, whole):
        gate = gate_of(each)
        cost, count = _cost_of_a_step(gate, each, seconds), len(gate.limits.names)
        figures[f"step of the core, {count} joints, median CPU"] = Figure(float(np.median(cost)))
        figures[f"step of the core, {count} joints, p99.9 CPU"] = Figure(float(np.percentile(cost, 99.9)))
    figures["node at 500 Hz, 31 joints, share of a core"] = Figure(_share_of_a_core(seconds))
    figures |= _adversaries()
    figures |= interference(robot, gate_of)
    figures |= _stop(robot)
    return figures


def gate_of(robot: Robot, rate: float = 500.0) -> SafetyGate:
    """The whole core with the package's own settings, the robot's bodies and one source."""
    values = config.read_yaml(SETTINGS)["/**/safety"]["ros__parameters"]
    names = GateSettings.__dataclass_fields__.keys() - {"rate", "sources", "streams"}
    stream = StreamSettings(0.004, values["oldest_target"], values["target_ahead"], values["latest_target"])
    settings = GateSettings(
        rate=rate,
        sources=(Source("teleop", 100, "dead_man"),),
        streams={"teleop": stream},
        **{name: values[name] for name in names},
    )
    limits = commanded_limits(robot)
    around = Surroundings((), tuple(values["workspace_lower"]), tuple(values["workspace_upper"]))
    body = bodies(robot, around, BodySettings(**{name: values[name] for name in BodySettings.__dataclass_fields__}))
    return SafetyGate(limits, (), np.full(len(limits.names), 10.0), settings, body)


def _cost_of_a_step(gate: SafetyGate, robot: Robot, seconds: float) -> np.ndarray:
    """CPU time of each step of the core while a person moves all joints, (n,) [us]."""
    limits, names = gate.limits, list(gate.limits.names)
    middle = np.clip(robot.home()[robot.index(names)], limits.lower, limits.upper)
    size = np.minimum(0.1, 0.5 * np.minimum(middle - limits.lower, limits.upper - middle))
    position, cost = middle, []
    gc.collect()
    gc.freeze()
    for i in range(round(500 * (seconds + 2.0))):
        now, steady = 10**18 + i * 2_000_000, i * 0.002
        if i % 2 == 0:
            target = middle + size * np.sin(0.006 * i + np.arange(len(names)))
            gate.targets("teleop", names, target, now, now, steady)
            gate.operator(True, steady)
        if i % 5 == 0:
            gate.joint_state(names, position, steady)
            gate.heartbeat(steady)
        if i == 100:
            gate.engage(True, steady)
        begin = time.thread_time_ns()
        command = gate.step(now, steady)
        cost.append(time.thread_time_ns() - begin)
        position = position if command is None else command.position
    gc.unfreeze()
    return np.array(cost[1000:]) * 1e-3


def _share_of_a_core(seconds: float) -> float:
    """CPU of the node's process with targets at 250 Hz and joint states at the robot's rate [% of a core]."""
    robot = f"robot_config:={ROBOT_CONFIG}"
    heartbeat = str(SETTINGS.with_name("heartbeat.yaml"))
    processes = {
        "robot": ["-m", "bench.nodes", "robot", "--ros-args", "-p", robot],
        "targets": ["-m", "bench.nodes", "targets", "--ros-args", "-p", robot],
        "heartbeat": node("humanoid_safety.heartbeat_node", config=heartbeat),
        "safety": node("humanoid_safety.safety_node", robot, config=str(SETTINGS)),
    }
    with Rig(processes, DOMAIN) as rig:
        rig.engage("teleop")
        rig.spin(2.0)
        before = rig.cpu()["safety"]
        rig.spin(seconds)
        rig.check_commanding("teleop")
        return 100.0 * (rig.cpu()["safety"] - before) / seconds


def _adversaries() -> dict[str, Figure]:
    """Violations of ours in all steps; of all laws in a part of them, same requests, same referees."""
    total, together = Tally(), {name: Tally() for name in ("ours", *LAWS)}
    cases = [(path, rate) for path in robot_files() for rate in RATES]
    each = STEPS // len(cases)
    for number, (path, rate) in enumerate(cases):
        case = Case.of(path, rate)
        requests = requests_of(case, each, number)
        total = total.merged(judged(ours, case, requests))
        for name, law in {"ours": ours, **LAWS}.items():
            together[name] = together[name].merged(judged(law, case, requests[: each // PEER_SHARE]))
    figures = {
        "adversaries, violations of any limit": Figure(float(total.violations)),
        "adversaries, least distance of two bodies": Figure(1e3 * total.nearest),
        "adversaries, fastest hand or elbow": Figure(total.fastest),
        "adversaries, step with bodies, mean CPU": Figure(1e6 * total.seconds / total.steps),
    }
    for kind in ("position", "velocity", "acceleration", "jerk", "distance", "hand or elbow speed"):
        per = {name: 1e3 * tally.broken[kind] / tally.steps for name, tally in together.items()}
        figures[f"violations of {kind} per 1000 steps"] = _figure(per)
    return figures


def _figure(values: dict[str, float]) -> Figure:
    return Figure(values["ours"], {name: value for name, value in values.items() if name != "ours"})


def _stop(robot: Robot) -> dict[str, Figure]:
    """How much more time and way a stop from top speed takes than the fastest one physics allow, worst joint [%]."""
    period, limits = 0.002, commanded_limits(robot)
    everyone = np.ones(len(limits.names), dtype=bool)
    wide = replace(limits, lower=limits.lower - 50, upper=limits.upper + 50)
    limiter = Limiter(wide, period, catch_up=1.0)
    limiter.place(limits.lower, everyone)
    limiter.begin(everyone)
    for _ in range(1500):
        limiter.follow(limits.lower + 40.0)
    speed, begin = limiter.velocity, limiter.position
    best_time = speed / limits.acceleration + limits.acceleration / limits.jerk
    triangular = speed < limits.acceleration**2 / limits.jerk
    best_time = np.where(triangular, 2.0 * np.sqrt(speed / limits.jerk), best_time)
    before, steps = limiter.moved, np.zeros(len(everyone))
    limiter.stop()
    first = (before - limiter.moved) / period**3 / limits.jerk
    steps += limiter.moved != 0.0
    while not limiter.still:
        limiter.stop()
        steps += limiter.moved != 0.0
    way = limiter.position - begin
    clamp = 100.0 * (period - best_time) / best_time
    return {
        # The command that stands ends the last period of motion. A clamp stands at once: at what deceleration is above.
        "stop, time over the physical optimum": Figure(
            float((100.0 * ((steps + 1) * period - best_time) / best_time).max()),
            {"per-joint clamp": float(clamp.max())},
        ),
        "stop, way over the physical optimum": Figure(float((100.0 * (way / (0.5 * speed * best_time) - 1.0)).max())),
        "stop, jerk of the first command over the limit": Figure(float(first.min())),
    }
