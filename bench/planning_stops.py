# SPDX-License-Identifier: Apache-2.0
"""How planned motions of a recorded episode were ended by a stop or a person: a table and a picture of the commands.

`python -m bench.planning_stops <episode> [--out picture.png]`; tests/launch/test_planned_motion.py records one.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import rosbag2_py
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from humanoid_core import convert, endpoints
from humanoid_interfaces.msg import CommandStatus, SafetyStatus

matplotlib.use("Agg")
from matplotlib import pyplot

SOURCE = "planning"
_STILL = 1e-3  # [rad/s]
_TOGETHER = 0.05  # [s] in which arbiter and limiter tell of the same thing
_READ: dict[str, Any] = {
    endpoints.JOINT_TARGETS.at(source=SOURCE).name: JointState,
    endpoints.JOINT_COMMANDS.name: JointState,
    endpoints.SAFETY_STATUS.name: SafetyStatus,
    endpoints.COMMAND_STATUS.name: CommandStatus,
}
_STATES = {SafetyStatus.HOLD: "HOLD", SafetyStatus.SOFT_STOP: "SOFT_STOP", SafetyStatus.E_STOP: "E_STOP"}


@dataclass(frozen=True)
class Ended:
    """A planned motion that was ended.

    Attributes:
        at: When the arbiter or the limiter said so [s] since the first message.
        by: Who commands now, or the limiter's state.
        last_target: Stamp of the last target of the plan, after `at` [s]: they are sent ahead of their time.
        speed: Of the fastest joint's command at that moment [rad/s].
        rest: Until no command moves any more [s]; NaN where a person goes on moving.
        way: What the commands of the joint that moved furthest still did until then [rad]; NaN likewise.
    """

    at: float
    by: str
    last_target: float
    speed: float
    rest: float
    way: float


@dataclass(frozen=True)
class Recorded:
    """Commands and targets of an episode.

    Attributes:
        joints: n names.
        times: Stamps of the commands (m,) [s] since the first.
        commands: (m, n) [rad].
        targets: Stamps (k,) [s] and positions by joint, (k, j) each.
        target_joints: j names.
        active: Times [s] and who commands; "" nobody, a state of the limiter in brackets.
    """

    joints: list[str]
    times: np.ndarray
    commands: np.ndarray
    targets: tuple[np.ndarray, np.ndarray]
    target_joints: list[str]
    active: list[tuple[float, str]]


def read(episode: Path) -> Recorded:
    """An episode's commands, targets, and who commanded."""
    reader = rosbag2_py.SequentialReader()
    reader.open(
        rosbag2_py.StorageOptions(uri=str(episode), storage_id="mcap"), rosbag2_py.ConverterOptions("cdr", "cdr")
    )
    found: dict[str, list[Any]] = defaultdict(list)
    while reader.has_next():
        topic, data, _ = reader.read_next()
        kind = next((name for name in _READ if topic.endswith(f"/{name}")), None)
        if kind is not None:
            found[kind].append(deserialize_message(data, _READ[kind]))
    plan, commands, safety, command = (found[name] for name in _READ)
    begin = convert.stamp_ns(commands[0].header.stamp)

    def seconds(messages: list[Any]) -> np.ndarray:
        return np.array([(convert.stamp_ns(m.header.stamp) - begin) * 1e-9 for m in messages])

    changes = [(float(t), m.active) for t, m in zip(seconds(command), command)]
    changes += [(float(t), f"({_STATES[m.state]})") for t, m in zip(seconds(safety), safety) if m.state in _STATES]
    joints = list(dict.fromkeys(joint for m in commands for joint in m.name))
    return Recorded(
        joints,
        seconds(commands),
        _held(commands, joints),
        (seconds(plan), np.array([m.position for m in plan])),
        list(plan[0].name) if plan else [],
        sorted(changes),
    )


