# SPDX-License-Identifier: Apache-2.0
"""The fixed latency between two streams that see the same motion.

For each lag, one signal is predicted from the other by the best linear map of its channels; the lag that explains most
is the latency. With one channel each this is the peak of the normalised cross-correlation; with several it is the lag
of the greatest multiple correlation (Hotelling 1936), which needs no geometry: a gyroscope's three axes or a picture's
flow are near enough linear in joint rates for that. A parabola through the peak gives a fraction of the grid's step
(Boucher, Hassab 1981). The recording is cut into pieces; how much their peaks scatter is the standard deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humanoid_core.errors import HumanoidError

_FINEST = 0.002  # [s] step of the common grid, at least
_HOLE = 0.2  # [s] what lies between samples further apart is not used
_MOST_CHANNELS = 8
_PIECE = 4.0  # [s] at least, of which there are ...
_PIECES = 12  # ... at most
_WEAKEST = 0.2  # share of the motion that must be explained, beyond what any lag explains
_RIVAL = 0.9  # another peak that is nearly as high makes the answer ambiguous
_VALLEY = 0.7  # ... where the curve dips below this between both
_RIDGE = 1e-3
_COARSE = 0.01  # [s] step of the first look
_NEAR = 4  # coarse steps around the peak in which a piece's own peak is looked for


class LatencyError(HumanoidError):
    """Two streams do not tell their latency."""


@dataclass(frozen=True)
class Signal:
    """What a stream saw of the motion.

    Attributes:
        times: (n,) [s], ascending.
        values: (n, channels), such as rates; of no matter which unit.
    """

    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A latency.

    Attributes:
        latency: By how much the second signal's stamps are later than the first's for the same motion [s].
        sd: Standard deviation [s].
        explained: Share of the second signal's motion that the first one explains at this lag.
        pieces: How many pieces agreed on it.
    """

    latency: float
    sd: float
    explained: float
    pieces: int


def rates(times: np.ndarray, positions: np.ndarray) -> Signal:
    """Rates of change by differences, each stamped in the middle of its two samples.

    Args:
        times: (n,) [s].
        positions: (n, channels).
    """
    step = np.diff(times)
    good = step > 1e-6
    values = np.diff(positions, axis=0)[good] / step[good, None]
    return Signal((0.5 * (times[1:] + times[:-1]))[good], values)


