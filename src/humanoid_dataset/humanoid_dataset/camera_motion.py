# SPDX-License-Identifier: Apache-2.0
"""What cameras saw against how joints moved: are their pictures from the time that they say, and from that camera.

How much a picture differs from the one before follows how fast camera and hands move, so the shift in time at which
both fit best is the camera's error of time. Which way the whole picture moves follows which way the camera turns and
goes, so a camera's pictures fit its own way better than another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import cv2
import numpy as np

from humanoid_dataset import pictures
from humanoid_dataset.episode import Episode
from humanoid_dataset.kinematics import Kinematics
from humanoid_dataset.results import CameraLimits
from humanoid_dataset.robot import RobotFacts

_GRID = 0.01  # [s] at which motion is computed
_STEP = 3  # of the grid: what a picture at 30 Hz sees
_LEAST = 100  # pairs of pictures, below which nothing is said
_REACH = 0.3  # [m] at which a turn counts as much as a way


@dataclass(frozen=True)
class Motion:
    """How a link moves, on a grid of times.

    Attributes:
        speed: (n,) way and turn together [m/s].
        turn: (n, 2) by how much a turn moves the picture to the right and down [1/s]: focal lengths.
        way: (n, 2) the same for a way, at a distance of 1 m [1/s].
    """

    speed: np.ndarray
    turn: np.ndarray
    way: np.ndarray


@dataclass(frozen=True)
class Seen:
    """What pictures of one camera show, between each two in a row.

    Attributes:
        times: In the middle between both [s].
        change: Mean difference of brightness [0..255].
        shift: (n, 2) by how much the whole picture moved to the right and down [pixels of the small picture].
    """

    times: np.ndarray
    change: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class CameraMotion:
    """Everything about the cameras of an episode.

    Attributes:
        seen: By topic.
        lag: By topic: pictures lie so much behind the joints [s]; NaN where nothing tells.
        fit: By topic: correlation at that lag.
        gain: By topic: by how much more that is than the best within the lag that is allowed.
        ways: By pair (camera, pictures of): how well the way of one explains the pictures of the other, correlation.
    """

    seen: dict[str, Seen]
    lag: dict[str, float]
    fit: dict[str, float]
    gain: dict[str, float]
    ways: dict[tuple[str, str], float]


def look(episode: Episode, topics: list[str], limits: CameraLimits, robot: RobotFacts) -> CameraMotion:
    """Compare pictures with joints, in the stretches of an episode in which most moves.

    Args:
        episode: With pictures.
        topics: Colour pictures.
        limits: How much to look at.
        robot: Its kinematics are known.
    """
    assert robot.kinematics is not None
    table = episode.joints("joint_states")
    zero = int(table.stamps[0])
    grid = np.arange(0.0, (int(table.stamps[-1]) - zero) * 1e-9, _GRID)
    rows = np.searchsorted((table.stamps - zero) * 1e-9, grid).clip(0, len(table.stamps) - 1)
    position = table.position[rows]
    hands = [_motion(robot.kinematics, link, table.names, position) for link in robot.wrists.values()]
    own = {t: _motion(robot.kinematics, episode.frame_id(t), table.names, position) for t in topics}
    seen, lag, fit, gain = {}, {}, {}, {}
    for topic in topics:
        times = (episode.streams[topic].stamps - zero) * 1e-9
        speeds = [motion.speed for motion in (own[topic], *hands)]
        chosen = _liveliest(times, grid, np.sum(speeds, axis=0), limits)
        seen[topic] = _seen(episode, topic, times, chosen)
        lag[topic], fit[topic], gain[topic] = _lag(seen[topic], grid, speeds, limits)
    ways = {(a, b): _fit(seen[b], grid, own[a]) for a in topics for b in topics}
    return CameraMotion(seen, lag, fit, gain, ways)


def swapped(ways: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """By pair of cameras: how much better their ways explain their own pictures than each other's; below 0: swapped."""
    cameras = sorted({a for a, _ in ways})
    return {
        (a, b): ways[a, a] + ways[b, b] - ways[a, b] - ways[b, a]
        for a, b in permutations(cameras, 2)
        if a < b and np.isfinite([ways[pair] for pair in ((a, a), (b, b), (a, b), (b, a))]).all()
    }


