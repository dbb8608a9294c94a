# SPDX-License-Identifier: Apache-2.0
"""Is the left side of a robot the mirror image of the right one? Compared in the axes of the base, all joints at zero.

Makers turn the frames of the two sides each in its own way: figures are compared in the same axes, not as they stand in
the file.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import numpy as np
import pinocchio as pin

from humanoid_description.config import Symmetry
from humanoid_description.elements import inertia, numbers, origin
from humanoid_description.errors import child
from humanoid_description.robot import Robot

_MIRROR = np.diag([1.0, -1.0, 1.0])  # through the x-z plane
MOVING = ("revolute", "continuous", "prismatic")


def asymmetries(robot: Robot) -> tuple[list[str], int]:
    """What differs by more than the configuration's tolerance, and how many pairs of links and joints were compared.

    Links are twins where their names differ by a word for the side, joints where the links that they carry are twins.
    """
    rule, root = robot.config.symmetry, ElementTree.fromstring(robot.urdf)
    places = _places(robot)
    links = {link.attrib["name"]: link for link in root.findall("link")}
    joints = {child(joint, "child").attrib["link"]: joint for joint in root.findall("joint")}
    faults, count = [], 0
    for name, link in links.items():
        other = twin(name, rule.sides)
        if other is None:
            continue
        if other not in links:
            faults.append(f"{name} has no twin {other}")
            continue
        if name > other:
            continue
        count += 1
        if not {name, other} & set(rule.except_links):
            found = _links(link, links[other], places, rule)
            faults += [f"{name} and {other}: {fault}" for fault in found]
        if name in joints and other in joints:
            pair = joints[name], joints[other]
            names = [joint.attrib["name"] for joint in pair]
            count += 1
            if not set(names) & set(rule.except_joints):
                faults += [f"{' and '.join(names)}: {fault}" for fault in _joints(*pair, places, rule)]
    return faults, count


def twin(name: str, sides: tuple[tuple[str, str], ...]) -> str | None:
    """The same name on the other side; None where no word of it tells a side."""
    swap = {**dict(sides), **{right: left for left, right in sides}}
    words = name.split("_")
    if not any(word in swap for word in words):
        return None
    return "_".join(swap.get(word, word) for word in words)


def _places(robot: Robot) -> dict[str, pin.SE3]:
    """Pose of every link in the base, all joints at zero."""
    model = robot.pinocchio()
    data = model.createData()
    pin.framesForwardKinematics(model, data, np.zeros(model.nq))
    return {str(frame.name): data.oMf[i] for i, frame in enumerate(model.frames) if frame.type == pin.BODY}


def _joints(
    left: ElementTree.Element, right: ElementTree.Element, places: dict[str, pin.SE3], rule: Symmetry
) -> Iterator[str]:
    here, there = (places[child(joint, "child").attrib["link"]] for joint in (left, right))
    apart = np.abs(_MIRROR @ here.translation - there.translation).max()
    if apart > rule.tolerance:
        yield f"{apart:.2g} m from mirrored places"
    kinds = {joint.attrib["type"] for joint in (left, right)}
    if len(kinds) > 1:
        yield f"one is {left.attrib['type']}, one {right.attrib['type']}"
    if not kinds <= set(MOVING) or len(kinds) > 1:
        return
    axes = [
        place.rotation @ numbers(child(joint, "axis").attrib["xyz"])
        for place, joint in zip((here, there), (left, right))
    ]
    same = float(_MIRROR @ axes[0] @ axes[1])
    if left.attrib["type"] != "prismatic":
        same = -same  # a turn about `axis` mirrors into one about -mirror @ axis
    turned = np.linalg.norm(np.cross(_MIRROR @ axes[0], axes[1]))
    if turned > rule.tolerance:
        yield f"axes {turned:.2g} rad from mirrored ones"
        return
    limits = [child(joint, "limit").attrib for joint in (left, right)]
    if left.attrib["type"] != "continuous":
        ends = [[float(limit["lower"]), float(limit["upper"])] for limit in limits]
        if same < 0.0:
            ends[0] = [-ends[0][1], -ends[0][0]]
        if np.abs(np.subtract(ends[0], ends[1])).max() > rule.tolerance:
            yield f"ranges {ends[0]} (mirrored) and {ends[1]}"
    for word in ("velocity", "effort"):
        values = [float(limit[word]) for limit in limits]
        if abs(values[0] - values[1]) > rule.tolerance * max(values):
            yield f"{word} {values[0]:g} and {values[1]:g}"


def _links(
    left: ElementTree.Element, right: ElementTree.Element, places: dict[str, pin.SE3], rule: Symmetry
) -> Iterator[str]:
    parts = left.find("inertial"), right.find("inertial")
    if parts[0] is None or parts[1] is None:
        if parts[0] is not parts[1]:
            yield "only one has a mass"
        return
    masses = [float(child(part, "mass").attrib["value"]) for part in parts if part is not None]
    if abs(masses[0] - masses[1]) > rule.mass_tolerance * max(masses):
        yield f"masses {masses[0]:g} and {masses[1]:g}"
    centres, inertias = [], []
    for link, part in zip((left, right), parts):
        if part is not None:
            place = places[link.attrib["name"]]
            centres.append(place.act(origin(part)[0]))
            inertias.append(place.rotation @ inertia(part) @ place.rotation.T)
    apart = np.abs(_MIRROR @ centres[0] - centres[1]).max()
    if apart > rule.tolerance:
        yield f"centres of mass {apart:.2g} m from mirrored places"
    share = np.abs(_MIRROR @ inertias[0] @ _MIRROR - inertias[1]).max() / np.trace(inertias[0])
    if share > rule.mass_tolerance:
        yield f"inertias differ by {100 * share:.0f} %"
