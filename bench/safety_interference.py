# SPDX-License-Identifier: Apache-2.0
"""What is taken from clean human motion: named clips at original speed, retargeted, through the whole core; peers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pinocchio

from bench.report import Figure
from bench.rig import REPOSITORY
from bench.safety_adversaries import Case, Law
from humanoid_description import Robot
from humanoid_safety import referee
from humanoid_safety.body_referee import BodyReferee
from humanoid_safety.gate import SafetyGate
from humanoid_safety.robot_limits import fingers
from humanoid_teleop.replay.stream import Source, read
from humanoid_teleop.replay.track import retarget
from humanoid_teleop.settings import load_settings

CLIPS = ("wave_hello", "zombie", "cmu_02_06_scoop_lift")
MET = 1e-12  # [rad] nearer than this a request is met: rounding
SMOOTHED = 0.06  # [s] Hann window over the retargeted joints
DT = 0.002


@dataclass(frozen=True)
class _Outcome:
    """What came of a clip.

    Attributes:
        inside: Share of time in which the motion is inside the limits, at its next step, too, and was met since it was
            outside last [%].
        taken: By law, the most that was taken from it then [rad].
        overall: By law, the 99th percentile of what was taken at any time [rad].
        again: How long it took at most to meet the motion again after it had been outside [s].
        delay: By how much commands are behind the plain interpolation one period behind, while inside [ms].
    """

    inside: float
    taken: dict[str, float]
    overall: dict[str, float]
    again: float
    delay: float


def interference(
    robot: Robot, make_gate: Callable[[Robot], SafetyGate], case: Case, laws: Mapping[str, Law]
) -> dict[str, Figure]:
    """Per clip: share of time inside the limits, what was taken there and over all, and the delay that is added.

    Args:
        robot: The robot.
        make_gate: Makes the core under test.
        case: The same robot for the peers.
        laws: The peers; they get the interpolation that the core is measured against as their requests.
    """
    folder = Path(os.environ.get("HUMANOID_SHARED_DATA", REPOSITORY.parent / "shared/data")) / "bvh"
    figures = {}
    unknown = dict.fromkeys(("ours", *laws), float("nan"))
    for clip in CLIPS:
        outcome = _Outcome(float("nan"), unknown, unknown, float("nan"), float("nan"))
        if (folder / f"{clip}.bvh").exists():
            outcome = _of_clip(robot, make_gate(robot), folder / f"{clip}.bvh", case, laws)
        figures[f"{clip}, time inside the limits"] = Figure(outcome.inside)
        figures[f"{clip}, taken inside the limits"] = beside(outcome.taken)
        figures[f"{clip}, taken at all, p99"] = beside(outcome.overall)
        figures[f"{clip}, met again after being outside, at most"] = Figure(outcome.again)
        figures[f"{clip}, added delay"] = Figure(outcome.delay)
    return figures


def beside(values: Mapping[str, float]) -> Figure:
    """Ours with the others beside it."""
    return Figure(values["ours"], {name: value for name, value in values.items() if name != "ours"})


def _of_clip(robot: Robot, gate: SafetyGate, path: Path, case: Case, laws: Mapping[str, Law]) -> _Outcome:
    track = retarget(read(Source(path, engage="always")), robot, load_settings(""))
    names = list(gate.limits.names)
    columns = [track.joints.index(name) for name in names if name in track.joints]
    names = [name for name in names if name in track.joints]
    stamps, rows = _clean(track.stamps.astype(float), track.position[:, columns])
    heads, requests, commands = _run(gate, names, stamps, rows)
    index = [gate.limits.names.index(name) for name in names]
    lower, upper, velocity, acceleration, jerk = (
        getattr(gate.limits, word)[index] for word in ("lower", "upper", "velocity", "acceleration", "jerk")
    )
    bounds = referee.Bounds(lower, upper, velocity, acceleration, jerk, DT)
    broken = np.any(list(referee.over(requests, bounds).values()), axis=0)
    broken |= _too_heavy(robot, names, requests, gate.limits.torque[index])
    settings = gate.limiter.body.settings if gate.limiter.body else None
    if settings is not None:
        speeds = {robot.arm(side).elbow_frame: settings.elbow_speed for side in robot.config.operator.arms}
        speeds |= {hand.gripper_frame: settings.hand_speed for hand in robot.config.hands.values()}
        least = settings.self_distance + settings.buffer
        bodies = BodyReferee(robot, names, fingers(robot), speeds, least, settings.surroundings_distance, {})
        broken |= bodies.judge(requests, DT).rows
    # With its jerk limited, a step settles where the next one leads to within 0.06 mrad (jerk times period cubed): who
    # takes the last step before a motion leaves the limits leaves them, too.
    broken[:-1] |= broken[1:]
    clean, longest = _met(broken, np.abs(commands - requests).max(axis=1) < MET)
    sent = {"ours": commands}
    whole = np.tile(case.start, (len(requests), 1))
    whole[:, index] = requests
    free = replace(case, start=whole[0], body=gate.limiter.body or case.body)
    sent |= {name: law(free, whole[1:])[:, index] for name, law in laws.items()}
    taken = {name: np.abs(found - requests).max(axis=1) for name, found in sent.items()}
    return _Outcome(
        100.0 * float(clean.mean()),
        {name: float(each[clean].max()) if clean.any() else float("nan") for name, each in taken.items()},
        {name: float(np.percentile(each, 99)) for name, each in taken.items()},
        longest * DT,
        1e3 * _behind(heads[clean], commands[clean], stamps - int(stamps[0]), rows),
    )


def _met(broken: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, int]:
    """Steps from the one that meets a motion to the one that leaves the limits again, and the longest wait for it.

    Args:
        broken: Where the motion is outside a limit, (steps,) bool.
        exact: Where the command is the request, (steps,) bool.
    """
    inside, met, waits, longest = np.zeros(len(broken), dtype=bool), False, 0, 0
    for k in range(len(broken)):
        met = not broken[k] and (met or bool(exact[k]))
        waits = 0 if met or broken[k] else waits + 1
        longest = max(longest, waits)
        inside[k] = met
    return inside, longest


def _too_heavy(robot: Robot, names: list[str], rows: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Which rows (steps, n) [rad] need more torque at a joint than its limit (n,) [Nm], by pinocchio, (steps,) bool."""
    model, q = robot.pinocchio(), robot.home()
    data, index = model.createData(), robot.index(names)
    velocity = np.diff(rows, axis=0, prepend=rows[:1]) / DT
    acceleration = np.diff(velocity, axis=0, prepend=velocity[:1]) / DT
    v, a, needed = np.zeros(model.nv), np.zeros(model.nv), np.empty_like(rows)
    for k in range(len(rows)):
        q[index], v[index], a[index] = rows[k], velocity[k], acceleration[k]
        needed[k] = pinocchio.rnea(model, data, q, v, a)[index]
    return np.asarray((np.abs(needed) > limits).any(axis=1))


