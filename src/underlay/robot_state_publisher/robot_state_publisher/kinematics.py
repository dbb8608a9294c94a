# SPDX-License-Identifier: Apache-2.0
"""Transforms across the joints of a URDF, by pinocchio."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np
import pinocchio


@dataclass(frozen=True)
class Link:
    """A link, its parent, and their frames in the pinocchio model."""

    name: str
    parent: str
    frame: int
    parent_frame: int


def read_mimics(urdf: str) -> dict[str, tuple[str, float, float]]:
    """Leader, multiplier and offset [rad or m] by joint; pinocchio's own joints of that kind cannot be continuous."""
    mimics = {}
    for joint in ElementTree.fromstring(urdf).findall("joint"):
        tag = joint.find("mimic")
        if tag is not None:
            scale, offset = float(tag.get("multiplier", 1.0)), float(tag.get("offset", 0.0))
            mimics[joint.attrib["name"]] = tag.attrib["joint"], scale, offset
    return mimics


class Kinematics:
    """The robot's links and where its joints put them.

    A planar joint counts as fixed and a floating one is left out, as upstream does.

    Raises:
        ValueError: the URDF is broken; urdfdom has printed why.
    """

    def __init__(self, urdf: str) -> None:
        self._model = pinocchio.buildModelFromXML(urdf)
        self._data = self._model.createData()
        self._q = pinocchio.neutral(self._model)
        self._mimics = read_mimics(urdf)
        self._fixed: list[Link] = []
        self._moving: dict[str, Link] = {}  # by joint
        for index, body in enumerate(self._model.frames):
            joint = self._model.frames[body.parentFrame]
            if body.type != pinocchio.FrameType.BODY or joint.name == "universe":
                continue
            link = Link(body.name, self._model.frames[joint.parentFrame].name, index, joint.parentFrame)
            freedom = 0 if joint.type == pinocchio.FrameType.FIXED_JOINT else self._model.nvs[joint.parentJoint]
            if freedom == 1:
                self._moving[joint.name] = link
            elif freedom != 6:
                self._fixed.append(link)
        self._place()

    def _place(self) -> None:
        pinocchio.forwardKinematics(self._model, self._data, self._q)
        pinocchio.updateFramePlacements(self._model, self._data)

    def _pose(self, link: Link) -> tuple[Link, list[float]]:
        pose = self._data.oMf[link.parent_frame].actInv(self._data.oMf[link.frame])
        return link, pinocchio.SE3ToXYZQUAT(pose).tolist()

    def fixed(self) -> list[tuple[Link, list[float]]]:
        """Links that do not move in their parents; poses as in `moving`."""
        return [self._pose(link) for link in self._fixed]

    def moving(self, positions: dict[str, float]) -> list[tuple[Link, list[float]]]:
        """Links behind the joints whose position, or whose leader's, is given.

        Args:
            positions: Positions by joint [rad or m]; joints that the robot lacks are ignored.

        Returns:
            Each link with its pose in its parent: position [m] and quaternion xyzw, 7 numbers.
        """
        led = {
            name: positions[leader] * scale + offset
            for name, (leader, scale, offset) in self._mimics.items()
            if leader in positions
        }
        found = {name: position for name, position in (led | positions).items() if name in self._moving}
        for name, position in found.items():
            joint = self._model.getJointId(name)
            at = self._model.idx_qs[joint]
            if self._model.nqs[joint] == 2:  # continuous
                self._q[at : at + 2] = np.cos(position), np.sin(position)
            else:
                self._q[at] = position
        self._place()
        return [self._pose(self._moving[name]) for name in found]
