# SPDX-License-Identifier: Apache-2.0
"""Judges joint commands by MuJoCo's kinematics and distances, and by positions and their differences: no code of ours.

The model is the robot's URDF with every joint that is not commanded fixed at home.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import mujoco
import numpy as np

from humanoid_description import Robot

_SOME_MASS = (
    '<inertial><mass value="0.01"/><inertia ixx="1e-5" iyy="1e-5" izz="1e-5" ixy="0" ixz="0" iyz="0"/></inertial>'
)
ROUNDING = 2e-15  # of a difference of two positions near 3 rad


@dataclass(frozen=True)
class Verdict:
    """What m commands did.

    Attributes:
        over: Commands outside a position, speed or acceleration limit.
        peak_acceleration: Over the joint's limit; 1 is the limit.
        peak_speed: [rad/s].
        jerk: Root mean square over time and joints, of third differences [rad/s3].
        penetrating: Commands in which links overlap.
        clearance: Smallest distance between links [m].
        error: By side: distance of the wrist from the clean path (m,) [m].
    """

    over: int
    peak_acceleration: float
    peak_speed: float
    jerk: float
    penetrating: int
    clearance: float
    error: dict[str, np.ndarray]


def fixed_urdf(robot: Robot, joints: tuple[str, ...], collisions: bool = True) -> str:
    """URDF text with all joints but `joints` fixed at home, for MuJoCo; joint limits and meshes left out."""
    root = ElementTree.fromstring(robot.urdf)
    for joint in root.findall("joint"):
        name = joint.get("name", "")
        kind = joint.get("type")
        for tag in ("mimic", "dynamics", "safety_controller"):
            for item in joint.findall(tag):
                joint.remove(item)
        if name in joints or kind == "fixed":
            continue
        home = robot.config.home.get(name, 0.0)
        if home:
            _turn(joint, home, kind or "")
        joint.set("type", "fixed")
    for link in root.findall("link"):
        for item in link.findall("visual") + (link.findall("collision") if not collisions else []):
            link.remove(item)
        if link.find("inertial") is None:
            link.append(ElementTree.fromstring(_SOME_MASS))
    for tag in ("ros2_control", "gazebo", "transmission"):
        for item in root.findall(tag):
            root.remove(item)
    compiler = ElementTree.SubElement(ElementTree.SubElement(root, "mujoco"), "compiler")
    compiler.attrib.update(fusestatic="false", discardvisual="false", balanceinertia="true", strippath="false")
    return ElementTree.tostring(root, encoding="unicode")


def model(robot: Robot, joints: tuple[str, ...]) -> mujoco.MjModel:
    """MuJoCo model whose qpos are `joints` in its own order; geometries named <link>_<number>."""
    spec = mujoco.MjSpec.from_string(fixed_urdf(robot, joints))
    for body in spec.bodies:
        for number, geom in enumerate(body.geoms):
            geom.name = f"{body.name}_{number}"
    return spec.compile()


class Referee:
    """Watches the commands to some joints of one robot.

    Args:
        robot: The robot.
        joints: Commanded joints, in the order of the commands.
    """

    def __init__(self, robot: Robot, joints: tuple[str, ...]) -> None:
        self._model = model(robot, joints)
        self._data = mujoco.MjData(self._model)
        self._order = np.array([self._model.joint(joint).qposadr[0] for joint in joints])
        self._arms = {side: self._model.body(arm.wrist_frame).id for side, arm in robot.config.operator.arms.items()}
        entries = [robot.config.joints[joint] for joint in joints]
        root = ElementTree.fromstring(robot.urdf)
        ends = {
            joint.get("name"): [float(limit.get(key, "nan")) for key in ("lower", "upper", "velocity")]
            for joint in root.findall("joint")
            for limit in joint.findall("limit")
        }
        lower, upper, velocity = np.array([ends[joint] for joint in joints]).T
        margin = np.array([entry.margin for entry in entries])
        self.lower, self.upper = lower + margin, upper - margin
        self.velocity = np.minimum([entry.velocity for entry in entries], velocity)
        self.acceleration = np.array([entry.acceleration for entry in entries])
        self._pairs = self._checked(robot)

    def judge(
        self, commands: np.ndarray, dt: float, clean: dict[str, np.ndarray], only: set[frozenset[str]] | None = None
    ) -> Verdict:
        """Verdict on commands (m, n) from rest, dt apart [s].

        Args:
            commands: Joint positions [rad].
            dt: Between them [s].
            clean: By side, where wrists should be (m, 3) [m].
            only: Pairs of links to look at; None: all that the SRDF leaves to check.
        """
        speed = np.diff(commands, axis=0, prepend=commands[:1]) / dt
        change = np.diff(speed, axis=0, prepend=np.zeros_like(speed[:1])) / dt
        jerk = np.diff(change, axis=0) / dt
        over = (commands < self.lower - 1e-9) | (commands > self.upper + 1e-9)
        over |= np.abs(speed) > self.velocity + ROUNDING / dt + 1e-9
        over |= np.abs(change) > self.acceleration + 2 * ROUNDING / dt**2 + 1e-9
        distances, wrists = self._places(commands, only)
        return Verdict(
            over=int(over.any(axis=1).sum()),
            peak_acceleration=float((np.abs(change) / self.acceleration).max()),
            peak_speed=float(np.abs(speed).max()),
            jerk=math.sqrt(float((jerk**2).mean())),
            penetrating=int((distances < 0.0).sum()),
            clearance=float(distances.min()),
            error={side: np.linalg.norm(wrists[side] - clean[side], axis=1) for side in clean},
        )

    def clearance(self, commands: np.ndarray, only: set[frozenset[str]]) -> float:
        """Smallest distance between pairs of links over commands (m, n) [rad], no more than 0.1 [m]."""
        return float(self._places(commands, only)[0].min())

    def _places(
        self, commands: np.ndarray, only: set[frozenset[str]] | None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Smallest distance in each command, no more than 0.1 m (m,), and wrists by side (m, 3) [m]."""
        model, data = self._model, self._data
        first, second = self._pairs
        if only is not None:
            body = [model.body(b).name for b in model.geom_bodyid]
            chosen = [frozenset((body[a], body[b])) in only for a, b in zip(first, second)]
            first, second = first[chosen], second[chosen]
        reach = model.geom_rbound[first] + model.geom_rbound[second] + 0.1
        distances = np.empty(len(commands))
        wrists = {side: np.empty((len(commands), 3)) for side in self._arms}
        way = np.zeros(6)
        for i, command in enumerate(commands):
            data.qpos[self._order] = command
            mujoco.mj_kinematics(model, data)
            for side, wrist in self._arms.items():
                wrists[side][i] = data.xpos[wrist]
            apart = np.linalg.norm(data.geom_xpos[first] - data.geom_xpos[second], axis=1)
            nearest = 0.1
            for k in np.flatnonzero(apart < reach).tolist():
                nearest = min(nearest, mujoco.mj_geomDistance(model, data, int(first[k]), int(second[k]), nearest, way))
            distances[i] = nearest
        return distances, wrists

    def _checked(self, robot: Robot) -> tuple[np.ndarray, np.ndarray]:
        """Geometries of the pairs of links that move against each other and that the SRDF leaves to check."""
        off = {
            frozenset((item.get("link1", ""), item.get("link2", "")))
            for item in ElementTree.fromstring(robot.srdf).findall("disable_collisions")
        }
        model = self._model
        weld = model.body_weldid[model.geom_bodyid]
        names = [model.body(body).name for body in model.geom_bodyid]
        pairs = [
            (a, b)
            for a in range(model.ngeom)
            for b in range(a + 1, model.ngeom)
            if weld[a] != weld[b] and frozenset((names[a], names[b])) not in off
        ]
        return np.array([a for a, _ in pairs], dtype=int), np.array([b for _, b in pairs], dtype=int)


