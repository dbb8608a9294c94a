# SPDX-License-Identifier: Apache-2.0
"""Distances between the links of one robot."""

from __future__ import annotations

from dataclasses import dataclass

import coal
import numpy as np
import pinocchio

from humanoid_description.robot import Robot


@dataclass(frozen=True)
class Approach:
    """Two links close to each other.

    Attributes:
        first: Link name.
        second: Link name.
        distance: Between their surfaces; negative where they overlap [m].
        on_first: Closest point on the first, in the base frame, (3,) [m].
        on_second: Closest point on the second, in the base frame, (3,) [m].
    """

    first: str
    second: str
    distance: float
    on_first: np.ndarray
    on_second: np.ndarray


class SelfCollision:
    """Looks for pairs of links that are close, among those that the SRDF leaves to check.

    Balls around the shapes sort out the pairs that cannot be close; only the rest is measured exactly.

    Args:
        robot: The robot.
    """

    def __init__(self, robot: Robot) -> None:
        self._model = robot.pinocchio()
        self._data = self._model.createData()
        geometry = robot.geometry()
        objects = list(geometry.geometryObjects)
        self._links = [obj.name.rsplit("_", 1)[0] for obj in objects]
        self._forms = [obj.geometry for obj in objects]
        self._joints = [obj.parentJoint for obj in objects]
        self._placements = np.array([obj.placement.homogeneous for obj in objects]).reshape(-1, 4, 4)
        for form in self._forms:
            form.computeLocalAABB()
        self._radii = np.array([form.aabb_radius for form in self._forms])
        self._centres = np.array([[*form.aabb_center, 1.0] for form in self._forms]).reshape(-1, 4)
        pairs = [(pair.first, pair.second) for pair in geometry.collisionPairs]
        self._first, self._second = np.array(pairs, dtype=int).reshape(-1, 2).T

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of the links of each pair that is looked at."""
        return [(self._links[i], self._links[j]) for i, j in zip(self._first, self._second)]

    def closer_than(self, q: np.ndarray, within: float) -> list[Approach]:
        """Pairs whose distance is below `within` [m] at q (nq,) [rad], the closest first."""
        pinocchio.forwardKinematics(self._model, self._data, q)
        joints = np.array([placement.homogeneous for placement in self._data.oMi])
        poses = joints[self._joints] @ self._placements
        centres = (poses @ self._centres[:, :, None])[:, :3, 0]
        apart = np.linalg.norm(centres[self._first] - centres[self._second], axis=1)
        near = np.flatnonzero(apart - self._radii[self._first] - self._radii[self._second] < within)
        transforms = {
            int(k): coal.Transform3s(poses[k, :3, :3], poses[k, :3, 3])
            for k in {*self._first[near], *self._second[near]}
        }
        found = []
        request = coal.DistanceRequest(True)
        for i, j in zip(self._first[near].tolist(), self._second[near].tolist()):
            result = coal.DistanceResult()
            coal.distance(self._forms[i], transforms[i], self._forms[j], transforms[j], request, result)
            if result.min_distance < within:
                points = np.array(result.getNearestPoint1()), np.array(result.getNearestPoint2())
                found.append(Approach(self._links[i], self._links[j], float(result.min_distance), *points))
        return sorted(found, key=lambda approach: approach.distance)

    def distance(self, q: np.ndarray, within: float = 10.0) -> float:
        """Smallest distance at q (nq,) [rad]; `within` where nothing is closer than that [m]."""
        found = self.closer_than(q, within)
        return found[0].distance if found else within
