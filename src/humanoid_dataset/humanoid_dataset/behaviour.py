# SPDX-License-Identifier: Apache-2.0
"""How a person worked, in figures. They never reject an episode: they say which ones somebody should look at first.

Audits of curation figures found that figures of smoothness alone prefer the wrong episodes, and that most grow with an
episode's length. So each figure here is a share, a ratio, or a median over windows of one length, and episodes are
compared with others of the same robot and task only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humanoid_dataset.episode import Episode
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.hands import hands_of, proposals_of
from humanoid_dataset.labels import AUTHOR, read_labels
from humanoid_dataset.proposals import Hand, alike, holds, together
from humanoid_dataset.results import BehaviourLimits
from humanoid_dataset.robot import RobotFacts

ACTIVE = 1  # SafetyStatus.ACTIVE
FIGURES = {  # what is worse, and what it means
    "sparc": (-1.0, "smoothness of wrists: spectral arc length of speed, median over windows"),
    "ldlj": (-1.0, "smoothness of wrists: log dimensionless jerk of speed, median over windows"),
    "pauses": (1.0, "share of the time in which no wrist moves"),
    "detour": (1.0, "way of a wrist over the straight line, median over windows"),
    "regrasps": (1.0, "times that a hand took hold, for each object"),
    "interventions": (1.0, "times that the limiter left its active state, per minute"),
    "labels_off": (1.0, "share of the labelled time in which proposals say something else"),
}
_CUT = 10.0  # [Hz] arms move slower; Balasubramanian et al. 2015
_FLOOR = 0.05  # of the spectrum's highest: what counts of it; as there


@dataclass(frozen=True)
class Review:
    """How much an episode stands out among its like.

    Attributes:
        episode: Its name.
        score: Largest distance to the worse side in robust standard deviations.
        reason: The figure that has it.
    """

    episode: str
    score: float
    reason: str


def behaviour(episode: Episode, limits: BehaviourLimits, robot: RobotFacts) -> dict[str, float]:
    """Figures of one episode by name; NaN where there is nothing to tell it from."""
    found = dict.fromkeys(FIGURES, math.nan)
    try:
        hands = hands_of(episode)
        proposals = proposals_of(episode)
    except EpisodeError:
        return found
    moves = [window for hand in hands.values() for window in _windows(hand, limits)]
    if moves:
        found["sparc"] = float(np.median([sparc(speed, step) for speed, _, step in moves]))
        found["ldlj"] = float(np.median([ldlj(speed, step) for speed, _, step in moves]))
        found["detour"] = float(np.median([detour for _, detour, _ in moves]))
    speeds = [_speed(hand) for hand in hands.values() if len(hand.seconds) > 2]
    if speeds:
        found["pauses"] = float((np.max(speeds, axis=0) < limits.still).mean())
    joined = together(*hands.values()) if len(hands) == 2 else None
    taken = sum(len(holds(hand)) for hand in ([joined] if joined else hands.values()))
    scene = episode.last("scene/objects")
    objects = sum(bool(one.goal) for one in scene.objects) if scene is not None else 0
    if objects:
        found["regrasps"] = taken / objects
    states = [table.column("state") for table in episode.columns("safety/status")]
    if states and episode.duration > 0:
        order = np.argsort(np.concatenate([table.index for table in episode.columns("safety/status")]))
        active = np.concatenate(states)[order] == ACTIVE
        left = int((active[:-1] & ~active[1:]).sum())
        found["interventions"] = 60.0 * max(0, left - 1) / episode.duration  # it leaves it once at the end
    try:
        seen = read_labels(episode.folder)
    except EpisodeError:
        return found
    said = [label for label in seen.labels if label.end_ns and label.author != AUTHOR]
    found["labels_off"] = 1.0 - alike(said, proposals, seen.start_ns)
    return found


def ranked(figures: dict[str, dict[str, float]], limits: BehaviourLimits) -> list[Review]:
    """Episodes of one robot and task by how much they stand out, first what is to be looked at first.

    Args:
        figures: By episode.
        limits: How many it takes to compare them; with fewer nothing is said.
    """
    if len(figures) < limits.least:
        return []
    reviews = []
    for episode, own in figures.items():
        best = Review(episode, 0.0, "")
        for name, (sign, _) in FIGURES.items():
            values = np.array([one[name] for one in figures.values()])
            values = values[np.isfinite(values)]
            if len(values) < limits.least or not math.isfinite(own[name]):
                continue
            middle = float(np.median(values))
            spread = max(1.4826 * float(np.median(np.abs(values - middle))), limits.spread * max(abs(middle), 0.1))
            score = sign * (own[name] - middle) / spread
            if score > best.score:
                best = Review(episode, score, name)
        reviews.append(best)
    return sorted(reviews, key=lambda one: -one.score)


def sparc(speed: np.ndarray, step: float) -> float:
    """Spectral arc length of a speed profile, at most 0: the further below, the less smooth.

    Source: Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet, "On the analysis of movement smoothness", 2015.
    """
    size = 4 * 2 ** math.ceil(math.log2(len(speed)))
    spectrum = np.abs(np.fft.rfft(speed, size))
    spectrum = spectrum / max(float(spectrum.max()), 1e-12)
    frequency = np.fft.rfftfreq(size, step)
    inside = np.flatnonzero((frequency <= _CUT) & (spectrum >= _FLOOR))
    last = int(inside[-1]) if len(inside) else 1
    part, at = spectrum[: last + 1], frequency[: last + 1] / max(float(frequency[last]), 1e-12)
    return -float(np.hypot(np.diff(at), np.diff(part)).sum())


def ldlj(speed: np.ndarray, step: float) -> float:
    """Log dimensionless jerk of a speed profile: the further below 0, the less smooth. Source: as `sparc`."""
    bend = np.diff(speed, 2) / step**2
    duration, peak = step * (len(speed) - 1), max(float(speed.max()), 1e-9)
    return -math.log(max(duration**3 / peak**2 * float(np.square(bend).sum()) * step, 1e-12))


def _windows(hand: Hand, limits: BehaviourLimits) -> list[tuple[np.ndarray, float, float]]:
    """Speed, detour and step of each window of one length in which a wrist moves."""
    if len(hand.seconds) < 10:
        return []
    step = float(np.median(np.diff(hand.seconds)))
    size, speed, found = round(limits.window / step), _speed(hand), []
    for begin in range(0, len(speed) - size, size):
        part = speed[begin : begin + size]
        if float(np.median(part)) > limits.still:
            line = float(np.linalg.norm(hand.wrist[begin + size] - hand.wrist[begin]))
            found.append((part, float(part.sum()) * step / max(line, 0.02), step))
    return found


def _speed(hand: Hand) -> np.ndarray:
    """Of a wrist, smoothed over 0.1 s, (n,) [m/s]."""
    steps = np.maximum(np.diff(hand.seconds), 1e-6)
    speed = np.linalg.norm(np.diff(hand.wrist, axis=0), axis=1) / steps
    width = max(1, round(0.1 / float(np.median(steps))))
    smooth: np.ndarray = np.convolve(speed, np.ones(width) / width, mode="same")
    return smooth
