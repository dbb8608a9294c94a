# SPDX-License-Identifier: Apache-2.0
"""Which trial comes next: what a task still wants, against the usable episodes that the catalogue counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from humanoid_core.task import HARD_CASE, Task

Counts = Mapping[str, Mapping[str, int]]  # usable episodes by tag and its value


@dataclass(frozen=True)
class Trial:
    """One trial to be done.

    Attributes:
        task: What is done.
        tags: What the episode will be tagged with: the value of each variation, and the hard case if it is one.
        setup: What to arrange for the hard case; empty otherwise.
        done: Usable episodes of the task so far.
        left: By variation and value, hard cases included, how many usable episodes are still wanted.
    """

    task: Task
    tags: dict[str, str]
    setup: str
    done: int
    left: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the page."""
        task = self.task
        return {
            "task": task.name,
            "instruction": task.instruction,
            "scenario": task.scenario,
            "scene": task.scene,
            "skills": list(task.skills),
            "steps": list(task.steps),
            "target": task.target,
            "quotas": task.variations | ({HARD_CASE: _cases(task)} if task.hard_cases else {}),
            "tags": self.tags,
            "setup": self.setup,
            "done": self.done,
            "left": self.left,
            "translations": task.translations,
        }


def next_trial(task: Task, done: int, usable: Counts, skip: int = 0) -> Trial:
    """The trial that brings a task's counts forward.

    Each variation takes the value that lacks the largest share of its quota. A hard case is asked for when the hard
    cases lag behind the task as a whole, so that they are spread over its time instead of piling up at its end.

    Args:
        task: The task.
        done: Its usable episodes.
        usable: Usable episodes by tag and value.
        skip: Take the one after so many others: what the collector cannot arrange right now.
    """
    quotas = task.variations | ({HARD_CASE: _cases(task)} if task.hard_cases else {})
    left = {
        name: {value: max(0, wanted - usable.get(name, {}).get(value, 0)) for value, wanted in values.items()}
        for name, values in quotas.items()
    }
    tags = {}
    for name, values in task.variations.items():
        ranked = sorted(values, key=lambda value: -left[name][value] / max(1, values[value]))
        open_ones = [value for value in ranked if left[name][value]] or ranked
        tags[name] = open_ones[skip % len(open_ones)]
    setup = ""
    cases = [case for case in task.hard_cases if left[HARD_CASE][case.name]]
    if cases and _lags(task, done, left[HARD_CASE]) and skip % 2 == 0:
        case = max(cases, key=lambda one: left[HARD_CASE][one.name] / one.count)
        tags[HARD_CASE], setup = case.name, case.setup
    return Trial(task, tags, setup, done, left)


def _cases(task: Task) -> dict[str, int]:
    return {case.name: case.count for case in task.hard_cases}


def _lags(task: Task, done: int, left: Mapping[str, int]) -> bool:
    """Whether the hard cases' share that is done is behind the task's."""
    wanted = sum(_cases(task).values())
    return (wanted - sum(left.values())) * task.target < done * wanted
