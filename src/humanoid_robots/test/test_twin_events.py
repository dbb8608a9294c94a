# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from humanoid_core.errors import HumanoidError
from humanoid_core.task import ObjectState, Placement
from humanoid_robots.events import SceneWatch, Touch

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
BIN = ObjectState("bin", "bin", np.array([1.0, 0.0, 0.5]), LEVEL, np.array([0.4, 0.4, 0.1]))
FREE, HELD = Touch(frozenset(), frozenset()), Touch(frozenset({"parcel"}), frozenset())


class Story:
    """A parcel moved about by hand, observed at 50 Hz."""

    def __init__(self) -> None:
        self.watch = SceneWatch(Placement(margin=0.0, above=0.0))
        self.stamp = 0
        self.told: list[str] = []

    def stay(self, x: float, z: float, touch: Touch, seconds: float = 0.5) -> Story:
        for _ in range(round(50 * seconds)):
            self.stamp += 20_000_000
            parcel = ObjectState("parcel", "parcel", np.array([x, 0.0, z]), LEVEL, np.full(3, 0.1), "bin")
            self.told += [event.kind for event in self.watch.observe(self.stamp, (parcel, BIN), touch)]
        return self


def test_lifted_placed_and_done() -> None:
    story = Story().stay(0.0, 0.8, FREE).stay(0.0, 0.8, HELD).stay(0.0, 0.9, HELD).stay(1.0, 0.6, HELD)
    assert story.told == ["lifted"]
    assert story.stay(1.0, 0.5, FREE).told == ["lifted", "placed", "task_done"]
    assert story.stay(1.0, 0.5, FREE).told == ["lifted", "placed", "task_done"]  # once


def test_let_go_beside_the_bin_is_dropped_and_may_be_taken_again() -> None:
    story = Story().stay(0.0, 0.8, FREE).stay(0.0, 0.9, HELD).stay(0.5, 0.9, HELD).stay(0.5, 0.05, FREE)
    assert story.told == ["lifted", "dropped"]
    story.stay(0.5, 0.3, HELD).stay(1.0, 0.5, FREE)
    assert story.told == ["lifted", "dropped", "lifted", "placed", "task_done"]


def test_touched_or_pushed_along_is_not_lifted() -> None:
    assert Story().stay(0.0, 0.8, FREE).stay(0.0, 0.8, HELD).stay(0.1, 0.8, HELD).stay(0.1, 0.8, FREE).told == []


def test_what_rises_untouched_is_not_lifted() -> None:
    assert Story().stay(0.0, 0.8, FREE).stay(0.0, 0.9, FREE).told == []


def test_taken_out_of_the_bin_again_is_no_longer_done() -> None:
    story = Story().stay(0.0, 0.8, FREE).stay(0.0, 0.9, HELD).stay(1.0, 0.5, FREE).stay(1.0, 0.6, HELD)
    story.stay(1.0, 0.5, FREE)
    assert story.told == ["lifted", "placed", "task_done", "lifted", "placed", "task_done"]


def test_collision_is_told_once_while_it_lasts() -> None:
    hit = Touch(frozenset(), frozenset({("palm", "table")}))
    story = Story().stay(0.0, 0.8, FREE).stay(0.0, 0.8, hit, seconds=2.0)
    assert story.told == ["collision"]


def test_time_must_go_on() -> None:
    story = Story().stay(0.0, 0.8, FREE)
    with pytest.raises(HumanoidError):
        story.watch.observe(story.stamp, (BIN,), FREE)
