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
from bench.safety_interference import beside, interference
from bench.safety_peers import LAWS, ruckig_halt
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
    return {name: figure for part in PARTS.values() for name, figure in part(seconds).items()}


def _cost(seconds: float) -> dict[str, Figure]:
    """CPU time of the core and of the node."""
    robot = load(ROBOT_CONFIG)
    whole = replace(robot, config=replace(robot.config, commanded=tuple(robot.config.groups)))
    figures = {}
    for each in (robot, whole):
        gate = gate_of(each)
        cost, count = _cost_of_a_step(gate, each, seconds), len(gate.limits.names)
        figures[f"step of the core, {count} joints, median CPU"] = Figure(float(np.median(cost)))
        figures[f"step of the core, {count} joints, p99.9 CPU"] = Figure(float(np.percentile(cost, 99.9)))
    figures["node at 500 Hz, 31 joints, share of a core"] = Figure(_share_of_a_core(seconds))
    return figures


def _interference(_: float) -> dict[str, Figure]:
    return interference(load(ROBOT_CONFIG), gate_of, Case.of(ROBOT_CONFIG, 500.0), LAWS)


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


def _adversaries(_: float) -> dict[str, Figure]:
    """Violations of ours in all steps; of all laws in a part of them, same requests, same referees."""
    laws = {"ours": ours, **LAWS}
    total, together, away = Tally(), {name: Tally() for name in laws}, dict.fromkeys(laws, 0.0)
    cases = [(path, rate) for path in robot_files() for rate in RATES]
    each = STEPS // len(cases)
    for number, (path, rate) in enumerate(cases):
        case = Case.of(path, rate)
        requests = requests_of(case, each, number)
        total = total.merged(judged(ours, case, requests))
        part = requests[: each // PEER_SHARE]
        possible = np.clip(part, case.limits.lower, case.limits.upper)
        for name, law in laws.items():
            commands = law(case, part)
            together[name].add(case, commands, 0.0)
            away[name] += float(np.abs(commands[1:] - possible).mean()) / len(cases)
    figures = {
        "adversaries, violations of any limit": Figure(float(total.violations)),
        "adversaries, least distance of two bodies": Figure(1e3 * total.nearest),
        "adversaries, fastest hand or elbow": Figure(total.fastest),
        "adversaries, step with bodies, mean CPU": Figure(1e6 * total.seconds / total.steps),
    }
    for kind in ("position", "velocity", "acceleration", "jerk", "distance", "workspace", "hand or elbow speed"):
        per = {name: 1e3 * tally.broken[kind] / tally.steps for name, tally in together.items()}
        figures[f"violations of {kind} per 1000 steps"] = beside(per)
    figures["adversaries, mean way from the nearest possible request"] = beside(away)
    return figures


def _stop(_: float) -> dict[str, Figure]:
    """How much more time and way a stop from top speed takes than the fastest one physics allow, worst joint [%]."""
    period, limits = 0.002, commanded_limits(load(ROBOT_CONFIG))
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
    before, steps, hardest = limiter.moved, np.zeros(len(everyone)), np.zeros(len(everyone))
    limiter.stop()
    first = (before - limiter.moved) / period**3 / limits.jerk
    while True:
        steps += limiter.moved != 0.0
        hardest = np.maximum(hardest, np.abs(limiter.moved - before) / period**2 / limits.acceleration)
        if limiter.still:
            break
        before = limiter.moved
        limiter.stop()
    way = limiter.position - begin
    halt_time, halt_way = ruckig_halt(limits, 1.0 / period, begin, speed)

    def time_over(seconds: np.ndarray | float) -> float:
        return float((100.0 * (seconds - best_time) / best_time).max())

    # A pass-through, a clamp or Servo that is told to stay where it is stands at once, at whatever deceleration.
    rigid = [name for name in LAWS if name != "Ruckig per joint"]
    at_once, blow = time_over(period), float((speed / period / limits.acceleration).max())
    best_way = 0.5 * speed * best_time
    return {
        # The command that stands ends the last period of motion.
        "stop, time over the physical optimum": Figure(
            time_over((steps + 1) * period),
            {**dict.fromkeys(rigid, at_once), "Ruckig per joint": time_over(halt_time)},
        ),
        "stop, way over the physical optimum": Figure(
            float((100.0 * (way / best_way - 1.0)).max()),
            {"Ruckig per joint": float((100.0 * (halt_way / best_way - 1.0)).max())},
        ),
        "stop, deceleration over the limit": Figure(float(hardest.max()), dict.fromkeys(rigid, blow)),
        "stop, jerk of the first command over the limit": Figure(float(first.min())),
    }


PARTS = {"cost": _cost, "adversaries": _adversaries, "interference": _interference, "stop": _stop}
