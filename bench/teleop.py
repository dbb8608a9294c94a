# SPDX-License-Identifier: Apache-2.0
"""The retargeting core beside public solvers on the same target sets, each judged by the same referee; without ROS.

Ours gets the operator's frames and does the whole of a tick: checks, mapping, filter and prediction, shaping, limits,
self-collision, solver, guard. Peers get the wanted poses and solve. Everybody runs each set `REPEATS` times with the
same answers; a step's cost is the least of them, so that what else the machine does shows less.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench import teleop_whole
from bench.report import Figure
from bench.rig import REPOSITORY
from bench.teleop_peers import Followed, Mink, Pink, Solver, follow, link_pairs
from bench.teleop_referee import Referee, Verdict
from bench.teleop_sets import DELAY, JOIN, NAMES, RATE, REST, Sets, TargetSet
from humanoid_description import load
from humanoid_teleop.retargeting import Retargeter
from humanoid_teleop.settings import load_settings

SETTLED = REST + JOIN + 1.0  # [s] from when errors count
PEERS: dict[str, Callable[[Sets], Solver]] = {
    "pink": Pink,
    "pink acc.": lambda sets: Pink(sets, acceleration=True),
    "pink barrier": lambda sets: Pink(sets, barrier=True),
    "mink": Mink,
    "mink coll.": lambda sets: Mink(sets, collision=True),
}
ROBOT = "unitree_g1"
REPEATS = 3


@dataclass(frozen=True)
class Run:
    """One solver on one set."""

    followed: Followed
    verdict: Verdict

    @property
    def error(self) -> float:
        """Mean distance of the wrists from the clean path once they have joined it [m]."""
        return float(np.mean([values[round(SETTLED * RATE) :].mean() for values in self.verdict.error.values()]))

    @property
    def median(self) -> float:
        """CPU time of a step [s]."""
        return float(np.median(self.followed.cost))

    def percentile(self, share: float) -> float:
        """CPU time of a step [s]."""
        return float(np.percentile(self.followed.cost, share))


def ours(sets: Sets, targets: TargetSet) -> Followed:
    """The retargeting over a set, one tick for each frame."""
    settings = load_settings(lead=DELAY if targets.name == "delayed" else 0.0)
    armed = replace(sets.robot, config=replace(sets.robot.config, hands={}))  # fingers have their own benchmark
    retargeter = Retargeter(armed, settings, sets.calibration())
    home = dict(zip(sets.body.joints, sets.body.home))
    retargeter.start(home)
    stamps = [10**9 + round(i * 1e9 / RATE) for i in range(len(targets.torso))]
    frames = [sets.frame(targets, i, engaged=i > 2, stamp=stamp) for i, stamp in enumerate(stamps)]
    order = [retargeter.joints.index(joint) for joint in sets.body.joints]
    commands, cost = [], []
    gc.collect()
    gc.freeze()
    for frame in frames:
        begin = time.thread_time_ns()
        retargeter.update(frame)
        answer = retargeter.tick(frame.stamp)
        cost.append(time.thread_time_ns() - begin)
        commands.append(answer.position[order])
    gc.unfreeze()
    return Followed(np.array(commands), np.array(cost) * 1e-9, retargeter.counts.failed_steps)


def run(sets: Sets, referee: Referee, name: str, peers: dict[str, Callable[[Sets], Solver]]) -> dict[str, Run]:
    """Everybody on one set."""
    targets = sets.make(name)
    watched = link_pairs(sets)
    results = {}
    followed = _best([ours(sets, targets) for _ in range(REPEATS)])
    results["ours"] = Run(followed, referee.judge(followed.commands, 1.0 / RATE, targets.clean))
    for peer, maker in peers.items():
        followed = _best([follow(maker(sets), targets, sets.body.home) for _ in range(REPEATS)])
        results[peer] = Run(followed, referee.judge(followed.commands, 1.0 / RATE, targets.clean, watched))
    return results


def _best(runs: list[Followed]) -> Followed:
    return replace(runs[0], cost=np.min([run.cost for run in runs], axis=0))


def table(name: str, results: dict[str, Run]) -> str:
    """One set, everybody's figures."""
    head = f"\n  {name:12} {'CPU us':>7} {'p99.9':>7} {'failed':>6} {'over':>6} {'x acc':>6} {'jerk':>8} "
    lines = [head + f"{'overlap':>7} {'gap mm':>7} {'error mm':>8}"]
    for who, result in results.items():
        verdict = result.verdict
        lines.append(
            f"  {who:12} {result.median * 1e6:7.0f} {result.percentile(99.9) * 1e6:7.0f} {result.followed.failed:6d} "
            f"{verdict.over:6d} {verdict.peak_acceleration:6.2f} {verdict.jerk:8.0f} {verdict.penetrating:7d} "
            f"{verdict.clearance * 1e3:7.1f} {result.error * 1e3:8.2f}"
        )
    return "\n".join(lines)


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area: the sets on the robot with peers, and then ours alone on every other robot."""
    core = min(os.sched_getaffinity(0))
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        return _measure(seconds)
    finally:
        os.sched_setaffinity(0, everywhere)


def _measure(seconds: float) -> dict[str, Figure]:
    robots = sorted((REPOSITORY / "config" / "robots").glob("*.yaml"), key=lambda path: path.stem != ROBOT)
    figures: dict[str, Figure] = {}
    others: dict[str, Run] = {}
    for path in robots:
        sets = Sets(load(path), seconds)
        referee = Referee(sets.robot, sets.body.joints)
        print(f"\n{path.stem}: {len(sets.body.joints)} joints, {round(seconds * RATE)} frames a set", flush=True)
        results = {}
        for name in NAMES:
            results[name] = run(sets, referee, name, PEERS if path.stem == ROBOT else {})
            print(table(name, results[name]), flush=True)
        if path.stem == ROBOT:
            figures = _figures(results) | teleop_whole.measure(sets.robot, seconds)
        else:
            others.update({f"{path.stem} {name}": result["ours"] for name, result in results.items()})
    verdicts = [result.verdict for result in others.values()]
    figures["other robots, commands over a limit, all sets"] = Figure(float(sum(v.over for v in verdicts)))
    figures["other robots, commands with overlapping links, all sets"] = Figure(
        float(sum(v.penetrating for v in verdicts))
    )
    return figures


def _figures(results: dict[str, dict[str, Run]]) -> dict[str, Figure]:
    figures = {}

    def add(figure: str, name: str, value: Callable[[Run], float]) -> None:
        values = {who: float(value(result)) for who, result in results[name].items()}
        figures[figure] = Figure(values.pop("ours"), values)

    every = {who: [results[name][who] for name in NAMES] for who in next(iter(results.values()))}
    costs = {who: np.concatenate([result.followed.cost for result in runs]) * 1e6 for who, runs in every.items()}
    for figure, share in (("whole tick, median CPU", 50), ("whole tick, p99.9 CPU", 99.9)):
        values = {who: float(np.percentile(cost, share)) for who, cost in costs.items()}
        figures[figure] = Figure(values.pop("ours"), values)
    values = {who: float(sum(run.followed.failed for run in runs)) for who, runs in every.items()}
    figures["failed steps, all sets"] = Figure(values.pop("ours"), values)
    for name in NAMES[:5]:
        add(f"{name}, commands over a limit", name, lambda result: result.verdict.over)
    add("cross, commands with overlapping links", "cross", lambda result: result.verdict.penetrating)
    add("cross, smallest distance of links", "cross", lambda result: 1e3 * result.verdict.clearance)
    add("reach, error", "reach", lambda result: 1e3 * result.error)
    add("fast, error", "fast", lambda result: 1e3 * result.error)
    add("noisy, error to the clean path", "noisy", lambda result: 1e3 * result.error)
    add("overreach, rms jerk", "overreach", lambda result: result.verdict.jerk)
    add("delayed by 45 ms with 1 mm noise, error now", "delayed", lambda result: 1e3 * result.error)
    return figures
