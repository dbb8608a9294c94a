# SPDX-License-Identifier: Apache-2.0
"""Compiled kinematics and distances against pinocchio and coal, and the guard against whatever a solver may say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pinocchio as pin
import pytest

import humanoid_description
from humanoid_core import rotations
from humanoid_teleop.arms import arm_solver, stepper
from humanoid_teleop.arms.collision import MOST_ROWS, SelfCollision
from humanoid_teleop.arms.distances import distance, place, placed_of, shapes_of
from humanoid_teleop.arms.kinematics import chain_of, column, pose_of, update
from humanoid_teleop.arms.stepper import Stepper
from humanoid_teleop.arms.upper_body import UpperBody


@pytest.fixture(scope="module")
def body(robot) -> UpperBody:
    return UpperBody(robot)


def anywhere(body: UpperBody, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(body.limits.lower, body.limits.upper)


@pytest.mark.parametrize("seed", range(5))
def test_places_and_jacobians_are_pinocchios(body, seed):
    q, data = anywhere(body, seed), body.model.createData()
    pose = pose_of(body.chain)
    update(body.chain, q, pose)
    pin.computeJointJacobians(body.model, data, q)
    linear, angular = np.zeros(3), np.zeros(3)
    for row in range(1, body.model.njoints):
        assert pose.place[row] == pytest.approx(data.oMi[row].translation, abs=1e-12)
        assert pose.turned[row] == pytest.approx(data.oMi[row].rotation, abs=1e-12)
        jacobian = pin.getJointJacobian(body.model, data, row, pin.LOCAL_WORLD_ALIGNED)
        for joint in np.flatnonzero(body.chain.above[row]):
            column(body.chain, pose, int(joint), pose.place[row], linear, angular)
            assert np.concatenate([linear, angular]) == pytest.approx(jacobian[:, joint], abs=1e-12)


def test_a_slide_moves_along_its_axis():
    model = pin.Model()
    first = model.addJoint(0, pin.JointModelPY(), pin.SE3(np.eye(3), np.array([0.1, 0.0, 0.0])), "lift")
    model.addJoint(first, pin.JointModelRZ(), pin.SE3(np.eye(3), np.array([0.0, 0.0, 0.2])), "turn")
    chain, data, q = chain_of(model), model.createData(), np.array([0.3, 0.5])
    pose = pose_of(chain)
    update(chain, q, pose)
    pin.forwardKinematics(model, data, q)
    assert chain.slides.tolist() == [False, True, False]
    assert pose.place[2] == pytest.approx(data.oMi[2].translation, abs=1e-12)


def test_distances_are_coals(body):
    shapes, pose = shapes_of(body.geometry), pose_of(body.chain)
    placed, results, data = placed_of(shapes), pin.GeometryData(body.geometry), body.model.createData()
    way, on_a, on_b = np.zeros(3), np.zeros(3), np.zeros(3)
    for seed in range(4):
        q = anywhere(body, seed)
        update(body.chain, q, pose)
        place(shapes, pose, placed)
        pin.updateGeometryPlacements(body.model, data, body.geometry, results, q)
        pin.computeDistances(body.geometry, results)
        for pair, result in zip(body.geometry.collisionPairs, results.distanceResults):
            for guess in (0.0, 1.0):  # from nothing, and from the last answer
                way *= guess
                found = distance(shapes, placed, pair.first, pair.second, way, on_a, on_b)
                if result.min_distance > 1e-3:
                    assert found == pytest.approx(result.min_distance, abs=1e-5)  # what coal allows for cylinders
                    gap = np.linalg.norm(on_b - on_a) - shapes.radius[pair.first] - shapes.radius[pair.second]
                    assert gap == pytest.approx(found, abs=1e-9)
                else:
                    assert found < 2e-3


def test_what_is_not_listed_is_far_and_what_is_listed_is_exact(body, settings):
    """A walk through joint space, measured with bounds by us and each pair anew by the test."""
    motion = Stepper(body, replace(settings, collision=False))
    collision, rng, dt, near_enough = motion.collision, np.random.default_rng(0), 0.01, 0.02
    shapes, placed, pairs = collision._shapes, placed_of(collision._shapes), collision.pairs
    way, on_a, on_b, drift, listed = np.zeros(3), np.zeros(3), np.zeros(3), np.zeros(len(body.home)), 0
    for step in range(200):
        if step % 40 == 0:
            drift = rng.uniform(-1.5, 1.5, len(body.home))
        motion.state.q[:] = np.clip(motion.state.q + drift * dt, body.limits.lower, body.limits.upper)
        stepper._settle(motion._body, motion.state)
        stepper.watch(body.chain, motion.state.pose, collision.parts(), dt, near_enough, 4.0)
        near = collision.near
        known = dict(zip(near.pair[: near.used[0]].tolist(), near.distance[: near.used[0]].tolist()))
        place(shapes, motion.state.pose, placed)
        for pair in range(len(pairs.first)):
            way[:] = 0.0
            true = distance(shapes, placed, pairs.first[pair], pairs.second[pair], way, on_a, on_b)
            if pair in known:
                listed += 1
                assert true < 1e-3 or known[pair] == pytest.approx(true, abs=1e-6)
            elif len(known) < MOST_ROWS:
                assert true > pairs.least[pair] + near_enough - 1e-6
    assert listed > 100


def test_gradients_are_slopes_of_distances(body, settings):
    motion = Stepper(body, settings)
    collision = motion.collision
    for seed in range(6):
        q = body.home + 0.4 * (anywhere(body, seed) - body.home)
        motion.start(q)
        near, base = collision.near, collision.near.used[0]
        listed = [(int(near.pair[i]), float(near.distance[i]), near.gradient[i].copy()) for i in range(base)]
        for joint in range(len(q)):
            step = np.zeros(len(q))
            step[joint] = 1e-6
            update(body.chain, q + step, motion.state.pose)
            place(collision._shapes, motion.state.pose, collision._placed)
            for pair, before, gradient in listed:
                way, on_a, on_b = np.zeros(3), np.zeros(3), np.zeros(3)
                first, second = collision.pairs.first[pair], collision.pairs.second[pair]
                after = distance(collision._shapes, collision._placed, first, second, way, on_a, on_b)
                if before > 0.004:
                    assert (after - before) / 1e-6 == pytest.approx(gradient[joint], abs=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_guard_alone_keeps_links_apart_whatever_the_solver_says(body, settings, monkeypatch, seed):
    """Random numbers in place of the solver: limits and distances hold all the same."""
    rng = np.random.default_rng(seed)
    push = rng.uniform(-1.0, 1.0, 14)

    def nonsense(program, size, count):
        nonlocal push
        if rng.random() < 0.05:
            push = rng.uniform(-1.0, 1.0, 14)
        return 6.0 * push[:size]

    monkeypatch.setattr(arm_solver, "solve", nonsense)
    motion = Stepper(body, settings)
    motion.wish.shares[:2] = 1.0
    motion.wish.joined[:] = 1.0
    for arm, target in zip(motion.state.arms, motion.wish.arms):
        target.position[:], target.rotation[:] = arm.points[0], arm.rotation
    referee = SelfCollision(body.model, body.geometry, body.home, (body.limits.lower, body.limits.upper), 0.0)
    dt, limits, worst, last = 0.005, motion.limits, np.inf, np.zeros(len(body.home))
    for _ in range(1200):
        motion.step(dt)
        q, v = motion.state.q, motion.state.v
        assert (q >= limits.lower - 1e-9).all()
        assert (q <= limits.upper + 1e-9).all()
        assert (np.abs(v) <= limits.velocity + 1e-9).all()
        assert (np.abs(v - last) <= limits.acceleration * dt + 1e-9).all()
        last = v.copy()
        referee.reset(q)
        worst = min(worst, referee.pairs.budget.min())
    assert motion.guarded > 20
    assert worst > settings.collision_distance - settings.collision_slack - 0.004
    assert worst < 0.03  # it did come near


def test_a_lift_is_left_where_it_is():
    lifted = humanoid_description.load(humanoid_description.find_config("agibot_g2"))
    lift = set(lifted.config.operator.lift.joints)
    body = UpperBody(lifted)
    assert lift
    assert not lift & set(body.joints)
    waist = [body.joints[index] for index in body.waist]
    assert waist == [joint for joint in lifted.config.groups["torso"] if joint not in lift]


def test_a_trunk_at_its_nearest_does_not_hold_the_arms(settings):
    """Chest and head are bent until shapes of the trunk are as near as they may be; the hands go on all the same."""
    tiangong = humanoid_description.load(humanoid_description.find_config("tiangong2_dex"))
    motion = Stepper(UpperBody(tiangong), settings)
    least, state, wish, dt = motion.collision.pairs.least, motion.state, motion.wish, 0.004
    wish.shares[:], wish.joined[:] = 1.0, 1.0
    for axis in (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])):
        for turn in (0.6, -0.6):
            motion.start(motion._body.home)
            bent = rotations.exp(turn * axis)
            wish.chest.rotation[:] = rotations.multiply(bent, state.torso)
            wish.head.rotation[:] = rotations.multiply(rotations.multiply(bent, bent), state.head)
            for arm, target in zip(state.arms, wish.arms):
                target.position[:], target.rotation[:] = arm.points[0] + (0.1, 0.0, 0.1), arm.rotation
            nearest = np.inf
            for _ in range(750):
                motion.step(dt)
                near = motion.collision.near
                for i in range(near.used[0]):
                    nearest = min(nearest, near.distance[i] - least[near.pair[i]])
            assert nearest > -motion._weights.collision_slack - 0.001, (axis, turn)
            for arm, target in zip(state.arms, wish.arms):
                assert np.linalg.norm(target.position - arm.points[0]) < 0.01, (axis, turn)
