# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_description check <robot>`: is a robot's description sound? Exit status 1 if not."""

from __future__ import annotations

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pinocchio

from humanoid_core.errors import HumanoidError
from humanoid_description.errors import child
from humanoid_description.robot import Robot, load
from humanoid_description.self_collision import SelfCollision
from humanoid_description.sources import find_config

# REP-120, as far as every humanoid here has them; feet only where there are legs.
REP_120 = ("base_link", "torso", "gaze", "l_wrist", "r_wrist", "l_gripper", "r_gripper")
REP_120_FEET = ("l_ankle", "r_ankle", "l_sole", "r_sole")


@dataclass(frozen=True)
class Finding:
    """One checked property.

    Attributes:
        name: What was checked.
        faults: What is wrong; empty where all is well.
        note: A figure worth knowing where all is well.
    """

    name: str
    faults: tuple[str, ...] = ()
    note: str = ""


def inspect(robot: Robot) -> list[Finding]:
    """Check a robot's URDF, SRDF and configuration, by themselves and against each other."""
    root = ElementTree.fromstring(robot.urdf)
    return [
        _tree(root, robot),
        _axes(root),
        _limits(robot),
        _masses(root),
        _frames(root, robot),
        _semantics(root, robot),
        _poses(robot),
        _symmetry(root, robot),
        _operator(robot),
    ]


# --- the checks ---


def _tree(root: ElementTree.Element, robot: Robot) -> Finding:
    links = [link.attrib["name"] for link in root.findall("link")]
    joints = root.findall("joint")
    parents = [child(joint, "parent").attrib["link"] for joint in joints]
    children = [child(joint, "child").attrib["link"] for joint in joints]
    faults = [f"{name} stands twice" for name in sorted({n for n in links if links.count(n) > 1})]
    faults += [f"{name} is no link" for name in {*parents, *children} - set(links)]
    faults += [f"{name} has two parents" for name in sorted({n for n in children if children.count(n) > 1})]
    roots = [link for link in links if link not in children]
    if roots != [robot.config.base_frame]:
        faults.append(f"roots {', '.join(roots)}, expected {robot.config.base_frame} alone")
    reached, todo = set(), list(roots)
    while todo:
        link = todo.pop()
        if link not in reached:
            reached.add(link)
            todo += [below for above, below in zip(parents, children) if above == link]
    faults += [f"{link} is not connected" for link in links if link not in reached]
    return Finding("tree", tuple(faults), f"{len(links)} links, {len(joints)} joints")


def _axes(root: ElementTree.Element) -> Finding:
    faults, count = [], 0
    for joint in root.findall("joint"):
        if joint.attrib["type"] in ("revolute", "continuous", "prismatic"):
            axis = joint.find("axis")
            length = float(np.linalg.norm(_numbers("1 0 0" if axis is None else axis.attrib["xyz"])))
            count += 1
            if abs(length - 1.0) > 1e-6:
                faults.append(f"{joint.attrib['name']}: axis of length {length:g}")
    return Finding("axes", tuple(faults), f"{count} of length 1")


def _limits(robot: Robot) -> Finding:
    model, config = robot.pinocchio(), robot.config
    faults = [f"{joint} has no entry under joints" for joint in robot.joints if joint not in config.joints]
    for joint, place in zip(robot.joints, robot.index(robot.joints)):
        low, high = model.lowerPositionLimit[place], model.upperPositionLimit[place]
        if not low < high:
            faults.append(f"{joint}: range {low:g} to {high:g}")
        entry = config.joints.get(joint)
        if entry is None:
            continue
        if not high - low > 2.0 * entry.margin:
            faults.append(f"{joint}: margin {entry.margin:g} leaves nothing of {low:g} to {high:g}")
        for word, ours, theirs in (
            ("velocity", entry.velocity, model.velocityLimit[place]),
            ("torque", entry.torque, model.effortLimit[place]),
        ):
            if not 0.0 < ours <= theirs * (1.0 + 1e-9):
                faults.append(f"{joint}: {word} {ours:g} is not within the URDF's {theirs:g}")
    return Finding("limits", tuple(faults), f"{len(robot.joints)} joints, the configuration's within the URDF's")


