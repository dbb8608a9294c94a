# SPDX-License-Identifier: Apache-2.0
"""The stand-in for MoveIt's Python API: an arm of three hinges in a plane, and what stands in its way."""

from __future__ import annotations

import copy

import coal
import numpy as np
import pytest
from geometry_msgs.msg import Pose
from moveit import _planner
from moveit._timing import Limits, timed
from moveit.core.collision_detection import AllowedCollisionMatrix, CollisionRequest, CollisionResult
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_model import RobotModel
from moveit.core.robot_state import RobotState
from moveit_msgs.msg import AttachedCollisionObject, CollisionObject, MoveItErrorCodes
from ompl import util
from shape_msgs.msg import SolidPrimitive

LINK = """<link name="l{0}"><collision><origin xyz="0.25 0 0" rpy="0 1.5707963267948966 0"/>
<geometry><cylinder radius="0.03" length="0.4"/></geometry></collision></link>
<joint name="j{0}" type="revolute"><parent link="{1}"/><child link="l{0}"/><origin xyz="{2} 0 0"/><axis xyz="0 0 1"/>
<limit lower="-2.9" upper="2.9" velocity="2" effort="10"/></joint>"""
URDF = (
    '<robot name="arm"><link name="base"/>'
    + "".join(LINK.format(i, "base" if i == 1 else f"l{i - 1}", 0.0 if i == 1 else 0.5) for i in (1, 2, 3))
    + "</robot>"
)
SRDF = """<robot name="arm"><group name="arm"><joint name="j1"/><joint name="j2"/><joint name="j3"/></group>
<group name="wrist"><chain base_link="l2" tip_link="l3"/></group>
<end_effector name="tool" parent_link="l3" group="wrist" parent_group="arm"/>
<group_state name="bent" group="arm"><joint name="j1" value="0.5"/><joint name="j2" value="1"/>
<joint name="j3" value="-1"/></group_state><disable_collisions link1="l1" link2="l2" reason="Adjacent"/>
<disable_collisions link1="l2" link2="l3" reason="Adjacent"/></robot>"""

SHOULDER_IN_TORSO = (  # xyz [m], rpy [rad]
    0.08433639867713455, -0.10024971902881125, 0.1265317410850938,
    -2.3358438919533118, 0.3140640957024695, 1.7462535867783087,
)  # fmt: skip


@pytest.fixture
def model() -> RobotModel:
    joint = {"has_acceleration_limits": True, "max_acceleration": 5.0, "has_jerk_limits": True, "max_jerk": 80.0}
    return RobotModel._from_text(URDF, SRDF, {f"j{i}": joint for i in (1, 2, 3)})


def box(name: str, centre: tuple[float, float, float], size: tuple[float, float, float]) -> CollisionObject:
    place = Pose()
    place.position.x, place.position.y, place.position.z = centre
    return CollisionObject(
        id=name,
        operation=CollisionObject.ADD,
        primitives=[SolidPrimitive(type=SolidPrimitive.BOX, dimensions=list(size))],
        primitive_poses=[place],
    )


@pytest.fixture(autouse=True)
def _seed():
    util.RNG.setSeed(1)


def request(start: list[float], goal: list[float]) -> _planner.Request:
    limits = Limits(np.full(3, 2.0), np.full(3, 5.0), np.full(3, 80.0))
    bound = np.full(3, 2.9)
    return _planner.Request(np.array(start), np.array(goal), -bound, bound, 5.0, 1, 0.0, limits, 0.01, 0.1)


def test_groups_bounds_and_poses_are_those_of_the_files(model):
    assert model.joint_model_group_names == ["arm", "wrist"]
    arm, wrist = model.get_joint_model_group("arm"), model.get_joint_model_group("wrist")
    assert arm.active_joint_model_names == ["j1", "j2", "j3"]
    assert arm.link_model_names == ["l1", "l2", "l3"]
    assert arm.eef_name == "l3"
    assert wrist.joint_model_names == ["j3"]
    bounds = arm.active_joint_model_bounds[0][0]
    assert (bounds.max_velocity, bounds.max_acceleration, bounds.max_jerk) == (2.0, 5.0, 80.0)
    assert model.get_joint_model_group("leg") is None
    state = RobotState(model)
    assert state.set_to_default_values("arm", "bent")
    assert state.joint_positions == {"j1": 0.5, "j2": 1.0, "j3": -1.0}
    assert not state.set_to_default_values("arm", "straight")


