# SPDX-License-Identifier: Apache-2.0
"""The robot as its URDF text tells it: joint limits, and where links are. Needs NumPy only.

Kept apart from humanoid_description and from the limiter on purpose: what judges a recording shares no code with what
made it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from humanoid_dataset.errors import EpisodeError


@dataclass(frozen=True)
class UrdfJoint:
    """One joint. Lengths in m, angles in rad; limits are infinite where the URDF gives none."""

    name: str
    kind: str
    parent: str
    child: str
    position: np.ndarray
    rotation: np.ndarray
    axis: np.ndarray
    lower: float
    upper: float
    velocity: float

    @property
    def moves(self) -> bool:
        """Whether the joint has a coordinate."""
        return self.kind in {"revolute", "continuous", "prismatic"}


class Kinematics:
    """Joints by name and forward kinematics over whole recordings."""

    def __init__(self, urdf: str) -> None:
        """Args: urdf: XML text. Raises EpisodeError where it is no URDF."""
        try:
            root = ElementTree.fromstring(urdf)
        except ElementTree.ParseError as reason:
            raise EpisodeError(f"robot_description: not XML: {reason}") from reason
        self.model = root.get("name", "")
        self.joints = {joint.name: joint for joint in map(_joint, root.findall("joint"))}
        self._by_child = {joint.child: joint for joint in self.joints.values()}

    @property
    def moving(self) -> dict[str, UrdfJoint]:
        """Joints that have a coordinate, by name."""
        return {name: joint for name, joint in self.joints.items() if joint.moves}

    def chain(self, link: str) -> list[UrdfJoint]:
        """Joints from the root to a link; empty for the root and for an unknown link."""
        chain: list[UrdfJoint] = []
        while link in self._by_child:
            joint = self._by_child[link]
            chain.insert(0, joint)
            link = joint.parent
        return chain

    def has(self, link: str) -> bool:
        """Whether a link hangs on the tree."""
        return link in self._by_child

    def pose(self, link: str, names: list[str], position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose of a link in the root's frame for many configurations at once.

        Args:
            link: Link name.
            names: Joint names of the columns; joints of the chain that are not named stand at 0.
            position: (n, joints) [rad or m].

        Returns:
            Position (n, 3) [m] and rotation matrices (n, 3, 3).
        """
        count = len(position)
        where, rotation = np.zeros((count, 3)), np.broadcast_to(np.eye(3), (count, 3, 3))
        for joint in self.chain(link):
            where = where + rotation @ joint.position
            rotation = rotation @ joint.rotation
            if joint.moves and joint.name in names:
                value = position[:, names.index(joint.name)]
                if joint.kind == "prismatic":
                    where = where + (rotation @ joint.axis) * value[:, None]
                else:
                    rotation = rotation @ _axis_rotation(joint.axis, value)
        return where, rotation


def rotation_angle(rotation: np.ndarray) -> np.ndarray:
    """Angle of each rotation matrix, (n, 3, 3) -> (n,) [rad]."""
    cosine = (np.trace(rotation, axis1=1, axis2=2) - 1.0) / 2.0
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _joint(element: Element) -> UrdfJoint:
    origin, limit, axis = element.find("origin"), element.find("limit"), element.find("axis")
    parent, child = element.find("parent"), element.find("child")
    if parent is None or child is None:
        raise EpisodeError(f"robot_description: joint {element.get('name')}: no parent or child")
    kind = element.get("type", "")
    bounded = limit is not None and kind in {"revolute", "prismatic"}
    direction = _vector(axis, "xyz", "1 0 0")
    return UrdfJoint(
        name=element.get("name", ""),
        kind=kind,
        parent=parent.get("link", ""),
        child=child.get("link", ""),
        position=_vector(origin, "xyz", "0 0 0"),
        rotation=_rpy(_vector(origin, "rpy", "0 0 0")),
        axis=direction / max(float(np.linalg.norm(direction)), 1e-12),
        lower=float(limit.get("lower", "-inf")) if bounded and limit is not None else -np.inf,
        upper=float(limit.get("upper", "inf")) if bounded and limit is not None else np.inf,
        velocity=float(limit.get("velocity", "inf")) if limit is not None else np.inf,
    )


def _vector(element: Element | None, key: str, default: str) -> np.ndarray:
    text = default if element is None else element.get(key, default)
    return np.array([float(word) for word in text.split()])


def _rpy(angles: np.ndarray) -> np.ndarray:
    """URDF's fixed-axis roll, pitch, yaw as a matrix: Rz(yaw) Ry(pitch) Rx(roll)."""
    (sr, sp, sy), (cr, cp, cy) = np.sin(angles), np.cos(angles)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _axis_rotation(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Rodrigues' formula for one axis and many angles, (n,) -> (n, 3, 3)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