def _masses(root: ElementTree.Element) -> Finding:
    faults, total = [], 0.0
    for link in root.findall("link"):
        inertial = link.find("inertial")
        if inertial is None:
            continue
        mass = float(child(inertial, "mass").attrib["value"])
        total += mass
        if not mass > 0.0:
            faults.append(f"{link.attrib['name']}: mass {mass:g}")
        moments = np.linalg.eigvalsh(_inertia(inertial))
        if not moments[0] > 0.0 or moments[0] + moments[1] < moments[2] * (1.0 - 1e-9):
            faults.append(f"{link.attrib['name']}: principal moments {moments} are not those of a body")
    return Finding("masses and inertias", tuple(faults), f"{total:.3f} kg")


def _frames(root: ElementTree.Element, robot: Robot) -> Finding:
    links = {link.attrib["name"] for link in root.findall("link")}
    wanted = {**robot.config.frames, **{f"REP-120 {name}": name for name in REP_120}}
    if robot.config.base == "biped":
        wanted.update({f"REP-120 {name}": name for name in REP_120_FEET})
    faults = [f"{key}: no link {name}" for key, name in wanted.items() if name not in links]
    if "base_footprint" in links:
        faults.append("base_footprint is a link; it moves, so the driver publishes it")
    return Finding("frames", tuple(faults), f"{len(wanted)} named, all there")


def _semantics(root: ElementTree.Element, robot: Robot) -> Finding:
    links = {link.attrib["name"] for link in root.findall("link")}
    srdf = robot.semantics
    faults = [] if srdf.robot == root.attrib["name"] else [f"SRDF of {srdf.robot}, URDF of {root.attrib['name']}"]
    for name, group in srdf.groups.items():
        faults += [f"group {name}: no joint {joint}" for joint in group.joints if joint not in robot.joints]
        faults += [f"group {name}: no group {part}" for part in group.groups if part not in srdf.groups]
        ours = robot.config.groups.get(name)
        if ours is not None and ours != group.joints:
            faults.append(f"group {name} differs from the configuration's")
    faults += [f"end effector {n}: no link {link}" for n, (_, link) in srdf.end_effectors.items() if link not in links]
    faults += [f"disabled pair names {link}" for pair in srdf.disabled for link in pair if link not in links]
    return Finding("SRDF", tuple(faults), f"{len(srdf.groups)} groups, {len(srdf.disabled)} pairs disabled")


def _poses(robot: Robot) -> Finding:
    config, model = robot.config, robot.pinocchio()
    collision = SelfCollision(robot)
    faults: list[str] = []
    closest = np.inf
    poses = {f"{name} of {group}": values for (group, name), values in robot.semantics.poses.items()}
    for name, values in {"home": config.home, **poses}.items():
        strange = [joint for joint in values if joint not in robot.joints]
        if strange:
            faults.append(f"{name}: no joint {strange[0]}")
            continue
        q, margin = robot.q(values), 0.0
        for joint, place in zip(values, robot.index(values)):
            margin = config.joints[joint].margin if name == "home" and joint in config.joints else 0.0
            low, high = model.lowerPositionLimit[place] + margin, model.upperPositionLimit[place] - margin
            if not low <= q[place] <= high:
                faults.append(f"{name}: {joint} at {q[place]:g} outside {low:g} to {high:g}")
        touching = collision.closer_than(q, 0.0)
        faults += [f"{name}: {pair.first} and {pair.second} overlap by {-pair.distance:.4f} m" for pair in touching]
        if name == "home":
            closest = collision.distance(q)
    for (group, name), values in robot.semantics.poses.items():
        if name == "home" and any(abs(values[joint] - config.home.get(joint, 0.0)) > 1e-9 for joint in values):
            faults.append(f"home of {group} in the SRDF differs from the configuration's")
    return Finding(
        "home and named poses",
        tuple(faults),
        f"{1 + len(poses)} free; at home the closest links are {closest:.3f} m apart",
    )