def test_a_joint_limit_of_an_unknown_joint_is_an_error():
    with pytest.raises(ValueError, match="no joint 'j9'"):
        RobotModel._from_text(URDF, SRDF, {"j9": {}})


def test_the_jacobian_is_the_slope_of_the_pose(model):
    state, point, step = RobotState(model), np.array([0.4, 0.1, 0.0]), 1e-6
    state.set_joint_group_positions("arm", np.array([0.3, -0.7, 1.1]))

    def place(q: np.ndarray) -> np.ndarray:
        other = copy.copy(state)
        other.set_joint_group_positions("arm", q)
        return (other.get_global_link_transform("l3") @ np.array([*point, 1.0]))[:3]

    q = state.get_joint_group_positions("arm")
    slope = np.array([(place(q + step * e) - place(q - step * e)) / (2 * step) for e in np.eye(3)]).T
    np.testing.assert_allclose(state.get_jacobian("arm", point)[:3], slope, atol=1e-8)


def test_inverse_kinematics_finds_a_pose_that_the_arm_has_and_says_no_to_one_it_has_not(model):
    state = RobotState(model)
    state.set_joint_group_positions("arm", np.array([0.3, -0.7, 1.1]))
    wanted = state.get_pose("l3")
    state.set_joint_group_positions("arm", np.array([0.1, -0.4, 0.7]))
    assert state.set_from_ik("arm", wanted, "l3", 1.0)
    found = state.get_pose("l3")
    assert abs(found.position.x - wanted.position.x) < 1e-3
    assert abs(found.position.y - wanted.position.y) < 1e-3
    before = state.get_joint_group_positions("arm")
    wanted.position.x = 3.0
    assert not state.set_from_ik("arm", wanted, "l3")
    np.testing.assert_array_equal(state.get_joint_group_positions("arm"), before)


def test_collisions_are_those_of_every_pair_one_by_one(model):
    """The broad phase and the padding against coal's distances."""
    scene = PlanningScene(model)
    scene.apply_collision_object(box("post", (0.8, 0.5, 0.0), (0.1, 0.1, 1.0)))
    looks = scene._collisions("arm", 0.05)
    random, hits = np.random.default_rng(3), 0
    for q in random.uniform(-2.9, 2.9, (300, 3)):
        nearest = looks.distances(q)[0][0]
        if abs(nearest - 0.05) > 1e-5:
            assert looks.collides(q) == (nearest < 0.05)
            hits += nearest < 0.05
    assert 30 < hits < 270


def test_padding_gives_way_where_the_robot_stands_closer_already(model):
    scene = PlanningScene(model)
    scene.apply_collision_object(box("wall", (0.7, 0.13, 0.0), (1.4, 0.18, 1.0)))  # 1 cm from the stretched arm
    looks, straight = scene._collisions("arm", 0.03), np.zeros(3)
    assert looks.collides(straight)
    assert looks.accept(straight)
    assert not looks.collides(straight)
    assert looks.collides(np.array([0.02, 0.0, 0.0]))
    looks.strict()
    assert looks.collides(straight)


def test_a_plan_goes_around_what_stands_in_the_way(model):
    scene = PlanningScene(model)
    scene.apply_collision_object(box("post", (1.0, 0.0, 0.0), (0.2, 0.2, 1.0)))
    looks = scene._collisions("arm", 0.02)
    start, goal = [-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]
    assert looks.motion_collides(np.array(start), np.array(goal))
    plan = _planner.plan(request(start, goal), looks, "RRTConnect")
    assert not isinstance(plan, int)
    np.testing.assert_allclose(plan.rows[0][[0, -1]], [start, goal], atol=1e-9)
    strict = scene._collisions("arm", 0.0)
    for first, second in zip(plan.rows[0][:-1], plan.rows[0][1:]):
        assert not strict.motion_collides(first, second)


