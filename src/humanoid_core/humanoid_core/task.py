# SPDX-License-Identifier: Apache-2.0
"""What a task is, and whether it is done: judged from the poses of the objects alone, so that the twin, the demo and a
check of a recorded episode all give the same verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from humanoid_core import config, rotations

HARD_CASE = "hard_case"  # the tag of an episode that was asked to be one


@dataclass(frozen=True)
class Placement:
    """When an object counts as being at its goal.

    Attributes:
        margin: How far the object's centre may stand outside the goal's footprint [m].
        above: How far the object's lowest point may stand above the goal's upper edge [m].
    """

    margin: float
    above: float


@dataclass(frozen=True)
class HardCase:
    """A situation that is asked for on purpose, since it would come up too rarely by itself.

    Attributes:
        name: Short name; the episode's tag `hard_case` has it.
        setup: What the collector is to arrange, one sentence.
        count: Usable episodes wanted.
    """

    name: str
    setup: str
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: found {self.count}, expected at least 1")


@dataclass(frozen=True)
class Task:
    """A task as people and models are told it, and how much of it is wanted.

    Attributes:
        name: Short name, also the file's name.
        instruction: One sentence for the robot.
        scene: Name of the scene it is done in.
        steps: Sub-task labels of one object, in order.
        success: Every object with a goal is at its goal in this sense.
        target: Usable episodes wanted; 0: no number in particular.
        scenario: Where such work is done.
        skills: Atomic skills it is made of.
        robots: Models that may do it; empty: all.
        variations: By name (light, start pose, ...) the usable episodes wanted of each value; an episode's tag of that
            name says which it has.
        hard_cases: Asked for on purpose; the counts are part of `target`.
        translations: By language (zh) other words for texts of this file, shown to people.
    """

    name: str
    instruction: str
    scene: str
    steps: tuple[str, ...]
    success: Placement
    target: int = 0
    scenario: Literal["household", "commercial", "industrial"] = "industrial"
    skills: tuple[str, ...] = ()
    robots: tuple[str, ...] = ()
    variations: dict[str, dict[str, int]] = field(default_factory=dict)
    hard_cases: tuple[HardCase, ...] = ()
    translations: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, quotas in self.variations.items():
            if name == HARD_CASE or not quotas or min(quotas.values()) < 0:
                raise ValueError(f"variations.{name}: found {quotas}, expected counts of values, not negative")


@dataclass(frozen=True)
class ObjectState:
    """One object of a scene.

    Attributes:
        name: Name, unique in the scene.
        category: parcel, bin, table, ...
        position: Centre of the bounding box (3,) [m].
        orientation: Quaternion xyzw (4,).
        size: Full edge lengths of the bounding box (3,) [m].
        goal: Name of the object where it belongs; empty without a goal.
    """

    name: str
    category: str
    position: np.ndarray
    orientation: np.ndarray
    size: np.ndarray
    goal: str = ""


def load(path: str | Path) -> Task:
    """Read a task file.

    Raises:
        ConfigError: the file does not fit.
    """
    return config.load(Task, path)


def objects_of(message: Any) -> list[ObjectState]:
    """Objects of a humanoid_interfaces/SceneObjects message, however it was read (rclpy or a bag library)."""
    states = []
    for item in message.objects:
        p, q, s = item.pose.position, item.pose.orientation, item.size
        states.append(
            ObjectState(
                name=item.name,
                category=item.category,
                position=np.array((p.x, p.y, p.z)),
                orientation=np.array((q.x, q.y, q.z, q.w)),
                size=np.array((s.x, s.y, s.z)),
                goal=item.goal,
            )
        )
    return states


def judge(objects: Sequence[ObjectState], placement: Placement) -> dict[str, bool]:
    """Whether each object that has a goal is at it.

    An object is at its goal when its centre stands inside the goal's footprint, and its lowest corner is above the
    goal's floor and not above its upper edge (in the goal's own axes).

    Args:
        objects: All objects of the scene.
        placement: What counts.

    Returns:
        By name of each object that has a goal; an object whose goal is not in the scene is not at it.
    """
    by_name = {item.name: item for item in objects}
    verdict = {}
    for item in objects:
        if item.goal:
            goal = by_name.get(item.goal)
            verdict[item.name] = goal is not None and _inside(item, goal, placement)
    return verdict


def done(objects: Sequence[ObjectState], placement: Placement) -> bool:
    """Whether every object that has a goal is at it; False where none has one."""
    verdict = judge(objects, placement)
    return bool(verdict) and all(verdict.values())


def _inside(item: ObjectState, goal: ObjectState, placement: Placement) -> bool:
    goal_from_world = rotations.matrix(goal.orientation).T
    centre = goal_from_world @ (item.position - goal.position)
    half_height = 0.5 * np.abs(goal_from_world @ rotations.matrix(item.orientation))[2] @ item.size
    lowest = centre[2] - half_height
    footprint = np.abs(centre[:2]) <= 0.5 * goal.size[:2] + placement.margin
    # 2 cm of slack below: a wall may lean or a simulated contact give way by a little.
    return bool(footprint.all() and -0.5 * goal.size[2] - 0.02 <= lowest <= 0.5 * goal.size[2] + placement.above)