def _symmetry(root: ElementTree.Element, robot: Robot) -> Finding:
    rule, faults, count = robot.config.symmetry, [], 0
    links = {link.attrib["name"]: link for link in root.findall("link")}
    joints = {joint.attrib["name"]: joint for joint in root.findall("joint")}
    for name in [*links, *joints]:
        twin = _twin(name)
        if twin is not None and twin not in links and twin not in joints:
            faults.append(f"{name} has no twin {twin}")
    for name, joint in joints.items():
        twin = _twin(name)
        if twin in joints and name < twin:
            count += 1
            faults += [f"{name} and {twin}: {fault}" for fault in _joint_asymmetry(joint, joints[twin], rule.tolerance)]
    for name, link in links.items():
        twin = _twin(name)
        if twin not in links or name > twin or {name, twin} & set(rule.except_links):
            continue
        count += 1
        faults += [f"{name} and {twin}: {fault}" for fault in _link_asymmetry(link, links[twin], rule.tolerance)]
    listed = f", except {', '.join(rule.except_links)}" if rule.except_links else ""
    return Finding("left/right symmetry", tuple(faults), f"{count} pairs mirrored to {rule.tolerance:g}{listed}")


def _operator(robot: Robot) -> Finding:
    """Fingers point along the mapped x axis, and close away from the mapped z axis, the back of the hand."""
    faults = []
    model = robot.pinocchio()
    data = model.createData()
    for side, hand in robot.config.hands.items():
        arm = robot.config.operator.arms.get(side)
        if arm is None or not hand.fingers:
            continue
        fingers = [finger for name, finger in hand.fingers.items() if "thumb" not in finger.follows]
        tips = {}
        for pose in ("open", "closed"):
            pinocchio.framesForwardKinematics(model, data, robot.q(getattr(hand, pose)))
            wrist = data.oMf[robot.frame_id(arm.wrist_frame)]
            points = [data.oMf[robot.frame_id(finger.tip_frame)].translation for finger in fingers]
            tips[pose] = wrist.actInv(np.mean(points, axis=0))
        palm = wrist.actInv(data.oMf[robot.frame_id(hand.palm_frame)].translation)
        along, closing = tips["open"] - palm, tips["closed"] - tips["open"]
        if along @ arm.fingers_axis < 0.9 * np.linalg.norm(along):
            faults.append(f"{side}: straight fingers point along {np.round(along, 3)}, not {arm.fingers_axis}")
        if closing @ arm.back_axis > -0.01:
            faults.append(f"{side}: fingers close along {np.round(closing, 3)}, not away from {arm.back_axis}")
    return Finding("operator's wrist axes", tuple(faults), "fingers and back of the hand where the mapping says")


# --- helpers ---


def _joint_asymmetry(left: ElementTree.Element, right: ElementTree.Element, tolerance: float) -> Iterator[str]:
    (xyz, rotation), (twin_xyz, twin_rotation) = _origin(left), _origin(right)
    mirror = np.diag([1.0, -1.0, 1.0])
    if np.abs(mirror @ xyz - twin_xyz).max() > tolerance:
        yield f"origins {xyz} and {twin_xyz}"
    if np.abs(mirror @ rotation @ mirror - twin_rotation).max() > tolerance and left.attrib["type"] != "fixed":
        yield "origins turned differently"
    if left.attrib["type"] == "fixed":
        return
    axis, twin_axis = _numbers(child(left, "axis").attrib["xyz"]), _numbers(child(right, "axis").attrib["xyz"])
    # A rotation about `axis` mirrors into one about -mirror @ axis.
    same = -mirror @ axis @ twin_axis
    if abs(abs(same) - 1.0) > tolerance:
        yield f"axes {axis} and {twin_axis}"
        return
    limit, twin_limit = child(left, "limit").attrib, child(right, "limit").attrib
    ends = [float(limit["lower"]), float(limit["upper"])]
    if same < 0.0:
        ends = [-ends[1], -ends[0]]
    if np.abs(np.array(ends) - [float(twin_limit["lower"]), float(twin_limit["upper"])]).max() > tolerance:
        yield f"ranges {ends} and {[float(twin_limit['lower']), float(twin_limit['upper'])]}"
    for word in ("velocity", "effort"):
        if limit[word] != twin_limit[word]:
            yield f"{word} {limit[word]} and {twin_limit[word]}"