@pytest.mark.parametrize(
    ("start", "goal", "code"),
    [
        ([0.0, 0.0, 0.0], [1.5, 0.0, 0.0], MoveItErrorCodes.START_STATE_IN_COLLISION),
        ([1.5, 0.0, 0.0], [0.0, 0.0, 0.0], MoveItErrorCodes.GOAL_IN_COLLISION),
        ([1.5, 0.0, 0.0], [1.5, 0.0, 3.0], MoveItErrorCodes.GOAL_STATE_INVALID),
        ([1.5, 0.0, 3.0], [1.5, 0.0, 0.0], MoveItErrorCodes.START_STATE_INVALID),
    ],
)
def test_what_cannot_be_planned_has_upstreams_code(model, start, goal, code):
    scene = PlanningScene(model)
    scene.apply_collision_object(box("post", (1.0, 0.0, 0.0), (0.2, 0.2, 1.0)))
    assert _planner.plan(request(start, goal), scene._collisions("arm", 0.02), "RRTConnect") == code


def test_a_goal_behind_walls_is_given_up_after_the_time(model):
    scene = PlanningScene(model)
    for name, y in (("left", 0.3), ("right", -0.3)):
        scene.apply_collision_object(box(name, (0.3, y, 0.0), (0.02, 0.5, 1.0)))
    scene.apply_collision_object(box("behind", (-0.3, 0.0, 0.0), (0.02, 1.0, 1.0)))
    asked = request([0.0, 0.0, 0.0], [2.0, 2.5, 0.0])
    asked = _planner.Request(**{**asked.__dict__, "seconds": 0.3})
    assert _planner.plan(asked, scene._collisions("arm", 0.0), "RRTConnect") in (
        MoveItErrorCodes.TIMED_OUT,
        MoveItErrorCodes.GOAL_IN_COLLISION,
    )


def test_what_is_carried_collides_and_its_holder_may_touch_it(model):
    scene = PlanningScene(model)
    scene.current_state.set_joint_group_positions("arm", np.zeros(3))
    scene.apply_collision_object(box("parcel", (1.5, 0.0, 0.0), (0.2, 0.2, 0.2)))
    scene.apply_collision_object(box("wall", (0.0, 1.6, 0.0), (1.0, 0.05, 1.0)))
    assert scene.is_state_colliding(joint_model_group_name="arm")
    take = AttachedCollisionObject(link_name="l3")
    take.object.id, take.object.operation = "parcel", CollisionObject.ADD
    assert scene.process_attached_collision_object(take)
    assert not scene.is_state_colliding(joint_model_group_name="arm")
    up = RobotState(model)
    up.set_joint_group_positions("arm", np.array([0.5 * np.pi, 0.0, 0.0]))
    answer = CollisionResult()
    scene.check_collision(CollisionRequest("arm", contacts=True, distance=True), answer, up)
    assert answer.collision
    assert ("parcel", "wall") in answer.contacts
    allowed = AllowedCollisionMatrix()
    allowed.set_entry("parcel", "wall", True)
    answer = CollisionResult()
    scene.check_collision(CollisionRequest("arm"), answer, up, allowed)
    assert not answer.collision
    scene.current_state = up
    take.object.operation = CollisionObject.REMOVE
    assert scene.process_attached_collision_object(take)
    np.testing.assert_allclose(scene.get_frame_transform("parcel")[:2, 3], [0.0, 1.5], atol=1e-9)


def test_a_timed_path_keeps_every_limit_and_rounds_its_corners():
    random, dt = np.random.default_rng(0), 0.002
    limits = Limits(np.array([1.0, 2.0, 3.0]), np.array([4.0, 3.0, 8.0]), np.array([50.0, 90.0, 70.0]))
    for _ in range(20):
        points = random.uniform(-1, 1, (random.integers(2, 7), 3))
        times, q, v, a = timed(points, limits, dt, 0.1, lambda rows: True)
        step = times[1]
        assert (np.abs(v) <= limits.velocity * (1 + 1e-6)).all()
        assert (np.abs(a) <= limits.acceleration * (1 + 1e-6)).all()
        assert (np.abs(np.diff(a, axis=0)) / step <= limits.jerk * (1 + 1e-5)).all()
        np.testing.assert_allclose(np.diff(q, axis=0) / step, 0.5 * (v[1:] + v[:-1]), atol=1e-3)
        np.testing.assert_allclose(q[[0, -1]], points[[0, -1]], atol=1e-9)
        np.testing.assert_allclose(np.abs(np.vstack([v[[0, -1]], a[[0, -1]]])), 0.0, atol=1e-6)
        for corner in points:
            assert np.linalg.norm(q - corner, axis=1).min() < 0.1 + 0.01
    corner = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    times, _, v, _ = timed(corner, limits, dt, 0.1, lambda rows: True)
    stopped_times, _, stopped, _ = timed(corner, limits, dt, 0.1, lambda rows: False)
    assert stopped_times[-1] > times[-1]
    assert np.linalg.norm(v[100:-100], axis=1).min() > 0.1
    assert np.linalg.norm(stopped[100:-100], axis=1).min() < 0.01


