# SPDX-License-Identifier: Apache-2.0
"""Self-collision: distances of the pairs that are near, and how fast joints may let them approach.

Pairs that are far are not measured in each tick. A joint that moves by dq moves every point beyond it by at most dq
times its lever, so a lower bound of each pair's distance is known from the last measurement; for a while after it, the
gradient measured then says more exactly how the distance changes. Only pairs whose bound falls below the distance that
they need to stop are measured again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

TRUSTED_WAY = 0.02  # [m] that a pair may move against each other before its gradient is out of date
TURNING = 0.15  # of the fastest possible approach: what the gradient may miss on that way


@dataclass(frozen=True)
class NearPairs:
    """Pairs of a configuration that are near, or approach each other fast, nearest first.

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
        movers: Indices of the joints that can avoid; pairs that none of them moves are left out.
        near: Distance below which pairs are always constraints [m].
        watch: Distance below which pairs that approach each other fast are, too [m].
        acceleration: With which links that approach each other can brake [m/s2].
    """

    def __init__(
        self,
        model: pin.Model,
        geometry: pin.GeometryModel,
        movers: np.ndarray,
        near: float,
        watch: float,
        acceleration: float,
    ) -> None:
        above = np.zeros((model.njoints, model.nv), dtype=bool)  # whether the joint (column) moves the body (row)
        for joint in range(1, model.njoints):
            above[joint] = above[model.parents[joint]]
            above[joint, model.joints[joint].idx_v] = True
        self._model = model
        self._geometry = geometry.copy()
        self._geometry.removeAllCollisionPairs()
        first, second = [], []
        for pair in geometry.collisionPairs:
            a, b = (above[geometry.geometryObjects[i].parentJoint] for i in (pair.first, pair.second))
            if (a ^ b)[movers].any():
                self._geometry.addCollisionPair(pair)
                first.append(a)
                second.append(b)
        shape = (len(first), model.nv)
        self._first = np.array(first, dtype=float).reshape(shape)
        self._second = np.array(second, dtype=float).reshape(shape)
        self._levers = np.abs(self._first - self._second) * self._lever_arms()
        self._data = pin.GeometryData(self._geometry)
        self._near, self._watch, self._acceleration = near, watch, acceleration
        self._bounds = np.zeros(len(first))  # no pair is nearer than this [m]
        self._closing = np.zeros(len(first))  # no pair approaches faster than this [m/s]
        self._gradients = np.zeros(shape)  # when last measured
        self._way = np.full(len(first), np.inf)  # moved since then at most [m]
        self.nearest = (float("nan"), "", "")

    def reset(self, data: pin.Data) -> None:
        """Measure every pair at the configuration whose kinematics `data` holds; nothing moves."""
        pin.updateGeometryPlacements(self._model, data, self._geometry, self._data)
        for pair in range(len(self._bounds)):
            self._bounds[pair] = pin.computeDistance(self._geometry, self._data, pair).min_distance
        self._closing[:] = 0.0
        self._way[:] = np.inf

    def moved(self, velocity: np.ndarray, dt: float) -> None:
        """Say how fast the joints moved (n,) [rad/s] and for how long [s]."""
        fastest = self._levers @ np.abs(velocity)
        self._way += fastest * dt
        likely = TURNING * fastest - self._gradients @ velocity
        self._closing = np.where(self._way < TRUSTED_WAY, np.minimum(likely, fastest), fastest)
        self._bounds -= self._closing * dt

    def measure(self, data: pin.Data, velocity: np.ndarray) -> NearPairs:
        """Measure the pairs that matter at the configuration and velocity (n,) [rad/s] whose Jacobians `data` holds."""
        stopping = self._near + np.maximum(self._closing, 0.0) ** 2 / (2.0 * self._acceleration)
        pairs = np.flatnonzero(self._bounds < np.minimum(stopping, self._watch))
        self.nearest = (float("nan"), "", "")
        if not pairs.size:
            return NearPairs(pairs, np.zeros(0), np.zeros((0, self._model.nv)))
        pin.updateGeometryPlacements(self._model, data, self._geometry, self._data)
        geometry, results = self._geometry, self._data
        found = [pin.computeDistance(geometry, results, pair) for pair in pairs.tolist()]
        distances = np.array([result.min_distance for result in found])
        self._bounds[pairs] = distances
        geometric = np.array(
            [
                np.concatenate((pair.normal, pair.getNearestPoint1(), pair.getNearestPoint2()), axis=None)
                for pair in found
            ]
        )
        normals = geometric[:, :3]
        linear, angular = normals @ data.J[:3], data.J[3:]
        gradients = (linear + _crossed(geometric[:, 6:], normals) @ angular) * self._second[pairs]
        gradients -= (linear + _crossed(geometric[:, 3:6], normals) @ angular) * self._first[pairs]
        self._gradients[pairs] = gradients
        self._way[pairs] = 0.0
        closing = np.maximum(-(gradients @ velocity), 0.0)
        urgent = np.flatnonzero(distances < np.minimum(self._near + closing**2 / self._acceleration, self._watch))
        urgent = urgent[np.argsort(distances[urgent], kind="stable")]
        if urgent.size:
            first, second = (name.rsplit("_", 1)[0] for name in self.names(pairs[urgent[0]]))
            self.nearest = (float(distances[urgent[0]]), first, second)
        return NearPairs(pairs[urgent], distances[urgent], gradients[urgent])

    def names(self, pair: int) -> tuple[str, str]:
        """The two links' geometry names of a pair."""
        item = self._geometry.collisionPairs[int(pair)]
        objects = self._geometry.geometryObjects
        return objects[item.first].name, objects[item.second].name

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


def _crossed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row cross products (k, 3); a third of the cost of np.cross."""
    out = np.empty_like(b)
    out[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
    out[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
    out[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return out
