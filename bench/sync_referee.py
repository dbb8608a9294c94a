# SPDX-License-Identifier: Apache-2.0
"""Judges aligned sets against the truth of the simulation. Knows nothing of how they were made."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.sync_world import SECOND, START, World

CAMERAS = ("cam0", "cam1", "cam2")
WARM_UP = 5.0  # [s] clocks are learnt


class Part(NamedTuple):
    """A stream in a set: stamps of the samples taken (none: it says that it is missing), aligned value, whether it
    says that something is wrong."""

    stamps: tuple[int, ...]
    value: float | None
    flagged: bool


@dataclass
class Verdict:
    """What the referee saw [s], but for the shares [1].

    Attributes:
        spread: Of the true times of the images in each set.
        floor: ... of those images that truly were nearest to the instant: the cameras' phase.
        best: ... of the choice of images around the instant that spreads least.
        numeric: Of each aligned value, how far from the instant it truly is.
        unflagged: Sets in which a silent stream is not flagged, of those with one.
        silent: How many these are.
        false_alarms: Share of parts that are flagged missing though a sample was there.
        answered: Share of instants with a set.
    """

    spread: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    numeric: list[float] = field(default_factory=list)
    unflagged: int = 0
    silent: int = 0
    false_alarms: float = 0.0
    answered: float = 0.0


def judge(world: World, sets: Iterable[tuple[int, dict[str, Part]]], period: int, tolerance: float) -> Verdict:
    """Judge sets.

    Args:
        world: The truth.
        sets: Instant [ns] and parts by stream.
        period: Time between instants [ns].
        tolerance: Of images, as the plan has it [s].
    """
    verdict = Verdict()
    instants, alarms, parts_seen = [], 0, 0
    for instant, parts in sets:
        seconds = (instant - START) * 1e-9
        if not WARM_UP < seconds < world.seconds - 1.0:
            continue
        instants.append(instant)
        images = [world.truth[name, parts[name].stamps[0]] for name in CAMERAS if parts[name].stamps]
        if len(images) == len(CAMERAS):
            verdict.spread.append((max(images) - min(images)) * 1e-9)
            around = [_around(world.captured[name], instant) for name in CAMERAS]
            nearest_ones = [min(times, key=lambda t: abs(t - instant)) for times in around]
            verdict.floor.append((max(nearest_ones) - min(nearest_ones)) * 1e-9)
            verdict.best.append(min(max(chosen) - min(chosen) for chosen in itertools.product(*around)) * 1e-9)
        for name, part in parts.items():
            nearest = _nearest(world.captured[name], instant)
            there = nearest < 0.8 * tolerance if name in CAMERAS else nearest < 0.002
            parts_seen += 1
            alarms += there and not part.stamps
            if nearest > (2.0 * tolerance if name in CAMERAS else 0.2):
                verdict.silent += 1
                verdict.unflagged += not part.flagged
            if part.value is not None:
                verdict.numeric.append(abs(part.value - instant * 1e-9))
    verdict.false_alarms = alarms / max(parts_seen, 1)
    expected = round((world.seconds - 1.0 - WARM_UP) * SECOND / period)
    unique = len({round(instant / period) for instant in instants})
    verdict.answered = min(1.0, unique / (expected - 1))
    return verdict


def _nearest(times: np.ndarray, instant: int) -> float:
    return min(abs(t - instant) for t in _around(times, instant)) * 1e-9


def _around(times: np.ndarray, instant: int) -> list[int]:
    at = int(np.searchsorted(times, instant))
    return [int(t) for t in times[max(at - 2, 0) : at + 2]]