def test_capsules_are_put_together_from_cylinders_with_balls(model):
    text = URDF.replace(
        "</collision></link>",
        "</collision>"
        + "".join(
            f'<collision><origin xyz="{x} 0 0"/><geometry><sphere radius="0.03"/></geometry></collision>'
            for x in (0.05, 0.45)
        )
        + "</link>",
    )
    scene = PlanningScene(RobotModel._from_text(text, SRDF, {}))
    forms = [one.geometry for one in scene._collisions("arm", 0.0)._geometry.geometryObjects]
    assert len(forms) == 3
    assert all(isinstance(form, coal.Capsule) for form in forms)


def test_overlaps_are_seen_where_no_distance_is_kept():
    """A torso and a shoulder that overlap by 2 cm: asked for a margin of 0, coal says that they do not."""
    link = '<link name="{}"><collision><geometry>{}</geometry></collision></link>'
    urdf = (
        '<robot name="two">'
        + link.format("torso", '<box size="0.151 0.208 0.182"/>')
        + link.format("shoulder", '<cylinder radius="0.0335" length="0.092"/>')
        + '<joint name="j" type="revolute"><parent link="torso"/><child link="shoulder"/>'
        '<origin xyz="{} {} {}" rpy="{} {} {}"/><axis xyz="0 0 1"/>'
        '<limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>'
    ).format(*SHOULDER_IN_TORSO)
    srdf = '<robot name="two"><group name="g"><joint name="j"/></group></robot>'
    scene = PlanningScene(RobotModel._from_text(urdf, srdf, {}))
    answer = CollisionResult()
    scene.check_collision(CollisionRequest("g", distance=True), answer)
    assert answer.distance == pytest.approx(-0.0198, abs=1e-3)
    assert answer.collision


def test_no_pair_approaches_faster_than_is_thought(model):
    """One joint at a time, from random poses: what the steps between two looks are made of."""
    scene, random = PlanningScene(model), np.random.default_rng(0)
    scene.apply_collision_object(box("wall", (1.0, 1.0, 0.0), (0.1, 0.1, 0.1)))
    collisions = scene._collisions("arm", 0.01)
    tightest = 0.0
    for _ in range(200):
        q, step = random.uniform(-2.8, 2.8, 3), np.zeros(3)
        step[random.integers(3)] = 0.01
        before, after = ({(a, b): d for d, a, b in collisions.distances(x)} for x in (q, q + step))
        approach = max(abs(after[pair] - before[pair]) for pair in before)
        assert approach <= (collisions._levers @ step).max()
        tightest = max(tightest, approach / (collisions._levers @ step).max())
    assert tightest > 0.5


def test_a_path_that_was_looked_at_coarsely_counts_only_when_a_close_look_agrees(model, monkeypatch):
    """A wall so thin that the coarse look jumps over it."""
    scene = PlanningScene(model)
    scene.apply_collision_object(box("wall", (0.0, 1.0, 0.0), (0.02, 1.5, 0.4)))
    collisions = scene._collisions("arm", 0.002)
    start, goal = np.array([0.6, 0.0, 0.0]), np.array([2.6, 0.0, 0.0])
    assert not collisions.motion_collides(start, goal, 1000.0)
    assert collisions.motion_collides(start, goal)
    points = np.array([start, goal])
    monkeypatch.setattr(_planner, "_try", lambda *_: points)
    one, many = np.ones(3), np.full(3, 9.0)
    request = _planner.Request(start, goal, -3 * one, 3 * one, 0.2, 1, 0.0, Limits(one, many, many), 0.1, 0.1)
    assert _planner.plan(request, collisions, "RRTConnect") == MoveItErrorCodes.TIMED_OUT
