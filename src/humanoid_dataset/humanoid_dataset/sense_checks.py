# SPDX-License-Identifier: Apache-2.0
"""Checks of what was measured against what can be: commands, limits of joints, gravity."""

from __future__ import annotations

import math

import numpy as np

from humanoid_dataset.episode import Episode, JointTable
from humanoid_dataset.motion_checks import COMMANDS, STATES, farthest_out, tracking_of
from humanoid_dataset.results import CheckLimits, CheckResult, at_most
from humanoid_dataset.robot import RobotFacts
from humanoid_dataset.tracking import Tracking

GRAVITY = 9.80665  # [m/s²] ISO 80000-3
_BLOCK = 512  # messages that are looked at together
_EACH = 5  # commands: 100 Hz of 500 Hz are enough to compare whole motions


def joint_order(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Each joint follows its own command: not that of another joint, nor its own with the other sign."""
    tracking = tracking_of(episode, limits)
    commanded, measured = _pairs(tracking)
    if len(commanded) < 10 or not commanded.shape[1]:
        return CheckResult("joint_order", "not_assessed", detail="no joint both commanded and measured")
    floor = limits.senses.order_floor
    size = len(commanded)
    own = _rms(commanded, measured)
    cross = np.sqrt(
        np.maximum(
            0.0,
            np.square(commanded).mean(axis=0)[:, None]
            + np.square(measured).mean(axis=0)[None, :]
            - 2 * commanded.T @ measured / size,
        )
    )
    both = (own[:, None] + own[None, :]) / (cross + cross.T + 2 * floor)
    np.fill_diagonal(both, 0.0)
    flipped = own / (_rms(commanded, -measured) + floor)
    worst = max(float(both.max()), float(flipped.max()))
    if flipped.max() >= both.max():
        detail = f"{tracking.names[int(np.argmax(flipped))]} with the other sign"
    else:
        a, b = np.unravel_index(int(np.argmax(both)), both.shape)
        detail = f"{tracking.names[a]} as {tracking.names[b]} and the other way round"
    return at_most("joint_order", worst, limits.senses.order, "of own error", f"likeliest: {detail}")


def joints_frozen(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No joint keeps one measured value, bit by bit, while it is commanded to go elsewhere."""
    states, commands = episode.joints(STATES), episode.joints(COMMANDS)
    names = [name for name in commands.names if name in states.names and name not in robot.fingers]
    if not names or len(states.stamps) < 2 or len(commands.stamps) < 2:
        return CheckResult("joints_frozen", "not_assessed", detail="no joint both commanded and measured")
    longest, detail = 0.0, f"{len(names)} joints"
    values = np.take(states.position, [states.column(name) for name in names], axis=1)
    same = np.zeros((len(names), len(values) + 1), bool)
    same[:, 1:-1] = (values[1:] == values[:-1]).T
    joints, edges = np.nonzero(same[:, 1:] != same[:, :-1])  # begins and ends of runs by turns, joint by joint
    starts, stops = states.stamps[edges[::2]], states.stamps[edges[1::2]]
    for run in np.flatnonzero((stops - starts) * 1e-9 > limits.senses.frozen).tolist():
        name, start, stop = names[joints[2 * run]], int(starts[run]), int(stops[run])
        wanted = commands.position[:, commands.column(name)]
        inside = wanted[np.searchsorted(commands.stamps, start) : np.searchsorted(commands.stamps, stop)]
        seconds = (stop - start) * 1e-9
        if seconds > longest and len(inside) and np.ptp(inside) > limits.senses.frozen_motion:
            longest, detail = seconds, f"{name} at {(start - episode.span[0]) * 1e-9:.2f} s"
    return at_most("joints_frozen", longest, limits.senses.frozen, "s", detail)


def measured_limits(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Measured joints are where the robot can be: inside the URDF's range, but for a little give."""
    table = episode.joints(STATES)
    lower, upper = robot.limit(robot.lower, table.names), robot.limit(robot.upper, table.names)
    worst, row, column = farthest_out(table.position, lower, upper)
    if math.isnan(worst):
        return CheckResult("measured_limits", "not_assessed", detail="no limits of measured joints are known")
    where = _at(episode, table, row, column)
    return at_most("measured_limits", max(0.0, worst), limits.senses.give, "rad", where)


def measured_jumps(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No measured joint goes further from one measurement to the next than its speed limit and noise explain."""
    table = episode.joints(STATES)
    speed = robot.limit(robot.velocity, table.names)
    known = np.isfinite(speed) & table.whole
    if not known.any() or len(table.stamps) < 2:
        return CheckResult("measured_jumps", "not_assessed", detail="no speed limits of measured joints are known")
    steps = np.maximum(np.diff(table.stamps)[:, None] * 1e-9, 0.0)
    bound = limits.senses.overspeed * np.where(known, speed, np.inf)
    worst, row, column = -1.0, 0, 0
    for begin in range(0, len(steps), _BLOCK):  # so that they stay in the processor's cache
        ratio = np.abs(np.diff(table.position[begin : begin + _BLOCK + 1], axis=0))
        ratio /= bound * steps[begin : begin + _BLOCK] + limits.senses.noise
        ratio[:, ~known] = 0.0
        at = int(np.argmax(ratio))
        if ratio.flat[at] > worst:
            worst, row, column = float(ratio.flat[at]), begin + at // ratio.shape[1], at % ratio.shape[1]
    where = _at(episode, table, row + 1, column)
    return at_most("measured_jumps", 100 * worst, 100.0, "% of what can be", where)


def imu_gravity(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Accelerometers feel gravity: as much as there is, and where their own orientation says that down is."""
    worst, result = -1.0, CheckResult("imu_gravity", "not_assessed", detail="no IMU")
    for topic in episode.matching(type_name="sensor_msgs/msg/Imu"):
        for table in episode.columns(topic)[:1]:
            felt = np.stack([table.column(f"linear_acceleration.{axis}") for axis in "xyz"], axis=1)
            turn = np.stack([table.column(f"orientation.{axis}") for axis in "xyzw"], axis=1)
            if not np.isfinite(felt).all() or not len(felt):
                continue
            off = abs(float(np.linalg.norm(felt, axis=1).mean()) / GRAVITY - 1.0)
            judged = at_most("imu_gravity", 100 * off, 100 * limits.senses.gravity, "% of g", topic)
            if off / limits.senses.gravity > worst:
                worst, result = off / limits.senses.gravity, judged
            oriented = bool((table.array("orientation_covariance")[:, 0] >= 0).all())
            if not oriented or not np.allclose(np.linalg.norm(turn, axis=1), 1.0, atol=1e-2):
                continue
            up = _rotated(turn, felt).mean(axis=0)
            angle = math.acos(np.clip(up[2] / max(float(np.linalg.norm(up)), 1e-9), -1.0, 1.0))
            judged = at_most("imu_gravity", angle, limits.senses.tilt, "rad", f"{topic}: mean acceleration from up")
            if angle / limits.senses.tilt > worst:
                worst, result = angle / limits.senses.tilt, judged
    return result


def _pairs(tracking: Tracking) -> tuple[np.ndarray, np.ndarray]:
    """Commanded and measured after the lag, every so many, without gaps; only joints without NaN."""
    commanded, error = tracking.commanded[::_EACH], tracking.error[::_EACH]
    whole = np.isfinite(error).all(axis=1)
    return commanded[whole], (commanded - error)[whole]


def _rms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.sqrt(np.square(a - b).mean(axis=0))
    return found


def _rotated(quaternions: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors turned by quaternions xyzw, (n, 3)."""
    axis, scale = quaternions[:, :3], quaternions[:, 3:]
    cross = 2.0 * np.cross(axis, vectors)
    turned: np.ndarray = vectors + scale * cross + np.cross(axis, cross)
    return turned


def _at(episode: Episode, table: JointTable, row: np.intp | int, column: np.intp | int) -> str:
    return f"{table.names[column]} at {(int(table.stamps[row]) - episode.span[0]) * 1e-9:.2f} s"
