# SPDX-License-Identifier: Apache-2.0
"""Hands: what is measured on the person's, kinematics of the robot's, fingers, grippers, hands without joints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import daqp
import numpy as np
import pinocchio as pin
import pytest

import humanoid_description
from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_teleop.hands import person as hands_person
from humanoid_teleop.hands import solver as hands_solver
from humanoid_teleop.hands.model import HandModel, fingertips
from humanoid_teleop.hands.retargeter import HandRetargeter
from humanoid_teleop.operator import SIDES, TRACKED, WEBXR_JOINTS, Hand

DT = 0.004
ROBOTS = sorted((Path(__file__).resolve().parents[3] / "config" / "robots").glob("*.yaml"))
# WebXR: -z along the fingers, y out of the back of the hand; the thumb of a left hand is to its right, +x.
BONES = [0.03, 0.07, 0.045, 0.03, 0.025]  # [m] wrist to metacarpal, then bone by bone to the tip of a finger
TIPS = [WEBXR_JOINTS.index(name) for name in ("thumb-tip", "index-finger-tip")]


def webxr(side: str, curl: float, gap: float | None = None, thumb: float = 0.0) -> Hand:
    """A hand whose fingers are bent by `curl` [rad] in each of three joints.

    Args:
        side: "left" or "right".
        curl: [rad].
        gap: Between thumb and index, which meet in the middle of where they are [m].
        thumb: 0 away from the hand .. 1 across the palm.
    """
    inwards = 1.0 if side == "left" else -1.0
    positions = np.zeros((25, 3))
    for number, finger in enumerate(("index", "middle", "ring", "pinky")):
        place = np.array([inwards * (0.03 - 0.02 * number), 0.0, 0.0])
        angle = 0.0
        for index, joint in enumerate(name for name in WEBXR_JOINTS if name.startswith(finger)):
            place = place + BONES[index] * np.array([0.0, -np.sin(angle), -np.cos(angle)])
            positions[WEBXR_JOINTS.index(joint)] = place
            angle += curl if index else 0.0
    away, across = np.array([0.83, -0.1, -0.55]), np.array([-0.5, -0.52, -0.72])
    along = (1.0 - thumb) * away + thumb * across
    for index, joint in enumerate(name for name in WEBXR_JOINTS if name.startswith("thumb")):
        place = np.array([0.03, -0.01, -0.02]) + index * 0.036 * along / np.linalg.norm(along)
        positions[WEBXR_JOINTS.index(joint)] = place * (inwards, 1.0, 1.0)
    if gap is not None:
        apart = positions[TIPS[1]] - positions[TIPS[0]]
        half = 0.5 * (gap + hands_person.TOUCH) * apart / np.linalg.norm(apart)
        positions[TIPS] = positions[TIPS].mean(axis=0) + [-half, half]
    return Hand(True, TRACKED, positions, np.tile([0.0, 0.0, 0.0, 1.0], (25, 1)))


@pytest.fixture(params=SIDES)
def side(request) -> str:
    return request.param


@pytest.fixture(params=ROBOTS, ids=lambda path: path.stem)
def any_robot(request) -> Robot:
    return load(request.param)


_loaded: dict[Path, Robot] = {}


def load(path: Path) -> Robot:
    if path not in _loaded:
        _loaded[path] = humanoid_description.load(path)
    return _loaded[path]


@pytest.fixture
def hand(robot, settings, side) -> HandRetargeter:
    return HandRetargeter(robot, side, settings)


def settle(hand: HandRetargeter, human: Hand) -> np.ndarray:
    for _ in range(400):
        hand.update(human)
        hand.step(DT, follow=True)
        assert (hand.position >= hand._limits.lower).all()
        assert (hand.position <= hand._limits.upper).all()
    return hand.position.copy()


def pose(robot: Robot, hand: HandRetargeter, side: str, name: str) -> np.ndarray:
    """The configuration's pose inside the limits."""
    wanted = getattr(robot.config.hands[side], name)
    return hand._within(np.array([wanted[joint] for joint in hand.joints]))


def gap(hand: HandRetargeter) -> float:
    """Between the round ends of thumb and index [m]."""
    model = hand.model
    thumb, index = model.fingers.index("thumb"), model.fingers.index("index")
    places = model.tips(hand.position)
    return float(np.linalg.norm(places[thumb] - places[index]) - model.radii[thumb] - model.radii[index])


