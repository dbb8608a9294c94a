# SPDX-License-Identifier: Apache-2.0
"""The robot's upper body in motion: from where the wrists, chest and head are wanted to one step of the joints that
keeps every limit.

A step is two compiled parts with the solver between them: `_plan` makes limits and tasks a quadratic program, `_take`
lets its answer through the guard and moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from humanoid_teleop.arms import arm_solver
from humanoid_teleop.arms.arm_solver import add_arm, add_bounds, approach
from humanoid_teleop.arms.arm_tasks import (
    RATE,
    ROWS,
    TURN_RATE,
    ArmFrames,
    ArmPlace,
    Gains,
    Program,
    arm_place,
    arm_task,
    find_arm,
    turning_rate,
)
from humanoid_teleop.arms.collision import Links, SelfCollision, could_stop, watch
from humanoid_teleop.arms.kinematics import Chain, Frame, Pose, locate, pose_of, update
from humanoid_teleop.arms.limits import braking_box
from humanoid_teleop.arms.upper_body import UpperBody
from humanoid_teleop.compiled import compiled, to_quaternion
from humanoid_teleop.operator import SIDES
from humanoid_teleop.person.follower import Target, no_target
from humanoid_teleop.settings import Settings

TURN_DAMPING = 1e-4  # squared, of a rotation that the waist or neck cannot take, against 1
BACK_OFF = (1.0, 0.7, 0.4, 0.2)  # shares of a step that the guard tries between it and full braking
PARTS = ((0, 1), (0, 0), (1, 1))  # then these arms alone, one of them twice: what is stuck at rest holds no others


class Body(NamedTuple):
    """What does not change.

    Attributes:
        chain: The joints.
        arms: Left and right.
        torso: Frame of the chest.
        head: Frame of the head.
        chest: Middle between the shoulders in the torso frame (3,) [m].
        waist: Numbers of the waist's joints.
        neck: Of the neck's.
        home: (n,) [rad].
        lower: Limits (n,) [rad].
        upper: (n,) [rad].
        velocity: (n,) [rad/s].
        acceleration: (n,) [rad/s2].
        posture_weight: Squared (n,).
    """

    chain: Chain
    arms: tuple[ArmFrames, ArmFrames]
    torso: Frame
    head: Frame
    chest: np.ndarray
    waist: np.ndarray
    neck: np.ndarray
    home: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    posture_weight: np.ndarray


class State(NamedTuple):
    """Where the body is: joints (n,) [rad], velocities (n,) [rad/s], pose, arms, and where chest and head face (4,)."""

    q: np.ndarray
    v: np.ndarray
    pose: Pose
    arms: tuple[ArmPlace, ArmPlace]
    torso: np.ndarray
    head: np.ndarray


class Wish(NamedTuple):
    """Where the body is wanted at the end of a step, base axes. What has no share brakes.

    Attributes:
        arms: Wrists from the chest, left and right.
        bends: See arm_tasks.arm_task (2, 3).
        chest: Only its rotation.
        head: Only its rotation.
        shares: Of arms left and right, chest, head (4,): 0..1 of the wanted rate that is taken on; negative: none.
        joined: 0..1 how far each arm has joined the person (2,).
    """

    arms: tuple[Target, Target]
    bends: np.ndarray
    chest: Target
    head: Target
    shares: np.ndarray
    joined: np.ndarray


class Weights(NamedTuple):
    """Of settings.py."""

    posture_rate: float
    smoothness: float
    collision_recovery: float
    collision_acceleration: float
    collision_near: float
    collision_slack: float


class Step(NamedTuple):
    """What is worked out anew in each step.

    Attributes:
        span: Its length (1,) [s].
        braking: Way to stop that was found good (n,) [rad/s2].
        wanted: Velocities (n,) [rad/s].
        brake: Those of braking (n,) [rad/s].
        answer: Those of the arms, in the program's order (m,) [rad/s].
        program: The arms' quadratic program.
        counts: How many variables and rows that has (2,).
    """

    span: np.ndarray
    braking: np.ndarray
    wanted: np.ndarray
    brake: np.ndarray
    answer: np.ndarray
    program: Program
    counts: np.ndarray


class Stepper:
    """Moves the joints of one robot.

    Args:
        body: Its upper body.
        settings: Limits and weights.

    Attributes:
        limits: That are kept.
        state: Where the robot is.
        arms: Where each arm is, by side.
        wish: To be filled before a step.
        collision: Of the links.
        failed: Steps for which the solver had no answer: braked.
        guarded: Steps that the guard cut back.
    """

    def __init__(self, body: UpperBody, settings: Settings) -> None:
        self.limits = replace(
            body.limits,
            velocity=settings.velocity_share * body.limits.velocity,
            acceleration=settings.acceleration_share * body.limits.acceleration,
        )
        limits, size = self.limits, len(body.home)
        self._body = Body(
            chain=body.chain,
            arms=(body.arms["left"].frames, body.arms["right"].frames),
            torso=body.torso_frame,
            head=body.head_frame,
            chest=body.chest,
            waist=body.waist,
            neck=body.neck,
            home=body.home,
            lower=limits.lower,
            upper=limits.upper,
            velocity=limits.velocity,
            acceleration=limits.acceleration,
            posture_weight=settings.posture_weight**2 * body.posture_weights,
        )
        values = {name: getattr(settings, name) for name in Gains._fields if not name.startswith("reach")}
        soft, hard = settings.reach_soft, settings.reach_hard
        left, right = (
            Gains(**values, reach_soft=soft * body.arms[side].reach, reach_hard=hard * body.arms[side].reach)
            for side in SIDES
        )
        self._gains = left, right
        self._weights = Weights(*(float(getattr(settings, name)) for name in Weights._fields))
        self.collision = SelfCollision(
            body.model, body.geometry, body.home, (limits.lower, limits.upper), settings.collision_distance
        )
        self._collide = settings.collision
        self._program = arm_solver.program(sum(len(body.arms[side].joints) for side in SIDES))
        places = arm_place(), arm_place()
        self.arms: dict[str, ArmPlace] = dict(zip(SIDES, places))
        self.state = State(body.home.copy(), np.zeros(size), pose_of(body.chain), places, np.zeros(4), np.zeros(4))
        self.wish = Wish(
            (no_target(), no_target()), np.zeros((2, 3)), no_target(), no_target(), np.full(4, -1.0), np.zeros(2)
        )
        self._wanted, self._brake, self._braking = np.zeros(size), np.zeros(size), limits.acceleration.copy()
        self._answer, self._span = np.zeros_like(self._program.gradient), np.zeros(1)
        self._counts = np.zeros(2, dtype=np.int64)
        step = Step(self._span, self._braking, self._wanted, self._brake, self._answer, self._program, self._counts)
        links = self.collision.parts()
        self._plan = _plans(self._body, self.state, self.wish, self._gains, self._weights, links, self._collide, step)
        self._take = _takes(self._body, self.state, self._weights, links, self.collision.reaches, self._collide, step)
        self.failed = self.guarded = 0
        self.start(self.state.q)

    def start(self, q: np.ndarray) -> None:
        """Begin, at rest, at a configuration (n,) [rad]."""
        self.state.q[:], self.state.v[:] = q, 0.0
        self._braking[:] = self._body.acceleration
        self.collision.reset(q)
        _settle(self._body, self.state)
        near = self._weights.collision_near, self._weights.collision_acceleration
        watch(self._body.chain, self.state.pose, self.collision.parts(), 1.0, *near)

    def step(self, dt: float) -> None:
        """Move for dt [s] as wished."""
        self._span[0] = dt
        next(self._plan)
        size, count = self._counts.tolist()
        if size:
            answer = arm_solver.solve(self._program, size, count)
            if answer is None:
                self.failed += 1
                answer, self._wanted[:] = self._brake[self._program.columns[:size]], self._brake
            self._answer[:size] = answer
        self.guarded += not next(self._take)

    def at_rest(self, side: str) -> None:
        """Forget what was asked of an arm."""
        self.arms[side].points[RATE : TURN_RATE + 1] = 0.0


@compiled
def _settle(body: Body, state: State) -> None:
    """Places of a configuration."""
    update(body.chain, state.q, state.pose)
    for side in range(2):
        find_arm(body.arms[side], body.torso, body.chest, state.pose, state.arms[side])
    turned, place = np.empty((3, 3)), np.empty(3)
    locate(state.pose, body.torso, turned, place)
    to_quaternion(turned, state.torso)
    locate(state.pose, body.head, turned, place)
    to_quaternion(turned, state.head)


@compiled
def _plans(
    body: Body,
    state: State,
    wish: Wish,
    gains: tuple[Gains, Gains],
    weights: Weights,
    links: Links,
    collide: bool,
    step: Step,
) -> Iterator[bool]:
    """Plan a step whenever the next is asked for."""
    while True:
        _plan(body, state, wish, gains, weights, links, collide, step)
        yield True


@compiled
def _takes(
    body: Body, state: State, weights: Weights, links: Links, reaches: np.ndarray, collide: bool, step: Step
) -> Iterator[bool]:
    """Take a step whenever the next is asked for, and tell whether it passed whole."""
    while True:
        yield _take(body, state, weights, links, reaches, collide, step)


@compiled
def _plan(
    body: Body,
    state: State,
    wish: Wish,
    gains: tuple[Gains, Gains],
    weights: Weights,
    links: Links,
    collide: bool,
    step: Step,
) -> None:
    """Velocities of waist and neck into `step.wanted`, those of braking into `step.brake`, and the arms' program."""
    dt, braking, wanted, brake = step.span[0], step.braking, step.wanted, step.brake
    program, counts = step.program, step.counts
    chain, pose, n = body.chain, state.pose, state.q.shape[0]
    low, high, home_rate = np.empty(n), np.empty(n), np.empty(n)
    braking_box(state.q, state.v, dt, body.lower, body.upper, body.velocity, body.acceleration, low, high, brake)
    for j in range(n):
        slower = state.v[j] - math.copysign(min(abs(state.v[j]), braking[j] * dt), state.v[j])
        wanted[j] = brake[j] = min(max(slower, low[j]), high[j])
        home_rate[j] = weights.posture_rate * (body.home[j] - state.q[j])
    waist_rate, rate = np.zeros(3), np.empty(3)
    error_rate = gains[0].error_rate
    if wish.shares[2] >= 0.0:
        hardest = _half_braking(body, body.waist)
        turning_rate(state.torso, wish.chest, error_rate, hardest, dt, rate)
        for k in range(3):
            rate[k] *= wish.shares[2]
        _turn_joints(chain, pose, body.waist, rate, home_rate, low, high, wanted)
    for i in range(body.waist.shape[0]):
        row = body.waist[i] + 1
        if not chain.slides[row]:
            for k in range(3):
                waist_rate[k] += wanted[row - 1] * pose.axis[row, k]
    if wish.shares[3] >= 0.0:
        turning_rate(state.head, wish.head, error_rate, _half_braking(body, body.neck), dt, rate)
        for k in range(3):
            rate[k] = wish.shares[3] * rate[k] - waist_rate[k]
        _turn_joints(chain, pose, body.neck, rate, home_rate, low, high, wanted)
    pairs = links.near.used[0] if collide else 0
    for i in range(pairs):
        _keep_apart(body, links, i, weights.collision_acceleration, dt, brake, wanted)
    size, joined = 0, 0.0
    for side in range(2):
        arm = body.arms[side]
        if wish.shares[side] < 0.0:
            continue
        jacobian, rates = np.empty((ROWS, arm.joints.shape[0])), np.empty(ROWS)
        damping = arm_task(
            chain,
            pose,
            arm,
            state.arms[side],
            wish.arms[side],
            wish.bends[side],
            waist_rate,
            wish.shares[side],
            wish.joined[side],
            gains[side],
            dt,
            jacobian,
            rates,
        )
        for i in range(arm.joints.shape[0]):
            home_rate[arm.joints[i]] *= wish.joined[side]
        add_arm(
            jacobian,
            rates,
            damping,
            arm.joints,
            home_rate,
            body.posture_weight,
            state.v,
            weights.smoothness**2,
            size,
            program,
        )
        size += arm.joints.shape[0]
        joined = max(joined, wish.joined[side])
    recovery = weights.collision_recovery * joined
    counts[0] = size
    counts[1] = add_bounds(
        links.near,
        pairs,
        links.pairs.least,
        low,
        high,
        wanted,
        recovery,
        weights.collision_acceleration,
        dt,
        size,
        program,
    )


