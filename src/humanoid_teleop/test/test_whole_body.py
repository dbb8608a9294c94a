# SPDX-License-Identifier: Apache-2.0
"""Whole-body motion: what can be reached is reached, ranges and speeds hold, links stay apart (judged by coal)."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest

from humanoid_teleop.whole_body.retargeter import FASTEST, WholeBody, WholeMotion
from humanoid_teleop.whole_body.targets import WholeRobot, WholeTargets

RATE = 60.0  # [Hz]
SURE = 0.006  # [m] kept between links


@pytest.fixture(scope="module")
def whole(robot) -> WholeBody:
    return WholeBody(robot, balance=False)


@pytest.fixture(scope="module")
def free(robot) -> WholeBody:
    return WholeBody(robot, collision=False, balance=False)


def targets(robot: WholeRobot, joints: np.ndarray, base: np.ndarray) -> WholeTargets:
    """Where the tasks are in a motion of the robot's own: joints (m, n) [rad], base (m, 3) [m]."""
    data = robot.model.createData()
    positions, rotations = [], []
    for q, place in zip(joints, base):
        pin.framesForwardKinematics(robot.model, data, q)
        positions.append([data.oMf[task.frame].translation + place for task in robot.tasks])
        rotations.append([data.oMf[task.frame].rotation for task in robot.tasks])
    stands = np.zeros((len(joints), 2), dtype=bool)
    return WholeTargets(1.0 / RATE, np.array(positions), np.array(rotations), stands)


def swing(robot: WholeRobot, amounts: dict[str, float], seconds: float = 4.0, turns: float = 0.5) -> WholeTargets:
    """From home and back, some joints by some amounts [rad], while the base walks."""
    t = np.arange(0.0, seconds, 1.0 / RATE)
    joints = np.tile(robot.home, (len(t), 1))
    for joint, amount in amounts.items():
        joints[:, robot.joints.index(joint)] += amount * 0.5 * (1.0 - np.cos(2.0 * np.pi * turns * t))
    return targets(robot, joints, np.stack([0.5 * t, 0.1 * np.sin(t), 0.8 + 0.0 * t], axis=1))


# The hands through the thighs and the belly.
INTO_ITSELF = {
    f"{side}_{joint}_joint": sign * amount
    for side, sign in (("left", 1.0), ("right", -1.0))
    for joint, amount in (("shoulder_roll", -0.5), ("shoulder_yaw", -0.7))
} | {"left_shoulder_pitch_joint": 0.4, "right_shoulder_pitch_joint": 0.4, "left_hip_pitch_joint": -0.6}


def nearest(whole: WholeBody, motion: WholeMotion) -> float:
    """Smallest distance of links over a motion [m], by coal."""
    model, geometry = whole.robot.model, whole.robot.geometry
    data, found = model.createData(), geometry.createData()
    smallest = np.inf
    for q in motion.position:
        pin.computeDistances(model, data, geometry, found, q)
        smallest = min(smallest, min(result.min_distance for result in found.distanceResults))
    return float(smallest)


def fastest(motion: WholeMotion) -> float:
    return float(np.abs(np.diff(motion.position, axis=0)).max() * RATE)


def test_what_can_be_reached_is_reached(whole):
    outwards = {"left_shoulder_roll_joint": 0.5, "right_shoulder_roll_joint": -0.5}
    motion = whole.follow(swing(whole.robot, {**outwards, "right_knee_joint": 0.6, "waist_yaw_joint": 0.4}))
    heavy = [i for i, task in enumerate(whole.robot.tasks) if task.position >= 1.0]
    assert motion.error[:, heavy].max() < 5e-3
    assert motion.error[-1].max() < 1e-3
    end = 4.0 - 1.0 / RATE
    assert motion.base[-1, :2] == pytest.approx([0.5 * end, 0.1 * np.sin(end)], abs=1e-3)


def test_links_stay_apart_where_the_person_s_do_not(whole, free):
    wanted = swing(whole.robot, INTO_ITSELF)
    assert nearest(whole, free.follow(wanted)) < -0.01  # else this tests nothing
    motion = whole.follow(wanted)
    assert nearest(whole, motion) > SURE - 1e-4
    assert np.nanmin(motion.distance) == pytest.approx(nearest(whole, motion), abs=1e-4)
    last = motion.error[-1]
    assert last.max() < 2e-3  # apart again, it is where it should be


@pytest.mark.parametrize("turns", [2.0, 6.0])
def test_ranges_and_speeds_hold_however_fast_it_goes(whole, free, turns):
    wanted = swing(whole.robot, {**INTO_ITSELF, "left_knee_joint": 2.5, "right_elbow_joint": -3.0}, 2.0, turns)
    for body in (whole, free):
        motion = body.follow(wanted)
        assert (motion.position >= body.problem.lower - 1e-9).all()
        assert (motion.position <= body.problem.upper + 1e-9).all()
        assert fastest(motion) <= FASTEST + 1e-6
    assert nearest(whole, whole.follow(wanted)) > SURE - 1e-4


def test_equal_targets_give_equal_bytes(whole):
    wanted = swing(whole.robot, INTO_ITSELF, 1.0)
    first, second = whole.follow(wanted), whole.follow(wanted)
    assert first.position.tobytes() == second.position.tobytes()
    assert first.base.tobytes() == second.base.tobytes()
