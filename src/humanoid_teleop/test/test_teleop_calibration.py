# SPDX-License-Identifier: Apache-2.0
"""Measuring a person, and the scale that follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_core import rotations
from humanoid_teleop.operator import SIDES, TRACKED
from humanoid_teleop.person.calibration import CalibrationError, about_z, calibrate, yaw
from humanoid_teleop.person.mapping import BodyMapping

ARM, HALF_SHOULDERS = 0.54, 0.19  # of the person in conftest.py [m]
REACH, HALF = 0.375, 0.143  # of a robot [m]
SIGN = {"left": 1.0, "right": -1.0}


def test_arms_are_measured_bone_by_bone_in_any_pose(person):
    calibration = calibrate([person.frame(k, k) for k in range(5)])
    assert calibration.arm == pytest.approx(ARM)
    assert calibration.half_shoulders == pytest.approx(HALF_SHOULDERS)
    assert calibration.shoulder_drop == pytest.approx(1.64 - 1.43)
    assert (calibration.from_joints, calibration.heading_from_pelvis, calibration.chest) == (True, True, True)


def test_a_headset_and_two_hands_give_proportions_of_the_height(person):
    person.lost = {f"{side}_{part}" for side in SIDES for part in ("shoulder", "elbow")} | {"pelvis", "torso"}
    calibration = calibrate([person.frame(0, 0)])
    assert (calibration.from_joints, calibration.heading_from_pelvis, calibration.chest) == (False, False, False)
    assert calibration.arm == pytest.approx(0.332 * 1.64 / 0.936)
    assert calibrate([person.frame(0, 0)], height=1.9).arm == pytest.approx(0.332 * 1.9)


def test_one_bad_frame_does_not_matter(person):
    frames = [person.frame(k, k) for k in range(9)]
    frames[4].set("left_wrist", np.array([5.0, 5.0, 5.0]), validity=TRACKED)
    frames[5].set("head", np.array([0.0, 0.0, 2.4]), validity=TRACKED)
    assert calibrate(frames).arm == pytest.approx(ARM)
    assert calibrate(frames).shoulder_drop == pytest.approx(1.64 - 1.43)


def test_centimetres_and_nobody_are_refused(person):
    frame = person.frame(0, 0)
    frame.positions *= 100.0
    with pytest.raises(CalibrationError, match="unit"):
        calibrate([frame])
    with pytest.raises(CalibrationError, match="no operator frame"):
        calibrate([])
    person.lost = {"head", "left_elbow"}
    with pytest.raises(CalibrationError, match="neither"):
        calibrate([person.frame(0, 0)])


def test_a_skeleton_drawn_leaning_counts_as_upright_but_a_bow_does_not(person):
    frame = person.frame(0, 0)
    lean = rotations.exp(np.array([0.0, 0.2, 0.0]))
    frame.set("torso", frame.position("torso"), lean)
    mapping = BodyMapping(calibrate([frame]), REACH, HALF)
    assert rotations.angle(mapping.body(frame).torso, np.array([0.0, 0, 0, 1])) < 1e-6
    bow = rotations.exp(np.array([0.0, 0.8, 0.0]))
    frame.set("torso", frame.position("torso"), bow)
    assert rotations.angle(calibrate([frame]).chest_neutral, np.array([0.0, 0, 0, 1])) < 1e-6


def test_yaw_is_defined_even_bent_over(person):
    bent = rotations.multiply(about_z(0.7), rotations.exp(np.array([0.0, 1.6, 0.0])))
    assert yaw(bent) == pytest.approx(0.7)


# --- mapping ---


@pytest.fixture
def mapping(person) -> BodyMapping:
    return BodyMapping(calibrate([person.frame(0, 0)]), REACH, HALF)


def target(mapping, person, side):
    return mapping.body(person.frame(1, 1)).arms[side]


@pytest.mark.parametrize("side", SIDES)
def test_hands_that_touch_touch_and_straight_arms_are_straight(mapping, person, side):
    middle = np.array([0.0, 0.0, 1.43])
    person.wrists = {"left": middle + (0.4, 0, 0), "right": middle + (0.4, 0, 0)}
    assert target(mapping, person, side).wrist[1] == pytest.approx(0.0)
    out = middle + np.array([0.0, SIGN[side] * (ARM + HALF_SHOULDERS), 0.0])
    person.wrists[side] = out
    assert np.allclose(target(mapping, person, side).wrist, [0, SIGN[side] * (REACH + HALF), 0])
    person.wrists[side] = middle + (0.5 * ARM, SIGN[side] * HALF_SHOULDERS, -0.2)
    assert np.allclose(target(mapping, person, side).wrist[[0, 2]], [0.5 * REACH, -0.2 * REACH / ARM])


def test_mapping_back_is_the_inverse(mapping, person):
    person.wrists["left"] = np.array([0.2, 0.3, 1.2])
    wrist = target(mapping, person, "left").wrist
    assert np.allclose(mapping.operator_wrist("left", wrist), person.wrists["left"] - (0, 0, 1.43))


def test_the_tracking_space_does_not_matter(mapping, person):
    before = {side: target(mapping, person, side) for side in SIDES}
    person.heading, person.place = 2.1, np.array([3.0, -1.0, 0.5])
    for side in SIDES:
        after = target(mapping, person, side)
        assert np.allclose(after.wrist, before[side].wrist)
        assert np.allclose(after.elbow, before[side].elbow)
        assert rotations.angle(after.rotation, before[side].rotation) < 1e-6


def test_elbow_direction_is_across_the_arm(mapping, person):
    arm = target(mapping, person, "left")
    line = person.wrists["left"] - np.array([0.0, HALF_SHOULDERS, 1.43])
    assert arm.elbow @ line == pytest.approx(0.0, abs=1e-9)
    assert arm.elbow[2] < -0.1  # it hangs down


def test_what_is_lost_is_none(mapping, person):
    person.lost = {"left_wrist"}
    body = mapping.body(person.frame(1, 1))
    assert body.arms["left"] is None
    assert body.arms["right"] is not None
    person.lost = {"right_shoulder"}
    assert mapping.body(person.frame(1, 1)).arms == {"left": None, "right": None}
    person.lost = {"pelvis"}
    assert mapping.body(person.frame(1, 1)).arms == {"left": None, "right": None}
    person.lost = {"left_elbow"}
    assert not mapping.body(person.frame(1, 1)).arms["left"].elbow.any()
