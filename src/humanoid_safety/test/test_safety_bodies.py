# SPDX-License-Identifier: Apache-2.0
"""Whole robots: distances, speeds and torques of the kernel against pinocchio, coal and the referee."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pinocchio
import pytest

from humanoid_description import load
from humanoid_safety.body_model import BodySettings
from humanoid_safety.body_referee import BodyReferee
from humanoid_safety.limiter import Limiter, Reason
from humanoid_safety.referee import Bounds, violations
from humanoid_safety.robot_limits import bodies, commanded_limits, fingers
from humanoid_safety.surroundings import Surroundings, Table

ROBOTS = sorted((Path(__file__).parents[3] / "config" / "robots").glob("*.yaml"))
SETTINGS = BodySettings(0.01, 0.01, 2.5, 2.0, 0.04, 0.002, 0.001)
AROUND = Surroundings((Table("table", (0.6, 0.0), (0.5, 1.2), 0.6),), (-0.6, -1.1, 0.05), (1.1, 1.1, 2.3))


@pytest.fixture(scope="module", params=ROBOTS, ids=lambda path: path.stem)
def robot(request):
    return load(request.param)


def limiter_of(robot, rate=500.0, settings=SETTINGS, around=AROUND):
    limits = commanded_limits(robot)
    limiter = Limiter(limits, 1.0 / rate, 0.7, bodies(robot, around, settings))
    everyone = np.ones(len(limits.names), dtype=bool)
    start = np.clip(robot.home()[robot.index(limits.names)], limits.lower, limits.upper)
    limiter.place(start, everyone)
    limiter.begin(everyone)
    return limiter, start


def judge_of(robot, speeds=(2.5, 2.0), workspace=(AROUND.lower, AROUND.upper)):
    limits = commanded_limits(robot)
    points = {hand.gripper_frame: speeds[0] for hand in robot.config.hands.values()}
    points |= {robot.arm(side).elbow_frame: speeds[1] for side in robot.config.operator.arms}
    table = AROUND.tables[0]
    box = np.array([*table.size, table.height]), np.array([*table.position, 0.5 * table.height])
    return BodyReferee(robot, limits.names, fingers(robot), points, 0.01, 0.01, {"table": box}, workspace)


def test_referee_poses_are_those_of_pinocchio(robot):
    limits, rng = commanded_limits(robot), np.random.default_rng(0)
    rows = rng.uniform(limits.lower, limits.upper, (4, len(limits.names)))
    judge, model = judge_of(robot), robot.pinocchio()
    data, q, memory = model.createData(), robot.home(), {}
    for row, commands in enumerate(rows):
        q[robot.index(limits.names)] = commands
        pinocchio.framesForwardKinematics(model, data, q)
        for link in robot.config.frames.values():
            rotation, origin = judge._chain(link, rows, memory)
            pose = data.oMf[robot.frame_id(link)]
            assert np.allclose(pose.translation, origin[row], atol=1e-12)
            assert np.allclose(pose.rotation, rotation[row], atol=1e-12)


def test_torques_are_those_of_inverse_dynamics(robot):
    limiter, start = limiter_of(robot, around=replace(AROUND, tables=()))
    rng, model, q = np.random.default_rng(1), robot.pinocchio(), robot.home()
    index = robot.index(limiter.limits.names)
    for _ in range(30):
        position, moved = limiter.position, limiter.moved
        command = limiter.follow(start + rng.normal(0, 0.3, len(start)))
        velocity, acceleration = np.zeros(model.nv), np.zeros(model.nv)
        q[index] = command
        velocity[index] = (command - position) / limiter.period
        acceleration[index] = (command - position - moved) / limiter.period**2
        expected = pinocchio.rnea(model, model.createData(), q, velocity, acceleration)[index]
        assert np.allclose(limiter.torque, expected, atol=1e-6)


def test_hostile_requests_break_no_limit_of_any_robot(robot):
    rate = 500.0  # the others: make soak-safety
    limiter, start = limiter_of(robot, rate)
    limits, rng, out = limiter.limits, np.random.default_rng(2), [start]
    for number in range(8):
        goal = rng.uniform(limits.lower - 1, limits.upper + 1)
        for k in range(60):
            shaken = rng.normal(0, 0.2, len(start)) if number % 3 == 0 else 0.0
            out.append(limiter.stop() if number % 4 == 3 and k < 20 else limiter.follow(goal + shaken))
    commands = np.array(out)
    bounds = Bounds(limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, 1.0 / rate)
    assert violations(commands, bounds) == {}
    verdict = judge_of(robot).judge(commands, 1.0 / rate)
    assert (verdict.too_near, verdict.outside, verdict.too_fast) == (0, 0, 0), verdict
    # ... and something was in the way: hands were driven at full speed, or bodies were met.
    assert max(verdict.fastest.values()) > 0.9 or verdict.nearest < 0.02


def test_referee_sees_what_a_blind_limiter_does(robot):
    limits, rng = commanded_limits(robot), np.random.default_rng(2)
    blind = Limiter(limits, 0.002, 0.7)
    everyone = np.ones(len(limits.names), dtype=bool)
    start = np.clip(robot.home()[robot.index(limits.names)], limits.lower, limits.upper)
    blind.place(start, everyone)
    blind.begin(everyone)
    out = [start]
    for _ in range(10):
        goal = rng.uniform(limits.lower, limits.upper)
        out += [blind.follow(goal) for _ in range(150)]
    verdict = judge_of(robot).judge(np.array(out), 0.002)
    assert verdict.too_fast > 10
    assert verdict.too_near > 0 or robot.config.name == "agibot_g2"  # its slow lift keeps it clear in this time


def test_motion_along_a_table_goes_on_where_motion_into_it_ends():
    robot = load(ROBOTS[-1])
    table = Table("table", (0.45, 0.0), (0.5, 1.4), 0.70)
    limiter, start = limiter_of(robot, around=replace(AROUND, tables=(table,)))
    names, frame = list(limiter.limits.names), robot.config.hands["left"].gripper_frame
    model = robot.pinocchio()
    data, q, index = model.createData(), robot.home(), robot.index(names)
    press, swing = names.index("left_elbow_joint"), names.index("left_shoulder_yaw_joint")
    heights, sides = [], []
    for k in range(3000):
        request = start.copy()
        request[press] += min(1.0, 0.001 * k)  # ever further down into the table
        request[swing] += 0.4 * np.sin(0.003 * max(k - 1200, 0))
        q[index] = limiter.follow(request)
        pinocchio.framesForwardKinematics(model, data, q)
        heights.append(data.oMf[robot.frame_id(frame)].translation[2])
        sides.append(data.oMf[robot.frame_id(frame)].translation[1])
    assert limiter.reasons[press] & Reason.COLLISION
    assert np.ptp(sides[1200:]) > 0.05  # it slides
    assert limiter.position[press] < start[press] + 0.95  # it does not go in


def test_hands_stay_in_the_workspace_that_the_referee_sees_them_leave_without_it(robot):
    reach = bodies(robot, AROUND, SETTINGS)
    limiter, start = limiter_of(robot)
    at = {reach.names[b]: limiter._native["bound"][p] for p, b in enumerate(reach.second)}
    near = at["workspace, greatest x"]
    tight = replace(AROUND, upper=(AROUND.upper[0] - near + 0.02, 1.1, 2.3))
    judge = judge_of(robot, workspace=(tight.lower, tight.upper))
    rng, limits = np.random.default_rng(4), limiter.limits
    goals = [rng.uniform(limits.lower, limits.upper) for _ in range(3)]
    for around, left in ((AROUND, True), (tight, False)):
        limiter, _ = limiter_of(robot, around=around)
        out = [start, *(limiter.follow(goal) for goal in goals for _ in range(250))]
        assert (judge.judge(np.array(out), 0.002).outside > 0) == left


def test_a_hand_is_slowed_down_to_its_limit_and_the_other_goes_on():
    robot = load(ROBOTS[-1])
    slow = replace(SETTINGS, hand_speed=0.2)
    limiter, start = limiter_of(robot, settings=slow, around=replace(AROUND, tables=()))
    goal, names = start.copy(), limiter.limits.names
    goal[names.index("left_shoulder_pitch_joint")] -= 0.6
    goal[names.index("right_wrist_roll_joint")] += 0.3
    out = np.array([start, *(limiter.follow(goal) for _ in range(900))])
    verdict = judge_of(robot, speeds=(0.2, 2.0)).judge(out, 0.002)
    assert verdict.too_fast == 0
    assert 0.95 < max(verdict.fastest["l_gripper"], 0.0) <= 1.0
    assert np.array_equal(out[-1], goal)  # slower, but it arrives
    roll = out[:, names.index("right_wrist_roll_joint")]
    assert np.argmax(roll == roll[-1]) < 300  # the other hand was not held up


def test_legs_that_sway_are_taken_into_account():
    robot = load(ROBOTS[-1])
    limiter, _ = limiter_of(robot)
    before = limiter._native["bound"].copy()
    limiter.others(list(robot.joints), robot.home() + 0.05)
    assert not np.array_equal(before, limiter._native["bound"])


def test_what_is_promised_does_not_give_way_to_errors_of_measured_distances():
    robot = load(ROBOTS[-1])
    limiter, start = limiter_of(robot)
    native, names = limiter._native, limiter.limits.names
    pair = int(np.argmin(native["bound"] - native["least"]))
    # As if this pair measured 0.3 um too small where it must stay.
    promised = native["bound"][pair] + 3e-7
    native["least"][pair] = native["allowed"][pair] = promised
    rng, moved = np.random.default_rng(5), np.zeros(len(names), dtype=bool)
    for _ in range(300):
        moved |= limiter.follow(start + rng.normal(0.0, 0.05, len(start))) != start
        assert native["allowed"][pair] == promised
    limiter._native.look(anew=False)
    assert native["bound"][pair] >= promised - 5e-7
    assert moved.any()  # and nothing is stuck


def test_a_pair_that_starts_just_far_enough_may_come_no_nearer_than_it_must():
    robot = load(ROBOTS[-1])
    nearest = float(limiter_of(robot)[0]._native["bound"].min())
    tight, _ = limiter_of(robot, settings=replace(SETTINGS, self_distance=nearest - 0.0005))
    assert (tight._native["allowed"] == tight._native["least"]).all()
