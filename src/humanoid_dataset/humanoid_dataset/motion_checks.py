# SPDX-License-Identifier: Apache-2.0
"""Checks of numbers, joints and motion. Limits are recomputed from the commands alone, without the limiter's code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from humanoid_dataset.episode import Episode, JointTable
from humanoid_dataset.results import CheckLimits, CheckResult, at_least, at_most
from humanoid_dataset.robot import RobotFacts
from humanoid_dataset.tracking import Tracking, track

COMMANDS, STATES = "joint_commands", "joint_states"
E_STOP = 3  # SafetyStatus.E_STOP


def finite(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No NaN or infinity in joint states, commands, targets, IMU, wrench or operator poses."""
    faults: dict[str, int] = {}
    for topic in [STATES, COMMANDS, *episode.matching(prefix="joint_targets/")]:
        table = episode.joints(topic)
        bad = 0 if table.whole.all() else int((table.named & ~np.isfinite(table.position)).sum())
        parts = episode.columns(topic)
        for field in ("velocity", "effort"):
            if len(parts) > 1 or not all(part.whole(field) for part in parts):  # some are not given, or no numbers
                values = table.field(field)
                wrong = table.named & ~np.isfinite(values)
                bad += int(wrong.sum()) if not np.isnan(values).all() else 0
        if bad:
            faults[topic] = bad
    for topic, paths in _vector_topics(episode).items():
        bad = sum(int((~part.finite(paths)).sum()) for part in episode.columns(topic))
        if bad:
            faults[topic] = bad
    detail = ", ".join(f"{topic} {count}" for topic, count in faults.items())
    return at_most("finite", sum(faults.values()), 0, "values", detail or "all finite")


