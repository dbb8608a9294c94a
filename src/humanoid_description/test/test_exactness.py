# SPDX-License-Identifier: Apache-2.0
"""Every robot against the table of its maker's figures, where those are at hand, by kinematics of this file's own."""

import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import numpy as np
import pinocchio
import pytest
import yaml

import humanoid_description as description
from humanoid_description import check

TABLES = Path(__file__).resolve().parents[4] / "shared" / "robots"
TABLE = {  # by robot
    "agibot_g2": "agibot_g2",
    "agibot_x2_ultra": "agibot_x2_ultra",
    "tiangong2_dex": "tienkung2_dex",
    "ubtech_walker_s2": "ubtech_walker_s2",
    "unitree_g1": "unitree_g1_29dof_dex3",
}
# Figures that ours correct, see docs/robots.md. Inertias that no body can have need not be listed.
CORRECTED_INERTIAS = {"unitree_g1": {"right_knee_link"}}
CORRECTED_EFFORTS = {"agibot_g2": {f"idx0{i}_body_joint{i}" for i in (1, 2, 3, 4)}}

ROBOTS = pytest.mark.parametrize("name", sorted(TABLE))


def test_every_robot_has_a_table():
    configs = Path(__file__).resolve().parents[3] / "config" / "robots"
    assert {path.stem for path in configs.glob("*.yaml")} == set(TABLE)


@ROBOTS
def test_forward_kinematics_is_the_figures_own(name):
    robot, figures = load(name)
    places = [*figures["end_effectors"].values(), figures["head_link"], *figures["foot_links"].values()]
    assert len(places) >= 4
    model = robot.pinocchio()
    data = model.createData()
    random = np.random.default_rng(1)
    index = robot.index(robot.joints)
    low, high = (np.clip(limit, -7.0, 7.0) for limit in (model.lowerPositionLimit, model.upperPositionLimit))
    worst = 0.0
    for _ in range(200):
        q = random.uniform(low, high)
        positions = dict(zip(robot.joints, q[index]))
        pinocchio.framesForwardKinematics(model, data, q)
        for place in places:
            ours = data.oMf[robot.frame_id(place)].homogeneous
            worst = max(worst, np.abs(ours - pose(figures, place, positions)).max())
    assert worst < 1e-6


@ROBOTS
def test_total_mass_and_centre_of_mass_are_the_figures_own(name):
    robot, figures = load(name)
    model = robot.pinocchio()
    assert sum(inertia.mass for inertia in model.inertias) == pytest.approx(figures["total_mass_kg"], abs=1e-3)
    low, high = (np.clip(limit, -0.3, 0.3) for limit in (model.lowerPositionLimit, model.upperPositionLimit))
    q = 0.7 * low + 0.3 * high  # bent, and inside the limits
    data = model.createData()
    pinocchio.centerOfMass(model, data, q)
    base = model.inertias[0]  # pinocchio leaves the fixed base out
    ours = (data.com[0] * data.mass[0] + base.lever * base.mass) / (data.mass[0] + base.mass)
    positions = dict(zip(robot.joints, q[robot.index(robot.joints)]))
    heavy = [link for link in figures["links"] if link["mass"]]
    points = [pose(figures, link["name"], positions) @ [*link["com"], 1.0] for link in heavy]
    theirs = np.average(np.array(points)[:, :3], axis=0, weights=[link["mass"] for link in heavy])
    assert ours == pytest.approx(theirs, abs=1e-6)


