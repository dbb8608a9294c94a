# SPDX-License-Identifier: Apache-2.0
"""How well the robot followed its commands: lag, error once the lag is taken out, wrist error in space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from humanoid_dataset.episode import JointTable
from humanoid_dataset.kinematics import Kinematics, rotation_angle

LAG_STEP = 0.002  # [s] resolution of the lag: one period of 500 Hz
_EARLY = 0.2  # [s] how far before the command it is looked for: clocks may be wrong
_BLOCK = 512  # rows that are interpolated together, so that they stay in the processor's cache
_RATE = 100.0  # [Hz] at which the lag is looked for; twenty times what an arm does


@dataclass(frozen=True)
class Tracking:
    """Commanded against measured joints at the commands' stamps.

    Attributes:
        names: Joints that were both commanded and measured.
        times: Since the first command, (n,) [s].
        commanded: (n, joints) [rad or m].
        measured: Interpolated at the same stamps, (n, joints); NaN outside the measurements.
        lag: Command to measurement [s]; NaN where nothing moved enough.
        error: commanded(t) - measured(t + lag), (n, joints) [rad or m].
        first_stamp: Stamp at time 0 [ns].
    """

    names: list[str]
    times: np.ndarray
    commanded: np.ndarray
    measured: np.ndarray
    lag: float
    error: np.ndarray
    first_stamp: int

    @cached_property
    def magnitudes(self) -> np.ndarray | None:
        """|error| by joint, (joints, m), where there is one; None where joints come and go one by one."""
        whole = np.isfinite(self.error.sum(axis=1))
        if not np.isnan(self.error[~whole]).all():
            return None
        found = np.ascontiguousarray(self.error[whole].T)
        return np.abs(found, out=found)

    def percentile(self, q: float) -> np.ndarray:
        """Percentile of |error| by joint, (joints,); NaN for a joint without a single error."""
        found = np.full(len(self.names), np.nan)
        if self.magnitudes is not None:
            return _quantile(self.magnitudes, q / 100.0) if self.magnitudes.size else found
        some = np.isfinite(self.error).any(axis=0)
        if some.any():
            found[some] = np.nanpercentile(np.abs(self.error[:, some]), q, axis=0)
        return found

    @property
    def median(self) -> float:
        """Median of |error| over all joints [rad or m]."""
        if self.magnitudes is None:
            return float(np.nanmedian(np.abs(self.error)))
        return float(_quantile(self.magnitudes.reshape(1, -1), 0.5)[0])


def _quantile(values: np.ndarray, q: float) -> np.ndarray:
    """Quantile of each row, (m, n) -> (m,), as `np.quantile` has it, of which it takes a fifth of the time."""
    place = q * (values.shape[1] - 1)
    low, share = int(place), place - int(place)
    parted = np.partition(values, low, axis=1)
    a = parted[:, low]
    b = parted[:, low + 1 :].min(axis=1) if low + 1 < values.shape[1] else a
    found: np.ndarray = a + (b - a) * share if share < 0.5 else b - (b - a) * (1.0 - share)
    return found


def track(commands: JointTable, states: JointTable, moved: float, lag_max: float) -> Tracking:
    """Compare commands with measurements.

    Args:
        commands: What was commanded.
        states: What was measured.
        moved: Range from which on a joint's motion tells about lag [rad or m].
        lag_max: Longest lag looked for [s].
    """
    names = [name for name in commands.names if name in states.names]
    own = [commands.column(name) for name in names]
    theirs = [states.column(name) for name in names]
    first = int(commands.stamps[0]) if len(commands.stamps) else 0
    times = (commands.stamps - first) * 1e-9
    state_times = (states.stamps - first) * 1e-9
    commanded, measured_raw = np.take(commands.position, own, axis=1), np.take(states.position, theirs, axis=1)
    lag = _lag(times, commanded, state_times, measured_raw, moved, lag_max)
    measured = _resample(times, state_times, measured_raw)
    delayed = measured if np.isnan(lag) else _resample(times + lag, state_times, measured_raw)
    return Tracking(names, times, commanded, measured, lag, commanded - delayed, first)


def wrist_error(tracking: Tracking, kinematics: Kinematics, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Distance between where the commands and where the measurements put a link, at the same instant, lag included.

    Returns:
        Position error (n,) [m] and orientation error (n,) [rad].
    """
    where, rotation = kinematics.pose(link, tracking.names, tracking.commanded)
    where_measured, rotation_measured = kinematics.pose(link, tracking.names, tracking.measured)
    turn = np.swapaxes(rotation, 1, 2) @ rotation_measured
    return np.linalg.norm(where - where_measured, axis=1), rotation_angle(turn)


