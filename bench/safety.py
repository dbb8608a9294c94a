# SPDX-License-Identifier: Apache-2.0
"""The limiter: cost, violations under adversaries beside other braking laws, interference, stopping."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np

from bench.report import Figure
from bench.rig import REPOSITORY, ROBOT_CONFIG, Rig, node
from humanoid_core import config
from humanoid_description import Robot, load
from humanoid_safety import referee
from humanoid_safety.arbiter import Source
from humanoid_safety.gate import GateSettings, SafetyGate
from humanoid_safety.limiter import Limiter
from humanoid_safety.limits import JointLimits
from humanoid_safety.targets import StreamSettings

DOMAIN = 65
RATES = (250.0, 500.0, 1000.0)
STEPS = 20_000  # of adversaries, per rate
SETTINGS = REPOSITORY / "src/humanoid_safety/config/safety.yaml"


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = load(ROBOT_CONFIG)
    commanded = robot.group(*robot.config.commanded)
    figures = {}
    for joints in (commanded, robot.joints):
        cost = _cost_of_a_step(_limits(robot, joints), seconds)
        figures[f"step of the core, {len(joints)} joints, median CPU"] = Figure(float(np.median(cost)))
        figures[f"step of the core, {len(joints)} joints, p99.9 CPU"] = Figure(float(np.percentile(cost, 99.9)))
    figures["node at 500 Hz, 31 joints, share of a core"] = Figure(_share_of_a_core(seconds))
    figures |= _adversaries(_limits(robot, commanded))
    figures["interference on a clean motion inside the limits"] = Figure(_interference(_limits(robot, commanded)))
    figures["stop, time over the physical optimum"] = Figure(_stop(_limits(robot, commanded)))
    return figures


def _limits(robot: Robot, joints: tuple[str, ...]) -> JointLimits:
    limits = robot.limits(joints)
    return JointLimits(tuple(joints), limits.lower, limits.upper, limits.velocity, limits.acceleration)


def gate_of(limits: JointLimits, rate: float = 500.0) -> SafetyGate:
    """The whole core with the package's own settings and one source."""
    values = config.read_yaml(SETTINGS)["/**/safety"]["ros__parameters"]
    names = GateSettings.__dataclass_fields__.keys() - {"rate", "sources", "streams"}
    stream = StreamSettings(0.004, values["oldest_target"], values["target_ahead"], values["latest_target"])
    settings = GateSettings(
        rate=rate,
        sources=(Source("teleop", 100, "dead_man"),),
        streams={"teleop": stream},
        **{name: values[name] for name in names},
    )
    return SafetyGate(limits, (), np.full(len(limits.names), 10.0), settings)


def _cost_of_a_step(limits: JointLimits, seconds: float) -> np.ndarray:
    """CPU time of each step of the core while a person moves all joints, (n,) [us]."""
    gate, names = gate_of(limits), list(limits.names)
    middle, size = 0.5 * (limits.lower + limits.upper), 0.02 * (limits.upper - limits.lower)
    position, cost = middle, []
    gc.collect()
    gc.freeze()
    for i in range(round(500 * (seconds + 2.0))):
        now, steady = 10**18 + i * 2_000_000, i * 0.002
        if i % 2 == 0:
            target = middle + size * np.sin(0.004 * i + np.arange(len(names)))
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


def _requests(limits: JointLimits, steps: int, period: float, seed: int) -> np.ndarray:
    """What a hostile source may ask for, (steps, n) [rad]: jumps, walls, bang-bang, noise, ramps."""
    rng = np.random.default_rng(seed)
    rows: list[np.ndarray] = []
    last = 0.5 * (limits.lower + limits.upper)
    while sum(len(block) for block in rows) < steps:
        rows.append(_block(limits, last, period, rng))
        last = np.clip(rows[-1][-1], limits.lower, limits.upper)
    return np.vstack(rows)[:steps]