def _turn(joint: ElementTree.Element, position: float, kind: str) -> None:
    """Take a joint's position over into its origin."""
    origin = joint.find("origin")
    if origin is None:
        origin = ElementTree.SubElement(joint, "origin")
    xyz = np.array([float(x) for x in origin.get("xyz", "0 0 0").split()])
    roll, pitch, yaw = (float(x) for x in origin.get("rpy", "0 0 0").split())
    entry = joint.find("axis")
    axis = np.array([float(x) for x in (entry.get("xyz", "1 0 0") if entry is not None else "1 0 0").split()])
    about = [_about(a, x) for a, x in (((0, 0, 1), yaw), ((0, 1, 0), pitch), ((1, 0, 0), roll))]
    turn = about[0] @ about[1] @ about[2]
    if kind == "prismatic":
        xyz = xyz + turn @ axis * position
    else:
        turn = turn @ _about(tuple(axis / np.linalg.norm(axis)), position)
    pitch = math.asin(max(-1.0, min(1.0, -turn[2, 0])))
    roll, yaw = math.atan2(turn[2, 1], turn[2, 2]), math.atan2(turn[1, 0], turn[0, 0])
    origin.set("xyz", " ".join(repr(float(x)) for x in xyz))
    origin.set("rpy", f"{roll!r} {pitch!r} {yaw!r}")


def _about(axis: tuple[float, ...], angle: float) -> np.ndarray:
    x, y, z = axis
    c, s = math.cos(angle), math.sin(angle)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + s * k + (1 - c) * (k @ k)
