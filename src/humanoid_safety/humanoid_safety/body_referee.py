# SPDX-License-Identifier: Apache-2.0
"""Judges distances, workspace and hand speeds of a sequence of commands. Shares no code with the limiter.

Poses come from the URDF's own origins and axes, distances from coal. Bodies that are far apart are told by the balls
around them; a pair that was measured is measured again once its bodies may have used up what was clear.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import coal
import numpy as np
import pinocchio

from humanoid_description import Robot


@dataclass(frozen=True)
class Verdict:
    """What was found in some commands.

    Attributes:
        nearest: Least distance of two bodies [m].
        pair: Which two.
        too_near: Commands in which a pair was nearer than its least distance.
        worst: By how much at most [m].
        outside: Commands in which a palm was outside the workspace.
        fastest: Per point, its highest speed over its limit; 1.0 is the limit.
        too_fast: Commands in which a point was faster.
        rows: Which commands those are, and the one before them, (steps,) or (steps + 1,) bool.
    """

    nearest: float
    pair: tuple[str, str]
    too_near: int
    worst: float
    outside: int
    fastest: dict[str, float]
    too_fast: int
    rows: np.ndarray


class BodyReferee:
    """Least distances of a robot's bodies to each other, the floor and boxes, and speeds of points.

    Args:
        robot: The robot.
        joints: The n joints that are commanded; the others stand as at home.
        fingers: Those of them that move fingers: what they carry is not looked at.
        speeds: Frames whose speed is limited [m/s].
        self_distance: Wanted between bodies [m].
        surroundings_distance: Wanted to the floor and boxes [m].
        boxes: Edge lengths (3,) and centre over the floor under the base (3,), by name [m].
        workspace: Lowest and highest corner of where palms may be over the floor under the base, (3,) each [m].
    """

    def __init__(
        self,
        robot: Robot,
        joints: Sequence[str],
        fingers: set[str],
        speeds: Mapping[str, float],
        self_distance: float,
        surroundings_distance: float,
        boxes: Mapping[str, tuple[np.ndarray, np.ndarray]],
        workspace: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self._urdf = {e.attrib["name"]: e for e in ElementTree.fromstring(robot.urdf).findall("joint")}
        self._by_child = {e.find("child").attrib["link"]: e for e in self._urdf.values()}  # type: ignore[union-attr]
        self._joints = list(joints)
        self._home = robot.config.home
        self._mimics = robot.mimics
        self._speeds = dict(speeds)
        model, geometry = robot.pinocchio(), robot.geometry()
        self._links, self._forms, self._places = [], [], []
        for shape in geometry.geometryObjects:
            link = shape.name.rsplit("_", 1)[0]
            frame = model.frames[robot.frame_id(link)].placement
            self._links.append(link)
            self._forms.append(shape.geometry)
            self._places.append((frame.inverse() * shape.placement).homogeneous)
        moved = [self._moved_by(link) for link in self._links]
        watched = set(joints) - fingers
        self._pairs = []
        for pair in geometry.collisionPairs:
            a, b = moved[pair.first], moved[pair.second]
            if (a ^ b) & watched and not (a | b) & fingers:
                self._pairs.append((pair.first, pair.second, self_distance))
        ground = -robot.config.base_height
        solids: dict[str, tuple[coal.CollisionGeometry, np.ndarray]] = {
            "floor": (coal.Halfspace(np.array([0.0, 0.0, 1.0]), ground), np.zeros(3))
        }
        for name, (size, centre) in boxes.items():
            solids[name] = (coal.Box(*size), centre + np.array([0.0, 0.0, ground]))
        arms = [i for i, above in enumerate(moved) if above & watched and not above & fingers]
        for name, (form, centre) in solids.items():
            self._add(name, form, centre)
            self._pairs += [(i, len(self._links) - 1, surroundings_distance) for i in arms]
        self._bodies = len(self._pairs)  # pairs from here on are palms and the ends of the workspace
        palms = {hand.palm_frame for hand in robot.config.hands.values()}
        for axis, letter in enumerate("xyz" if workspace is not None else ""):
            for corner, sign in zip(workspace or (), (1.0, -1.0)):
                end = sign * (corner[axis] + (ground if axis == 2 else 0.0))
                self._add(f"workspace {letter}", coal.Halfspace(sign * np.eye(3)[axis], end), np.zeros(3))
                self._pairs += [(i, len(self._links) - 1, 0.0) for i in arms if self._links[i] in palms]
        self._balls = np.array([_ball(form) for form in self._forms])

    def _add(self, name: str, form: coal.CollisionGeometry, centre: np.ndarray) -> None:
        """Something that stands in the base frame."""
        pose = np.eye(4)
        pose[:3, 3] = centre
        self._links.append(name)
        self._forms.append(form)
        self._places.append(pose)

    def judge(self, commands: np.ndarray, dt: float, before: np.ndarray | None = None) -> Verdict:
        """Look at commands (steps, n) [rad] that are dt apart; `before` (n,): the one before them, for speeds."""
        rows = commands if before is None else np.vstack([before, commands])
        memory: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        rotation, centre = {}, {}
        travelled = np.zeros((len(self._links), len(rows)))
        for i in sorted({i for a, b, _ in self._pairs for i in (a, b)}):
            turn, origin = self._chain(self._links[i], rows, memory)
            rotation[i], centre[i] = turn @ self._places[i][:3, :3], origin + turn @ self._places[i][:3, 3]
            turned = np.einsum("tij,tij->t", rotation[i][1:], rotation[i][:-1])
            angle = np.arccos(np.clip(0.5 * (turned - 1.0), -1.0, 1.0))
            shift = np.linalg.norm(np.diff(centre[i], axis=0), axis=1)
            if np.isfinite(self._balls[i]):
                travelled[i, 1:] = np.cumsum(shift + self._balls[i] * angle)
        nearest, pair, worst = np.inf, ("", ""), 0.0
        near, out = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
        for number, (a, b, least) in enumerate(self._pairs):
            bodies = number < self._bodies
            apart, row, count = travelled[a] + travelled[b], 0, len(near)
            far = self._at_least(a, b, rotation, centre)
            while row < count:
                if far[row] > least + 0.05:
                    later = far[row:] <= least + 0.05
                    row = row + int(np.argmax(later)) if later.any() else count
                    continue
                distance = self._distance(a, b, rotation, centre, row)
                if bodies and distance < nearest:
                    nearest, pair = distance, (self._links[a], self._links[b])
                clear = distance - least
                if clear < 0.0:
                    (near if bodies else out)[row] = True
                    worst = max(worst, -clear)
                # coal's own accuracy is a micrometre
                row = max(row + 1, int(np.searchsorted(apart, apart[row] + max(clear, 0.0), side="right")))
        fast, fastest = np.zeros(len(near), dtype=bool), {}
        for frame, limit in self._speeds.items():
            points = self._chain(frame, rows, memory)[1]
            speed = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1) / dt
            fastest[frame] = float(speed.max() / limit)
            fast |= speed > limit * (1.0 + 1e-9)
        counts = int(near.sum()), worst, int(out.sum()), fastest, int(fast.sum())
        return Verdict(nearest, pair, *counts, near | out | fast)

    def _at_least(self, a: int, b: int, rotation: dict[int, np.ndarray], centre: dict[int, np.ndarray]) -> np.ndarray:
        """Lower bounds of a pair's distances, (steps,) [m]: the larger shape against the ball around the other."""
        if self._balls[a] > self._balls[b]:
            a, b = b, a
        at = np.matmul((centre[a] - centre[b])[:, None, :], rotation[b])[:, 0, :]
        form = self._forms[b]
        if isinstance(form, coal.Halfspace):
            return np.full(len(at), -np.inf)
        if isinstance(form, coal.Box):
            off = np.maximum(np.abs(at) - form.halfSide, 0.0)
        elif isinstance(form, (coal.Capsule, coal.Cylinder)):
            off = at.copy()
            off[:, 2] = np.maximum(np.abs(at[:, 2]) - form.halfLength, 0.0)
        else:
            off = at
        thick = 0.0 if isinstance(form, coal.Box) else form.radius
        return np.asarray(np.linalg.norm(off, axis=1) - thick - self._balls[a])

    def _distance(
        self, a: int, b: int, rotation: dict[int, np.ndarray], centre: dict[int, np.ndarray], row: int
    ) -> float:
        result = coal.DistanceResult()
        poses = [coal.Transform3s(rotation[i][row], centre[i][row]) for i in (a, b)]
        coal.distance(self._forms[a], poses[0], self._forms[b], poses[1], coal.DistanceRequest(), result)
        return float(result.min_distance)

    def _chain(
        self, link: str, commands: np.ndarray, memory: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose of a link in the base frame, (steps, 3, 3) and (steps, 3): the URDF's joints one after the other."""
        if link in memory:
            return memory[link]
        joint = self._by_child.get(link)
        if joint is None:
            return np.tile(np.eye(3), (len(commands), 1, 1)), np.zeros((len(commands), 3))
        rotation, origin = self._chain(joint.find("parent").attrib["link"], commands, memory)  # type: ignore[union-attr]
        tag = joint.find("origin")
        xyz, rpy = (_numbers("0 0 0" if tag is None else tag.get(key, "0 0 0")) for key in ("xyz", "rpy"))
        origin = origin + rotation @ xyz
        rotation = rotation @ pinocchio.rpy.rpyToMatrix(rpy)
        kind = joint.attrib["type"]
        if kind != "fixed":
            position = self._position(joint.attrib["name"], commands)
            axis_tag = joint.find("axis")
            axis = _numbers("1 0 0" if axis_tag is None else axis_tag.attrib["xyz"])
            axis /= np.linalg.norm(axis)
            if kind == "prismatic":
                origin = origin + position[:, None] * (rotation @ axis)
            else:
                skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
                sine, cosine = np.sin(position)[:, None, None], np.cos(position)[:, None, None]
                rotation = rotation @ (np.eye(3) + sine * skew + (1 - cosine) * (skew @ skew))
        memory[link] = rotation, origin
        return memory[link]

    def _position(self, joint: str, commands: np.ndarray) -> np.ndarray:
        if joint in self._mimics:
            mimic = self._mimics[joint]
            return mimic.multiplier * self._position(mimic.joint, commands) + mimic.offset
        if joint in self._joints:
            return commands[:, self._joints.index(joint)]
        return np.full(len(commands), self._home.get(joint, 0.0))

    def _moved_by(self, link: str) -> set[str]:
        found = set()
        while link in self._by_child:
            joint = self._by_child[link]
            name = joint.attrib["name"]
            if joint.attrib["type"] != "fixed":
                found.add(self._mimics[name].joint if name in self._mimics else name)
            link = joint.find("parent").attrib["link"]  # type: ignore[union-attr]
        return found


def _ball(form: coal.CollisionGeometry) -> float:
    """Radius of the ball around a shape whose centre is its origin [m]; endless for a half-space."""
    if isinstance(form, coal.Halfspace):
        return float("inf")
    form.computeLocalAABB()
    return float(form.aabb_radius)


def _numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])
