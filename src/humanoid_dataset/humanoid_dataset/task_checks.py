# SPDX-License-Identifier: Apache-2.0
"""Checks of what people said about an episode: its outcome and its labels."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from humanoid_core import task
from humanoid_core.errors import ConfigError
from humanoid_dataset.entries import LabelEntry
from humanoid_dataset.episode import Episode
from humanoid_dataset.labels import AUTHOR
from humanoid_dataset.results import CheckLimits, CheckResult, at_least, at_most, workspace_file
from humanoid_dataset.robot import RobotFacts

_TOUCH = 50_000_000  # [ns] by which two labels may overlap: a person's two presses of a key


def task_done(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """What was not said to have failed is done: every object with a goal is at it in the last scene."""
    name = str(episode.sidecar.get("task", ""))
    path = _file(name)
    if episode.sidecar.get("outcome") == "failure":
        return CheckResult("task_done", "not_applicable", detail="it was said to have failed")
    if path is None:
        why = f"task {name!r} has no goal that poses can tell" if name else "the episode names no task"
        return CheckResult("task_done", "not_applicable", detail=why)
    scene = episode.last("scene/objects")
    if scene is None:
        return CheckResult("task_done", "not_assessed", detail="no scene/objects")
    verdict = task.judge(task.objects_of(scene), _task(path, path.stat().st_mtime_ns).success)
    if not verdict:
        return CheckResult("task_done", "not_applicable", detail="no object of the scene has a goal")
    left = sorted(name for name, at_goal in verdict.items() if not at_goal)
    detail = f"not at its goal: {', '.join(left)}" if left else f"{', '.join(sorted(verdict))}"
    return at_least("task_done", len(verdict) - len(left), len(verdict), "objects", detail)


def labels(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Labels are of this episode and this task: inside of it, not over each other, and steps that the task has."""
    try:
        said = [LabelEntry.of(label) for label in episode.sidecar.get("annotations") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as reason:
        return CheckResult("labels", "failed", detail=f"an annotation is no label: {reason!r}")
    intervals = sorted((one for one in said if one.end_ns), key=lambda one: one.start_ns)
    if not intervals:
        return CheckResult("labels", "not_applicable", detail="no intervals are labelled")
    path = _file(str(episode.sidecar.get("task", "")))
    steps = _task(path, path.stat().st_mtime_ns).steps if path else []
    of_steps = {one.author for one in intervals if one.label in steps}  # others mark other things: a warning, a pause
    intervals = [one for one in intervals if one.author in of_steps or not steps]
    if not intervals:
        return CheckResult("labels", "not_applicable", detail="no steps are labelled")
    begin, end = episode.span
    slack = round(limits.timing.ends * 1e9)
    faults = []
    for one in intervals:
        at = f"{one.label} at {(one.start_ns - begin) * 1e-9:.2f} s"
        if one.start_ns < begin - slack or one.end_ns > end + slack:
            faults.append(f"{at} is not inside the episode")
        if one.end_ns <= one.start_ns:
            faults.append(f"{at} ends before it begins")
        if steps and one.label not in steps:
            faults.append(f"{at} is no step of the task")
    for author, note in {(one.author, one.note) for one in intervals}:
        own = [one for one in intervals if (one.author, one.note) == (author, note)]
        for a, b in pairwise(own):
            if b.start_ns < a.end_ns - _TOUCH and author != AUTHOR:  # proposals are made for each hand
                faults.append(f"{a.label} and {b.label} of {author or 'nobody'} overlap")
    detail = "; ".join(faults[:3]) or f"{len(intervals)} intervals"
    return at_most("labels", len(faults), 0, "labels", detail)


@lru_cache(maxsize=64)
def _task(path: Path, _changed_ns: int) -> task.Task:
    return task.load(path)


def _file(name: str) -> Path | None:
    """The task's file; None where there is none."""
    try:
        return workspace_file(f"tasks/{name}.yaml") if name else None
    except ConfigError:
        return None
