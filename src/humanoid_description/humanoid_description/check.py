# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_description check <robot>`: is a robot's description sound? Exit status 1 if not."""

from __future__ import annotations

import argparse
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pinocchio

from humanoid_core.errors import HumanoidError
from humanoid_description import collision_matrix, make_srdf, pictures, reachability, symmetry
from humanoid_description.elements import inertia, is_possible, numbers
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


Looked: TypeAlias = tuple[tuple[str, ...], str]  # faults and note of a finding


def inspect(robot: Robot) -> list[Finding]:
    """Check a robot's URDF, SRDF and configuration, by themselves and against each other."""
    return [Finding(name, *look(robot)) for name, look in CHECKS.items()]


# --- the checks ---


def _tree(robot: Robot) -> Looked:
    root = ElementTree.fromstring(robot.urdf)
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
    return tuple(faults), f"{len(links)} links, {len(joints)} joints"


def _axes(robot: Robot) -> Looked:
    root = ElementTree.fromstring(robot.urdf)
    faults, count = [], 0
    for joint in root.findall("joint"):
        if joint.attrib["type"] in ("revolute", "continuous", "prismatic"):
            axis = joint.find("axis")
            length = float(np.linalg.norm(numbers("1 0 0" if axis is None else axis.attrib["xyz"])))
            count += 1
            if abs(length - 1.0) > 1e-6:
                faults.append(f"{joint.attrib['name']}: axis of length {length:g}")
    return tuple(faults), f"{count} of length 1"


def _limits(robot: Robot) -> Looked:
    model, config = robot.pinocchio(), robot.config
    ranges = {
        joint.attrib["name"]: [float(child(joint, "limit").attrib[end]) for end in ("lower", "upper")]
        for joint in ElementTree.fromstring(robot.urdf).findall("joint")
        if joint.attrib["type"] in ("revolute", "prismatic")
    }
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
    for joint, mimic in robot.mimics.items():
        if mimic.joint not in robot.joints:
            faults.append(f"{joint} mimics {mimic.joint}, which does not move by itself")
            continue
        place, own = robot.index([mimic.joint])[0], ranges[joint]
        for end in (model.lowerPositionLimit[place], model.upperPositionLimit[place]):
            if not own[0] - 1e-9 <= mimic.multiplier * end + mimic.offset <= own[1] + 1e-9:
                faults.append(f"{joint} is outside its range with {mimic.joint} at {end:g}")
    return tuple(faults), f"{len(robot.joints)} joints, the configuration's within the URDF's"


def _masses(robot: Robot) -> Looked:
    root = ElementTree.fromstring(robot.urdf)
    faults, total = [], 0.0
    for link in root.findall("link"):
        inertial = link.find("inertial")
        if inertial is None:
            continue
        mass = float(child(inertial, "mass").attrib["value"])
        total += mass
        if not mass > 0.0:
            faults.append(f"{link.attrib['name']}: mass {mass:g}")
        if not is_possible(inertia(inertial)):
            moments = np.linalg.eigvalsh(inertia(inertial))
            faults.append(f"{link.attrib['name']}: principal moments {moments} are not those of a body")
    return tuple(faults), f"{total:.3f} kg"


def _frames(robot: Robot) -> Looked:
    root = ElementTree.fromstring(robot.urdf)
    links = {link.attrib["name"] for link in root.findall("link")}
    wanted = {**robot.config.frames, **{f"REP-120 {name}": name for name in REP_120}}
    if robot.config.base == "biped":
        wanted.update({f"REP-120 {name}": name for name in REP_120_FEET})
    faults = [f"{key}: no link {name}" for key, name in wanted.items() if name not in links]
    if "base_footprint" in links:
        faults.append("base_footprint is a link; it moves, so the driver publishes it")
    return tuple(faults), f"{len(wanted)} named, all there"


