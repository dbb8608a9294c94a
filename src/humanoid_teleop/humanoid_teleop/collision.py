# SPDX-License-Identifier: Apache-2.0
"""Self-collision: distances of the pairs that are near, and how fast joints may let them approach.

Pairs that are far are not measured in each tick: a joint that moves by dq moves every point beyond it by at most dq times its lever,
so a lower bound of each pair's distance is known from the last measurement, and only pairs whose bound falls below the watched
distance are measured again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin


@dataclass(frozen=True)
class NearPairs:
    """Pairs of a configuration that are nearer than the watched distance, nearest first.

    Attributes:
        pairs: Pair numbers (k,).
        distances: (k,) [m].
        gradients: (k, n) change of each distance with each joint [m/rad].
    """

    pairs: np.ndarray
    distances: np.ndarray
    gradients: np.ndarray


class SelfCollision:
    """Distances between the links of one model.

    Args:
        model: The joints.
        geometry: Shapes and pairs.
        watch: Distance below which pairs are measured exactly [m].
        rows: Most pairs to give gradients for.
    """

    def __init__(self, model: pin.Model, geometry: pin.GeometryModel, watch: float, rows: int) -> None:
        self._model, self._geometry = model, geometry
        self._data = pin.GeometryData(geometry)
        self._watch, self._rows = watch, rows
        count = len(geometry.collisionPairs)
        above = np.zeros((model.njoints, model.nv))  # 1 where the joint (column) moves the body (row)
        for joint in range(1, model.njoints):
            above[joint] = above[model.parents[joint]]
            above[joint, model.joints[joint].idx_v] = 1.0
        parents = [geometry.geometryObjects[i].parentJoint for i in range(geometry.ngeoms)]
        self._first = np.array([above[parents[pair.first]] for pair in geometry.collisionPairs]).reshape(count, model.nv)
        self._second = np.array([above[parents[pair.second]] for pair in geometry.collisionPairs]).reshape(count, model.nv)
        self._levers = np.abs(self._first - self._second) * self._lever_arms()
        self._bounds = np.zeros(count)
        self.nearest = (float("nan"), "", "")

    def reset(self, data: pin.Data) -> None:
        """Measure every pair at the configuration whose kinematics `data` holds."""
        pin.updateGeometryPlacements(self._model, data, self._geometry, self._data)
        for pair in range(len(self._bounds)):
            self._bounds[pair] = self._distance(pair).min_distance

    def moved(self, step: np.ndarray) -> None:
        """Say by how much each joint (n,) moved since the last measurement [rad]."""
        self._bounds -= self._levers @ np.abs(step)

    def measure(self, data: pin.Data) -> NearPairs:
        """Measure the near pairs at the configuration whose joint Jacobians `data` holds; `moved` first."""
        pairs = np.flatnonzero(self._bounds < self._watch)
        if not pairs.size:
            self.nearest = (float("nan"), "", "")
            return NearPairs(pairs, np.zeros(0), np.zeros((0, self._model.nv)))
        pin.updateGeometryPlacements(self._model, data, self._geometry, self._data)
        results = [self._distance(pair) for pair in pairs]
        distances = np.array([result.min_distance for result in results])
        self._bounds[pairs] = distances
        order = np.argsort(distances, kind="stable")
        near = [k for k in order[: self._rows] if distances[k] < self._watch]
        self._name_nearest(int(pairs[order[0]]), float(distances[order[0]]))
        wrenches = np.empty((2, len(near), 6))
        for row, k in enumerate(near):
            result = results[k]
            normal = result.normal.ravel()
            for body, point in enumerate((result.getNearestPoint1(), result.getNearestPoint2())):
                wrenches[body, row, :3] = normal
                wrenches[body, row, 3:] = _cross(point.ravel(), normal)
        chosen = pairs[near]
        jacobian = data.J
        gradients = (wrenches[1] @ jacobian) * self._second[chosen] - (wrenches[0] @ jacobian) * self._first[chosen]
        return NearPairs(chosen, distances[near], gradients)

    def names(self, pair: int) -> tuple[str, str]:
        """The two links' geometry names of a pair."""
        item = self._geometry.collisionPairs[int(pair)]
        objects = self._geometry.geometryObjects
        return objects[item.first].name, objects[item.second].name

    def _name_nearest(self, pair: int, distance: float) -> None:
        if distance < self._watch:
            first, second = (name.rsplit("_", 1)[0] for name in self.names(pair))
            self.nearest = (distance, first, second)
        else:
            self.nearest = (float("nan"), "", "")

    def _distance(self, pair: int) -> pin.coal.DistanceResult:
        return pin.computeDistance(self._geometry, self._data, int(pair))

    def _lever_arms(self) -> np.ndarray:
        """Upper bound of how far any shape beyond each joint can be from the joint's origin (n,) [m]."""
        model = self._model
        reach = np.zeros(model.njoints)
        for item in self._geometry.geometryObjects:
            item.geometry.computeLocalAABB()
            size = float(np.linalg.norm(item.placement.translation) + np.linalg.norm(item.geometry.aabb_center))
            reach[item.parentJoint] = max(reach[item.parentJoint], size + item.geometry.aabb_radius)
        for joint in range(model.njoints - 1, 0, -1):
            parent = model.parents[joint]
            offset = float(np.linalg.norm(model.jointPlacements[joint].translation))
            reach[parent] = max(reach[parent], offset + reach[joint])
        return np.array([reach[joint] for joint in range(1, model.njoints)])


def _cross(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
