# SPDX-License-Identifier: Apache-2.0
"""Collisions of a robot with itself and with a scene: pinocchio places the shapes, coal compares them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio as pin

from moveit.core.collision_detection import AllowedCollisionMatrix
from moveit.core.robot_model import RobotModel

Shapes = list[tuple[coal.CollisionGeometry, np.ndarray]]  # each with its pose (4, 4)
_STEP = 0.01  # [m] between two looks where no distance is kept
_TOUCH = 1e-5  # [m] nearer is touching: with a margin of 0 coal overlooks overlaps of boxes and cylinders now and then
_SPARE = 1e-3  # [m] pairs that start nearer than the padding keep what distance they have, less this


@dataclass(frozen=True)
class Attached:
    """What a link carries: shapes in the link's frame, and links that may touch it."""

    link: str
    shapes: Shapes
    touch: frozenset[str]


def link_shapes(model: RobotModel) -> dict[str, Shapes]:
    """Primitives of the URDF by link, in its frame; a cylinder with balls at both ends is one capsule.

    Raises:
        NotImplementedError: a mesh.
    """
    return {
        e.attrib["name"]: list(_merged([_shape(c) for c in e.findall("collision")]))
        for e in model._urdf.findall("link")
    }


def _shape(collision: ElementTree.Element) -> tuple[coal.CollisionGeometry, np.ndarray]:
    pose, origin = np.eye(4), collision.find("origin")
    if origin is not None:
        pose[:3, 3] = np.fromstring(origin.get("xyz", "0 0 0"), sep=" ")
        pose[:3, :3] = pin.rpy.rpyToMatrix(np.fromstring(origin.get("rpy", "0 0 0"), sep=" "))
    form = next(iter(collision.find("geometry")))  # type: ignore[arg-type]
    if form.tag == "box":
        return coal.Box(*np.fromstring(form.attrib["size"], sep=" ")), pose
    if form.tag == "sphere":
        return coal.Sphere(float(form.attrib["radius"])), pose
    if form.tag == "cylinder":
        return coal.Cylinder(float(form.attrib["radius"]), float(form.attrib["length"])), pose
    raise NotImplementedError(f"moveit: collision geometry <{form.tag}> is left out of this stand-in")


def _merged(shapes: Shapes) -> Iterator[tuple[coal.CollisionGeometry, np.ndarray]]:
    i = 0
    while i < len(shapes):
        body, pose = shapes[i]
        caps = shapes[i + 1 : i + 3]
        if isinstance(body, coal.Cylinder) and len(caps) == 2:
            half = body.halfLength * pose[:3, 2]
            ends = np.array([half, -half])
            found = np.array([cap[1][:3, 3] - pose[:3, 3] for cap in caps])
            round_ends = all(isinstance(c, coal.Sphere) and abs(c.radius - body.radius) < 1e-9 for c, _ in caps)
            if round_ends and (np.allclose(found, ends, atol=1e-9) or np.allclose(found, -ends, atol=1e-9)):
                yield coal.Capsule(body.radius, 2 * body.halfLength), pose
                i += 3
                continue
        yield shapes[i]
        i += 1