@compiled
def _take(
    body: Body, state: State, weights: Weights, links: Links, reaches: np.ndarray, collide: bool, step: Step
) -> bool:
    """Take the step with the arms' `answer`, cut back as far as it must be for the robot to stop before links touch;
    whether it passed whole.

    There are two ways to stop: each joint as hard as it can, and all joints in the time that the slowest needs, as
    hands that move close to each other must. `braking` (n,) [rad/s2] is the one that was found good, and `brake` the
    step of the one that was found good a step before.
    """
    dt, braking, wanted, brake, program = step.span[0], step.braking, step.wanted, step.brake, step.program
    n, slack, before = state.q.shape[0], weights.collision_slack, braking.copy()
    for i in range(step.counts[0]):
        wanted[program.columns[i]] = min(max(step.answer[i], program.lower[i]), program.upper[i])
    fine, trial = False, np.empty(n)
    for attempt in range(len(BACK_OFF) + len(PARTS)):
        trial[:] = brake
        if attempt < len(BACK_OFF):
            for j in range(n):
                trial[j] += BACK_OFF[attempt] * (wanted[j] - brake[j])
        else:
            for side in PARTS[attempt - len(BACK_OFF)]:
                for j in body.arms[side].joints:
                    trial[j] = 0.0
            if trial.any():
                continue
            for side in PARTS[attempt - len(BACK_OFF)]:
                for j in body.arms[side].joints:
                    trial[j] = wanted[j]
        braking[:] = body.acceleration
        fine = not collide or could_stop(body.chain, links, reaches, state.q, trial, braking, dt, slack)
        if not fine:
            _together(body, state.q, trial, dt, braking)
            fine = could_stop(body.chain, links, reaches, state.q, trial, braking, dt, slack)
        if fine:
            break
    if not fine:
        braking[:], trial[:] = before, brake
    for j in range(n):
        moved = trial[j]
        inside = body.lower[j] <= state.q[j] <= body.upper[j]
        state.q[j] += moved * dt
        state.v[j] = moved
        if inside:  # rounding
            state.q[j] = min(max(state.q[j], body.lower[j]), body.upper[j])
    _settle(body, state)
    watch(body.chain, state.pose, links, dt, weights.collision_near, weights.collision_acceleration)
    return fine and attempt == 0


