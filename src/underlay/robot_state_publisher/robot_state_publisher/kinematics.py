# SPDX-License-Identifier: Apache-2.0
"""The joints of a URDF and the transforms across them, all joints at once."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np

MOVING = ("revolute", "continuous", "prismatic")


class DescriptionError(RuntimeError):
    """The robot description is not a URDF with one root."""


@dataclass(frozen=True)
class Joint:
    """One joint of the description.

    Attributes:
        position: Origin of the child frame in the parent frame at zero, (3,) [m].
        rotation: Its orientation there, quaternion xyzw, (4,).
        axis: Unit axis in the child frame, (3,).
        mimic: Leading joint, multiplier and offset; None if the joint has a position of its own.
    """

    name: str
    type: str
    parent: str
    child: str
    position: np.ndarray
    rotation: np.ndarray
    axis: np.ndarray
    mimic: tuple[str, float, float] | None


def _numbers(element: ElementTree.Element | None, key: str, default: str) -> np.ndarray:
    return np.array((default if element is None else element.get(key, default)).split(), float)


def _quaternion(rpy: np.ndarray) -> np.ndarray:
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy / 2), np.sin(rpy / 2)
    return np.array(
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ]
    )


def _joint(element: ElementTree.Element) -> Joint:
    origin, mimic = element.find("origin"), element.find("mimic")
    axis = _numbers(element.find("axis"), "xyz", "1 0 0")
    return Joint(
        name=element.attrib["name"],
        type=element.attrib["type"],
        parent=element.find("parent").attrib["link"],  # type: ignore[union-attr]
        child=element.find("child").attrib["link"],  # type: ignore[union-attr]
        position=_numbers(origin, "xyz", "0 0 0"),
        rotation=_quaternion(_numbers(origin, "rpy", "0 0 0")),
        axis=axis / (np.linalg.norm(axis) or 1.0),
        mimic=None
        if mimic is None
        else (mimic.attrib["joint"], float(mimic.get("multiplier", 1.0)), float(mimic.get("offset", 0.0))),
    )


def read_joints(urdf: str) -> list[Joint]:
    """Read the joints of a URDF.

    Raises:
        DescriptionError: not XML, a joint lacks something, an unknown link, or not exactly one root link.
    """
    try:
        robot = ElementTree.fromstring(urdf)
        joints = [_joint(element) for element in robot.findall("joint")]
    except (ElementTree.ParseError, AttributeError, KeyError, ValueError) as reason:
        raise DescriptionError(f"Unable to read the robot description: {reason!r}") from reason
    links = {link.get("name") for link in robot.findall("link")}
    unknown = {joint.parent for joint in joints} | {joint.child for joint in joints}
    if unknown - links:
        raise DescriptionError(f"joints name links that the description lacks: {sorted(unknown - links)}")
    roots = links - {joint.child for joint in joints}
    if len(roots) != 1:
        raise DescriptionError(f"need one root link, the description has {sorted(map(str, roots))}")
    return joints


class Motion:
    """The transforms across a set of moving joints as a function of their positions."""

    def __init__(self, joints: list[Joint]) -> None:
        self._position = np.array([joint.position for joint in joints]).reshape(-1, 3)
        self._rotation = np.array([joint.rotation for joint in joints]).reshape(-1, 4)
        self._axis = np.array([joint.axis for joint in joints]).reshape(-1, 3)
        self._slides = np.array([joint.type == "prismatic" for joint in joints], bool)[:, None]
        vector, w = self._rotation[:, :3], self._rotation[:, 3:]
        turned = 2 * np.cross(vector, self._axis)
        self._slide = self._slides * (self._axis + w * turned + np.cross(vector, turned))
        # Product of the fixed quaternion with (axis, 0): the part that grows with sin(angle / 2).
        self._sine = np.hstack(
            [w * self._axis + np.cross(vector, self._axis), -np.sum(vector * self._axis, 1, keepdims=True)]
        )

    def __call__(self, q: np.ndarray) -> np.ndarray:
        """Poses of the child frames in their parent frames.

        Args:
            q: Joint positions, (n,) [rad or m].

        Returns:
            Position [m] and quaternion xyzw of each child, (n, 7).
        """
        half = np.where(self._slides, 0.0, q[:, None] / 2)
        rotation = np.cos(half) * self._rotation + np.sin(half) * self._sine
        return np.hstack([self._position + self._slide * q[:, None], rotation])