# --- the person's hand ---


def measured(hand: Hand) -> hands_person.PersonHand:
    person = hands_person.measure(hand.joint_positions, hand.joint_rotations[0])
    assert person is not None
    return person


def test_flat_hand_is_open_and_fist_is_closed(side):
    assert measured(webxr(side, 0.0)).closed == pytest.approx(np.zeros(5), abs=0.01)
    assert measured(webxr(side, 1.3, thumb=1.0)).closed == pytest.approx(np.ones(5), abs=0.01)
    assert measured(webxr(side, -0.2)).closed[1:] == pytest.approx(np.zeros(4))  # bent backwards
    halves = measured(webxr(side, 0.64, thumb=0.5)).closed
    assert ((halves > 0.3) & (halves < 0.7)).all()


def test_measure_does_not_depend_on_where_the_hand_is_nor_on_its_size(side):
    straight = webxr(side, 0.5, gap=0.03)
    before = measured(straight)
    turn = rotations.exp(np.array([0.3, -1.1, 0.7]))
    moved = 1.2 * straight.joint_positions @ rotations.matrix(turn).T + [0.4, -0.2, 1.1]
    after = hands_person.measure(moved, -1.3 * turn)
    assert after.reach == pytest.approx(before.reach)
    assert after.closed == pytest.approx(before.closed)
    assert after.gaps + hands_person.TOUCH == pytest.approx(1.2 * (before.gaps + hands_person.TOUCH))


def test_gaps_end_where_fingers_touch(side):
    assert measured(webxr(side, 0.5, gap=0.03)).gaps[0] == pytest.approx(0.03)
    assert measured(webxr(side, 0.5, gap=-0.01)).gaps[0] == 0.0


# --- kinematics ---


def test_fingertips_stay_where_they_are_on_the_links_of_the_whole_robot(any_robot, side):
    """Also through joints that mimic others: the whole robot's model is pinocchio's alone."""
    if side not in any_robot.config.hands:
        pytest.skip("no hand")
    random = np.random.default_rng(1)
    hand, whole = HandModel(any_robot, side), any_robot.pinocchio()
    limits = any_robot.limits(hand.joints)
    data, index = whole.createData(), any_robot.index(hand.joints)
    arm = any_robot.config.operator.arms[side]
    fingers = any_robot.config.hands[side].fingers.values()
    on_links = []
    for _ in range(20):
        q = any_robot.home()
        q[index] = joints = random.uniform(limits.lower, limits.upper)
        pin.framesForwardKinematics(whole, data, q)
        wrist = data.oMf[any_robot.frame_id(arm.wrist_frame)]
        wrist = pin.SE3(wrist.rotation @ arm.wrist_from_operator, wrist.translation)
        links = [data.oMf[any_robot.frame_id(finger.tip_frame)] for finger in fingers]
        on_links.append([link.actInv(wrist.act(tip)) for link, tip in zip(links, hand.tips(joints))])
    assert np.ptp(np.array(on_links), axis=0).max(initial=0.0) < 1e-9


def test_jacobians_are_derivatives(any_robot, side):
    if side not in any_robot.config.hands:
        pytest.skip("no hand")
    hand = HandModel(any_robot, side)
    limits = any_robot.limits(hand.joints)
    joints = 0.7 * limits.lower + 0.3 * limits.upper
    jacobians = np.empty((len(hand.fingers), 3, len(joints)))
    fingertips(hand.chains, joints, np.empty((len(hand.fingers), 3)), jacobians)
    for column, step in enumerate(1e-6 * np.eye(len(joints))):
        change = (hand.tips(joints + step) - hand.tips(joints - step)) / 2e-6
        assert jacobians[..., column] == pytest.approx(change, abs=1e-8)


def test_round_ends_lie_inside_the_fingers(robot, side):
    hand = HandModel(robot, side)
    assert hand.radii == pytest.approx(0.0115 * np.ones(3))  # of the capsules in urdf/unitree_g1/hand.xacro
    assert hand.lengths[1] == pytest.approx(0.0458 + 0.0225 + 0.018, abs=1e-4)


