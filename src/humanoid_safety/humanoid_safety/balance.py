# SPDX-License-Identifier: Apache-2.0
"""Centre of mass over the support polygon: watched on every robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio

from humanoid_description import Robot
from humanoid_description.shapes import collision_shapes

_TOUCHING = 0.01  # [m] over the lowest point up to which something counts as standing on the floor


@dataclass(frozen=True)
class Balance:
    """Where the centre of mass is over what the robot stands on.

    Attributes:
        margin: Of its projection to the edge of the support polygon, negative outside [m]; NaN where not known.
        centre: Of mass in the base frame, (3,) [m].
        polygon: Support polygon in the base frame, counter-clockwise, (k, 3) [m].
    """

    margin: float
    centre: np.ndarray
    polygon: np.ndarray


class BalanceWatch:
    """Centre of mass and support polygon of a robot that stands upright.

    Args:
        robot: The robot; what it stands on are the collision shapes that reach the lowest point at home.
    """

    def __init__(self, robot: Robot) -> None:
        self._model = robot.pinocchio()
        self._data = self._model.createData()
        self._places = dict(zip(robot.joints, robot.index(robot.joints).tolist()))
        self._q = robot.home()
        shapes = collision_shapes(robot.urdf)
        self._frames = [robot.frame_id(shape.link) for shape in shapes]
        self._corners = np.array(  # of each shape in its link's frame (n, 8, 3)
            [
                _corners(shape.kind, [float(value) for value in shape.size]) @ shape.link_from_shape[:3, :3].T
                + shape.link_from_shape[:3, 3]
                for shape in shapes
            ]
        )

    def look(self, names: Sequence[str], position: Sequence[float]) -> Balance:
        """At measured joints: their names and positions [rad]."""
        for name, value in zip(names, position):
            if name in self._places:
                self._q[self._places[name]] = value
        if not np.isfinite(self._q).all():
            return Balance(float("nan"), np.zeros(3), np.zeros((0, 3)))
        centre = np.array(pinocchio.centerOfMass(self._model, self._data, self._q))
        pinocchio.updateFramePlacements(self._model, self._data)
        links = [self._data.oMf[frame] for frame in self._frames]
        rotations, places = np.array([link.rotation for link in links]), np.array([link.translation for link in links])
        corners = (self._corners @ rotations.transpose(0, 2, 1) + places[:, None, :]).reshape(-1, 3)
        ground = corners[:, 2].min()
        polygon = _hull(corners[corners[:, 2] < ground + _TOUCHING][:, :2])
        standing = np.column_stack([polygon, np.full(len(polygon), ground)])
        return Balance(_margin(polygon, centre[:2]), centre, standing)


def _corners(kind: str, size: list[float]) -> np.ndarray:
    """Points whose hull is near enough to a shape's."""
    half = {"box": [0.5 * value for value in size]}.get(kind, [size[0], size[0], size[0]])
    if kind in ("capsule", "cylinder"):
        half[2] = 0.5 * size[1] + (size[0] if kind == "capsule" else 0.0)
    return np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull of points (n, 2), counter-clockwise (k, 2). Method: Andrew's monotone chain."""

    def chain(ordered: np.ndarray) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for point in ordered:
            while len(found) > 1 and _left(found[-2], found[-1], point) <= 0.0:
                found.pop()
            found.append(point)
        return found[:-1]

    ordered = np.unique(points, axis=0)
    return np.array([*chain(ordered), *chain(ordered[::-1])]).reshape(-1, 2)


def _left(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _margin(polygon: np.ndarray, point: np.ndarray) -> float:
    """Distance of a point to the nearest edge's line, negative outside [m]; NaN without an area."""
    if len(polygon) < 3:
        return float("nan")
    ends = np.roll(polygon, -1, axis=0)
    return min(_left(a, b, point) / float(np.linalg.norm(b - a)) for a, b in zip(polygon, ends))