def _held(messages: list[Any], joints: list[str]) -> np.ndarray:
    """Positions (m, n); what a message does not name stays, and was before the first message that names it."""
    rows = np.full((len(messages), len(joints)), np.nan)
    for row, message in zip(rows, messages):
        row[[joints.index(joint) for joint in message.name]] = message.position
    for column in rows.T:
        known = np.flatnonzero(np.isfinite(column))
        column[:] = column[known[np.maximum(np.searchsorted(known, np.arange(len(column)), side="right") - 1, 0)]]
    return rows


def ended(recorded: Recorded) -> list[Ended]:
    """Planned motions that somebody ended while commands moved."""
    out, before = list[Ended](), ""
    times, speeds = recorded.times, np.abs(np.diff(recorded.commands, axis=0)).max(axis=1) / np.diff(recorded.times)
    for i, (at, here) in enumerate(recorded.active):
        who = next((name for t, name in recorded.active[i:] if name and t < at + _TOGETHER), "")
        now = int(np.clip(np.searchsorted(times, at), 1, len(speeds) - 1))
        if before == SOURCE and here != SOURCE and who not in (SOURCE, "") and speeds[now - 1] > _STILL:
            stamps = recorded.targets[0]
            last = int(np.searchsorted(stamps, at)) - 1
            while last + 1 < len(stamps) and stamps[last + 1] - stamps[last] < _TOGETHER:
                last += 1
            rest = way = float("nan")
            still = np.flatnonzero(speeds[now:] < _STILL)
            if who.startswith("(") and len(still):
                end = now + int(still[0])
                rest = float(times[end] - at)
                way = float(np.abs(recorded.commands[end] - recorded.commands[now]).max())
            out.append(Ended(at, who, float(stamps[last] - at), float(speeds[now - 1]), rest, way))
        before = here
    return out


def table(found: list[Ended]) -> str:
    """For people, in Markdown."""
    lines = [
        "| ended by | speed then | last target of the plan | at rest after | way until then |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        rest, way = (f"{one.rest:.3f} s", f"{one.way:.3f} rad") if np.isfinite(one.rest) else ("goes on", "")
        lines.append(f"| {one.by.strip('()')} | {one.speed:.2f} rad/s | {one.last_target:+.3f} s | {rest} | {way} |")
    return "\n".join(lines)


def draw(recorded: Recorded, found: list[Ended], out: Path) -> None:
    """The joint that the plan moved furthest, around each end."""
    joint = recorded.target_joints[int(np.ptp(recorded.targets[1], axis=0).argmax())]
    command, target = recorded.joints.index(joint), recorded.target_joints.index(joint)
    figure, axes = pyplot.subplots(2, len(found), figsize=(4.5 * len(found), 5), sharex="col", layout="constrained")
    for (place, speed), one in zip(np.reshape(axes, (2, -1)).T, found):
        near = np.abs(recorded.times - one.at - 0.3) < 1.0
        aimed = np.abs(recorded.targets[0] - one.at - 0.3) < 1.0
        times = recorded.times[near] - one.at
        place.plot(recorded.targets[0][aimed] - one.at, recorded.targets[1][aimed, target], "r.", ms=3)
        place.plot(times, recorded.commands[near, command], color="tab:blue")
        place.set_title(f"{one.by.strip('()')} ends a planned motion", fontsize=10)
        speed.plot(times[1:], np.diff(recorded.commands[near, command]) / np.diff(times), color="tab:blue")
        speed.set(xlabel="time [s]")
        for axis in (place, speed):
            axis.axvline(0.0, color="black", lw=0.8, ls="--")
    first = np.reshape(axes, (2, -1))[:, 0]
    first[0].set(ylabel=f"{joint} [rad]\nblue: command, red: plan")
    first[1].set(ylabel="command [rad/s]")
    figure.savefig(out, dpi=80)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.planning_stops", description=__doc__)
    parser.add_argument("episode", type=Path, help="folder of a recorded episode")
    parser.add_argument("--out", type=Path, help="picture to write")
    options = parser.parse_args()
    recorded = read(options.episode)
    found = ended(recorded)
    print(table(found))
    if options.out is not None and found:
        draw(recorded, found, options.out)


if __name__ == "__main__":
    main()