class Collisions:
    """Looks at the pairs of bodies whose distance some joints change.

    Args:
        model: The robot.
        links: Shapes of its links.
        world: Shapes of what stands around it, in the model frame, by name.
        attached: What it carries, by name.
        matrix: Pairs that may touch besides the SRDF's.
        columns: Places in q of the joints that move.
        padding: Distance that is to be kept [m].
    """

    def __init__(
        self,
        model: RobotModel,
        links: Mapping[str, Shapes],
        world: Mapping[str, Shapes],
        attached: Mapping[str, Attached],
        matrix: AllowedCollisionMatrix,
        columns: np.ndarray,
        padding: float,
    ) -> None:
        self._model, self._data = model._pin, model._pin.createData()
        self.columns, self.entries = columns, dict(matrix._entries)
        self._geometry = pin.GeometryModel()
        self.names: list[str] = []
        above = self._above(columns)
        moved: list[frozenset[int]] = []
        parts: list[tuple[str, str, Shapes]] = [(link, link, shapes) for link, shapes in links.items()]
        parts += [(name, body.link, body.shapes) for name, body in attached.items()]
        for name, link, shapes in parts:
            frame = self._model.frames[model._frame(link)]
            for form, pose in shapes:
                self._add(name, frame.parentJoint, frame.placement * pin.SE3(pose), form)
                moved.append(above[frame.parentJoint])
        robot = len(self.names)
        for name, shapes in world.items():
            for form, pose in shapes:
                self._add(name, 0, pin.SE3(pose), form)
        carried = {name: body.touch | {body.link} for name, body in attached.items()}
        for a in range(robot):
            first = self.names[a]
            for b in [*range(a + 1, robot)] + ([*range(robot, len(self.names))] if moved[a] else []):
                second = self.names[b]
                if b < robot and (moved[a] == moved[b] or frozenset((first, second)) in model._disabled):
                    continue
                if second in carried.get(first, ()) or first in carried.get(second, ()):
                    continue
                if first != second and not matrix._allows(first, second):
                    self._geometry.addCollisionPair(pin.CollisionPair(a, b))
        self._results = pin.GeometryData(self._geometry)
        self._padding = max(padding, _TOUCH)
        self.strict()
        # What keeps the padding at both ends of a step of twice as much has nothing to hit in between.
        self._step = 2 * padding or _STEP
        # The fastest way to find overlapping boxes of so few bodies: half of the tree's time.
        self._broad = pin.BroadPhaseManager_NaiveCollisionManager(self._model, self._geometry, self._results)
        self._levers = self._approach(moved)

    def _add(self, name: str, joint: int, pose: pin.SE3, form: coal.CollisionGeometry) -> None:
        self._geometry.addGeometryObject(pin.GeometryObject(f"{name}#{len(self.names)}", joint, pose, form))
        self.names.append(name)

    def _above(self, columns: np.ndarray) -> list[frozenset[int]]:
        """Per joint of the model, which of the columns move it."""
        found: list[frozenset[int]] = [frozenset()]
        for i in range(1, self._model.njoints):
            column = int(self._model.joints[i].idx_q)  # of a joint that mimics: its leader's
            own = frozenset({column}) if column in set(columns.tolist()) else frozenset()
            found.append(found[self._model.parents[i]] | own)
        return found

    def _approach(self, moved: list[frozenset[int]]) -> np.ndarray:
        """How far each column moves the bodies of a pair against each other at most, (kinds of pairs, n) [m/rad]."""
        columns = self.columns.tolist()
        reaches = [self._reach(k) for k in range(len(moved))] + [{}] * (len(self.names) - len(moved))
        rows: dict[frozenset[int], np.ndarray] = {frozenset(): np.zeros(len(columns))}
        for pair in self._geometry.collisionPairs:
            first, second = reaches[pair.first], reaches[pair.second]
            between = frozenset(first) ^ frozenset(second)  # what moves both does not move them against each other
            row = rows.setdefault(between, np.zeros(len(columns)))
            for column in between:
                i = columns.index(column)
                row[i] = max(row[i], first.get(column, 0.0), second.get(column, 0.0))
        return np.array(list(rows.values()))

    def _reach(self, body: int) -> dict[int, float]:
        """How far a body reaches from the joints that move it, by column: along stretched limbs [m], or 1 [m/m]."""
        placed = self._geometry.geometryObjects[body]
        placed.geometry.computeLocalAABB()
        centre = placed.placement.act(np.array(placed.geometry.aabb_center))
        far, joint = float(np.linalg.norm(centre)) + placed.geometry.aabb_radius, placed.parentJoint
        found = dict[int, float]()
        while joint:
            model, column = self._model.joints[joint], int(self._model.joints[joint].idx_q)
            slides = model.shortname().startswith("JointModelP")
            if column in self.columns:
                found[column] = 1.0 if slides else max(far, found.get(column, 0.0))
            if slides:
                low, high = self._model.lowerPositionLimit[column], self._model.upperPositionLimit[column]
                far += max(abs(low), abs(high))
            far += float(np.linalg.norm(self._model.jointPlacements[joint].translation))
            joint = self._model.parents[joint]
        return found

    def collides(self, q: np.ndarray) -> bool:
        """Whether some pair is nearer than it may be at q (nq,)."""
        return bool(pin.computeCollisions(self._model, self._data, self._broad, q, True))

    def motion_collides(self, q: np.ndarray, goal: np.ndarray, coarse: float = 1.0) -> bool:
        """Whether the straight motion from q to goal, both (nq,), hits something after q; looks at the end first.

        With `coarse` above 1 it looks so many times less often, and may overlook something.
        """
        furthest = float((self._levers @ np.abs((goal - q)[self.columns])).max())
        count = max(1, int(np.ceil(furthest / (self._step * coarse))))
        return any(self.collides(q + (goal - q) * share) for share in _spread(count))

    def apart(self, rows: np.ndarray) -> np.ndarray:
        """Those of some positions (m, n) in a row between which nothing moves further than a step, and the last."""
        ways = np.cumsum(np.abs(np.diff(rows, axis=0)) @ self._levers.T, axis=0)
        kept, since = [], np.zeros(ways.shape[1] if len(ways) else 0)
        for i in range(1, len(rows)):
            if i == len(rows) - 1 or (ways[i] - since).max() > self._step:
                kept.append(i)
                since = ways[i - 1]
        return rows[kept]

    def distances(self, q: np.ndarray) -> list[tuple[float, str, str]]:
        """Distance [m] of every pair at q (nq,), the nearest first."""
        pin.computeDistances(self._model, self._data, self._geometry, self._results, q)
        pairs = zip(self._results.distanceResults, self._geometry.collisionPairs)
        return sorted((float(r.min_distance), self.names[p.first], self.names[p.second]) for r, p in pairs)

    def touching(self, q: np.ndarray) -> list[tuple[float, str, str]]:
        """Pairs that overlap at q (nq,)."""
        return [pair for pair in self.distances(q) if pair[0] <= 0.0]

    def accept(self, q: np.ndarray) -> bool:
        """Make q (nq,) free: pairs nearer than the padding there need to keep only that distance from now on.

        Returns:
            Whether no pair overlaps at q.
        """
        if not self.collides(q):
            return True
        pin.computeDistances(self._model, self._data, self._geometry, self._results, q)
        for request, result in zip(self._results.collisionRequests, self._results.distanceResults):
            if result.min_distance < self._padding:
                request.security_margin = min(request.security_margin, max(_TOUCH, result.min_distance - _SPARE))
        return not self.collides(q)

    def strict(self) -> None:
        """Every pair has to keep the padding again."""
        for request in self._results.collisionRequests:
            request.security_margin = self._padding


def _spread(count: int) -> Iterator[float]:
    """1/count, ..., count/count: the end first, then ever finer in between."""
    yield 1.0
    stride = 1 << max(0, count - 1).bit_length()
    while stride > 1:
        for i in range(stride // 2, count, stride):
            yield i / count
        stride //= 2
