# SPDX-License-Identifier: Apache-2.0
"""Fingers from a grip value and from WebXR joints."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_teleop.hands import HandRetargeter
from humanoid_teleop.operator import TRACKED, WEBXR_JOINTS, Hand

DT = 0.004
# WebXR: -z along the fingers, y out of the back of the hand; the thumb of a left hand is to its right, +x.
BONES = [0.03, 0.07, 0.045, 0.03, 0.025]  # [m] wrist to metacarpal, then bone by bone to the tip of a finger


def webxr(side: str, curl: float, pinch: bool = False) -> Hand:
    """A hand whose fingers are bent by `curl` [rad] in each of three joints, or that pinches with thumb and index."""
    inwards = 1.0 if side == "left" else -1.0
    positions = np.zeros((25, 3))
    for number, finger in enumerate(("index", "middle", "ring", "pinky")):
        place = np.array([inwards * (0.03 - 0.02 * number), 0.0, 0.0])
        angle = 0.0
        for index, joint in enumerate(name for name in WEBXR_JOINTS if name.startswith(finger)):
            place = place + BONES[index] * np.array([0.0, -np.sin(angle), -np.cos(angle)])
            positions[WEBXR_JOINTS.index(joint)] = place
            angle += curl if index else 0.0
    thumb = np.array([inwards * 0.03, -0.01, -0.02])
    for index, joint in enumerate(name for name in WEBXR_JOINTS if name.startswith("thumb")):
        positions[WEBXR_JOINTS.index(joint)] = thumb + index * 0.028 * np.array([inwards * 0.7, -0.3, -0.65])
    if pinch:
        tips = [WEBXR_JOINTS.index("thumb-tip"), WEBXR_JOINTS.index("index-finger-tip")]
        positions[tips] = positions[tips].mean(axis=0) + np.array([[0, -0.004, 0], [0, 0.004, 0]])
    rotations = np.tile([0.0, 0.0, 0.0, 1.0], (25, 1))
    return Hand(engaged=True, validity=TRACKED, joint_positions=positions, joint_rotations=rotations)


@pytest.fixture(params=["left", "right"])
def side(request) -> str:
    return request.param


@pytest.fixture
def hand(robot, settings, side) -> HandRetargeter:
    return HandRetargeter(robot, side, settings)


def settle(hand: HandRetargeter, human: Hand) -> np.ndarray:
    for _ in range(400):
        hand.update(human)
        hand.step(DT, follow=True)
        assert (hand.position >= hand._limits.lower - 1e-12).all()
        assert (hand.position <= hand._limits.upper + 1e-12).all()
    return hand.position


def tips(hand: HandRetargeter) -> np.ndarray:
    return hand._fingertips(hand.position)[0]


def test_grip_runs_between_the_open_and_the_closed_hand(robot, hand, side):
    config = robot.config.hands[side]
    assert np.allclose(settle(hand, Hand(grip=1.0)), [config.closed[joint] for joint in hand.joints], atol=1e-4)
    assert np.allclose(settle(hand, Hand(grip=0.0)), [config.open[joint] for joint in hand.joints], atol=1e-4)


def test_unknown_grip_leaves_the_hand_alone(hand):
    before = settle(hand, Hand(grip=0.5)).copy()
    assert np.allclose(settle(hand, Hand()), before)
    assert np.allclose(settle(hand, Hand(grip=float("inf"))), before)


def test_straight_fingers_are_straight_and_bent_ones_bend(hand):
    fingers = [index for index, joint in enumerate(hand.joints) if "thumb" not in joint]
    straight = np.abs(settle(hand, webxr("left" if "left" in hand.joints[0] else "right", 0.0))[fingers]).max()
    bent = np.abs(settle(hand, webxr("left" if "left" in hand.joints[0] else "right", 1.3))[fingers])
    assert straight < 0.35
    assert bent.min() > 0.5


def test_a_pinch_brings_thumb_and_index_together(hand, side):
    settle(hand, webxr(side, 0.3))
    apart = np.linalg.norm(tips(hand)[0] - tips(hand)[1])
    settle(hand, webxr(side, 0.5, pinch=True))
    together = np.linalg.norm(tips(hand)[0] - tips(hand)[1])
    assert together < 0.02 < apart


def test_bad_joints_are_refused(hand, side):
    before = settle(hand, Hand(grip=0.3)).copy()
    bad = webxr(side, 0.5)
    bad.joint_positions[3, 1] = np.nan
    assert np.allclose(settle(hand, bad), before)
    bad = webxr(side, 0.5)
    bad.joint_rotations[0] = 0.0
    assert np.allclose(settle(hand, bad), before)
    bad = webxr(side, 0.5)
    bad.joint_positions *= 100.0  # centimetres
    assert np.allclose(settle(hand, bad), before)


def test_speed_and_acceleration_stay_inside_their_limits(hand):
    last = hand.velocity.copy()
    for step in range(300):
        hand.update(Hand(grip=float(step // 20 % 2)))
        hand.step(DT, follow=step % 50 < 40)
        assert (np.abs(hand.velocity) <= hand._limits.velocity + 1e-9).all()
        assert (np.abs(hand.velocity - last) <= hand._limits.acceleration * DT + 1e-9).all()
        last = hand.velocity.copy()
