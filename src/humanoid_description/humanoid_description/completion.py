# SPDX-License-Identifier: Apache-2.0
"""A maker's own URDF, completed by what ours has and theirs lacks: frames, and shapes for collision checks."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from humanoid_description.elements import inertia, is_possible
from humanoid_description.errors import DescriptionError, child


def completed(theirs: str, ours: str, file: str | Path) -> str:
    """A maker's URDF with our frames, and our primitives for the collision shape of links that they give as meshes.

    Frames are our links without mass that hang on fixed joints: REP-120 names, optical frames, pads, our root. Meshes
    to look at stay theirs. The robot's name becomes ours, as the SRDF has it. Where theirs cannot be used, ours is: an
    inertia that no body has, a speed or effort limit of 0. A fixed joint that is called as a link is gets another name.

    Args:
        theirs: URDF text of the maker.
        ours: URDF text of our description of the same robot.
        file: Of the maker's, named in errors.

    Raises:
        DescriptionError: it is no URDF, or no link of it is one of ours.
    """
    try:
        root = ElementTree.fromstring(theirs)
    except ElementTree.ParseError as error:
        raise DescriptionError(file, error, "XML") from error
    own = ElementTree.fromstring(ours)
    root.set("name", own.attrib["name"])
    links = {link.attrib["name"]: link for link in root.findall("link")}
    own_links = {link.attrib["name"]: link for link in own.findall("link")}
    if not set(links) & set(own_links):
        raise DescriptionError(file, f"links {', '.join(links) or 'none'}", "links of the robot that is configured")

    for name in set(links) & set(own_links):
        if links[name].findall("collision/geometry/mesh"):
            for shape in links[name].findall("collision"):
                links[name].remove(shape)
            links[name].extend(own_links[name].findall("collision"))

        _possible_inertia(links[name], own_links[name])
    own_joints = {joint.attrib["name"]: joint for joint in own.findall("joint")}
    for joint in root.findall("joint"):
        if joint.attrib["type"] == "fixed" and joint.attrib["name"] in links:
            joint.set("name", joint.attrib["name"] + "_joint")
        limit, own_limit = (
            None if one is None else one.find("limit") for one in (joint, own_joints.get(joint.attrib["name"]))
        )
        if limit is not None and own_limit is not None:
            for word in ("velocity", "effort"):
                if not float(limit.get(word, "0")) > 0.0:
                    limit.set(word, own_limit.attrib[word])

    waiting = [joint for joint in own.findall("joint") if joint.attrib["type"] == "fixed"]
    grown = True
    while grown:
        grown = False
        for joint in list(waiting):
            parent, tip = (child(joint, end).attrib["link"] for end in ("parent", "child"))
            if tip in links and (parent in links or own_links[parent].find("inertial") is not None):
                waiting.remove(joint)  # they have it, at the place they give it
                continue
            new = parent if tip in links else tip
            hangs = parent in links or (tip in links and not _has_parent(root, tip))
            if hangs and own_links[new].find("inertial") is None:
                root.append(own_links[new])
                root.append(joint)
                links[new] = own_links[new]
                waiting.remove(joint)
                grown = True
    return ElementTree.tostring(root, encoding="unicode")


def _possible_inertia(link: ElementTree.Element, own: ElementTree.Element) -> None:
    """Replace a link's mass and inertia by ours where theirs are not those of a body."""
    theirs, ours = link.find("inertial"), own.find("inertial")
    if theirs is not None and ours is not None and not is_possible(inertia(theirs)):
        link.remove(theirs)
        link.append(ours)


def _has_parent(root: ElementTree.Element, link: str) -> bool:
    return any(child(joint, "child").attrib["link"] == link for joint in root.findall("joint"))
