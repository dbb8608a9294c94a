# SPDX-License-Identifier: Apache-2.0
"""Loading, its errors, shapes, collision pairs, and that the committed SRDF is what sampling gives."""

import dataclasses
import types
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pinocchio
import pytest

import humanoid_description as description
from humanoid_core.errors import ConfigError
from humanoid_description import check, collision_matrix, make_srdf, shapes, srdf
from humanoid_description.config import Drive, Lift, Wheel
from humanoid_description.self_collision import SelfCollision

WORKSPACE = Path(__file__).resolve().parents[3]
CONFIG = WORKSPACE / "config" / "robots" / "unitree_g1.yaml"


@pytest.fixture(scope="module")
def g1() -> description.Robot:
    return description.load(CONFIG)


def test_committed_srdf_is_what_sampling_gives(g1):
    block = make_srdf.disabled_block(g1, make_srdf.SAMPLES, make_srdf.SEED)
    assert make_srdf.rewritten(g1.srdf, block, g1.srdf_path) == g1.srdf


def test_capsules_are_found_and_other_cylinders_left_alone():
    def ball(z, radius=0.1):
        return f'<collision><origin xyz="0 0 {z}"/><geometry><sphere radius="{radius}"/></geometry></collision>'

    body = '<collision><geometry><cylinder radius="0.1" length="0.4"/></geometry></collision>'
    urdf = '<robot name="r"><link name="a">{}</link></robot>'
    (capsule,) = shapes.collision_shapes(urdf.format(body + ball(0.2) + ball(-0.2)))
    assert (capsule.kind, capsule.size) == ("capsule", (0.1, 0.4))
    assert [s.kind for s in shapes.collision_shapes(urdf.format(body + ball(0.2) + ball(-0.1)))] == [
        "cylinder",
        "sphere",
        "sphere",
    ]
    assert len(shapes.collision_shapes(urdf.format(body + ball(0.2, 0.09) + ball(-0.2)))) == 3


def test_pairs_that_are_checked(g1):
    pairs = {srdf.pair(*pair) for pair in SelfCollision(g1).pairs}
    assert ("left_hand_palm_link", "torso_link") in pairs
    assert ("left_hand_palm_link", "right_hand_palm_link") in pairs
    assert ("left_hand_index_1_link", "left_hip_yaw_link") in pairs
    assert not pairs & set(g1.semantics.disabled)
    assert ("head_link", "torso_link") not in pairs  # rigidly joined


def test_distance_agrees_with_pinocchio_on_all_pairs(g1):
    """Sorting out by balls loses no pair."""
    model, geometry = g1.pinocchio(), g1.geometry()
    data, geometry_data = model.createData(), geometry.createData()
    ours = SelfCollision(g1)
    random = np.random.default_rng(3)
    upper = g1.index(g1.group("left_arm", "right_arm", "torso"))
    for _ in range(5):
        q = g1.home()
        q[upper] += random.uniform(-0.4, 0.4, upper.size)
        pinocchio.computeDistances(model, data, geometry, geometry_data, q)
        all_of_them = sorted(result.min_distance for result in geometry_data.distanceResults)
        near = [approach.distance for approach in ours.closer_than(q, 0.05)]
        assert near == pytest.approx([d for d in all_of_them if d < 0.05], abs=1e-5)


def test_touching_hands_are_seen(g1):
    collision = SelfCollision(g1)
    assert collision.distance(g1.home()) > 0.005
    crossed = g1.q({"left_shoulder_yaw_joint": -0.8, "right_shoulder_yaw_joint": 0.8})
    approach = collision.closer_than(crossed, 0.0)[0]
    assert approach.first.startswith("left_")
    assert approach.second.startswith("right_")
    home = collision.closer_than(g1.q({"left_shoulder_yaw_joint": -0.3}), 0.3)
    for found in home:
        gap = np.linalg.norm(found.on_first - found.on_second)
        assert gap == pytest.approx(abs(found.distance), abs=1e-6)


