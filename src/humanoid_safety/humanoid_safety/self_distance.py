# SPDX-License-Identifier: Apache-2.0
"""How near the robot's bodies are to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio

from humanoid_description import Robot


@dataclass(frozen=True)
class Near:
    """The nearest pair of bodies.

    Attributes:
        distance: Between their surfaces [m]; negative when they overlap; NaN where not known.
        link_a: One of them.
        link_b: The other.
        on_a: Closest point on the one, in the base frame, (3,) [m]; None where not known.
        on_b: On the other.
    """

    distance: float
    link_a: str
    link_b: str
    on_a: np.ndarray | None = None
    on_b: np.ndarray | None = None


UNKNOWN = Near(float("nan"), "", "")


class SelfDistance:
    """Distance of the nearest pair among those that the watched joints move against each other.

    Pairs that the SRDF disables are left out, and so is everything that a finger, or what mimics one, carries: fingers
    are there to touch.

    Args:
        robot: The robot.
        joints: The n joints that may be commanded.
        fingers: Those of them that move fingers.
    """

    def __init__(self, robot: Robot, joints: Iterable[str], fingers: Iterable[str]) -> None:
        self._model, self._geometry = robot.pinocchio(), robot.geometry()
        joints, fingers = list(joints), set(fingers)
        self._columns = robot.index(joints)
        self._all = dict(zip(robot.joints, robot.index(robot.joints)))
        self._q = robot.home()
        leaders = {**{joint: joint for joint in robot.joints}, **{name: m.joint for name, m in robot.mimics.items()}}
        watched = {self._model.getJointId(name) for name, by in leaders.items() if by in joints and by not in fingers}
        ignored = {self._model.getJointId(name) for name, by in leaders.items() if by in fingers}
        pairs = [(pair.first, pair.second) for pair in self._geometry.collisionPairs]
        self._geometry.removeAllCollisionPairs()
        for first, second in pairs:
            a, b = self._movers(first), self._movers(second)
            if (a ^ b) & watched and not (a | b) & ignored:
                self._geometry.addCollisionPair(pinocchio.CollisionPair(first, second))
        self._data, self._distances = self._model.createData(), pinocchio.GeometryData(self._geometry)

    @property
    def pairs(self) -> int:
        """How many pairs are watched."""
        return len(self._geometry.collisionPairs)

    def nearest(self, position: np.ndarray, names: Sequence[str] = (), measured: Sequence[float] = ()) -> Near:
        """The nearest pair.

        Args:
            position: Of the joints that may be commanded, (n,) [rad].
            names: Joints that were measured.
            measured: Their positions [rad]; those of joints that may be commanded give way to `position`.
        """
        for name, value in zip(names, measured):
            if name in self._all:
                self._q[self._all[name]] = value
        self._q[self._columns] = position
        if not self.pairs or not np.isfinite(self._q).all():
            return UNKNOWN
        index = pinocchio.computeDistances(self._model, self._data, self._geometry, self._distances, self._q)
        pair = self._geometry.collisionPairs[index]
        links = [self._geometry.geometryObjects[i].name.rsplit("_", 1)[0] for i in (pair.first, pair.second)]
        result = self._distances.distanceResults[index]
        points = np.array(result.getNearestPoint1()), np.array(result.getNearestPoint2())
        return Near(float(result.min_distance), links[0], links[1], *points)

    def _movers(self, index: int) -> set[int]:
        """Joints between the base and a body."""
        return set(self._model.supports[self._geometry.geometryObjects[index].parentJoint])