def _behind(heads: np.ndarray, commands: np.ndarray, stamps: np.ndarray, rows: np.ndarray) -> float:
    """Delay of the commands after the straight connection of the targets one period behind [s]: the best fit to 10 us.

    Args:
        heads: Where an interpolation one period behind stands at each command [ns from the first target].
        commands: (steps, n) [rad].
        stamps: Of the targets [ns from the first].
        rows: The targets (k, n) [rad].
    """
    delays = np.arange(0.0, 12e6, 1e4)

    def off(delay: float) -> float:
        line = np.column_stack([np.interp(heads - delay, stamps, column) for column in rows.T])
        return float(np.square(commands - line).sum())

    coarse = min(delays[::50], key=off)
    return 1e-9 * float(min(coarse + np.arange(-5e5, 5.1e5, 1e4), key=off))


def _clean(stamps: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The person's motion as a smooth 250 Hz stream; what a solver and frames at odd times add is not the person's."""
    grid = np.arange(stamps[0], stamps[-1], 4e6)
    even = np.column_stack([np.interp(grid, stamps, column) for column in rows.T])
    window = np.hanning(round(SMOOTHED / 0.004) + 2)[1:-1]
    padded = np.vstack([np.repeat(even[:1], len(window), axis=0), even, np.repeat(even[-1:], len(window), axis=0)])
    smooth = np.column_stack([np.convolve(column, window / window.sum(), "same") for column in padded.T])
    return (np.arange(len(padded)) * 4_000_000 + int(grid[0])).astype(np.int64), smooth[: len(padded)]


def _run(
    gate: SafetyGate, names: list[str], stamps: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times one period behind each command [ns], the targets' interpolation there, averaged as said in `TargetStream`,
    and the commands."""
    offset, period = 10**18, int(np.median(np.diff(stamps)))
    position, sent, out, at = rows[0], 0, [], []
    hold = [(int(stamps[0]) - (500 - k) * period, rows[0]) for k in range(500)]
    stream = [*hold, *zip(stamps.tolist(), rows)]
    ticks = round((stream[-1][0] - stream[0][0]) * 1e-9 / DT)
    for k in range(ticks):
        now, steady = offset + stream[0][0] + round(k * DT * 1e9), 100.0 + k * DT
        while sent < len(stream) and offset + stream[sent][0] <= now:
            gate.targets("teleop", names, stream[sent][1], offset + stream[sent][0], now, steady)
            sent += 1
        gate.operator(True, steady)
        gate.heartbeat(steady)
        gate.joint_state(names, position, steady)
        if k == 5:
            gate.engage(True, steady)
        command = gate.step(now, steady)
        if command is not None:
            position = command.position
        if k > 900:
            out.append(position)
            at.append(now - offset)
    times, values = np.array([stamp for stamp, _ in stream], dtype=float), np.array([row for _, row in stream])
    heads, window = np.array(at, dtype=float) - period, min(period, 2 * DT * 1e9)
    return heads - float(stamps[0]), _mean(times - times[0], values, heads - times[0], window), np.array(out)


def _mean(times: np.ndarray, values: np.ndarray, heads: np.ndarray, window: float) -> np.ndarray:
    """Mean of the straight connection over the window before each head, by the trapezium rule between its bends."""
    out = np.empty((len(heads), values.shape[1]))
    for row, head in enumerate(heads):
        begin = head - window
        first, last = np.searchsorted(times, begin, side="right"), np.searchsorted(times, head, side="left")
        knots = np.array([begin, *times[first:last], head])
        near = slice(max(first - 1, 0), last + 1)
        piece = np.array([np.interp(knots, times[near], column) for column in values[near].T]).T
        out[row] = np.diff(knots) @ (0.5 * (piece[1:] + piece[:-1])) / window
    return out
