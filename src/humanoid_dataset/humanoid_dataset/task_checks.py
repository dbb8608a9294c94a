# SPDX-License-Identifier: Apache-2.0
"""Check of the outcome: is the work done."""

from __future__ import annotations

from humanoid_core import task
from humanoid_core.errors import ConfigError
from humanoid_dataset.episode import Episode
from humanoid_dataset.results import CheckLimits, CheckResult, at_least, workspace_file
from humanoid_dataset.robot import RobotFacts


def task_done(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Every object with a goal is at it in the last scene recorded: each parcel in its bin."""
    name = str(episode.sidecar.get("task", ""))
    try:
        path = workspace_file(f"tasks/{name}.yaml") if name else None
    except ConfigError:
        path = None
    if path is None:
        why = f"task {name!r} has no goal that poses can tell" if name else "the episode names no task"
        return CheckResult("task_done", "not_applicable", detail=why)
    scene = episode.last("scene/objects")
    if scene is None:
        return CheckResult("task_done", "not_assessed", detail="no scene/objects")
    verdict = task.judge(task.objects_of(scene), task.load(path).success)
    if not verdict:
        return CheckResult("task_done", "not_applicable", detail="no object of the scene has a goal")
    left = sorted(name for name, at_goal in verdict.items() if not at_goal)
    detail = f"not at its goal: {', '.join(left)}" if left else f"{', '.join(sorted(verdict))}"
    return at_least("task_done", len(verdict) - len(left), len(verdict), "objects", detail)