def joint_names(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Joints in states and commands are those of robot_description, and only joints that may be commanded are."""
    if robot.kinematics is None:
        return CheckResult("joint_names", "not_assessed", detail="no robot_description in the bag")
    known = robot.kinematics.moving
    faults = []
    for topic in [STATES, COMMANDS, *episode.matching(prefix="joint_targets/")]:
        strange = [name for name in episode.joints(topic).names if name not in known]
        faults += [f"{topic}: {name} is no joint of the robot" for name in strange]
        for table in episode.columns(topic):
            names = [table.text(f"name[{i}]") for i in range(table.count("name"))]
            if len(set(names)) != len(names):
                faults.append(f"{topic}: a name twice")
                break
    if robot.commanded:
        strange = [name for name in episode.joints(COMMANDS).names if name in known and name not in robot.commanded]
        faults += [f"{COMMANDS}: {name} must not be commanded" for name in strange]
    unmeasured = [name for name in episode.joints(COMMANDS).names if name not in episode.joints(STATES).names]
    faults += [f"{name} is commanded but never measured" for name in unmeasured]
    counts = f"{len(episode.joints(STATES).names)} measured, {len(episode.joints(COMMANDS).names)} commanded"
    return at_most("joint_names", len(faults), 0, "names", "; ".join(faults[:4]) or counts)


def position_limits(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Commands stay inside the joints' position limits."""
    table = episode.joints(COMMANDS)
    lower, upper = robot.limit(robot.lower, table.names), robot.limit(robot.upper, table.names)
    worst, row, column = farthest_out(table.position, lower, upper)
    result = _worst(
        "position_limits", table, worst, row, column, limits.limits.position_slack, "rad", robot, _any(upper)
    )
    if result.status == "passed":
        return replace(
            result, measured=0.0, detail=f"closest: {max(0.0, -result.measured):.3f} rad inside, {result.detail}"
        )
    return result


def velocity_limits(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Commands move no joint faster than its limit (differences of stamped positions)."""
    speed, _ = _derivatives_of(episode, limits)
    return _share_of("velocity_limits", episode.joints(COMMANDS), speed, robot.velocity, limits, robot)


def acceleration_limits(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Commands accelerate no joint more than its limit (second differences of stamped positions)."""
    _, change = _derivatives_of(episode, limits)
    return _share_of("acceleration_limits", episode.joints(COMMANDS), change, robot.acceleration, limits, robot)


def emergency_stop(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """The emergency stop was not latched during the episode."""
    tables = episode.columns("safety/status")
    if not tables:
        return CheckResult("emergency_stop", "not_assessed", detail="no safety/status")
    stopped = [(table, table.column("state") == E_STOP) for table in tables]
    count = sum(int(found.sum()) for _, found in stopped)
    first = next((table for table, found in stopped if found.any()), None)
    reasons = "; ".join(first.text(f"reasons[{i}]") for i in range(first.count("reasons"))) if first else ""
    total = sum(map(len, tables))
    return at_most("emergency_stop", count, 0, "messages", reasons or f"{total} status messages")


def tracking_error(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Joints other than fingers follow the commands once the lag is taken out (95th percentile of the worst)."""
    tracking = tracking_of(episode, limits)
    p95 = tracking.percentile(95)
    p95[[name in robot.fingers for name in tracking.names]] = np.nan
    if not np.isfinite(p95).any():
        return CheckResult("tracking_error", "not_assessed", detail="no joint both commanded and measured")
    joint = int(np.nanargmax(p95))
    detail = f"{tracking.names[joint]}; median of all joints {tracking.median:.4f} rad"
    return at_most("tracking_error", float(p95[joint]), limits.tracking.error_p95, "rad", detail)


def tracking_lag(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """The robot follows its commands without undue delay, and not before they are given."""
    lag = tracking_of(episode, limits).lag
    if math.isnan(lag):
        why = f"no joint was commanded over {limits.tracking.moved:g} rad"
        return CheckResult("tracking_lag", "not_assessed", detail=why)
    if lag < -limits.tracking.lag_early:
        floor = -1e3 * limits.tracking.lag_early
        return at_least("tracking_lag", 1e3 * lag, floor, "ms", "measured before it was commanded")
    return at_most("tracking_lag", 1e3 * lag, 1e3 * limits.tracking.lag, "ms", "from command to measurement")


def tracking_of(episode: Episode, limits: CheckLimits) -> Tracking:
    """Commanded against measured joints of an episode."""
    commands, states = episode.joints(COMMANDS), episode.joints(STATES)
    moved, longest = limits.tracking.moved, limits.tracking.lag_max
    return episode.once(f"tracking {moved} {longest}", lambda: track(commands, states, moved, longest))


def derivatives(table: JointTable, longest: float) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and acceleration between successive set-points, from positions and stamps alone.

    Args:
        table: Commands.
        longest: Steps over more than this time get no acceleration [s]: across a pause it is not defined.

    Returns:
        Velocity (n - 1, joints) [rad/s] and acceleration (n - 2, joints) [rad/s²]; NaN where not defined.
    """
    steps = np.diff(table.stamps)[:, None] * 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        velocity = np.diff(table.position, axis=0)
        velocity /= steps
        velocity[steps[:, 0] <= 0] = np.nan
        spans = 0.5 * (steps[1:] + steps[:-1])
        defined = (steps[1:] <= longest) & (steps[:-1] <= longest) & (spans > 0)
        acceleration = np.diff(velocity, axis=0)
        acceleration /= spans
        acceleration[~defined[:, 0]] = np.nan
    return velocity, acceleration


def farthest_out(values: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[float, int, int]:
    """How far, at most, values lie outside their columns' ranges, and where that is first.

    Args:
        values: (n, joints); NaN counts for nothing.
        lower: Of each column, (joints,).
        upper: ... and of each.

    Returns:
        The distance, negative inside, with row and column; NaN where there is nothing to tell it from.
    """

    def outside(columns: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.fmax(values[:, columns] - upper[columns], lower[columns] - values[:, columns])
        return found

    if not values.size:
        return math.nan, 0, 0
    each = np.fmax(np.fmax.reduce(values, axis=0) - upper, lower - np.fmin.reduce(values, axis=0))
    return _first(each, outside)


def _first(each: np.ndarray, values_of: Callable[[np.ndarray], np.ndarray]) -> tuple[float, int, int]:
    """Largest value, and where it is first.

    Args:
        each: Largest of each column, (m,); NaN in a column without any.
        values_of: Values of some columns, (n, k).
    """
    if not (each > -np.inf).any():
        return math.nan, 0, 0
    worst = float(np.nanmax(each))
    columns = np.flatnonzero(each == worst)
    row, column = divmod(int(np.nanargmax(values_of(columns))), len(columns))
    return worst, row, int(columns[column])


def _derivatives_of(episode: Episode, limits: CheckLimits) -> tuple[np.ndarray, np.ndarray]:
    gap = limits.limits.acceleration_gap
    return episode.once(f"derivatives {gap}", lambda: derivatives(episode.joints(COMMANDS), gap))


def _share_of(
    name: str, table: JointTable, values: np.ndarray, bounds: dict[str, float], limits: CheckLimits, robot: RobotFacts
) -> CheckResult:
    """The largest of derivatives, (n, joints), against the joints' bounds, in percent of them."""
    bound = robot.limit(bounds, table.names)
    worst, row, column = math.nan, 0, 0
    if values.size:
        each = 100 * np.fmax(np.fmax.reduce(values, axis=0), -np.fmin.reduce(values, axis=0)) / bound
        worst, row, column = _first(each, lambda columns: 100 * np.abs(values[:, columns]) / bound[columns])
    ceiling = 100 * (1.0 + limits.limits.ratio_slack)
    return _worst(name, table, worst, row, column, ceiling, "% of limit", robot, _any(bound))


def _worst(
    name: str,
    table: JointTable,
    worst: float,
    row: int,
    column: int,
    limit: float,
    unit: str,
    robot: RobotFacts,
    known: bool,
) -> CheckResult:
    if not known or math.isnan(worst):
        why = "no such limits of the robot are known" if not known else "too few commands"
        return CheckResult(name, "not_assessed", detail=why)
    seconds = (int(table.stamps[row]) - int(table.stamps[0])) * 1e-9
    detail = f"{table.names[column]} at {seconds:.2f} s of the commands; limits: {robot.source}"
    return at_most(name, worst, limit, unit, detail)


def _any(bound: np.ndarray) -> bool:
    return bool(np.isfinite(bound).any())


def _vector_topics(episode: Episode) -> dict[str, tuple[str, ...]]:
    """Topics with vectors that must be finite, and how their paths end."""
    ends = {
        "sensor_msgs/msg/Imu": tuple(f"{of}.{axis}" for of in ("velocity", "acceleration") for axis in "xyz"),
        "geometry_msgs/msg/WrenchStamped": tuple(f"{of}.{axis}" for of in ("force", "torque") for axis in "xyz"),
        "humanoid_interfaces/msg/OperatorFrame": (
            *(f"].pose.position.{axis}" for axis in "xyz"),
            *(f"].pose.orientation.{axis}" for axis in "xyzw"),
        ),
    }
    return {topic: found for kind, found in ends.items() for topic in episode.matching(type_name=kind)}
