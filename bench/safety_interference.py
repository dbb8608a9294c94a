# SPDX-License-Identifier: Apache-2.0
"""What the limiter takes from clean human motion: named clips at original speed, retargeted, through the whole core."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.report import Figure
from bench.rig import REPOSITORY
from humanoid_description import Robot
from humanoid_safety import referee
from humanoid_safety.body_referee import BodyReferee
from humanoid_safety.gate import SafetyGate
from humanoid_safety.robot_limits import fingers
from humanoid_teleop.replay_motion_stream import Source, read
from humanoid_teleop.replay_motion_track import retarget
from humanoid_teleop.settings import load_settings

CLIPS = ("wave_hello", "zombie", "cmu_02_06_scoop_lift")
RECOVERY = 1.0  # [s] after the motion was outside a limit, until it counts as inside again
SMOOTHED = 0.06  # [s] Hann window over the retargeted joints
DT = 0.002


def interference(robot: Robot, make_gate: Callable[[Robot], SafetyGate]) -> dict[str, Figure]:
    """Per clip: share of time inside the limits, and what was taken there and over all."""
    folder = Path(os.environ.get("HUMANOID_SHARED_DATA", REPOSITORY.parent / "shared/data")) / "bvh"
    figures = {}
    for clip in CLIPS:
        inside, taken, overall, delay = float("nan"), float("nan"), float("nan"), float("nan")
        if (folder / f"{clip}.bvh").exists():
            inside, taken, overall, delay = _of_clip(robot, make_gate(robot), folder / f"{clip}.bvh")
        figures[f"{clip}, time inside the limits"] = Figure(inside)
        figures[f"{clip}, taken inside the limits"] = Figure(taken)
        figures[f"{clip}, taken at all, p99"] = Figure(overall)
        figures[f"{clip}, added delay"] = Figure(delay)
    return figures


def _of_clip(robot: Robot, gate: SafetyGate, path: Path) -> tuple[float, float, float, float]:
    track = retarget(read(Source(path, engage="always")), robot, load_settings(""))
    names = list(gate.limits.names)
    columns = [track.joints.index(name) for name in names if name in track.joints]
    names = [name for name in names if name in track.joints]
    stamps, rows = _clean(track.stamps.astype(float), track.position[:, columns])
    requests, commands = _run(gate, names, stamps, rows)
    index = [gate.limits.names.index(name) for name in names]
    lower, upper, velocity, acceleration, jerk = (
        getattr(gate.limits, word)[index] for word in ("lower", "upper", "velocity", "acceleration", "jerk")
    )
    bounds = referee.Bounds(lower, upper, velocity, acceleration, jerk, DT)
    broken = np.any(list(referee.over(requests, bounds).values()), axis=0)
    settings = gate.limiter.body.settings if gate.limiter.body else None
    if settings is not None:
        speeds = {robot.arm(side).elbow_frame: settings.elbow_speed for side in robot.config.operator.arms}
        speeds |= {hand.gripper_frame: settings.hand_speed for hand in robot.config.hands.values()}
        least = settings.self_distance + settings.buffer
        bodies = BodyReferee(robot, names, fingers(robot), speeds, least, settings.surroundings_distance, {})
        broken |= bodies.judge(requests, DT).rows
    recent = np.convolve(broken, np.ones(round(RECOVERY / DT)))[: len(broken)] > 0
    taken = np.abs(commands - requests).max(axis=1)
    clean = ~recent
    worst = float(taken[clean].max()) if clean.any() else float("nan")
    return 100.0 * float(clean.mean()), worst, float(np.percentile(taken, 99)), 1e3 * DT


def _clean(stamps: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The person's motion as a smooth 250 Hz stream; what a solver and frames at odd times add is not the person's."""
    grid = np.arange(stamps[0], stamps[-1], 4e6)
    even = np.column_stack([np.interp(grid, stamps, column) for column in rows.T])
    window = np.hanning(round(SMOOTHED / 0.004) + 2)[1:-1]
    padded = np.vstack([np.repeat(even[:1], len(window), axis=0), even, np.repeat(even[-1:], len(window), axis=0)])
    smooth = np.column_stack([np.convolve(column, window / window.sum(), "same") for column in padded.T])
    return (np.arange(len(padded)) * 4_000_000 + int(grid[0])).astype(np.int64), smooth[: len(padded)]


def _run(gate: SafetyGate, names: list[str], stamps: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The targets' interpolation one period behind, averaged as said in `TargetStream`, and the commands."""
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
    return _mean(times - times[0], values, heads - times[0], window), np.array(out)


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
