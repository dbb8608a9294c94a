# SPDX-License-Identifier: Apache-2.0
"""The checker sees each kind of fault."""

import dataclasses
from pathlib import Path

import numpy as np
import pinocchio
import pytest
from PIL import Image

import humanoid_description as description
from humanoid_description import check, elements

CONFIGS = Path(__file__).resolve().parents[3] / "config" / "robots"
CONFIG = CONFIGS / "unitree_g1.yaml"


@pytest.fixture(scope="module")
def g1() -> description.Robot:
    return description.load(CONFIG)


def faults(robot: description.Robot, name: str) -> str:
    return "; ".join(check.CHECKS[name](robot)[0])


def changed(robot: description.Robot, old: str, new: str) -> description.Robot:
    assert old in robot.urdf
    return dataclasses.replace(robot, urdf=robot.urdf.replace(old, new))


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda config: config.stem)
def test_every_robot_is_sound(config):
    assert [finding for finding in check.inspect(description.load(config)) if finding.faults] == []


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("limits", 'lower="-1.0472" upper="2.0944"', 'lower="2.0944" upper="2.0944"', "left_elbow_joint: range"),
        ("limits", 'velocity="37"', 'velocity="5"', "velocity 6 is not within the URDF's 5"),
        ("masses and inertias", 'ixx="0.05905"', 'ixx="0.5905"', "torso_link: principal moments"),
        ("frames", '"gaze', '"glance', "operator.head_frame: no link gaze"),
        ("left/right symmetry", 'xyz="0 -0.052 -0.030465"', 'xyz="0 -0.052 -0.030565"', "right_hip_roll_joint"),
        (
            "left/right symmetry",
            'lower="-2.2515" upper="1.5882"',
            'lower="-2.25" upper="1.5882"',
            "right_shoulder_roll",
        ),
    ],
)
def test_faults_of_the_model_are_found(g1, name, old, new, message):
    urdf = g1.urdf
    if old not in urdf:  # xacro writes numbers in its own way; find the same ones as it does
        pytest.fail(f"{old} is not in the model")
    assert message in faults(changed(g1, old, new), name)


def test_loose_link_is_found(g1):
    loose = dataclasses.replace(g1, urdf=g1.urdf.replace("</robot>", '<link name="loose"/></robot>'))
    assert "roots base_link, loose" in faults(loose, "tree")


def test_bad_home_is_found(g1):
    through_torso = {**g1.config.home, "left_shoulder_roll_joint": -1.0, "left_shoulder_yaw_joint": -1.5}
    robot = dataclasses.replace(g1, config=dataclasses.replace(g1.config, home=through_torso))
    assert "torso_link" in faults(robot, "home and named poses")
    beyond = dataclasses.replace(g1, config=dataclasses.replace(g1.config, home={"left_elbow_joint": 3.0}))
    assert "left_elbow_joint at 3 outside" in faults(beyond, "home and named poses")


def test_turned_wrist_axes_are_found(g1):
    arms = dict(g1.config.operator.arms)
    arms["left"] = dataclasses.replace(arms["left"], back_axis=-arms["left"].back_axis)
    operator = dataclasses.replace(g1.config.operator, arms=arms)
    robot = dataclasses.replace(g1, config=dataclasses.replace(g1.config, operator=operator))
    assert "left: fingers close along" in faults(robot, "operator's wrist axes")


def test_pairs_that_should_not_be_skipped_are_found(g1):
    """Two hands can touch; neighbours always do; there is no tail."""
    tail = '<disable_collisions link1="tail" link2="pelvis"/>'
    hands = '<disable_collisions link1="left_hand_palm_link" link2="right_hand_palm_link"/>'
    srdf = g1.srdf.replace("</robot>", f"{hands}{tail}</robot>")
    neighbours = '<disable_collisions link1="left_elbow_link" link2="left_shoulder_yaw_link" reason="Adjacent"/>'
    assert neighbours in srdf
    robot = dataclasses.replace(g1, srdf=srdf.replace(neighbours, ""))
    found = faults(robot, "SRDF")
    assert "left_hand_palm_link and right_hand_palm_link are not checked, though they can touch" in found
    assert "left_elbow_link and left_shoulder_yaw_link are checked, though they always touch (adjacent)" in found
    assert "disabled pair names tail" in found
    assert found.count(";") == 3  # a tail that is nowhere touches nothing, either


def test_hands_that_get_nowhere_are_found(g1):
    stiff = g1.urdf.replace('lower="-1.0472" upper="2.0944"', 'lower="-0.31" upper="-0.29"')  # elbows
    config = dataclasses.replace(g1.config, commanded=("left_arm", "right_arm"))  # no waist to make up for them
    found = faults(dataclasses.replace(g1, urdf=stiff, config=config), "hands' reach")
    assert "left hand, 10 cm cube around home: 0." in found
    assert "right hand, 10 cm cube around home: 0." in found


def test_differing_masses_are_found(g1):
    heavier = dataclasses.replace(g1, urdf=g1.urdf.replace('<mass value="0.734"/>', '<mass value="0.834"/>', 1))
    found = faults(heavier, "left/right symmetry")
    assert "left_shoulder_yaw_link and right_shoulder_yaw_link: masses 0.834 and 0.734" in found


def test_a_turned_frame_is_no_asymmetry(g1):
    """A link's frame turned about its own joint, with all that it carries: the robot is the same."""
    turn = pinocchio.SE3(pinocchio.rpy.rpyToMatrix(0.0, 0.0, 0.4), np.zeros(3))
    root = check.ElementTree.fromstring(g1.urdf)

    def move(element, change):
        axes_and_place = elements.origin(element)
        pose = change(pinocchio.SE3(axes_and_place[1], axes_and_place[0]))
        numbers = [*pose.translation, *pinocchio.rpy.matrixToRpy(pose.rotation)]
        words = [repr(float(number)) for number in numbers]
        element.find("origin").attrib.update(xyz=" ".join(words[:3]), rpy=" ".join(words[3:]))

    for joint in root.findall("joint"):
        if joint.attrib["name"] == "left_shoulder_yaw_joint":
            move(joint, lambda pose: pose * turn)
        elif joint.find("parent").attrib["link"] == "left_shoulder_yaw_link":
            move(joint, lambda pose: turn.inverse() * pose)
    (inertial,) = [
        link.find("inertial") for link in root.findall("link") if link.get("name") == "left_shoulder_yaw_link"
    ]
    move(inertial, lambda pose: turn.inverse() * pose)
    turned = dataclasses.replace(g1, urdf=check.ElementTree.tostring(root, encoding="unicode"))
    assert faults(turned, "left/right symmetry") == ""


def test_mimic_out_of_range_is_found():
    g2 = description.load(CONFIGS / "agibot_g2.yaml")
    old = '<mimic joint="idx31_gripper_l_inner_joint1" multiplier="-1.0" offset="0.0"/>'
    assert old in g2.urdf
    robot = dataclasses.replace(g2, urdf=g2.urdf.replace(old, old.replace("-1.0", "-1.1")))
    assert "idx41_gripper_l_outer_joint1 is outside its range with idx31_gripper_l_inner_joint1" in faults(
        robot, "limits"
    )


def test_program_prints_a_table_and_a_picture(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        check.main(["tiangong2_dex", "--pictures", str(tmp_path)])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "ok    masses and inertias    63.272 kg" in said
    (picture,) = tmp_path.iterdir()
    assert f"picture: {picture}" in said
    assert np.asarray(Image.open(picture)).std() > 5.0  # something is on it