# --- fingers ---


def test_bounded_steps_arrive_at_the_low_point_within_bounds():
    random = np.random.default_rng(2)
    for size in (1, 3, 7, 11):
        for _ in range(50):
            rows = random.normal(size=(size + 2, size))
            hessian, slope = rows.T @ rows + 1e-3 * np.eye(size), 3.0 * random.normal(size=size)
            low, high = -random.uniform(0.0, 1.0, size), random.uniform(0.0, 1.0, size)
            best, *_ = daqp.solve(hessian, -slope, np.zeros((0, size)), high, low, np.zeros(size, dtype=np.int32))
            x = np.zeros(size)
            for _ in range(10):
                x = x + hands_solver._bounded_step(hessian, slope - hessian @ x, low - x, high - x)
                assert (x >= low - 1e-12).all()
                assert (x <= high + 1e-12).all()
            assert x == pytest.approx(best, abs=1e-6)


def test_grip_runs_between_the_open_and_the_closed_hand(any_robot, settings, side):
    if side not in any_robot.config.hands:
        pytest.skip("no hand")
    hand = HandRetargeter(any_robot, side, settings)
    assert settle(hand, Hand(grip=1.0)) == pytest.approx(pose(any_robot, hand, side, "closed"), abs=1e-4)
    assert settle(hand, Hand(grip=0.0)) == pytest.approx(pose(any_robot, hand, side, "open"), abs=1e-4)


def test_flat_hand_and_fist_reach_the_open_and_the_closed_hand(any_robot, settings, side):
    """Grippers too."""
    if side not in any_robot.config.hands:
        pytest.skip("no hand")
    hand = HandRetargeter(any_robot, side, settings)
    ends = {name: pose(any_robot, hand, side, name) for name in ("open", "closed")}
    assert settle(hand, webxr(side, 0.0)) == pytest.approx(ends["open"], abs=0.02)
    fist = settle(hand, webxr(side, 1.35, thumb=1.0))
    fingers = [i for i, joint in enumerate(hand.joints) if "thumb" not in joint]  # gaps to the thumb keep it away
    assert fist[fingers] == pytest.approx(ends["closed"][fingers], abs=0.12)


def test_unknown_grip_leaves_the_hand_alone(hand):
    before = settle(hand, Hand(grip=0.5))
    assert np.allclose(settle(hand, Hand()), before)
    assert np.allclose(settle(hand, Hand(grip=float("inf"))), before)


def test_one_finger_bends_alone(hand, side):
    """A pointing hand: the index stays straight, the others close."""
    pointing, flat = webxr(side, 1.35), webxr(side, 0.0)
    index = [i for i, name in enumerate(WEBXR_JOINTS) if name.startswith("index")]
    pointing.joint_positions[index] = flat.joint_positions[index]
    joints = dict(zip(hand.joints, np.abs(settle(hand, pointing))))
    assert max(joints[f"{side}_hand_index_{i}_joint"] for i in (0, 1)) < 0.05
    assert min(joints[f"{side}_hand_middle_{i}_joint"] for i in (0, 1)) > 1.4


def test_pinch_of_the_robot_is_the_persons(any_robot, settings, side):
    """Fingers that touch touch; gaps up to a few centimetres are the person's, as far as the hand can."""
    if side not in any_robot.config.hands or len(any_robot.config.hands[side].fingers) < 3:
        pytest.skip("no fingers")
    hand = HandRetargeter(any_robot, side, settings)
    gaps = {}
    for wanted in (0.05, 0.04, 0.03, 0.02, 0.01, 0.0):
        settle(hand, webxr(side, 0.6, wanted, thumb=0.3))
        gaps[wanted] = gap(hand)
    assert gaps[0.0] == pytest.approx(0.0, abs=5e-4)
    for wanted, tolerance in ((0.01, 5e-4), (0.02, 2e-3), (0.03, 5e-3)):
        assert gaps[wanted] == pytest.approx(wanted, abs=tolerance)
    assert sorted(gaps.values()) == list(gaps.values())[::-1]


