# SPDX-License-Identifier: Apache-2.0
"""Plans among a table, a bin and a parcel, without a robot that follows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import rclpy
from moveit.planning import MoveItPy
from moveit_msgs.msg import MoveItErrorCodes

from humanoid_core import convert
from humanoid_description import find_config, load
from humanoid_interfaces.msg import SceneEvent, SceneObject, SceneObjects
from humanoid_planning import moveit_config, scene
from humanoid_planning.errors import PlanningRefused
from humanoid_planning.planner import Goal, MotionPlanner

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


def item(name: str, category: str, centre: tuple[float, float, float], size: tuple[float, float, float]) -> SceneObject:
    found = SceneObject(name=name, category=category, pose=convert.to_pose(np.array(centre), LEVEL))
    found.size.x, found.size.y, found.size.z = size
    return found


@pytest.fixture(scope="module")
def robot():
    return load(find_config("unitree_g1"))


@pytest.fixture(scope="module")
def moveit(robot):
    parameters = moveit_config.read(moveit_config.folder_of("unitree_g1"), robot)
    parameters["plan_request_params"]["planning_time"] = 30.0  # of a busy machine's clock
    moveit = MoveItPy("moveit_test", config_dict=parameters)
    with moveit.get_planning_scene_monitor().read_write() as present:
        present.current_state.joint_positions = robot.config.home
    yield moveit
    moveit.shutdown()
    rclpy.try_shutdown()


@pytest.fixture
def planner(moveit, robot):
    planner = MotionPlanner(moveit, robot)
    base_from_scene = np.eye(4)
    base_from_scene[2, 3] = -robot.config.base_height
    table = item("table", "table", (0.45, 0.0, 0.38), (0.5, 0.9, 0.76))
    parcel = item("parcel_1", "parcel", (0.35, 0.0, 0.82), (0.12, 0.3, 0.12))
    planner.see(SceneObjects(objects=[table, parcel]), base_from_scene)
    yield planner
    planner.see(SceneObjects(), base_from_scene)


def test_a_named_pose_is_reached_and_the_way_back_is_clear(planner, robot):
    plan = planner.plan(Goal("both_arms", "home"), _raised(planner))
    assert plan.code == MoveItErrorCodes.SUCCESS
    assert plan.clearance > 0.0
    end = plan.trajectory[len(plan.trajectory) - 1].joint_positions
    for joint in robot.group("left_arm", "right_arm"):
        assert end[joint] == pytest.approx(robot.config.home[joint], abs=1e-6)


def test_joints_that_are_not_named_stay(planner, robot):
    plan = planner.plan(Goal("left_arm", joints={"left_elbow_joint": -0.6}))
    assert plan.code == MoveItErrorCodes.SUCCESS
    end = plan.trajectory[len(plan.trajectory) - 1].joint_positions
    assert end["left_elbow_joint"] == pytest.approx(-0.6)
    assert end["left_shoulder_pitch_joint"] == pytest.approx(robot.config.home["left_shoulder_pitch_joint"])


def test_a_goal_inside_the_table_is_told(planner):
    plan = planner.plan(Goal("left_arm", joints={"left_shoulder_pitch_joint": 0.3, "left_elbow_joint": 0.3}))
    assert plan.code == MoveItErrorCodes.GOAL_IN_COLLISION
    assert plan.words == "goal in collision"
    assert plan.trajectory is None


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal("tail", "home"), "no group 'tail'"),
        (Goal("left_arm", "dance"), "has no pose 'dance'"),
        (Goal("left_arm", joints={"right_elbow_joint": 0.0}), "is no joint of left_arm"),
        (Goal("left_arm"), "exactly one"),
        (Goal("left_arm", "home", joints={"left_elbow_joint": 0.0}), "exactly one"),
    ],
)
def test_goals_that_make_no_sense_are_refused(planner, goal, words):
    with pytest.raises(PlanningRefused, match=words):
        planner.plan(goal)


def test_a_carried_parcel_is_part_of_the_hand_until_it_is_let_go(planner, moveit):
    planner.attach("parcel_1", "left_wrist_yaw_link")
    with moveit.get_planning_scene_monitor().read_only() as present:
        assert "parcel_1" in present._attached
    planner.detach("parcel_1")
    with moveit.get_planning_scene_monitor().read_only() as present:
        assert "parcel_1" in present._world
    with pytest.raises(PlanningRefused, match="not carried"):
        planner.detach("parcel_1")
    with pytest.raises(PlanningRefused, match="no object 'crate'"):
        planner.attach("crate", "left_wrist_yaw_link")


def test_what_is_lifted_goes_with_the_nearest_palm_until_it_is_let_go(planner, moveit, robot):
    base_from_scene = np.eye(4)
    base_from_scene[2, 3] = -robot.config.base_height
    palms = {side: hand.palm_frame for side, hand in robot.config.hands.items()}
    for (side, palm), let_go in zip(palms.items(), ("placed", "reset")):
        place = planner.current().get_global_link_transform(palm)[:3, 3] + [0.05, 0.0, robot.config.base_height]
        seen = SceneObjects(objects=[item("box", "parcel", tuple(place), (0.05, 0.05, 0.05))])
        planner.heard(SceneEvent(kind="lifted", object="box"))
        for _ in range(2):
            planner.see(seen, base_from_scene)
            assert planner.carried == {"box"}
        with moveit.get_planning_scene_monitor().read_only() as present:
            assert present._attached["box"].link == palm, side
        assert planner.plan(Goal(f"{side}_arm", "home"), _raised(planner)).code == MoveItErrorCodes.SUCCESS
        planner.heard(SceneEvent(kind=let_go, object="box"))
        planner.see(seen, base_from_scene)
        assert not planner.carried


def test_the_floor_is_where_the_robot_stands_and_only_what_stands_may_touch_it(planner, moveit, robot):
    base_from_scene = np.eye(4)
    base_from_scene[2, 3] = -robot.config.base_height
    message = scene.floor(base_from_scene, "pelvis")
    top = message.pose.position.z + 0.5 * message.primitives[0].dimensions[2]
    assert top == pytest.approx(-robot.config.base_height)
    with moveit.get_planning_scene_monitor().read_only() as present:
        allowed = {
            link: present.allowed_collision_matrix.get_entry(link, scene.FLOOR)[0]
            for link in ("left_ankle_roll_link", "pelvis", "torso_link", "left_wrist_yaw_link")
        }
    assert list(allowed.values()) == [True, True, False, False]


def test_a_bin_is_open_and_stands_on_the_floor():
    parts = scene.boxes(item("bin", "bin", (0.0, 0.0, 0.73), (0.4, 0.3, 0.06)))
    under = parts[0]
    assert under[1][2] + 0.5 * under[0][2] == pytest.approx(-0.03)  # its top is the bin's floor
    assert 0.73 + under[1][2] - 0.5 * under[0][2] == pytest.approx(0.0)
    inside = np.array([0.0, 0.0, 0.0])
    assert len(parts) == 5
    assert not any((np.abs(inside - centre) <= 0.5 * size).all() for size, centre in parts)
    wall = np.array([0.205, 0.0, 0.0])
    assert any((np.abs(wall - centre) <= 0.5 * size).all() for size, centre in parts)


def _raised(planner: MotionPlanner):
    state = copy.copy(planner.current())
    state.joint_positions = {"left_shoulder_roll_joint": 1.2, "right_shoulder_roll_joint": -1.2}
    return state
