# SPDX-License-Identifier: Apache-2.0
"""A robot's bodies as plain arrays: tree of joints, convex shapes, pairs to keep apart, points of limited speed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from humanoid_description import Robot
from humanoid_description.shapes import collision_shapes
from humanoid_safety.surroundings import Surroundings

POINT, SEGMENT, BOX, CYLINDER, HALF_SPACE = range(5)  # as in csrc/bodies.h
SLACK = 0.001  # [m] kept more than promised where a stop is looked at, and given away in between
_GUARD = 1e-6  # [m] kept more than promised: errors of measured distances, the kernel's (5e-7) and a judge's
_COLLISION, _WORKSPACE = 16, 64  # bits of SafetyStatus.joint_reasons


@dataclass(frozen=True)
class BodySettings:
    """How near and how fast.

    Attributes:
        self_distance: Kept between the robot's own bodies [m].
        surroundings_distance: Kept to floor, tables and boxes [m].
        hand_speed: Of the hands [m/s].
        elbow_speed: Of the elbows [m/s].
        guide: Pairs nearer than this above their least distance have their approach taken out of the request [m].
        buffer: What a request is kept away from the least distance [m].
        tolerance: By how much a pair that starts too near may come nearer [m].
    """

    self_distance: float
    surroundings_distance: float
    hand_speed: float
    elbow_speed: float
    guide: float
    buffer: float
    tolerance: float


@dataclass(frozen=True)
class BodyModel:
    """Arrays for the kernel; j joints in the order of the tree, b bodies, p pairs, s points, g moving columns.

    Attributes:
        parent: (j,) joint above; -1: the base.
        column: (j,) which of the commanded joints turns it; -1: none.
        slides: (j,) prismatic.
        still: (j,) no commanded joint moves it, or nothing of interest hangs on it.
        node_R, node_t: (j, 3, 3), (j, 3) pose of the joint at zero in its parent [m].
        axis: (j, 3).
        multiplier, offset: (j,) its position is multiplier * position of the column + offset.
        mass, com, inertia: (j,), (j, 3), (j, 3, 3) of what it carries, inertia about the centre of mass [kg, m, kg m2].
        other: (j,) position where no column moves it [rad or m].
        body_node, body_kind, body_half, body_radius, body_ball, body_R, body_t: (b, ...) shapes, balls around them, and
            where they are.
        first, second, least, pair_reason: (p,) pairs, distance to keep [m], bit to report.
        lever: (p, g) most that the pair's distance changes per displacement of a column [m/rad].
        moving: (g,) commanded joints that move any pair or point.
        point_node, point_at, point_lever, point_speed: (s, ...) points of limited speed [m/s].
        names: Of the bodies.
        leaders: (j,) the joint whose position each one's follows, mostly its own.
        settings: What the distances and speeds come from.
    """

    parent: np.ndarray
    column: np.ndarray
    slides: np.ndarray
    still: np.ndarray
    node_R: np.ndarray
    node_t: np.ndarray
    axis: np.ndarray
    multiplier: np.ndarray
    offset: np.ndarray
    mass: np.ndarray
    com: np.ndarray
    inertia: np.ndarray
    other: np.ndarray
    body_node: np.ndarray
    body_kind: np.ndarray
    body_half: np.ndarray
    body_radius: np.ndarray
    body_ball: np.ndarray
    body_R: np.ndarray
    body_t: np.ndarray
    first: np.ndarray
    second: np.ndarray
    least: np.ndarray
    pair_reason: np.ndarray
    lever: np.ndarray
    moving: np.ndarray
    point_node: np.ndarray
    point_at: np.ndarray
    point_lever: np.ndarray
    point_speed: np.ndarray
    names: tuple[str, ...]
    leaders: tuple[str, ...]
    settings: BodySettings

    def arrays(self, period: float) -> dict[str, np.ndarray]:
        """What the kernel wants, by its names."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("names", "leaders", "settings")}
        named["least"] = self.least + _GUARD
        named["point_fastest"] = named.pop("point_speed") * period
        named["other"] = self.other.copy()
        return named

    @staticmethod
    def none(n: int) -> BodyModel:
        """No bodies: n joints, each on its own."""
        ints, bytes_ = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8)
        zeros: dict[str, np.ndarray] = {f.name: np.zeros(0) for f in fields(BodyModel)}
        for name in (
            "parent",
            "column",
            "body_node",
            "body_kind",
            "first",
            "second",
            "pair_reason",
            "moving",
            "point_node",
        ):
            zeros[name] = ints
        zeros["slides"] = zeros["still"] = bytes_
        settings = BodySettings(*[0.0] * len(fields(BodySettings)))
        return BodyModel(**{**zeros, "names": (), "leaders": (), "settings": settings})  # type: ignore[arg-type]