@compiled
def _together(body: Body, q: np.ndarray, v: np.ndarray, dt: float, out: np.ndarray) -> None:
    """Braking (n,) [rad/s2] that stops all joints, after a step with velocities v, at one time; sooner those that come
    to an end of their range."""
    longest = 0.0
    for j in range(v.shape[0]):
        longest = max(longest, abs(v[j]) / body.acceleration[j])
    for j in range(v.shape[0]):
        out[j] = body.acceleration[j]
        if v[j] != 0.0:
            end = body.upper[j] if v[j] > 0.0 else body.lower[j]
            room = max(abs(end - q[j]) - abs(v[j]) * dt, 1e-9)
            out[j] = min(max(abs(v[j]) / longest, 0.5 * v[j] * v[j] / room), out[j])


@compiled
def _keep_apart(
    body: Body, links: Links, pair: int, braking: float, dt: float, brake: np.ndarray, wanted: np.ndarray
) -> None:
    """Slow waist and neck, in `wanted` (n,) [rad/s] towards `brake`, where they bring the links of a near pair too near
    that no arm can part. The joints that part them go on."""
    near = links.near
    room = max(near.distance[pair] - links.pairs.least[near.pair[pair]], 0.0)
    speed = approach(room, braking, dt)
    closing = parting = 0.0
    for arm in body.arms:
        for i in range(arm.joints.shape[0]):
            if near.gradient[pair, arm.joints[i]] != 0.0:
                return
    for j in range(wanted.shape[0]):
        rate = near.gradient[pair, j] * wanted[j]
        closing += min(rate, 0.0)
        parting += max(rate, 0.0)
    if closing + parting >= -speed:
        return
    share = (speed + parting) / -closing
    for j in range(wanted.shape[0]):
        if near.gradient[pair, j] * wanted[j] < 0.0:
            wanted[j] = brake[j] + share * (wanted[j] - brake[j])


