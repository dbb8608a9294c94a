# SPDX-License-Identifier: Apache-2.0
"""What is to be collected, and how far that is: tasks with target counts against the episodes that are there."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from humanoid_core import task
from humanoid_recorder.sidecar import FILE

_BAR = 20  # characters


@dataclass
class TaskProgress:
    """Episodes of one task.

    Attributes:
        target: Successful episodes wanted; 0: none in particular.
        outcomes: Episodes by outcome.
        seconds: Length of the successful ones [s].
    """

    target: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Successful episodes."""
        return self.outcomes["success"]


def read_targets(tasks: Path) -> dict[str, int]:
    """Target count of each task by name.

    Args:
        tasks: Folder of task files, as config/tasks.

    Raises:
        ConfigError: a file does not fit.
    """
    found = [task.load(path) for path in sorted(tasks.glob("*.yaml"))]
    return {entry.name: entry.target for entry in found}


def progress(out: Path, targets: dict[str, int]) -> dict[str, TaskProgress]:
    """Count the finished episodes below a root, of all robots, by task; tasks without an episode are there too."""
    tasks = {name: TaskProgress(target) for name, target in targets.items()}
    for path in sorted(out.glob(f"*/*/*/{FILE}")):
        head = _head(path)
        if head.get("state") in ("finished", "recovered") and not path.parent.name.endswith(".part"):
            count(tasks, str(head.get("task")), str(head.get("outcome")), float(head.get("duration") or 0.0))
    return tasks


def count(tasks: dict[str, TaskProgress], name: str, outcome: str, seconds: float) -> TaskProgress:
    """Take in one more episode; gives its task."""
    entry = tasks.setdefault(name, TaskProgress())
    entry.outcomes[outcome] += 1
    if outcome == "success":
        entry.seconds += seconds
    return entry


def table(tasks: dict[str, TaskProgress]) -> str:
    """One line for each task: a bar where it has a target, and the counts."""
    width = max([4, *map(len, tasks)])
    head = f"{'task':<{width}} {'':<{_BAR + 2}} {'done':>11} {'failure':>8} {'unsure':>7} {'minutes':>8}"
    lines = [head]
    for name, entry in sorted(tasks.items()):
        share = min(1.0, entry.done / entry.target) if entry.target else 0.0
        bar = f"[{'#' * math.floor(_BAR * share):<{_BAR}}]" if entry.target else ""
        done = f"{entry.done} of {entry.target}" if entry.target else str(entry.done)
        failures, unsure = entry.outcomes["failure"], entry.outcomes["unsure"]
        lines.append(
            f"{name:<{width}} {bar:<{_BAR + 2}} {done:>11} {failures:>8} {unsure:>7} {entry.seconds / 60:>8.1f}"
        )
    return "\n".join(lines)


def sentence(name: str, entry: TaskProgress) -> str:
    """How far a task is, in words."""
    return f"{name}: {entry.done} of {entry.target} episodes" if entry.target else f"{name}: {entry.done} episodes"


def _head(path: Path) -> dict[str, Any]:
    """episode.yaml as far as it is short: what is said of each topic is left out. Empty where it is no YAML."""
    try:
        text = path.read_text(encoding="utf-8").split("\ntopics:", 1)[0]
        data = yaml.load(text, Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return data if isinstance(data, dict) else {}