def test_sampling_finds_adjacent_always_and_never():
    def link(name, at, radius):
        shape = f'<collision><origin xyz="{at} 0 0"/><geometry><sphere radius="{radius}"/></geometry></collision>'
        mass = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
        return f'<link name="{name}">{mass}{shape}</link>'

    def joint(name, parent, child, at):
        return (
            f'<joint name="{name}" type="revolute"><origin xyz="{at} 0 0"/><parent link="{parent}"/>'
            f'<child link="{child}"/><axis xyz="0 0 1"/><limit lower="-3" upper="3" velocity="1" effort="1"/></joint>'
        )

    # a - b - c - d in a row: c is so short that b and d touch at zero; a is far from c and d.
    urdf = (
        '<robot name="r">'
        + link("a", 0, 0.2)
        + link("b", 0.5, 0.1)
        + link("c", 0, 0.05)
        + link("d", 0, 0.15)
        + joint("ab", "a", "b", 0)
        + joint("bc", "b", "c", 0.6)
        + joint("cd", "c", "d", 0.02)
        + "</robot>"
    )
    found = collision_matrix.disabled_pairs(pinocchio.buildModelFromXML(urdf), urdf, 300, 1)
    assert found == {
        ("a", "b"): "Adjacent",
        ("b", "c"): "Adjacent",
        ("c", "d"): "Adjacent",
        ("a", "c"): "Never",
        ("a", "d"): "Never",
        ("b", "d"): "Default",
    }
    assert collision_matrix.disabled_pairs(pinocchio.buildModelFromXML(urdf), urdf, 300, 1) == found


def test_make_srdf_keeps_what_people_wrote(g1):
    text = '<robot name="r">\n  <group name="arm"/>\n</robot>\n'
    block = f"  {make_srdf.BEGIN}x -->\n  <disable_collisions/>\n  {make_srdf.END}\n"
    once = make_srdf.rewritten(text, block, Path("r.srdf"))
    assert '<group name="arm"/>' in once
    assert once.endswith(f"{make_srdf.END}\n</robot>\n")
    again = make_srdf.rewritten(once, block.replace(" x ", " y "), Path("r.srdf"))
    assert again == once.replace(" x ", " y ")
    with pytest.raises(description.DescriptionError, match="</robot>"):
        make_srdf.rewritten("nothing", block, Path("r.srdf"))


def test_named_poses(g1):
    poses = g1.semantics.poses
    assert poses[("upper_body", "home")] == {
        joint: g1.config.home.get(joint, 0.0) for joint in g1.semantics.joints("upper_body")
    }
    assert {name for group, name in poses if group == "both_arms"} == {"home", "zero", "t_pose", "reach"}
    for side in ("left", "right"):
        assert poses[(f"{side}_hand", "open")] == g1.config.hands[side].open


def test_unknown_robot_names_the_known_ones():
    with pytest.raises(ConfigError, match="unitree_g1"):
        description.find_config("unitree_g7")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kp: 80.0", "kp: soft", r"joints\.left_shoulder_pitch_joint\.kp: found 'soft', expected a number"),
        ("base: biped", "base: flying", "base: found 'flying'"),
        ("commanded: [left_arm", "commanded: [left_fin, left_arm", "left_fin"),
        ("fingers_axis: [1, 0, 0]", "fingers_axis: [1, 1, 0]", "unit vector"),
        ("unitree_g1.urdf.xacro", "unitree_g7.urdf.xacro", "unitree_g7.urdf.xacro"),
        ("velocity: 6.0", "velocity: -6.0", "velocity -6.0: must be above 0"),
        ("left_knee_joint: ", "left_kneel_joint: ", "left_knee"),
    ],
)
def test_wrong_configurations_are_refused_by_key(tmp_path, old, new, message):
    text = CONFIG.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "robot.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        description.load(path)


