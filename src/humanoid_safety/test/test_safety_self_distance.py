# SPDX-License-Identifier: Apache-2.0
"""Distances against what one can work out by hand or by another way."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pinocchio
import pytest

from humanoid_core.errors import ConfigError
from humanoid_description import load
from humanoid_safety.robot_limits import allowed_deviation, commanded_limits, fingers, other_joints, self_distance

ROBOT = Path(__file__).parents[3] / "config" / "robots" / "unitree_g1.yaml"


@pytest.fixture(scope="module")
def robot():
    return load(ROBOT)


def test_nearest_pair_is_that_of_a_pair_by_pair_search(robot):
    distance, joints = self_distance(robot), robot.group(*robot.config.commanded)
    model, geometry, index = robot.pinocchio(), robot.geometry(), robot.index(joints)
    data, results = model.createData(), pinocchio.GeometryData(geometry)
    limits, rng = robot.limits(joints), np.random.default_rng(0)
    for _ in range(5):
        q = robot.home()
        q[index] = rng.uniform(limits.lower, limits.upper)
        near = distance.nearest(q[index])
        pinocchio.updateGeometryPlacements(model, data, geometry, results, q)
        found = {}
        for number, pair in enumerate(geometry.collisionPairs):
            links = [geometry.geometryObjects[i].name.rsplit("_", 1)[0] for i in (pair.first, pair.second)]
            skipped = any("thumb" in link or "index" in link or "middle" in link for link in links)
            moved = any(
                word in link for link in links for word in ("shoulder", "elbow", "wrist", "hand", "torso", "head")
            )
            if moved and not skipped:
                key = tuple(sorted(links))
                value = pinocchio.computeDistance(geometry, results, number).min_distance
                found[key] = min(value, found.get(key, math.inf))
        assert near.distance == pytest.approx(found[tuple(sorted((near.link_a, near.link_b)))], abs=1e-9)
        assert near.distance <= min(found.values()) + 1e-9


def test_measured_legs_count_and_unknown_positions_are_not_known(robot):
    distance, joints = self_distance(robot), robot.group(*robot.config.commanded)
    home = robot.home()[robot.index(joints)]
    far = distance.nearest(home)
    # A knee lifted to the chest is nearer to the hands than anything is at home.
    lifted = distance.nearest(home, ["left_hip_pitch_joint", "left_knee_joint"], [-2.2, 2.0])
    assert lifted.distance < far.distance
    assert math.isnan(distance.nearest(np.full(len(joints), np.nan)).distance)


def test_what_the_limiter_takes_from_the_robot(robot):
    limits, legs = commanded_limits(robot), other_joints(robot)
    assert len(limits.names) == 31
    assert sorted([*limits.names, *legs]) == sorted(robot.joints)
    assert all("hip" in joint or "knee" in joint or "ankle" in joint for joint in legs)
    deviation = dict(zip(limits.names, allowed_deviation(robot, 0.7)))
    assert deviation["left_elbow_joint"] == 0.7
    assert math.isinf(deviation["left_hand_thumb_0_joint"])


@pytest.mark.parametrize(("word", "value"), [("velocity", 99.0), ("torque", 1e4), ("margin", 3.0)])
def test_limits_beyond_the_urdf_name_file_and_key(robot, word, value):
    joints = dict(robot.config.joints)
    joints["left_elbow_joint"] = replace(joints["left_elbow_joint"], **{word: value})
    with pytest.raises(ConfigError) as caught:
        commanded_limits(replace(robot, config=replace(robot.config, joints=joints)))
    assert caught.value.file.endswith("unitree_g1.yaml")
    assert caught.value.key == f"joints.left_elbow_joint.{word}"


def test_jaws_that_mimic_the_driven_one_may_touch_like_fingers():
    robot = load(ROBOT.with_name("agibot_g2.yaml"))
    distance, joints = self_distance(robot), robot.group(*robot.config.commanded)
    model, geometry = robot.pinocchio(), distance._geometry
    jaws = {model.getJointId(name) for name, mimic in robot.mimics.items() if mimic.joint in fingers(robot)}
    assert len(jaws) == 14  # ... of which robot.joints tells nothing
    seen = {i for pair in geometry.collisionPairs for i in (pair.first, pair.second)}
    assert not any(jaws & set(model.supports[geometry.geometryObjects[i].parentJoint]) for i in seen)
    # Closed jaws are nothing to report: what is nearest is as with open ones.
    closed = robot.home()[robot.index(joints)]
    open_ = distance.nearest(closed).distance
    for joint in fingers(robot):
        closed[joints.index(joint)] = 0.0
    assert distance.nearest(closed).distance == pytest.approx(open_, abs=1e-9)