@ROBOTS
def test_joints_and_limits_are_the_figures_own(name):
    robot, figures = load(name)
    model = robot.pinocchio()
    moving = {joint["name"]: joint for joint in figures["joints"] if joint["type"] != "fixed"}
    assert {joint for joint, entry in moving.items() if not entry["mimic"]} == set(robot.joints)
    theirs = {
        joint: (entry["mimic"]["joint"], entry["mimic"]["multiplier"], entry["mimic"]["offset"])
        for joint, entry in moving.items()
        if entry["mimic"]
    }
    assert {joint: (m.joint, m.multiplier, m.offset) for joint, m in robot.mimics.items()} == theirs
    limits = zip(model.lowerPositionLimit, model.upperPositionLimit, model.velocityLimit, model.effortLimit)
    ours = dict(zip(robot.joints, limits))
    for joint in robot.joints:
        for word, value in zip(("lower", "upper", "velocity", "effort"), ours[joint]):
            known = moving[joint][word] is not None
            if known and not (word == "effort" and joint in CORRECTED_EFFORTS.get(name, ())):
                assert value == pytest.approx(moving[joint][word], abs=1e-6), (joint, word)


@ROBOTS
def test_inertias_are_the_figures_own(name):
    robot, figures = load(name)
    ours = {link.attrib["name"]: link.find("inertial") for link in ElementTree.fromstring(robot.urdf).findall("link")}
    for link in figures["links"]:
        if not link["mass"]:
            continue
        mass, centre, inertia = read(ours[link["name"]])
        assert mass == pytest.approx(link["mass"], abs=1e-12), link["name"]
        assert centre == pytest.approx(link["com"], abs=1e-12), link["name"]
        if name == "agibot_x2_ultra":
            # Published about the link's origin, products counted positive: ours are moved to the centre of mass.
            about_origin = 2.0 * np.diag(np.diag(matrix(link["inertia"]))) - matrix(link["inertia"])
            lever = np.array(link["com"])
            moved = about_origin - mass * (lever @ lever * np.eye(3) - np.outer(lever, lever))
            assert inertia == pytest.approx(moved, abs=1e-7), link["name"]
            continue
        axes = turn_rpy(link["inertia_rpy"])
        published = axes @ matrix(link["inertia"]) @ axes.T
        moments = np.linalg.eigvalsh(published)
        possible = moments[0] > 0.0 and moments[0] + moments[1] >= moments[2] * (1.0 - 1e-9)
        if possible and link["name"] not in CORRECTED_INERTIAS.get(name, ()):
            assert inertia == pytest.approx(published, abs=1e-9 * moments[2]), link["name"]


@ROBOTS
def test_the_makers_own_description_is_usable(name, tmp_path):
    """As far as the table holds it, with meshes: completed, it is sound, moves as ours and has our collision shapes."""
    robot, figures = load(name)
    file = tmp_path / "maker.urdf"
    file.write_text(makers_urdf(figures))
    theirs = description.load(robot.config_path, file)
    assert 'mesh filename="package://maker/' in theirs.urdf
    assert set(theirs.joints) == set(robot.joints)
    assert len(theirs.geometry().collisionPairs) == len(robot.geometry().collisionPairs)
    quick = [look for word, look in check.CHECKS.items() if word not in ("SRDF", "hands' reach")]
    faults = [fault for look in quick for fault in look(theirs)[0]]
    corrected = CORRECTED_EFFORTS.get(name, set())
    assert {fault.split(":")[0] for fault in faults} == corrected, faults
    home = dict(zip(robot.joints, robot.home()[robot.index(robot.joints)]))
    for frame in robot.config.frames.values():
        poses = []
        for which in (robot, theirs):
            model = which.pinocchio()
            data = model.createData()
            pinocchio.framesForwardKinematics(model, data, which.q(home))
            poses.append(data.oMf[which.frame_id(frame)].homogeneous)
        assert poses[1] == pytest.approx(poses[0], abs=1e-6), frame


@cache
def load(name: str) -> tuple[description.Robot, dict]:
    """A robot and the table of its figures."""
    table = TABLES / f"{TABLE[name]}.yaml"
    if not table.is_file():
        pytest.skip(f"{table} is not there")
    return description.load(description.find_config(name)), yaml.safe_load(table.read_text(encoding="utf-8"))