def test_broken_models_are_refused(tmp_path):
    broken = tmp_path / "broken.urdf.xacro"
    broken.write_text('<robot name="r" xmlns:xacro="http://www.ros.org/wiki/xacro">${1/0}</robot>')
    with pytest.raises(description.DescriptionError, match="division by zero"):
        description.load(CONFIG, broken)
    with pytest.raises(description.DescriptionError, match="no file"):
        description.load(CONFIG, tmp_path / "none.urdf")
    other = tmp_path / "other.urdf"
    other.write_text('<robot name="r"><link name="wheel"/></robot>')
    with pytest.raises(description.DescriptionError, match="links wheel, expected links of the robot"):
        description.load(CONFIG, other)
    other.write_text('<robot name="r"><link name="pelvis"/></robot>')
    with pytest.raises(ConfigError, match="a joint that the URDF lacks"):
        description.load(CONFIG, other)
    other.write_text("no robot")
    with pytest.raises(description.DescriptionError, match="expected XML"):
        description.load(CONFIG, other)


def test_makers_urdf_with_meshes_is_completed(g1, tmp_path):
    """Theirs: root pelvis, meshes, none of our frames. Ours are added, their meshes to look at stay."""
    root = ElementTree.fromstring(g1.urdf)
    massless = [link for link in root.findall("link") if link.find("inertial") is None]
    named = {link.attrib["name"] for link in massless} - {"d435_link"}
    for link in massless:
        if link.attrib["name"] in named:
            root.remove(link)
    for joint in root.findall("joint"):
        if {joint.find("parent").attrib["link"], joint.find("child").attrib["link"]} & named:
            root.remove(joint)
    for link in root.findall("link"):
        for shape in (*link.findall("visual"), *link.findall("collision")):
            link.remove(shape)
        for kind in ("visual", "collision"):
            shape = ElementTree.SubElement(ElementTree.SubElement(link, kind), "geometry")
            ElementTree.SubElement(shape, "mesh", filename="package://maker/body.stl")
    file = tmp_path / "maker.urdf"
    file.write_text(ElementTree.tostring(root, encoding="unicode"))

    robot = description.load(CONFIG, file)
    assert 'mesh filename="package://maker/body.stl"' in robot.urdf
    assert set(robot.joints) == set(g1.joints)
    assert len(robot.geometry().collisionPairs) == len(g1.geometry().collisionPairs)
    faults = [finding for finding in check.inspect(robot) if finding.faults]
    assert faults == []
    q = dict(zip(g1.joints, np.linspace(-0.3, 0.3, len(g1.joints))))
    for frame in ("l_gripper", "left_hand_index_pad", "head_camera_color_optical", "base_link"):
        poses = []
        for which in (robot, g1):
            model = which.pinocchio()
            data = model.createData()
            pinocchio.framesForwardKinematics(model, data, which.q(q))
            poses.append(data.oMf[which.frame_id(frame)].homogeneous)
        assert poses[0] == pytest.approx(poses[1], abs=1e-12)


def test_what_cannot_be_used_of_a_makers_urdf_is_ours(g1, tmp_path):
    root = ElementTree.fromstring(g1.urdf)
    (shin,) = [link for link in root.findall("link") if link.attrib["name"] == "left_knee_link"]
    shin.find("inertial/inertia").set("ixx", "1.0")
    (elbow,) = [joint for joint in root.findall("joint") if joint.attrib["name"] == "left_elbow_joint"]
    elbow.find("limit").attrib.update(velocity="0", effort="0")
    (camera,) = [joint for joint in root.findall("joint") if joint.attrib["name"] == "d435_joint"]
    camera.set("name", "d435_link")
    file = tmp_path / "maker.urdf"
    file.write_text(ElementTree.tostring(root, encoding="unicode"))
    robot = description.load(CONFIG, file)
    assert [fault for finding in check.inspect(robot) for fault in finding.faults] == []
    assert robot.limits(["left_elbow_joint"]).torque == g1.limits(["left_elbow_joint"]).torque
    assert robot.pinocchio(["left_elbow_joint"]).nq == 1  # pinocchio refuses joints that are called as links


