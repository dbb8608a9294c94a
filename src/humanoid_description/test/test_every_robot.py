# SPDX-License-Identifier: Apache-2.0
"""What holds for every robot under config/robots: a new one needs no test of its own."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mujoco
import numpy as np
import pinocchio
import pytest

import humanoid_description as description
from humanoid_description import shapes, sources
from humanoid_description.config import Lift
from humanoid_description.sensors import Imager

CONFIGS = sorted((Path(__file__).resolve().parents[3] / "config" / "robots").glob("*.yaml"))


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda config: config.stem)
def robot(request) -> description.Robot:
    return description.load(request.param)


def at(robot: description.Robot, q: np.ndarray, frame: str) -> pinocchio.SE3:
    """Pose of a frame in the base."""
    model = robot.pinocchio()
    data = model.createData()
    pinocchio.framesForwardKinematics(model, data, q)
    return data.oMf[robot.frame_id(frame)].copy()


def test_home_holds_the_hands_over_a_table(robot):
    for side, sign in (("left", 1.0), ("right", -1.0)):
        x, y, z = at(robot, robot.home(), robot.config.hands[side].gripper_frame).translation
        assert 0.2 < x < 0.7
        assert 0.05 < sign * y < 0.35
        assert 0.8 < z + robot.config.base_height < 1.15


def test_home_has_fingers_ahead_and_the_backs_of_the_hands_outwards(robot):
    for side, outwards in (("left", [0.0, 1.0, 0.0]), ("right", [0.0, -1.0, 0.0])):
        arm = robot.arm(side)
        axes = at(robot, robot.home(), arm.wrist_frame).rotation @ arm.wrist_from_operator
        assert np.linalg.det(axes) == pytest.approx(1.0)
        assert axes[:, 0] @ [1.0, 0.0, 0.0] > np.cos(0.4)
        assert axes[:, 2] @ outwards > np.cos(0.4)


def test_frames_of_rep_120_have_the_robots_axes(robot):
    q = robot.q(robot.config.home)
    for frame in ("torso", "gaze"):
        turned = at(robot, q, frame).rotation
        assert turned[0, 0] > np.cos(0.5)
        assert turned[2, 2] > np.cos(0.5)
        assert abs(turned[1, 0]) < 0.02
    links = {link.attrib["name"] for link in ElementTree.fromstring(robot.urdf).findall("link")}
    for frame in {"l_sole", "r_sole"} & links:  # on the floor, level
        sole = at(robot, q, frame)
        assert sole.translation[2] == pytest.approx(-robot.config.base_height, abs=2e-3)
        assert sole.rotation[2, 2] > np.cos(0.02)


def test_wheels_stand_on_the_floor(robot):
    drive = robot.config.drive
    model = robot.pinocchio()
    data = model.createData()
    pinocchio.forwardKinematics(model, data, robot.home())
    for wheel in drive.wheels if drive else ():
        height = data.oMi[model.getJointId(wheel.rolling)].translation[2]
        assert height + robot.config.base_height == pytest.approx(drive.wheel_radius, abs=1e-3)


def test_a_lift_raises_an_upright_torso(robot):
    lift = robot.config.operator.lift
    for share in np.linspace(0.0, 0.9, 10) if lift else ():
        low, high = (
            at(robot, robot.q({**robot.config.home, **between(lift, part)}), robot.config.operator.torso_frame)
            for part in (share, share + 0.1)
        )
        assert high.translation[2] - low.translation[2] > 0.003
        assert abs(high.translation[0] - low.translation[0]) < 0.01
        assert high.rotation[2, 2] > np.cos(0.01)


def between(lift: Lift, share: float) -> dict[str, float]:
    """Joint positions on the way from low (0) to high (1)."""
    return {joint: (1.0 - share) * lift.low[joint] + share * lift.high[joint] for joint in lift.joints}


def in_picture(robot: description.Robot, imager: Imager, point: np.ndarray) -> bool:
    """Whether an imager sees a point of the base frame, at home."""
    x, y, z = at(robot, robot.home(), imager.frame).actInv(point)
    half = 0.5 * np.array([imager.width, imager.height]) / imager.focal_length
    return bool(z > 0.0 and (np.abs([x, y]) < half * z).all())


def test_cameras_see_what_they_are_for(robot):
    """Wrist cameras see the grasp; one of the others sees the table under both hands. The head's picture is level."""
    cameras = {name: camera.color for name, camera in robot.config.cameras.items()}
    hands = robot.config.hands
    grasps = {f"{side}_wrist": at(robot, robot.home(), hands[side].gripper_frame).translation for side in hands}
    for name, point in grasps.items():
        assert in_picture(robot, cameras[name], point), name
    table = np.mean(list(grasps.values()), axis=0) - [0.0, 0.0, 0.1]
    assert [name for name in cameras if name not in grasps and in_picture(robot, cameras[name], table)]
    assert at(robot, robot.home(), cameras["head"].frame).rotation[:, 0] == pytest.approx([0.0, -1.0, 0.0], abs=0.01)


def test_collision_shapes_are_lean(robot):
    """Both the limiter and the retargeting check all pairs in every cycle."""
    found = shapes.collision_shapes(robot.urdf)
    assert {shape.kind for shape in found} <= {"box", "sphere", "capsule", "cylinder"}
    per_link = [sum(shape.link == link for shape in found) for link in {shape.link for shape in found}]
    assert max(per_link) <= 2
    assert len(robot.geometry().collisionPairs) < 1500


def test_every_xacro_argument_can_be_turned_off(robot):
    top = sources.find_model(robot.config.description.xacro, robot.config_path)
    switches = re.findall(r'<xacro:arg name="(\w+)" default="true"/>', top.read_text(encoding="utf-8"))
    assert "ros2_control" in switches
    full = ElementTree.fromstring(sources.expand(top))
    assert not full.findall(".//mesh")
    for switch in switches:
        bare = ElementTree.fromstring(sources.expand(top, {switch: "false"}))
        assert len(list(bare.iter())) < len(list(full.iter())), switch
    for joint in full.findall("joint"):
        assert joint.find("limit") is not None or joint.attrib["type"] == "fixed"


def test_mujoco_reads_the_model(robot):
    model = mujoco.MjModel.from_xml_string(robot.urdf)
    assert {model.joint(i).name for i in range(model.njnt)} == {*robot.joints, *robot.mimics}
    base = robot.pinocchio().inertias[0].mass  # fused into the world, without its mass
    total = sum(inertia.mass for inertia in robot.pinocchio().inertias)
    assert model.body_subtreemass[0] == pytest.approx(total - base, abs=1e-3)


def test_ros2_control_covers_what_moves_by_itself(robot):
    control = ElementTree.fromstring(robot.urdf).find("ros2_control")
    joints = control.findall("joint")
    assert {joint.attrib["name"] for joint in joints} == set(robot.joints)
    commanded = {joint.attrib["name"] for joint in joints if joint.findall("command_interface")}
    assert commanded == set(robot.config.commanded_joints)


def test_configuration_says_what_is_assumed(robot):
    assert robot.config.assumed
    assert all(robot.config.assumed)