def _block(limits: JointLimits, last: np.ndarray, period: float, rng: np.random.Generator) -> np.ndarray:
    """A while of one kind of hostility, (length, n) [rad]."""
    length, n = int(rng.integers(5, 400)), len(limits.names)
    t = np.arange(1, length + 1)[:, None]
    kind = rng.choice(["jump", "wall", "bang", "noise", "ramp"])
    if kind == "jump":
        return np.tile(rng.uniform(limits.lower - 1, limits.upper + 1), (length, 1))
    if kind == "wall":
        return np.tile(np.where(rng.random(n) < 0.5, limits.lower, limits.upper), (length, 1))
    if kind == "bang":
        return np.where((t // int(rng.integers(1, 90))) % 2 == 0, limits.lower - 9, limits.upper + 9)
    if kind == "noise":
        return last + rng.normal(0, 10.0 ** rng.uniform(-5, 0), (length, n))
    return last + t * rng.uniform(-1.5, 1.5, n) * limits.velocity * period


def _adversaries(limits: JointLimits) -> dict[str, Figure]:
    """Violations and worst deceleration of ours and of the laws that others use, same requests, same referee."""
    laws: dict[str, Callable[[JointLimits, np.ndarray, float], np.ndarray]] = {
        "ours": _ours,
        "pass-through": lambda limits, requests, period: requests,
        "position clamp (restatement)": _clamp,
        "sqrt(2ad) per joint (restatement)": _root,
    }
    violations, worst = dict.fromkeys(laws, 0.0), dict.fromkeys(laws, 0.0)
    for number, rate in enumerate(RATES):
        requests = _requests(limits, STEPS, 1.0 / rate, number)
        for name, law in laws.items():
            commands = law(limits, requests, 1.0 / rate)
            bounds = (limits.lower, limits.upper, limits.velocity, limits.acceleration, 1.0 / rate)
            violations[name] += float(referee.over(commands, *bounds).sum())
            worst[name] = max(worst[name], referee.worst_acceleration(commands, limits.acceleration, 1.0 / rate))
    return {
        "violations in 60 000 adversarial steps": _figure(violations),
        "worst deceleration over the limit": _figure(worst),
    }


def _figure(values: dict[str, float]) -> Figure:
    return Figure(values["ours"], {name: value for name, value in values.items() if name != "ours"})


def _ours(limits: JointLimits, requests: np.ndarray, period: float) -> np.ndarray:
    everyone = np.ones(len(limits.names), dtype=bool)
    limiter = Limiter(limits, period, catch_up=0.5)
    limiter.place(0.5 * (limits.lower + limits.upper), everyone)
    limiter.begin(everyone)
    return np.array([limiter.position, *(limiter.follow(request) for request in requests)])


def _clamp(limits: JointLimits, requests: np.ndarray, period: float) -> np.ndarray:
    """Clamp position and speed: what most stacks do."""
    q = 0.5 * (limits.lower + limits.upper)
    out = [q]
    for request in requests:
        reach = limits.velocity * period
        q = np.clip(np.clip(request, limits.lower, limits.upper), q - reach, q + reach)
        out.append(q)
    return np.array(out)


def _root(limits: JointLimits, requests: np.ndarray, period: float) -> np.ndarray:
    """Speed within sqrt(2 a d) of the wall and within a*dt of the last, the wall first."""
    q, v = 0.5 * (limits.lower + limits.upper), np.zeros(len(limits.names))
    out = [q]
    for request in requests:
        wanted = np.clip(
            (np.clip(request, limits.lower, limits.upper) - q) / period,
            np.maximum(v - limits.acceleration * period, -limits.velocity),
            np.minimum(v + limits.acceleration * period, limits.velocity),
        )
        up = np.sqrt(2.0 * limits.acceleration * np.maximum(limits.upper - q, 0.0))
        down = np.sqrt(2.0 * limits.acceleration * np.maximum(q - limits.lower, 0.0))
        v = np.clip(wanted, -down, up)
        q = q + v * period
        out.append(q)
    return np.array(out)


def _interference(limits: JointLimits) -> float:
    """Largest difference of the command from the targets' interpolation one period behind, on a clean motion [rad]."""
    gate, names = gate_of(limits), list(limits.names)
    middle, size = 0.5 * (limits.lower + limits.upper), 0.3 * (limits.upper - limits.lower)
    # Its interpolation at 500 Hz peaks at twice its own acceleration: 80 % of the limit.
    omega = np.minimum(0.8 * limits.velocity / size, np.sqrt(0.4 * limits.acceleration / size))

    def target(period_number: np.ndarray | float) -> np.ndarray:
        return middle + size * np.sin(omega * 0.004 * period_number)

    worst, position = 0.0, target(0.0)
    for i in range(8000):
        now, steady = 10**18 + i * 2_000_000, i * 0.002
        if i % 2 == 0:
            gate.targets("teleop", names, target(i / 2), now, now, steady)
            gate.operator(True, steady)
        gate.joint_state(names, position, steady)
        gate.heartbeat(steady)
        if i == 10:
            gate.engage(True, steady)
        command = gate.step(now, steady)
        if command is not None:
            position = command.position
            if i > 4000:  # caught up
                behind = i / 2 - 1
                first, share = np.floor(behind), behind - np.floor(behind)
                expected = target(first) if share == 0.0 else target(first) + 0.5 * (target(first + 1) - target(first))
                worst = max(worst, float(np.abs(position - expected).max()))
    return worst


def _stop(limits: JointLimits) -> float:
    """How much longer a stop from top speed takes than v / a, worst joint [%]."""
    period, everyone = 0.002, np.ones(len(limits.names), dtype=bool)
    wide = JointLimits(limits.names, limits.lower - 50, limits.upper + 50, limits.velocity, limits.acceleration)
    limiter = Limiter(wide, period, catch_up=1.0)
    limiter.place(limits.lower, everyone)
    limiter.begin(everyone)
    for _ in range(1000):
        limiter.follow(limits.lower + 40.0)
    optimum = np.abs(limiter.velocity) / limits.acceleration
    taken = np.zeros(len(everyone))
    while not limiter.still:
        limiter.stop()
        taken += limiter.moved != 0.0
    # The command that stands ends the last period of motion.
    return float((100.0 * ((taken + 1) * period - optimum) / optimum).max())