def _semantics(robot: Robot) -> Looked:
    root = ElementTree.fromstring(robot.urdf)
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
    sampled = collision_matrix.disabled_pairs(robot.pinocchio(), robot.urdf, make_srdf.SAMPLES, make_srdf.SEED)
    for pair, why in sampled.items():
        if why != "Never" and pair not in srdf.disabled:
            faults.append(f"{pair[0]} and {pair[1]} are checked, though they always touch ({why.lower()})")
    faults += [f"{a} and {b} are not checked, though they can touch" for a, b in srdf.disabled if (a, b) not in sampled]
    return tuple(faults), f"{len(srdf.groups)} groups, {len(srdf.disabled)} pairs disabled"


def _poses(robot: Robot) -> Looked:
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
    return tuple(faults), f"{1 + len(poses)} free; at home the closest links are {closest:.3f} m apart"


def _symmetry(robot: Robot) -> Looked:
    rule = robot.config.symmetry
    faults, count = symmetry.asymmetries(robot)
    listed = [*rule.except_links, *rule.except_joints]
    note = f"{count} pairs mirrored to {rule.tolerance:g}" + (f", except {', '.join(listed)}" if listed else "")
    return tuple(faults), note


def _reach(robot: Robot) -> Looked:
    found = reachability.misses(robot)
    faults = [f"{target}: {distance:.4f} m short" for target, distance in found if distance > reachability.EXACT]
    return tuple(faults), f"{len(found)} targets reached"


def _operator(robot: Robot) -> Looked:
    """Fingers point along the mapped x axis, and close away from the mapped z axis, the back of the hand."""
    faults = []
    model = robot.pinocchio()
    data = model.createData()
    for side, hand in robot.config.hands.items():
        arm = robot.config.operator.arms.get(side)
        if arm is None or not hand.fingers:
            continue
        fingers = [finger for finger in hand.fingers.values() if "thumb" not in finger.follows]
        straight = fingers if len(fingers) > 1 else list(hand.fingers.values())  # jaws point where their middle does
        tips: dict[str, np.ndarray] = {}
        ahead: dict[str, np.ndarray] = {}
        for pose in ("open", "closed"):
            pinocchio.framesForwardKinematics(model, data, robot.q(getattr(hand, pose)))
            wrist = data.oMf[robot.frame_id(arm.wrist_frame)]
            for middle, some in ((tips, fingers), (ahead, straight)):
                points = [data.oMf[robot.frame_id(finger.tip_frame)].translation for finger in some]
                middle[pose] = wrist.actInv(np.mean(points, axis=0))
        palm = wrist.actInv(data.oMf[robot.frame_id(hand.palm_frame)].translation)
        along, closing = ahead["open"] - palm, tips["closed"] - tips["open"]
        if along @ arm.fingers_axis < 0.9 * np.linalg.norm(along):
            faults.append(f"{side}: straight fingers point along {np.round(along, 3)}, not {arm.fingers_axis}")
        if closing @ arm.back_axis > -0.01:
            faults.append(f"{side}: fingers close along {np.round(closing, 3)}, not away from {arm.back_axis}")
    return tuple(faults), "fingers and back of the hand where the mapping says"


CHECKS: dict[str, Callable[[Robot], Looked]] = {
    "tree": _tree,
    "axes": _axes,
    "limits": _limits,
    "masses and inertias": _masses,
    "frames": _frames,
    "SRDF": _semantics,
    "home and named poses": _poses,
    "left/right symmetry": _symmetry,
    "hands' reach": _reach,
    "operator's wrist axes": _operator,
}


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
    parser = argparse.ArgumentParser(prog="check", description="Check a robot's description: a table and a picture.")
    parser.add_argument("robot", nargs="+", help="names, such as unitree_g1, or paths of robot configurations")
    parser.add_argument("--urdf", default="", help="URDF or xacro file in place of the configuration's")
    parser.add_argument(
        "--pictures",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="folder for the pictures (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    good = True
    for name in options.robot:
        try:
            robot = load(find_config(name), options.urdf)
            findings = inspect(robot)
            print(table(robot, findings))
            file = options.pictures / f"check_{robot.config.name}.png"
            pictures.inspection(robot).save(file)
        except (HumanoidError, OSError) as error:
            sys.exit(f"check: {error}")
        print(f"  picture: {file}")
        good = good and not any(finding.faults for finding in findings)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