class _Tree:
    """The joints of a robot as the kernel wants them."""

    def __init__(self, robot: Robot, joints: Iterable[str]) -> None:
        model = robot.pinocchio()
        columns = {joint: i for i, joint in enumerate(joints)}
        described = {joint.attrib["name"]: joint for joint in ElementTree.fromstring(robot.urdf).findall("joint")}
        home = dict(zip(robot.joints, robot.home()[robot.index(robot.joints)]))
        count = model.njoints - 1
        self.names = tuple(str(name) for name in list(model.names)[1:])
        self.parent = np.array([model.parents[j + 1] - 1 for j in range(count)], dtype=np.int32)
        self.node_R = np.array([model.jointPlacements[j + 1].rotation for j in range(count)])
        self.node_t = np.array([model.jointPlacements[j + 1].translation for j in range(count)])
        self.axis = np.array([_axis(described[name]) for name in self.names])
        self.slides = np.array([described[name].attrib["type"] == "prismatic" for name in self.names], dtype=np.uint8)
        self.column = np.full(count, -1, dtype=np.int32)
        self.multiplier, self.offset, self.other = np.ones(count), np.zeros(count), np.zeros(count)
        self.leader = list(self.names)  # the joint whose position each follows
        for j, name in enumerate(self.names):
            if name in robot.mimics:
                mimic = robot.mimics[name]
                self.leader[j], self.multiplier[j], self.offset[j] = mimic.joint, mimic.multiplier, mimic.offset
            self.column[j] = columns.get(self.leader[j], -1)
            self.other[j] = self.multiplier[j] * home[self.leader[j]] + self.offset[j]
        inertias = [model.inertias[j + 1] for j in range(count)]
        self.mass = np.array([inertia.mass for inertia in inertias])
        self.com = np.array([inertia.lever for inertia in inertias]).reshape(count, 3)
        self.inertia = np.array([inertia.inertia for inertia in inertias]).reshape(count, 3, 3)
        self.range = np.zeros(count)  # how far a prismatic joint can carry
        place = {name: i for i, name in enumerate(robot.joints)}
        for j in np.flatnonzero(self.slides).tolist():
            i = place[self.leader[j]]
            ends = np.array([model.lowerPositionLimit[i], model.upperPositionLimit[i]])
            self.range[j] = np.abs(self.multiplier[j] * ends + self.offset[j]).max()
        self.still = np.zeros(count, dtype=np.uint8)

    def chain(self, node: int) -> list[int]:
        """A joint and those above it, upwards."""
        found = []
        while node >= 0:
            found.append(node)
            node = int(self.parent[node])
        return found

    def movers(self, node: int) -> set[int]:
        """Columns that move what a joint carries."""
        return {int(self.column[j]) for j in self.chain(node) if self.column[j] >= 0}

    def levers(self, node: int, extent: float) -> dict[int, float]:
        """Per joint above a body: the longest way a point of it makes per displacement [m/rad or 1].

        Args:
            node: Joint that carries the body.
            extent: How far its points are from that joint's origin at most [m].
        """
        reach, found = extent, {}
        for j in self.chain(node):
            if self.column[j] >= 0:
                found[j] = abs(float(self.multiplier[j])) * (1.0 if self.slides[j] else reach + self.range[j])
            reach += float(np.linalg.norm(self.node_t[j]) + self.range[j])
        return found