def _motion(kinematics: Kinematics, link: str, names: list[str], position: np.ndarray) -> Motion:
    where, rotation = kinematics.pose(link, names, position)
    seconds = _GRID * _STEP
    back = np.swapaxes(rotation[:-_STEP], 1, 2)
    turned = back @ rotation[_STEP:]
    wx, wy, wz = (0.5 / seconds * (turned[:, a, b] - turned[:, b, a]) for a, b in ((2, 1), (0, 2), (1, 0)))
    velocity = np.einsum("nij,nj->ni", back, where[_STEP:] - where[:-_STEP]) / seconds
    pad = _STEP // 2, _STEP - _STEP // 2  # to the middle of the step

    def padded(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [pad] + [(0, 0)] * (values.ndim - 1), mode="edge")

    speed = np.linalg.norm(velocity, axis=1) + _REACH * np.sqrt(wx**2 + wy**2 + wz**2)
    turn, way = np.stack([-wy, wx], axis=1), -velocity[:, :2]
    return Motion(padded(speed), padded(turn), padded(way))


def _liveliest(times: np.ndarray, grid: np.ndarray, speed: np.ndarray, limits: CameraLimits) -> list[np.ndarray]:
    """Stretches of consecutive pictures in which speed varies most: indices of each, in order."""
    inside = np.flatnonzero((times > limits.lag_max) & (times < grid[-1] - limits.lag_max))
    if len(inside) < 3:
        return []
    per = max(3, round(limits.stretch / max(float(np.median(np.diff(times))), 1e-3)))
    pieces = [inside[i : i + per] for i in range(0, len(inside) - 2, per)]
    lively = [float(np.std(np.interp(times[piece], grid, speed))) for piece in pieces]
    best = np.sort(np.argsort(lively)[::-1][: limits.stretches])
    return [pieces[i] for i in best if len(pieces[i]) > 2]


def _seen(episode: Episode, topic: str, times: np.ndarray, chosen: list[np.ndarray]) -> Seen:
    wanted = [int(i) for piece in chosen for i in piece]
    small = dict(zip(sorted(wanted), map(pictures.small, episode.payloads({topic: wanted})[topic]))) if wanted else {}
    middle, change, shift = [], [], []
    for piece in chosen:
        for a, b in zip(piece[:-1].tolist(), piece[1:].tolist()):
            first, second = small[a], small[b]
            if first is None or second is None or first.shape != second.shape:
                continue
            window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F)
            middle.append(0.5 * (times[a] + times[b]))
            change.append(float(np.abs(first - second).mean()))
            shift.append(cv2.phaseCorrelate(first, second, window)[0])
    return Seen(np.array(middle), np.array(change), np.array(shift).reshape(-1, 2))


def _lag(seen: Seen, grid: np.ndarray, speeds: list[np.ndarray], limits: CameraLimits) -> tuple[float, float, float]:
    """The lag at which change fits speeds best, the correlation there, and how much more that is than near 0."""
    if len(seen.times) < _LEAST or np.ptp(seen.change) == 0:
        return np.nan, np.nan, np.nan
    lags = np.arange(-limits.lag_max, limits.lag_max + 0.5 * _GRID, _GRID)
    fits = np.array([
        _correlation(np.stack([np.interp(seen.times - lag, grid, speed) for speed in speeds], axis=1), seen.change)
        for lag in lags
    ])  # fmt: skip
    best = int(np.argmax(fits))
    top = float(fits[best])
    gain = top - float(fits[np.abs(lags) <= limits.lag].max())
    if not 0 < best < len(lags) - 1:
        return float(lags[best]), top, gain
    left, right = fits[best - 1], fits[best + 1]
    bend = left - 2 * top + right
    return float(lags[best] + (0.5 * _GRID * (left - right) / bend if bend < 0 else 0.0)), top, gain


def _fit(seen: Seen, grid: np.ndarray, motion: Motion) -> float:
    """How well a way explains the shifts of pictures; NaN where there are too few."""
    if len(seen.times) < _LEAST:
        return np.nan

    def at(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.interp(seen.times, grid, values[:, axis]) for axis in (0, 1)])

    return _correlation(np.stack([at(motion.turn), at(motion.way)], axis=1), seen.shift.T.ravel())


def _correlation(causes: np.ndarray, effect: np.ndarray) -> float:
    """Correlation of an effect with the best sum of its causes, none of which counts negative."""
    kept = np.flatnonzero(np.ptp(causes, axis=0) > 1e-6)
    centred = effect - effect.mean()
    while len(kept):
        parts = causes[:, kept] - causes[:, kept].mean(axis=0)
        weights = np.linalg.lstsq(parts, centred, rcond=None)[0]
        if (weights >= 0).all():
            said = parts @ weights
            size = float(np.linalg.norm(said) * np.linalg.norm(centred))
            return float(said @ centred) / size if size > 0 else 0.0
        kept = kept[weights > weights.min()]
    return 0.0