def test_bad_joints_are_refused(hand, side):
    before = settle(hand, Hand(grip=0.3))
    bad = webxr(side, 0.5)
    bad.joint_positions[3, 1] = np.nan
    assert np.allclose(settle(hand, bad), before)
    bad = webxr(side, 0.5)
    bad.joint_rotations[0] = 0.0
    assert np.allclose(settle(hand, bad), before)
    bad = webxr(side, 0.5)
    bad.joint_positions *= 100.0  # centimetres
    assert np.allclose(settle(hand, bad), before)
    assert np.allclose(settle(hand, dataclasses.replace(webxr(side, 0.5), validity=0)), before)


# --- limits ---


def test_no_limit_is_passed_whatever_the_fingers_do(any_robot, settings, side):
    if side not in any_robot.config.hands:
        pytest.skip("no hand")
    hand = HandRetargeter(any_robot, side, settings)
    random = np.random.default_rng(3)
    last = hand.velocity.copy()
    for step in range(600):
        if step % 3 == 0:
            human = webxr(side, random.uniform(-0.3, 1.5), random.uniform(-0.02, 0.15), random.uniform())
            human.joint_positions += random.normal(scale=0.004, size=(25, 3))
            hand.update(human if random.uniform() < 0.8 else Hand(grip=random.uniform(-0.5, 1.5)))
        hand.step(DT, follow=step % 50 < 40)
        assert (hand.position >= hand._limits.lower).all()
        assert (hand.position <= hand._limits.upper).all()
        assert (np.abs(hand.velocity) <= hand._limits.velocity + 1e-9).all()
        assert (np.abs(hand.velocity - last) <= hand._limits.acceleration * DT + 1e-9).all()
        last = hand.velocity.copy()


def test_equal_input_gives_equal_bytes(robot, settings, side):
    def run() -> bytes:
        hand = HandRetargeter(robot, side, settings)
        out = []
        for step in range(200):
            hand.update(webxr(side, 0.6 + 0.5 * np.sin(0.1 * step), 0.03 + 0.03 * np.cos(0.17 * step)))
            hand.step(DT, follow=True)
            out.append(hand.position.copy())
        return np.array(out).tobytes()

    assert run() == run()


# --- grippers and hands without joints ---


def test_hand_without_joints_just_works(robot, settings, side):
    group = robot.config.hands[side].group
    none = dataclasses.replace(robot.config.hands[side], fingers={}, open={}, closed={}, press={})
    groups = {**robot.config.groups, group: (), "rest": robot.config.groups[group]}
    config = dataclasses.replace(robot.config, groups=groups, hands={**robot.config.hands, side: none})
    hand = HandRetargeter(dataclasses.replace(robot, config=config), side, settings)
    hand.start({})
    assert settle(hand, webxr(side, 0.5)).shape == settle(hand, Hand(grip=1.0)).shape == (0,)


def test_gripper_opens_in_proportion_to_thumb_and_index(any_robot, settings, side):
    """Shut where the person's fingers touch, wide open at SPAN, and never narrower than their gap in between."""
    if side not in any_robot.config.hands or len(any_robot.group(any_robot.config.hands[side].group)) != 1:
        pytest.skip("no gripper")
    hand = HandRetargeter(any_robot, side, settings)
    ends = {name: pose(any_robot, hand, side, name) for name in ("open", "closed")}

    def opening(joints: np.ndarray) -> float:
        places = hand.model.tips(joints)
        return float(np.linalg.norm(places[0] - places[1]))

    shut = opening(ends["closed"])
    widest = opening(ends["open"]) - shut
    for wanted in (0.0, 0.01, 0.02, 0.05, 0.08):
        found = opening(settle(hand, webxr(side, 0.3, wanted))) - shut
        assert found == pytest.approx(min(wanted * max(1.0, widest / hands_solver.SPAN), widest), abs=4e-4)
    assert settle(hand, webxr(side, 0.0, 0.12)) == pytest.approx(ends["open"], abs=2e-4)
    assert settle(hand, webxr(side, 1.35, 0.03)) == pytest.approx(ends["closed"], abs=2e-4)  # a fist closes


def test_some_robot_has_fingers_some_a_gripper_and_some_neither():
    """So that nothing above is skipped for all of them."""
    hands = [hand for path in ROBOTS for hand in load(path).config.hands.values() for _ in hand.fingers or (None,)]
    assert {min(len(hand.open), 2) for hand in hands} == {0, 1, 2}
