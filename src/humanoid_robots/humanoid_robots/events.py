# SPDX-License-Identifier: Apache-2.0
"""What happens in a scene: parcels lifted, dropped and placed, the task done, the robot hitting something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_core.task import ObjectState, Placement, judge
from humanoid_robots.readings import EventReading

_LIFTED = 0.03  # over where it stood [m]
_STILL = 0.02  # [m/s] at which an object counts as at rest
_REST_TIME = 0.25  # for so long [s]


@dataclass(frozen=True)
class Touch:
    """What touches what now.

    Attributes:
        held: Objects that the robot touches.
        collisions: Robot link and what it hits with a force that matters: another link, or an object that stands fast.
    """

    held: frozenset[str]
    collisions: frozenset[tuple[str, str]]


class SceneWatch:
    """Tells events from successive observations; the poses and contacts are handed in, nothing is looked up.

    Args:
        placement: When an object is at its goal; None where the scene has no task.
    """

    def __init__(self, placement: Placement | None) -> None:
        self._placement = placement
        self._ground: dict[str, float] = {}  # height at which each object last rested
        self._last: dict[str, np.ndarray] = {}
        self._last_ns = 0
        self._still_since: dict[str, int] = {}
        self._lifted: set[str] = set()
        self._placed: set[str] = set()
        self._collisions: dict[tuple[str, str], int] = {}
        self._done = False

    def observe(self, stamp: int, objects: tuple[ObjectState, ...], touch: Touch) -> list[EventReading]:
        """Take the next observation.

        Args:
            stamp: Its time, later than the last one's [ns].
            objects: All objects.
            touch: What touches what.

        Raises:
            HumanoidError: time does not go on.
        """
        if stamp <= self._last_ns:
            raise HumanoidError(f"scene observed at {stamp} ns after {self._last_ns} ns")
        events = [event for item in objects if item.goal for event in self._object(stamp, item, objects, touch)]
        events += self._hits(stamp, touch)
        goals = {item.name for item in objects if item.goal}
        if goals and self._placed == goals and not self._done:
            self._done = True
            events.append(
                EventReading(stamp, "task_done", detail=f"{len(goals)} of {len(goals)} objects at their goals")
            )
        self._last_ns = stamp
        return events

    def _object(
        self, stamp: int, item: ObjectState, objects: tuple[ObjectState, ...], touch: Touch
    ) -> list[EventReading]:
        height = float(item.position[2])
        last = self._last.get(item.name, item.position)
        speed = float(np.linalg.norm(item.position - last)) / max(1e-9 * (stamp - self._last_ns), 1e-9)
        self._last[item.name] = item.position.copy()
        ground = self._ground.setdefault(item.name, height)
        held = item.name in touch.held
        if held and item.name not in self._lifted and height > ground + _LIFTED:
            self._lifted.add(item.name)
            self._placed.discard(item.name)
            self._done = False
            return [EventReading(stamp, "lifted", item.name)]
        if held or speed > _STILL:
            self._still_since.pop(item.name, None)
            return []
        since = self._still_since.setdefault(item.name, stamp)
        if stamp - since < _REST_TIME * 1e9:
            return []
        self._ground[item.name] = height
        was_lifted = item.name in self._lifted
        self._lifted.discard(item.name)
        if self._placement is not None and judge(objects, self._placement)[item.name]:
            if item.name in self._placed:
                return []
            self._placed.add(item.name)
            return [EventReading(stamp, "placed", item.name, item.goal)]
        self._placed.discard(item.name)
        if was_lifted:
            fell = ground - height
            return [
                EventReading(stamp, "dropped", item.name, item.goal, f"rests {fell:.2f} m under where it was taken")
            ]
        return []

    def _hits(self, stamp: int, touch: Touch) -> list[EventReading]:
        events = []
        for pair in touch.collisions:
            if stamp - self._collisions.get(pair, -(10**18)) > 1_000_000_000:
                events.append(EventReading(stamp, "collision", pair[0], pair[1]))
            self._collisions[pair] = stamp
        return events