def test_limits_keep_margin_and_the_makers_bounds(g1):
    joints = ["left_elbow_joint", "waist_yaw_joint"]
    limits = g1.limits(joints)
    assert limits.lower == pytest.approx([-1.0472 + 0.02, -2.618 + 0.05])
    assert limits.velocity == pytest.approx([6.0, 2.5])
    with pytest.raises(description.DescriptionError, match="tail_joint"):
        g1.limits(["tail_joint"])


def test_mimic_and_continuous_joints_have_one_number_or_none(g1):
    """A finger that mimics another follows it, also in a model cut down to that one; a wheel's turn is one number."""

    def joint(name, kind, parent, child, more=""):
        return (
            f'<joint name="{name}" type="{kind}"><origin xyz="0.1 0 0"/><parent link="{parent}"/>'
            f'<child link="{child}"/><axis xyz="0 0 1"/>{more}'
            '<limit lower="-1" upper="1" velocity="1" effort="1"/></joint>'
        )

    mass = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
    urdf = (
        '<robot name="r">'
        + "".join(f'<link name="{name}">{mass}</link>' for name in "abcde")
        + joint("outer", "revolute", "a", "c", '<mimic joint="inner" multiplier="-2" offset="0.1"/>')
        + joint("wheel", "continuous", "a", "d")
        + joint("inner", "revolute", "a", "b")
        + joint("arm", "revolute", "a", "e")
        + "</robot>"
    )
    robot = dataclasses.replace(g1, urdf=urdf, config=types.SimpleNamespace(home={"arm": 0.5}))
    assert set(robot.joints) == {"wheel", "inner", "arm"}
    assert robot.mimics == {"outer": description.Mimic("inner", -2.0, 0.1)}
    whole, finger = robot.pinocchio(), robot.pinocchio(["inner"])
    assert (whole.nq, whole.nv, finger.nq) == (3, 3, 1)
    q = robot.q({"inner": 0.3, "arm": 0.5, "wheel": 40.0})
    assert dict(zip(robot.joints, q)) == {"inner": 0.3, "arm": 0.5, "wheel": 40.0}
    for model, at in ((whole, q), (finger, np.array([0.3]))):
        data = model.createData()
        pinocchio.framesForwardKinematics(model, data, at)
        for link, turn in (("b", 0.3), ("c", 0.1 - 0.6), ("e", 0.5)):
            along = data.oMf[model.getFrameId(link)].rotation[:, 0]
            assert along == pytest.approx([np.cos(turn), np.sin(turn), 0.0])


def test_wheeled_bases_and_lifts_are_checked(g1):
    wheels = (Wheel("roll", "turn"),)
    drive = Drive(True, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0, 0.07, wheels)
    assert drive.joints == ("turn", "roll")
    with pytest.raises(ValueError, match="belongs to a wheeled base"):
        dataclasses.replace(g1.config, drive=drive)
    with pytest.raises(ValueError, match="belongs to a wheeled base"):
        dataclasses.replace(g1.config, base="wheeled")
    with pytest.raises(ValueError, match="group wheels"):
        dataclasses.replace(g1.config, base="wheeled", drive=drive)
    with pytest.raises(ValueError, match="linear_jerk 0: must be above 0"):
        dataclasses.replace(drive, linear_jerk=0)
    with pytest.raises(ValueError, match="low and high differ by a"):
        Lift(low={"a": 0.0}, high={})
    lift = Lift(low={"left_elbow_joint": 0.0}, high={"left_elbow_joint": 1.0})
    operator = dataclasses.replace(g1.config.operator, lift=lift)
    with pytest.raises(ValueError, match="left_elbow_joint does not stand in group torso"):
        dataclasses.replace(g1.config, operator=operator)