def _lag(
    times: np.ndarray,
    commanded: np.ndarray,
    state_times: np.ndarray,
    measured: np.ndarray,
    moved: float,
    lag_max: float,
) -> float:
    """Shift of the measurements that fits the commands best in the least-squares sense [s]."""
    if len(times) < 2 or len(state_times) < 2 or not commanded.shape[1]:
        return float("nan")
    finite = np.isfinite(commanded).all(axis=0) & np.isfinite(measured).all(axis=0)
    moving = finite & (np.ptp(np.where(finite, commanded, 0.0), axis=0) > moved)
    start, end = max(times[0], state_times[0] + _EARLY), min(times[-1], state_times[-1] - lag_max)
    if not moving.any() or end <= start + 1.0 / _RATE:
        return float("nan")
    each = round(1.0 / (_RATE * LAG_STEP))  # lag steps in a step of the grid
    rows = int((end - start) * _RATE)
    wanted = _resample(np.clip(start + np.arange(rows) / _RATE, times[0], times[-1]), times, commanded[:, moving])
    wanted = wanted - wanted.mean(axis=0)
    early, late = round(_EARLY / LAG_STEP), round(lag_max / LAG_STEP)
    ticks = np.arange(-early, rows * each + late)
    at = np.clip(start + ticks * LAG_STEP, state_times[0], state_times[-1])  # but for rounding it is inside
    fine = _resample(at, state_times, measured[:, moving])
    fine -= fine.mean(axis=0)
    size = len(fine) // each
    phases = np.ascontiguousarray(np.swapaxes(fine[: size * each].reshape(size, each, -1), 0, 1))
    sums, squares = np.zeros((each, size + 1, phases.shape[2])), np.zeros((each, size + 1))
    np.cumsum(phases, axis=1, out=sums[:, 1:])
    np.cumsum(np.einsum("prj,prj->pr", phases, phases), axis=1, out=squares[:, 1:])

    def cost(lag: int) -> float:
        """Sum of the squares of (got - its mean - wanted), but for those of what is wanted, whose mean is 0."""
        first, phase = divmod(early + lag, each)
        last = first + rows
        total = sums[phase, last] - sums[phase, first]
        own = squares[phase, last] - squares[phase, first] - float(total @ total) / rows
        return float(own - 2.0 * np.vdot(phases[phase, first:last], wanted))

    coarse = min(range(-early, late, each), key=cost)  # arms move at less than 5 Hz, so nothing hides between
    return LAG_STEP * min(range(max(-early, coarse - each), min(late, coarse + each + 1)), key=cost)


def _resample(at: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Columns of `values` interpolated at `at`, both ascending; NaN outside."""
    out = np.full((len(at), values.shape[1]), np.nan)
    if not len(times) or not len(at):
        return out
    inside = (at >= times[0]) & (at <= times[-1])
    if len(times) == 1:
        out[inside] = values[0]
        return out
    rows = np.flatnonzero(inside)
    after = np.clip(np.searchsorted(times, at[rows], side="right"), 1, len(times) - 1)
    span = times[after] - times[after - 1]
    share = np.where(span > 0, (at[rows] - times[after - 1]) / np.where(span > 0, span, 1.0), 0.0)[:, None]
    for begin in range(0, len(rows), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        low, step = values[after[part] - 1], values[after[part]]
        step -= low
        step *= share[part]
        step += low
        out[rows[part]] = step
    return out
