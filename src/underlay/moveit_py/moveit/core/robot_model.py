# SPDX-License-Identifier: Apache-2.0
"""RobotModel and JointModelGroup: what URDF and SRDF say, on a pinocchio model."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin

_MANY_TURNS = 1e5  # range of a continuous joint [rad]: a hinge that may turn many times


class VariableBounds:
    """Limits of one joint [rad or m, and per s, s2, s3]; jerk, acceleration and tighter figures from joint_limits."""

    def __init__(self, low: float, high: float, velocity: float) -> None:
        self.min_position, self.max_position = low, high
        self.position_bounded = abs(low) < _MANY_TURNS
        self.max_velocity, self.velocity_bounded = velocity, True
        self.max_acceleration = self.max_jerk = 0.0
        self.acceleration_bounded = self.jerk_bounded = False

    def _tighten(self, limits: dict[str, Any]) -> None:
        for name in ("velocity", "acceleration", "jerk"):
            if limits.get(f"has_{name}_limits"):
                setattr(self, f"max_{name}", float(limits[f"max_{name}"]))
                setattr(self, f"{name}_bounded", True)
        if limits.get("has_position_limits"):
            self.min_position, self.max_position = float(limits["min_position"]), float(limits["max_position"])


class JointModelGroup:
    """A group of joints."""

    def __init__(self, model: RobotModel, name: str, joints: list[str], tips: list[str]) -> None:
        self._model, self._tips = model, tips
        self.name = name
        self.joint_model_names = joints
        self.active_joint_model_names = [joint for joint in joints if joint in model._index]
        self._columns = np.array([model._index[joint] for joint in self.active_joint_model_names], dtype=int)

    @property
    def active_joint_model_bounds(self) -> list[list[VariableBounds]]:
        return [[self._model._bounds[joint]] for joint in self.active_joint_model_names]

    @property
    def link_model_names(self) -> list[str]:
        return [self._model._child_link[joint] for joint in self.joint_model_names]

    @property
    def eef_name(self) -> str | None:
        return self._tips[0] if len(self._tips) == 1 else None

    def satisfies_position_bounds(self, values: np.ndarray, margin: float = 0.0) -> bool:
        bounds = [entry[0] for entry in self.active_joint_model_bounds]
        return all(b.min_position - margin <= v <= b.max_position + margin for b, v in zip(bounds, values))


class RobotModel:
    """A kinematic model.

    Args:
        urdf_xml_path: URDF file.
        srdf_xml_path: SRDF file.
    """

    def __init__(self, urdf_xml_path: str, srdf_xml_path: str) -> None:
        self._read(Path(urdf_xml_path).read_text(encoding="utf-8"), Path(srdf_xml_path).read_text(encoding="utf-8"))

    @classmethod
    def _from_text(cls, urdf: str, srdf: str, joint_limits: dict[str, Any]) -> RobotModel:
        model = cls.__new__(cls)
        model._read(urdf, srdf)
        for joint, limits in joint_limits.items():
            if joint not in model._bounds:
                raise ValueError(f"joint_limits: the robot has no joint '{joint}'")
            model._bounds[joint]._tighten(limits)
        return model

    def _read(self, urdf: str, srdf: str) -> None:
        root, semantic = ElementTree.fromstring(urdf), ElementTree.fromstring(srdf)
        for joint in root.findall("joint"):
            limit = joint.find("limit")
            if joint.attrib["type"] == "continuous":
                joint.set("type", "revolute")
                limit = ElementTree.SubElement(joint, "limit", effort="0", velocity="0") if limit is None else limit
                limit.attrib.update(lower=str(-_MANY_TURNS), upper=str(_MANY_TURNS))
        self._urdf, self.name = root, root.attrib["name"]
        self._pin = pin.buildModelFromXML(ElementTree.tostring(root, encoding="unicode"), mimic=True)
        model = self._pin
        self._index = {n: j.idx_q for n, j in zip(model.names, model.joints) if j.nq and j.idx_q >= 0}
        self._mimics = {
            j.attrib["name"]: (t.attrib["joint"], float(t.get("multiplier", "1")), float(t.get("offset", "0")))
            for j in root.findall("joint")
            for t in j.findall("mimic")
        }
        self._child_link = {j.attrib["name"]: j.find("child").attrib["link"] for j in root.findall("joint")}  # type: ignore[union-attr]
        self._parent_joint = {link: joint for joint, link in self._child_link.items()}
        self._parent_link = {j.attrib["name"]: j.find("parent").attrib["link"] for j in root.findall("joint")}  # type: ignore[union-attr]
        self._bounds = {
            name: VariableBounds(
                float(model.lowerPositionLimit[i]), float(model.upperPositionLimit[i]), float(model.velocityLimit[i])
            )
            for name, i in self._index.items()
        }
        links = {link.attrib["name"] for link in root.findall("link")}
        self._root_link = next(iter(links - set(self._parent_joint)))
        virtual = semantic.find("virtual_joint")
        self.model_frame = self._root_link if virtual is None else virtual.attrib["parent_frame"]
        self.root_joint_name = "ASSUMED_FIXED_ROOT_JOINT" if virtual is None else virtual.attrib["name"]
        self._disabled = {
            frozenset((e.attrib["link1"], e.attrib["link2"])) for e in semantic.findall("disable_collisions")
        }
        entries = {group.attrib["name"]: group for group in semantic.findall("group")}
        effectors = semantic.findall("end_effector")
        self._groups: dict[str, JointModelGroup] = {}
        for name in entries:
            joints = self._joints_of(entries, name)
            if joints:  # as upstream, a group of links without joints is none
                tips = [e.attrib["parent_link"] for e in effectors if e.get("parent_group") == name]
                self._groups[name] = JointModelGroup(self, name, joints, tips)
        self._states = {
            (s.attrib["group"], s.attrib["name"]): {
                j.attrib["name"]: float(j.attrib["value"]) for j in s.findall("joint")
            }
            for s in semantic.findall("group_state")
        }

    def _joints_of(self, entries: dict[str, ElementTree.Element], name: str) -> list[str]:
        group = entries[name]
        found = [j.attrib["name"] for j in group.findall("joint") if j.attrib["name"] in self._child_link]
        found += [
            self._parent_joint[e.attrib["name"]]
            for e in group.findall("link")
            if e.attrib["name"] in self._parent_joint
        ]
        for chain in group.findall("chain"):
            path, link = [], chain.attrib["tip_link"]
            while link != chain.attrib["base_link"]:
                path.append(self._parent_joint[link])
                link = self._parent_link[path[-1]]
            found += path[::-1]
        for part in group.findall("group"):
            found += self._joints_of(entries, part.attrib["name"])
        movable = set(self._index) | set(self._mimics)
        fixed_too = not any(joint in movable for joint in found)
        return [] if fixed_too else list(dict.fromkeys(found))

    def _frame(self, link: str) -> int:
        if not self._pin.existFrame(link, pin.BODY):
            raise RuntimeError(f"Link '{link}' not found in model '{self.name}'")
        return int(self._pin.getFrameId(link, pin.BODY))

    @property
    def joint_model_group_names(self) -> list[str]:
        return list(self._groups)

    @property
    def joint_model_groups(self) -> list[JointModelGroup]:
        return list(self._groups.values())

    def has_joint_model_group(self, joint_model_group_name: str) -> bool:
        return joint_model_group_name in self._groups

    def get_joint_model_group(self, joint_model_group_name: str) -> JointModelGroup | None:
        return self._groups.get(joint_model_group_name)