def _link_asymmetry(left: ElementTree.Element, right: ElementTree.Element, tolerance: float) -> Iterator[str]:
    one, other = left.find("inertial"), right.find("inertial")
    if one is None or other is None:
        if one is not other:
            yield "only one has a mass"
        return
    masses = [float(child(part, "mass").attrib["value"]) for part in (one, other)]
    if abs(masses[0] - masses[1]) > tolerance:
        yield f"masses {masses}"
    mirror = np.diag([1.0, -1.0, 1.0])
    if np.abs(mirror @ _origin(one)[0] - _origin(other)[0]).max() > tolerance:
        yield f"centres of mass {_origin(one)[0]} and {_origin(other)[0]}"
    if np.abs(mirror @ _inertia(one) @ mirror - _inertia(other)).max() > tolerance:
        yield "inertias"


def _twin(name: str) -> str | None:
    for left, right in (("left", "right"), ("l_", "r_")):
        if name.startswith(left):
            return right + name[len(left) :]
        if name.startswith(right):
            return left + name[len(right) :]
    return None


def _origin(element: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    """Translation (3,) and rotation (3, 3) of an element's <origin>."""
    origin = element.find("origin")
    attributes = {} if origin is None else origin.attrib
    rpy = _numbers(attributes.get("rpy", "0 0 0"))
    return _numbers(attributes.get("xyz", "0 0 0")), np.asarray(pinocchio.rpy.rpyToMatrix(rpy))


def _inertia(inertial: ElementTree.Element) -> np.ndarray:
    """Inertia along the axes of the link, (3, 3)."""
    get = {name: float(value) for name, value in child(inertial, "inertia").attrib.items()}
    rows = [
        [get["ixx"], get["ixy"], get["ixz"]],
        [get["ixy"], get["iyy"], get["iyz"]],
        [get["ixz"], get["iyz"], get["izz"]],
    ]
    rotation = _origin(inertial)[1]
    return rotation @ np.array(rows) @ rotation.T


def _numbers(text: str) -> np.ndarray:
    return np.array([float(word) for word in text.split()])


# --- command line ---


def table(robot: Robot, findings: list[Finding]) -> str:
    """The findings for people."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"{robot.config.title} ({robot.config.name})"]
    for finding in findings:
        word, note = ("FAIL", "") if finding.faults else ("ok  ", finding.note)
        lines.append(f"  {word}  {finding.name:<{width}}  {note}".rstrip())
        lines += [f"          - {fault}" for fault in finding.faults]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Command line; exits with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="check", description="Check a robot's description.")
    parser.add_argument("robot", nargs="+", help="names, such as unitree_g1, or paths of robot configurations")
    parser.add_argument("--urdf", default="", help="URDF or xacro file in place of the configuration's")
    options = parser.parse_args(arguments)
    good = True
    for name in options.robot:
        try:
            robot = load(find_config(name), options.urdf)
            findings = inspect(robot)
        except HumanoidError as error:
            sys.exit(f"check: {error}")
        print(table(robot, findings))
        good = good and not any(finding.faults for finding in findings)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