def body_model(
    robot: Robot,
    joints: tuple[str, ...],
    fingers: set[str],
    surroundings: Surroundings,
    settings: BodySettings,
) -> BodyModel:
    """The arrays of a robot.

    Pairs that the SRDF disables are left out, and so is what fingers carry: fingers are there to touch.

    Args:
        robot: The robot.
        joints: The n joints that may be commanded.
        fingers: Those of them that move fingers.
        surroundings: Floor, boxes, workspace.
        settings: Distances and speeds.
    """
    tree = _Tree(robot, joints)
    model = robot.pinocchio()
    finger_columns = {i for i, joint in enumerate(joints) if joint in fingers}
    nodes: list[int] = []
    kinds: list[int] = []
    halves: list[tuple[float, ...]] = []
    radii: list[float] = []
    rotations: list[np.ndarray] = []
    places: list[np.ndarray] = []
    names: list[str] = []

    def add(name: str, node: int, kind: int, half: Iterable[float], radius: float, pose: np.ndarray) -> int:
        names.append(name)
        nodes.append(node)
        kinds.append(kind)
        halves.append(tuple(half))
        radii.append(radius)
        rotations.append(pose[:3, :3])
        places.append(pose[:3, 3])
        return len(nodes) - 1

    links: dict[int, str] = {}
    for shape in collision_shapes(robot.urdf):
        frame = model.frames[robot.frame_id(shape.link)]
        node = int(frame.parentJoint) - 1
        if tree.movers(node) & finger_columns:
            continue
        pose = frame.placement.homogeneous @ shape.link_from_shape
        size = [float(value) for value in shape.size]
        if shape.kind == "box":
            number = add(shape.link, node, BOX, [0.5 * value for value in size], 0.0, pose)
        elif shape.kind == "sphere":
            number = add(shape.link, node, POINT, (0.0, 0.0, 0.0), size[0], pose)
        elif shape.kind == "capsule":
            number = add(shape.link, node, SEGMENT, (0.0, 0.0, 0.5 * size[1]), size[0], pose)
        else:
            number = add(shape.link, node, CYLINDER, (size[0], 0.0, 0.5 * size[1]), 0.0, pose)
        links[number] = shape.link
    disabled = robot.semantics.disabled
    pairs: list[tuple[int, int, float, int]] = []
    for a in links:
        for b in links:
            apart = tree.movers(nodes[a]) ^ tree.movers(nodes[b])
            if a < b and apart and tuple(sorted((links[a], links[b]))) not in disabled:
                pairs.append((a, b, settings.self_distance, _COLLISION))
    ground = -robot.config.base_height
    hands = {frame for hand in robot.config.hands.values() for frame in (hand.palm_frame,)}
    for name, half, pose in surroundings.solids(ground):
        kind = HALF_SPACE if half is None else BOX
        other = add(name, -1, kind, (0.0, 0.0, 0.0) if half is None else half, 0.0, pose)
        pairs += [(a, other, settings.surroundings_distance, _COLLISION) for a in links if tree.movers(nodes[a])]
    for name, pose in surroundings.bounds(ground):
        other = add(name, -1, HALF_SPACE, (0.0, 0.0, 0.0), 0.0, pose)
        pairs += [(a, other, 0.0, _WORKSPACE) for a in links if links[a] in hands]

    points: list[tuple[int, np.ndarray, float]] = []
    for side in robot.config.operator.arms:
        points.append(_point(robot, robot.arm(side).elbow_frame, settings.elbow_speed))
    for hand in robot.config.hands.values():
        points.append(_point(robot, hand.gripper_frame, settings.hand_speed))

    extents = [
        float(np.linalg.norm(place) + np.linalg.norm(half) + radius)
        for place, half, radius in zip(places, halves, radii)
    ]
    lever = np.zeros((len(pairs), len(joints)))
    for row, (a, b, _, _) in enumerate(pairs):
        above = [tree.levers(nodes[body], extents[body]) for body in (a, b)]
        for mine, theirs in (above, above[::-1]):
            for j, arm in mine.items():
                if j not in theirs:
                    lever[row, tree.column[j]] += arm
    point_lever = np.zeros((len(points), len(joints)))
    for row, (node, at, _) in enumerate(points):
        for j, arm in tree.levers(node, float(np.linalg.norm(at))).items():
            point_lever[row, tree.column[j]] += arm
    moving = np.flatnonzero(lever.any(axis=0) | point_lever.any(axis=0)).astype(np.int32)
    first, second, least, reason = zip(*pairs) if pairs else ((), (), (), ())
    needed = {j for node in (*nodes, *(node for node, _, _ in points)) for j in tree.chain(node)}
    tree.still = np.array([j not in needed or not tree.movers(j) for j in range(len(tree.parent))], dtype=np.uint8)
    return BodyModel(
        **{
            f: getattr(tree, f)
            for f in (
                *("parent", "column", "slides", "still", "node_R", "node_t", "axis", "multiplier", "offset"),
                *("mass", "com", "inertia", "other"),
            )
        },
        body_node=np.array(nodes, dtype=np.int32),
        body_kind=np.array(kinds, dtype=np.int32),
        body_half=np.array(halves).reshape(-1, 3),
        body_radius=np.array(radii, dtype=float),
        body_ball=np.array([radius + np.linalg.norm(half) for half, radius in zip(halves, radii)]),
        body_R=np.array(rotations).reshape(-1, 3, 3),
        body_t=np.array(places).reshape(-1, 3),
        first=np.array(first, dtype=np.int32),
        second=np.array(second, dtype=np.int32),
        least=np.array(least, dtype=float),
        pair_reason=np.array(reason, dtype=np.int32),
        lever=np.ascontiguousarray(lever[:, moving]),
        moving=moving,
        point_node=np.array([node for node, _, _ in points], dtype=np.int32),
        point_at=np.array([at for _, at, _ in points]).reshape(-1, 3),
        point_lever=np.ascontiguousarray(point_lever[:, moving]),
        point_speed=np.array([speed for _, _, speed in points], dtype=float),
        names=tuple(names),
        leaders=tuple(tree.leader),
        settings=settings,
    )


def _point(robot: Robot, frame: str, speed: float) -> tuple[int, np.ndarray, float]:
    """A frame's origin as seen from the joint that carries it."""
    entry = robot.pinocchio().frames[robot.frame_id(frame)]
    return int(entry.parentJoint) - 1, np.array(entry.placement.translation), speed


def _axis(joint: ElementTree.Element) -> np.ndarray:
    tag = joint.find("axis")
    axis = np.array([float(word) for word in ("1 0 0" if tag is None else tag.get("xyz", "1 0 0")).split()])
    return np.asarray(axis / np.linalg.norm(axis))