def pose(figures: dict, link: str, positions: dict[str, float]) -> np.ndarray:
    """Pose of a link in the base (4, 4), from the table alone."""
    by_child = {joint["child"]: joint for joint in figures["joints"]}
    found = np.eye(4)
    while link in by_child:
        joint = by_child[link]
        step = np.eye(4)
        step[:3, :3] = turn_rpy(joint["origin_rpy"])
        step[:3, 3] = joint["origin_xyz"]
        if joint["type"] != "fixed":
            mimic = joint["mimic"]
            position = (
                positions[mimic["joint"]] * mimic["multiplier"] + mimic["offset"] if mimic else positions[joint["name"]]
            )
            if joint["type"] == "prismatic":
                step[:3, 3] += step[:3, :3] @ np.array(joint["axis"]) * position
            else:
                step[:3, :3] = step[:3, :3] @ turn(joint["axis"], position)
        found = step @ found
        link = joint["parent"]
    return found


def makers_urdf(figures: dict) -> str:
    """A URDF with the table's figures, every link with a mesh, what the maker leaves open 0."""
    root = ElementTree.Element("robot", name="maker")
    for link in figures["links"]:
        element = ElementTree.SubElement(root, "link", name=link["name"])
        if link["mass"]:
            inertial = ElementTree.SubElement(element, "inertial")
            ElementTree.SubElement(inertial, "origin", xyz=words(link["com"]), rpy=words(link["inertia_rpy"]))
            ElementTree.SubElement(inertial, "mass", value=repr(link["mass"]))
            ElementTree.SubElement(inertial, "inertia", {key: repr(value) for key, value in link["inertia"].items()})
        for kind in ("visual", "collision") if link["collision"] else ():
            geometry = ElementTree.SubElement(ElementTree.SubElement(element, kind), "geometry")
            ElementTree.SubElement(geometry, "mesh", filename=f"package://maker/{link['name']}.stl")
    for joint in figures["joints"]:
        element = ElementTree.SubElement(root, "joint", name=joint["name"], type=joint["type"])
        ElementTree.SubElement(element, "origin", xyz=words(joint["origin_xyz"]), rpy=words(joint["origin_rpy"]))
        ElementTree.SubElement(element, "parent", link=joint["parent"])
        ElementTree.SubElement(element, "child", link=joint["child"])
        if joint["type"] != "fixed":
            ElementTree.SubElement(element, "axis", xyz=words(joint["axis"]))
            limits = {word: repr(joint[word] or 0.0) for word in ("lower", "upper", "velocity", "effort")}
            ElementTree.SubElement(element, "limit", limits)
        if joint["mimic"]:
            ElementTree.SubElement(element, "mimic", {key: str(value) for key, value in joint["mimic"].items()})
    return ElementTree.tostring(root, encoding="unicode")


def words(numbers: list[float]) -> str:
    """Numbers as URDF writes them."""
    return " ".join(map(repr, numbers))


def read(inertial: ElementTree.Element) -> tuple[float, np.ndarray, np.ndarray]:
    """Mass, centre of mass (3,) and inertia along the link's axes (3, 3) of a URDF's <inertial>."""
    where = inertial.find("origin")
    centre, rpy = ([float(word) for word in where.get(key, "0 0 0").split()] for key in ("xyz", "rpy"))
    entries = {key: float(value) for key, value in inertial.find("inertia").attrib.items()}
    axes = turn_rpy(rpy)
    return float(inertial.find("mass").attrib["value"]), np.array(centre), axes @ matrix(entries) @ axes.T


def matrix(entries: dict[str, float]) -> np.ndarray:
    """Symmetric matrix from its six entries."""
    return np.array([[entries["i" + "".join(sorted(a + b))] for a in "xyz"] for b in "xyz"])


def turn_rpy(rpy: list[float]) -> np.ndarray:
    """Rotation of URDF's roll, pitch and yaw."""
    roll, pitch, yaw = rpy
    return turn([0, 0, 1], yaw) @ turn([0, 1, 0], pitch) @ turn([1, 0, 0], roll)


def turn(axis: list[float], angle: float) -> np.ndarray:
    """Rodrigues' formula, apart from the code under test."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
