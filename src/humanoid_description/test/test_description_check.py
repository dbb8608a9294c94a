# SPDX-License-Identifier: Apache-2.0
"""The checker sees each kind of fault."""

import dataclasses
from pathlib import Path

import pytest

import humanoid_description as description
from humanoid_description import check

CONFIG = Path(__file__).resolve().parents[3] / "config" / "robots" / "unitree_g1.yaml"


@pytest.fixture(scope="module")
def g1() -> description.Robot:
    return description.load(CONFIG)


def faults(robot: description.Robot, name: str) -> str:
    (found,) = [finding for finding in check.inspect(robot) if finding.name == name]
    return "; ".join(found.faults)


def changed(robot: description.Robot, old: str, new: str) -> description.Robot:
    assert old in robot.urdf
    return dataclasses.replace(robot, urdf=robot.urdf.replace(old, new))


def test_sound_robot_has_no_faults(g1):
    assert [finding for finding in check.inspect(g1) if finding.faults] == []


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
    assert "roots base_link, loose" in "; ".join(check._tree(check.ElementTree.fromstring(loose.urdf), loose).faults)


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


def test_disabled_pair_of_a_missing_link_is_found(g1):
    robot = dataclasses.replace(
        g1, srdf=g1.srdf.replace("</robot>", '<disable_collisions link1="tail" link2="pelvis"/></robot>')
    )
    assert "disabled pair names tail" in faults(robot, "SRDF")