@compiled
def _half_braking(body: Body, joints: np.ndarray) -> float:
    """Half of what the weakest of some joints brakes with [rad/s2]."""
    weakest = math.inf
    for i in range(joints.shape[0]):
        weakest = min(weakest, body.acceleration[joints[i]])
    return 0.5 * weakest


@compiled
def _turn_joints(
    chain: Chain,
    pose: Pose,
    joints: np.ndarray,
    rate: np.ndarray,
    home: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    v: np.ndarray,
) -> None:
    """Velocities of some joints, into v, that give a turn rate (3,) as well as they can: damped least squares, clipped.

    What the rotation leaves free goes home at rates `home` (n,).
    """
    n = joints.shape[0]
    normal, right = np.zeros((n, n)), np.zeros(n)
    for i in range(n):
        right[i] = TURN_DAMPING * home[joints[i]]
        if not chain.slides[joints[i] + 1]:
            for k in range(3):
                right[i] += pose.axis[joints[i] + 1, k] * rate[k]
        for j in range(n):
            if not (chain.slides[joints[i] + 1] or chain.slides[joints[j] + 1]):
                for k in range(3):
                    normal[i, j] += pose.axis[joints[i] + 1, k] * pose.axis[joints[j] + 1, k]
        normal[i, i] += TURN_DAMPING
    # Gauss-Jordan; the matrix is positive definite
    for i in range(n):
        pivot = normal[i, i]
        for j in range(n):
            normal[i, j] /= pivot
        right[i] /= pivot
        for m in range(n):
            if m != i:
                factor = normal[m, i]
                for j in range(n):
                    normal[m, j] -= factor * normal[i, j]
                right[m] -= factor * right[i]
    for i in range(n):
        v[joints[i]] = min(max(right[i], low[joints[i]]), high[joints[i]])
