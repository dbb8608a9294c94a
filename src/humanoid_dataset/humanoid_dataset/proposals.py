# SPDX-License-Identifier: Apache-2.0
"""Proposes sub-task labels from what the hands did: closing and opening of the fingers, and how the wrist moved.

Each time a hand closes and opens again, it took something: reach (towards it), grasp (fingers close), lift (the wrist
rises), carry (it moves to the place), place (it comes down and opens). A person then only moves boundaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from humanoid_dataset.entries import LabelEntry
from humanoid_dataset.labels import AUTHOR, Labels, read_labels, replace_labels

TOOL = "propose_labels 1"  # and its version
STEPS = ("reach", "grasp", "lift", "carry", "place")
_CLOSED, _OPEN = 0.4, 0.25  # of the range in which the fingers moved: hysteresis
_ONSET = 0.1  # ... and where closing or opening begins
_LEAST = 0.3  # [rad] a hand that moved its fingers less than this took nothing
_FORCE = 4.0  # [N] a wrist that felt less never held anything
_NEAR = 0.06  # [m] from where it takes hold: the hand grasps
_EVERY = 0.02  # [s] at which proposals are compared with labels
_SHORTEST = 0.3  # [s] closed for less than this is a twitch
_MOVING = 0.05  # [m/s] a wrist faster than this moves
_RISEN = 0.5  # of its rise after grasping: from here on it carries rather than lifts
_DOWN = 0.5  # of its fall before opening: from here on it places


@dataclass(frozen=True)
class Hand:
    """What one hand did.

    Attributes:
        seconds: (n,) [s], ascending.
        fingers: (n, joints) measured finger joints [rad].
        wrist: (n, 3) position in a frame with z up [m].
        force: (n,) by how much the force at the wrist differs from that at the beginning [N].
    """

    seconds: np.ndarray
    fingers: np.ndarray
    wrist: np.ndarray
    force: np.ndarray


@dataclass(frozen=True)
class Proposal:
    """A proposed interval [s]."""

    start: float
    end: float
    label: str


def closing(hand: Hand) -> np.ndarray:
    """How much the hand holds, 0 to 1, (n,): by the force at its wrist, or where there was none, by its fingers.

    Fingers take up a posture when a robot is engaged, and keep it; so force counts first.
    """
    if not len(hand.seconds):
        return np.zeros(0)
    most = float(np.percentile(hand.force, 99))
    if most > _FORCE:
        return np.clip(hand.force / most, 0.0, 1.0)
    size = np.linalg.norm(hand.fingers - hand.fingers[0], axis=1)  # an episode begins with an open hand
    most = float(np.percentile(size, 99))
    return np.clip(size / most, 0.0, 1.0) if most > _LEAST else np.zeros(len(size))


def together(left: Hand, right: Hand) -> Hand | None:
    """Both hands as one, where they mostly hold at the same time: they carry one thing between them."""
    a, b = closing(left) > _CLOSED, closing(right) > _CLOSED
    if not (a & b).any() or (a & b).sum() < 0.5 * (a | b).sum():
        return None
    force = np.minimum(left.force, right.force)
    fingers = np.concatenate([left.fingers, right.fingers], axis=1)
    return Hand(left.seconds, fingers, 0.5 * (left.wrist + right.wrist), force)


def holds(hand: Hand) -> list[tuple[int, int]]:
    """First and last index of each time the hand was closed."""
    closed, found, begin = closing(hand), [], -1
    for i, value in enumerate(closed.tolist()):
        if begin < 0 and value > _CLOSED:
            begin = i
        elif begin >= 0 and value < _OPEN:
            found.append((begin, i))
            begin = -1
    return [(a, b) for a, b in found if hand.seconds[b] - hand.seconds[a] >= _SHORTEST]


def propose(hand: Hand) -> list[Proposal]:
    """Sub-tasks of one hand, without overlap."""
    seconds, closed = hand.seconds, closing(hand)
    step = np.diff(seconds)
    velocity = np.diff(hand.wrist, axis=0) / np.maximum(step, 1e-6)[:, None]
    width = max(1, round(0.1 / float(np.median(step)))) if len(step) else 1
    speed = np.convolve(np.linalg.norm(velocity, axis=1), np.ones(width) / width, mode="same")
    height = hand.wrist[:, 2]
    found: list[Proposal] = []
    free = 0  # from here on nothing is labelled
    for taken, released in holds(hand):
        away = np.linalg.norm(hand.wrist - hand.wrist[taken], axis=1)
        near = _back(away, taken, free, lambda value: value < _NEAR)
        grasp = min(near, _back(closed, taken, free, lambda value: value > _ONSET))
        slow = np.flatnonzero(speed[free:grasp] > _MOVING)
        reach = free + int(slow[0]) if len(slow) else grasp
        top = taken + int(np.argmax(height[taken:released]))
        opening = released
        lift = _first(height, taken, top, height[taken] + 0.05 * (height[top] - height[taken]))
        carry = _first(height, taken, top, height[taken] + _RISEN * (height[top] - height[taken]))
        low = float(height[opening])
        high = float(height[carry : opening + 1].max())
        place = opening - int(np.argmax(height[carry : opening + 1][::-1] > low + _DOWN * (high - low)))
        done = released
        edges = np.maximum.accumulate([reach, grasp, lift, carry, max(place, carry), done])
        for label, (a, b) in zip(STEPS, pairwise(edges.tolist())):
            if b > a:
                found.append(Proposal(float(seconds[a]), float(seconds[b]), label))
        free = done
    return found


def _back(values: np.ndarray, at: int, least: int, holds_on: Any) -> int:
    """How far back from `at` a condition held without a break."""
    while at > least and holds_on(values[at - 1]):
        at -= 1
    return at


def _first(values: np.ndarray, begin: int, end: int, level: float) -> int:
    """First index from `begin` on at which a level is reached; `end` where none."""
    over = np.flatnonzero(values[begin:end] >= level)
    return begin + int(over[0]) if len(over) else end


def alike(labels: Sequence[LabelEntry], proposals: Sequence[Proposal], start_ns: int) -> float:
    """Share of the time of labels in which a proposal has the same word; NaN where there are none of either.

    Only words that proposals use count: others mark something else.
    """
    words = {one.label for one in proposals}
    counted = same = 0
    for label in labels:
        if label.label in words:
            begin, end = ((at - start_ns) * 1e-9 for at in (label.start_ns, label.end_ns))
            times = np.arange(begin, end, _EVERY)
            hit = np.zeros(len(times), bool)
            for one in proposals:
                if one.label == label.label:
                    hit |= (times >= one.start) & (times < one.end)
            counted += len(times)
            same += int(hit.sum())
    return same / counted if counted else float("nan")


def write_proposals(folder: Path, proposals: list[Proposal], catalogue: Path | str = "") -> Labels:
    """Put proposals into the sidecar, in place of earlier ones; nothing is proposed over what others said.

    Args:
        folder: Of the episode.
        proposals: In seconds since the episode's `start_ns`.
        catalogue: Its file, to bring up to date; empty: none.

    Raises:
        EpisodeError: there is no sidecar.
    """
    found = read_labels(folder)
    others = [label for label in found.labels if label.author != AUTHOR]
    own = [
        LabelEntry(
            found.start_ns + round(p.start * 1e9), found.start_ns + round(p.end * 1e9), p.label, AUTHOR, TOOL, ""
        )
        for p in proposals
    ]
    free = [one for one in own if not any(one.start_ns < o.end_ns and o.start_ns < one.end_ns for o in others)]
    return replace_labels(folder, others + free, AUTHOR, TOOL, found.revision, catalogue)
