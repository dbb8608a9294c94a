# SPDX-License-Identifier: Apache-2.0
"""SRDF: groups, end effectors, named poses and the pairs of links that are not checked for collision."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from humanoid_description.errors import DescriptionError


@dataclass(frozen=True)
class Group:
    """A planning group: joints and chains of its own, and other groups."""

    joints: tuple[str, ...] = ()
    chains: tuple[tuple[str, str], ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Srdf:
    """What an SRDF says.

    Attributes:
        robot: Name of the robot.
        groups: By name.
        poses: Joint positions by (group, pose name).
        end_effectors: (group, parent link) by name.
        disabled: Pairs of links that are not checked, each sorted, with the reason.
    """

    robot: str
    groups: dict[str, Group] = field(default_factory=dict)
    poses: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    end_effectors: dict[str, tuple[str, str]] = field(default_factory=dict)
    disabled: dict[tuple[str, str], str] = field(default_factory=dict)

    def joints(self, group: str) -> tuple[str, ...]:
        """Joints of a group that is made of joints and other groups, in order."""
        found = list(self.groups[group].joints)
        for name in self.groups[group].groups:
            found += [joint for joint in self.joints(name) if joint not in found]
        return tuple(found)


def pair(a: str, b: str) -> tuple[str, str]:
    """Two link names in the order in which pairs are kept."""
    return (a, b) if a <= b else (b, a)


def parse(text: str, file: str | Path = "SRDF") -> Srdf:
    """Read SRDF text.

    Raises:
        DescriptionError: it is no SRDF.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DescriptionError(file, error, "XML") from error
    if root.tag != "robot":
        raise DescriptionError(file, f"<{root.tag}> at the top", "<robot>")
    try:
        return Srdf(
            robot=root.attrib["name"],
            groups={
                group.attrib["name"]: Group(
                    joints=tuple(joint.attrib["name"] for joint in group.findall("joint")),
                    chains=tuple((c.attrib["base_link"], c.attrib["tip_link"]) for c in group.findall("chain")),
                    groups=tuple(part.attrib["name"] for part in group.findall("group")),
                )
                for group in root.findall("group")
            },
            poses={
                (state.attrib["group"], state.attrib["name"]): {
                    joint.attrib["name"]: float(joint.attrib["value"]) for joint in state.findall("joint")
                }
                for state in root.findall("group_state")
            },
            end_effectors={
                effector.attrib["name"]: (effector.attrib["group"], effector.attrib["parent_link"])
                for effector in root.findall("end_effector")
            },
            disabled={
                pair(entry.attrib["link1"], entry.attrib["link2"]): entry.get("reason", "")
                for entry in root.findall("disable_collisions")
            },
        )
    except (KeyError, ValueError) as error:
        raise DescriptionError(file, f"{type(error).__name__}: {error}", "attributes as SRDF has them") from error
