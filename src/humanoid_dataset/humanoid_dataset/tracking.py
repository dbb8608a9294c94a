# SPDX-License-Identifier: Apache-2.0
"""How well the robot followed its commands: lag, error once the lag is taken out, wrist error in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_dataset.episode import JointTable
from humanoid_dataset.kinematics import Kinematics, rotation_angle

LAG_STEP = 0.002  # [s] resolution of the lag: one period of 500 Hz
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

    def percentile(self, q: float) -> np.ndarray:
        """Percentile of |error| by joint, (joints,); NaN for a joint without a single error."""
        magnitudes = np.abs(self.error)
        some = np.isfinite(magnitudes).any(axis=0)
        found = np.full(len(self.names), np.nan)
        if some.any():
            found[some] = np.nanpercentile(magnitudes[:, some], q, axis=0)
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
    commanded, measured_raw = commands.position[:, own], states.position[:, theirs]
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
    start, end = max(times[0], state_times[0]), min(times[-1], state_times[-1]) - lag_max
    if not moving.any() or end <= start:
        return float("nan")
    grid = np.arange(start, end, 1.0 / _RATE)
    wanted = _resample(grid, times, commanded[:, moving])
    wanted = wanted - wanted.mean(axis=0)
    lags = np.arange(0.0, lag_max, LAG_STEP)
    costs = np.empty(len(lags))
    for index, lag in enumerate(lags):
        got = _resample(grid + lag, state_times, measured[:, moving])
        costs[index] = np.square(got - got.mean(axis=0) - wanted).sum()
    return float(lags[np.argmin(costs)])


def _resample(at: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Columns of `values` interpolated at `at`; NaN outside."""
    out = np.full((len(at), values.shape[1]), np.nan)
    if len(times):
        for column in range(values.shape[1]):
            out[:, column] = np.interp(at, times, values[:, column], left=np.nan, right=np.nan)
    return out