def estimate(reference: Signal, other: Signal, longest: float = 0.5) -> Estimate:
    """How late `other` is against `reference`.

    Args:
        reference: What moves.
        other: What sees it.
        longest: Greatest latency looked for, in both directions [s].

    Raises:
        LatencyError: they have too little in common: no motion, no relation, more than one possible lag.
    """
    begin = max(reference.times[0], other.times[0]) if len(reference.times) and len(other.times) else 0.0
    end = min(reference.times[-1], other.times[-1]) if len(reference.times) and len(other.times) else 0.0
    if end - begin < 2 * _PIECE + 2 * longest:
        raise LatencyError(f"found {end - begin:.1f} s in common, expected {2 * _PIECE + 2 * longest:.0f} s or more")
    usual = [float(np.median(np.diff(signal.times))) for signal in (reference, other)]
    period = max(_FINEST, min(usual))
    grid = np.arange(begin, end, period)
    smooth = max(usual)
    x = _principal(_resampled(reference, grid, smooth))
    y = _principal(_resampled(other, grid, smooth))
    most = math.ceil(longest / period)
    stride = max(1, round(_COARSE / period))
    coarse = np.arange(-(most // stride) * stride, most + 1, stride)
    curve = _explained(x, y, coarse, most)
    _check(curve, coarse * period)
    fine = int(coarse[int(np.argmax(curve))]) + np.arange(-stride - 2, stride + 3)
    fine = fine[np.abs(fine) <= most]
    best = _explained(x, y, fine, most)
    found: list[float] = []
    count = int(min(_PIECES, (end - begin - 2 * longest) // _PIECE))
    for piece in np.array_split(np.arange(most, len(grid) - most), count):
        part = slice(piece[0] - most, piece[-1] + most + 1)
        near = fine[int(np.argmax(best))] + np.arange(-_NEAR * stride, _NEAR * stride + 1)
        near = near[np.abs(near) <= most]
        own = _explained(x[part], y[part], near, most)
        if own.max() > _WEAKEST:
            found.append(_peak(near, own))
    if len(found) < 2:
        raise LatencyError(f"found {len(found)} piece(s) of the recording with enough motion, expected 2 or more")
    spread = float(np.std(found, ddof=1)) / math.sqrt(len(found))
    return Estimate(
        latency=_peak(fine, best) * period,
        sd=max(spread, 0.02) * period,
        explained=float(best.max()),
        pieces=len(found),
    )


def _check(curve: np.ndarray, lags: np.ndarray) -> None:
    """Whether a curve over lags [s] has one clear peak."""
    best, peak = float(curve.max()), int(np.argmax(curve))
    if not _strength(curve) > _WEAKEST:
        raise LatencyError(
            f"found {100 * best:.0f} % of the motion explained at best and {100 * np.median(curve):.0f} % at any lag, "
            f"expected {100 * _WEAKEST:.0f} % more: too little motion, or they do not see the same"
        )
    if peak in (0, len(curve) - 1):
        raise LatencyError(f"found the best lag at the end of the range, {lags[peak]:.2f} s, expected it inside")
    base = float(np.median(curve))
    for rival in np.flatnonzero((curve[1:-1] >= curve[:-2]) & (curve[1:-1] > curve[2:])) + 1:
        low, high = sorted((int(rival), peak))
        between = curve[low : high + 1].min()
        if curve[rival] - base > _RIVAL * (best - base) and between - base < _VALLEY * (best - base):
            raise LatencyError(
                f"found two lags that fit, {lags[peak]:.3f} s and {lags[rival]:.3f} s, expected one: "
                "the motion repeats itself"
            )


def _strength(curve: np.ndarray) -> float:
    """How much the best lag explains beyond any, of what is left to explain."""
    base = float(np.median(curve))
    return (float(curve.max()) - base) / max(1.0 - base, 1e-9)


def _peak(lags: np.ndarray, curve: np.ndarray) -> float:
    """Lag of the greatest value, by a parabola through it and its neighbours."""
    i = int(np.argmax(curve))
    if i in (0, len(curve) - 1):
        return float(lags[i])
    left, middle, right = curve[i - 1 : i + 2]
    bend = left - 2.0 * middle + right
    return float(lags[i] + (0.0 if bend >= 0.0 else 0.5 * (left - right) / bend))


def _resampled(signal: Signal, grid: np.ndarray, smooth: float) -> np.ndarray:
    """Channels on the grid, smoothed alike for both signals, zero mean, zero in holes."""
    columns = np.stack([np.interp(grid, signal.times, column) for column in signal.values.T], axis=1)
    after = np.searchsorted(signal.times, grid).clip(1, len(signal.times) - 1)
    held = signal.times[after] - signal.times[after - 1] <= _HOLE
    step = grid[1] - grid[0]
    reach = np.arange(-math.ceil(3 * smooth / step), math.ceil(3 * smooth / step) + 1) * step
    kernel = np.exp(-0.5 * (reach / smooth) ** 2)
    kernel /= kernel.sum()
    columns = np.stack([np.convolve(column, kernel, mode="same") for column in columns.T], axis=1)
    columns -= columns[held].mean(axis=0) if held.any() else 0.0
    return columns * held[:, None]


def _principal(values: np.ndarray) -> np.ndarray:
    """The few directions that hold nearly all of the motion, each with unit variance in all."""
    if not np.isfinite(values).all() or not values.any():
        raise LatencyError("found no motion, expected some")
    _, size, axes = np.linalg.svd(values, full_matrices=False)
    keep = (size > 0.05 * size[0])[: len(size)]
    keep[_MOST_CHANNELS:] = False
    return values @ axes[keep].T / size[0]


def _explained(x: np.ndarray, y: np.ndarray, lags: np.ndarray, most: int) -> np.ndarray:
    """Share of y's variance that the best linear map of x explains, by lag of y in steps.

    The middle of y is held against x at each lag, so that all lags are judged on the same motion.
    """
    seen = y[most : len(y) - most]
    seen = seen - seen.mean(axis=0)
    whole = float((seen * seen).sum())
    if whole <= 0.0:
        return np.zeros(len(lags))
    explained = np.zeros(len(lags))
    for i, lag in enumerate(lags):
        part = x[most - lag : len(x) - most - lag]
        part = part - part.mean(axis=0)
        inner, cross = part.T @ part, part.T @ seen
        inner += _RIDGE * np.trace(inner) / len(inner) * np.eye(len(inner))
        explained[i] = float((cross * np.linalg.solve(inner, cross)).sum()) / whole
    return explained
