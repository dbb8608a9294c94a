# SPDX-License-Identifier: Apache-2.0
"""The robot's upper body in motion: from where the wrists, chest and head are wanted to one step of the joints that
keeps every limit. Limits, tasks, solver and guard in the order in which a step passes them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from humanoid_teleop import arm_tasks
from humanoid_teleop.arm_solver import ArmSolver
from humanoid_teleop.arm_tasks import ArmPlace, Gains, Task, arm_task, find_arm, turning_rate
from humanoid_teleop.collision import SelfCollision
from humanoid_teleop.compiled import compiled, to_quaternion
from humanoid_teleop.follower import Target
from humanoid_teleop.kinematics import Chain, Frame, Pose, locate, pose_of, update
from humanoid_teleop.limits import braking_box
from humanoid_teleop.settings import Settings
from humanoid_teleop.upper_body import UpperBody

TURN_DAMPING = 1e-4  # squared, of a rotation that the waist or neck cannot take, against 1
BACK_OFF = (1.0, 0.7, 0.4, 0.2)  # shares of a step that the guard tries between it and full braking


@dataclass
class ArmPlan:
    """What an arm is to do in a step.

    Attributes:
        target: Where the wrist is wanted, from the chest, base axes.
        bend: See arm_tasks.arm_task.
        share: 0..1 of the wanted rate that is taken on.
        joined: 0..1 how far the arm has joined the person.
    """

    target: Target
    bend: np.ndarray
    share: float
    joined: float


@dataclass
class TurnPlan:
    """Where the chest or the head is wanted to face, base axes, and the 0..1 of the wanted rate that is taken on."""

    target: Target
    share: float


class Stepper:
    """Moves the joints of one robot.

    Args:
        body: Its upper body.
        settings: Limits and weights.

    Attributes:
        limits: That are kept.
        q: Joint positions (n,) [rad].
        v: Velocities of the last step (n,) [rad/s].
        arms: Where each arm is, by side.
        torso: Rotation of the torso frame, quaternion xyzw (4,).
        head: Of the head frame.
        failed: Steps for which the solver had no answer: braked.
        guarded: Steps that the guard cut back.
    """

    def __init__(self, body: UpperBody, settings: Settings) -> None:
        self._body = body
        self._collide = settings.collision
        self._slack = settings.collision_slack
        self.limits = replace(
            body.limits,
            velocity=settings.velocity_share * body.limits.velocity,
            acceleration=settings.acceleration_share * body.limits.acceleration,
        )
        limits = self.limits
        ends = limits.lower, limits.upper, limits.acceleration
        watched = settings.collision_distance, settings.collision_near, settings.collision_acceleration
        self.collision = SelfCollision(body.model, body.geometry, body.home, ends, *watched)
        self._solver = ArmSolver(
            settings.posture_weight**2 * body.posture_weights,
            settings.smoothness**2,
            settings.collision_recovery,
            settings.collision_acceleration,
        )
        self._posture_rate = settings.posture_rate
        shared = {name: getattr(settings, name) for name in Gains._fields if not name.startswith("reach")}
        self._gains = {
            side: Gains(
                **shared, reach_soft=settings.reach_soft * arm.reach, reach_hard=settings.reach_hard * arm.reach
            )
            for side, arm in body.arms.items()
        }
        self._error_rate = settings.error_rate
        self._chain = body.chain
        self._pose = pose_of(self._chain)
        self.arms: dict[str, ArmPlace] = {side: arm_tasks.arm_place() for side in body.arms}
        self._tasks: dict[str, Task] = {side: arm_tasks.task(len(arm.joints)) for side, arm in body.arms.items()}
        self._frames = {side: arm.frames for side, arm in body.arms.items()}
        self.torso, self.head = np.zeros(4), np.zeros(4)
        self.q, self.v = body.home.copy(), np.zeros(len(body.home))
        self._low, self._high, self._brake = (np.zeros(len(body.home)) for _ in range(3))
        self.failed = self.guarded = 0
        self.start(self.q)

    def start(self, q: np.ndarray) -> None:
        """Begin, at rest, at a configuration (n,) [rad]."""
        self.q, self.v = q, np.zeros(len(q))
        self._place()
        self.collision.reset(q)
        self._near = self.collision.moved(self._pose, 1.0)

    def step(self, arms: dict[str, ArmPlan], chest: TurnPlan | None, head: TurnPlan | None, dt: float) -> None:
        """Move for dt [s]. What has no plan brakes."""
        limits = self.limits
        braking_box(
            self.q,
            self.v,
            dt,
            limits.lower,
            limits.upper,
            limits.velocity,
            limits.acceleration,
            self._low,
            self._high,
            self._brake,
        )
        wanted, waist_rate = self._brake.copy(), np.zeros(3)
        if chest is not None:
            self._turn(self._body.waist, self.torso, chest, waist_rate, dt, wanted)
        rates_of(self._chain, self._pose, self._body.waist, wanted, waist_rate)
        if head is not None:
            self._turn(self._body.neck, self.head, head, waist_rate, dt, wanted)
        tasks, posture, joined = [], np.zeros(len(wanted)), 0.0
        for side, plan in arms.items():
            frames, task = self._frames[side], self._tasks[side]
            arm_task(
                self._chain,
                self._pose,
                frames,
                self.arms[side],
                plan.target,
                plan.bend,
                waist_rate,
                plan.share,
                plan.joined,
                self._gains[side],
                dt,
                task,
            )
            gain = self._posture_rate * plan.joined
            posture[frames.joints] = gain * (self._body.home - self.q)[frames.joints]
            tasks.append((frames.joints, task))
            joined = max(joined, plan.joined)
        near = self._near
        solved = self._solver.solve(
            tasks,
            posture,
            self.v,
            self._low,
            self._high,
            wanted,
            near if self._collide else type(near)(near.pair[:0], near.distance[:0], near.gradient[:0]),
            self.collision.pairs.least,
            joined,
            dt,
        )
        if solved is None:
            self.failed += 1
            solved = self._brake
        self._move(self._guarded(solved, dt), dt)

    def at_rest(self, side: str) -> None:
        """Forget what was asked of an arm."""
        self.arms[side].rate[:] = 0.0
        self.arms[side].turn_rate[:] = 0.0

    def _guarded(self, v: np.ndarray, dt: float) -> np.ndarray:
        """The step, cut back towards braking as far as it must be for the robot to stop before links touch."""
        if not self._collide:
            return v
        for share in BACK_OFF:
            tried = v if share == 1.0 else self._brake + share * (v - self._brake)
            if self.collision.could_stop(self.q, tried, dt, self._slack):
                return tried
            self.guarded += share == 1.0
        return self._brake.copy()

    def _move(self, v: np.ndarray, dt: float) -> None:
        q, limits = self.q, self.limits
        moved = q + v * dt
        inside = (q >= limits.lower) & (q <= limits.upper)
        self.q = np.where(inside, np.minimum(np.maximum(moved, limits.lower), limits.upper), moved)
        self.v = v
        self._place()
        self._near = self.collision.moved(self._pose, dt)

    def _place(self) -> None:
        update(self._chain, self.q, self._pose)
        for side, place in self.arms.items():
            find_arm(self._frames[side], self._pose, place)
        facing(self._pose, self._body.torso_frame, self.torso)
        facing(self._pose, self._body.head_frame, self.head)

    def _turn(
        self, joints: np.ndarray, at: np.ndarray, plan: TurnPlan, carried: np.ndarray, dt: float, v: np.ndarray
    ) -> None:
        """Velocities of the waist or neck, into v, towards where it should face; `carried` turns it anyhow."""
        rate = np.empty(3)
        braking = 0.5 * float(self.limits.acceleration[joints].min(initial=math.inf))
        turning_rate(at, plan.target, self._error_rate, braking, dt, rate)
        rate = plan.share * rate - carried
        home = self._posture_rate * (self._body.home - self.q)
        turn_joints(self._chain, self._pose, joints, rate, home, self._low, self._high, v)


@compiled
def facing(pose: Pose, frame: Frame, out: np.ndarray) -> None:
    """Quaternion (4,) of a frame."""
    turned, place = np.empty((3, 3)), np.empty(3)
    locate(pose, frame, turned, place)
    to_quaternion(turned, out)


@compiled
def rates_of(chain: Chain, pose: Pose, joints: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """Turn rate (3,) [rad/s] that some joints' velocities give what is beyond them."""
    for k in range(3):
        out[k] = 0.0
    for i in range(joints.shape[0]):
        if not chain.slides[joints[i] + 1]:
            for k in range(3):
                out[k] += v[joints[i]] * pose.axis[joints[i] + 1, k]


@compiled
def turn_joints(
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
