# SPDX-License-Identifier: Apache-2.0
"""Whole-body motion offline: a motion-captured clip as base pose and joint positions of a legged robot, as a reference
for those who train or play motions. (On a real biped the maker's balance controller owns the legs.)

Each frame is a few Gauss-Newton steps from the frame before towards all of the person's body parts at once, inside
joint ranges and true speed limits (what a joint may turn from one frame to the next), with the centre of mass drawn
over the standing feet. Pairs of links that are near are rows of each step: they stay APART, to first order. What
second order leaves is taken back: the joints between such links go as far towards the frame before as they must.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np

from humanoid_description import Robot
from humanoid_teleop.arms.arm_solver import SOFT
from humanoid_teleop.arms.collision import MOST_ROWS, SelfCollision
from humanoid_teleop.arms.kinematics import Pose, chain_of, frame_of, pose_of, update
from humanoid_teleop.compiled import compiled
from humanoid_teleop.recordings.motion import OperatorMotion
from humanoid_teleop.whole_body.steps import (
    Problem,
    Step,
    go_back,
    keep_apart,
    look,
    move,
    plan,
    solve,
    too_near,
    write,
)
from humanoid_teleop.whole_body.targets import WholeRobot, WholeTargets, whole_targets

STEPS, MOST_STEPS = 2, 6  # Gauss-Newton steps a frame, and where links are too near after those
SETTLING = 40  # steps for the first frame
BALANCE = 0.3  # weight [1/m] of the centre of mass
APART = 0.01  # [m] between links
WATCHED, WATCHED_STEP = 0.04, 4.0  # [m], [m/s] beyond that, pairs are watched: as far as hands go in a frame
FASTEST = 12.0  # [rad/s] of any joint: people's stay below in all but throws


@dataclass(frozen=True)
class WholeMotion:
    """A robot's motion over m frames.

    Attributes:
        period: Between frames [s].
        base: Place (m, 3) [m] and quaternion xyzw of the base (m, 7).
        joints: n names.
        position: (m, n) [rad].
        error: Of each task's place (m, t) [m].
        turn_error: Of its rotation (m, t) [rad].
        distance: Of the nearest pair of links (m,) [m]; NaN where none is near, or they are not kept apart.
        balance: How far the centre of mass is outside the standing feet (m,) [m]; 0 inside, NaN where none stands.
        targets: That were followed.
    """

    period: float
    base: np.ndarray
    joints: tuple[str, ...]
    position: np.ndarray
    error: np.ndarray
    turn_error: np.ndarray
    distance: np.ndarray
    balance: np.ndarray
    targets: WholeTargets


class WholeBody:
    """Follows whole-body motion with one robot.

    Args:
        robot: The robot.
        collision: Keep links apart.
        balance: Draw the centre of mass over the standing feet.
    """

    def __init__(self, robot: Robot, collision: bool = True, balance: bool = True) -> None:
        self.robot = WholeRobot(robot)
        model, tasks = self.robot.model, self.robot.tasks
        chain = chain_of(model)
        frames = [frame_of(model, task.frame) for task in tasks]
        names = [task.name for task in tasks]
        limits = robot.limits(self.robot.joints)
        # What a configuration lets a leg do while the maker's controller stands on it is no measure for a reference.
        self.problem = Problem(
            chain=chain,
            rows=np.array([frame.row for frame in frames], dtype=np.int64),
            turned=np.array([frame.turned for frame in frames]),
            places=np.array([frame.place for frame in frames]),
            weights=np.array([(task.position, task.rotation) for task in tasks]),
            feet=np.array([names.index("left_foot"), names.index("right_foot")], dtype=np.int64),
            lower=limits.lower,
            upper=limits.upper,
            velocity=np.minimum(model.velocityLimit, FASTEST),
            mass=np.array([inertia.mass for inertia in model.inertias]),
            centre=np.array([inertia.lever for inertia in model.inertias]),
        )
        self._collision = SelfCollision(
            model, self.robot.geometry, self.robot.home, (limits.lower, limits.upper), APART
        )
        self._collide, self._balance = collision, balance

    def retarget(self, motion: OperatorMotion) -> WholeMotion:
        """A clip onto the robot.

        Raises:
            HumanoidError: the clip lacks a body part.
        """
        return self.follow(whole_targets(motion, self.robot))

    def follow(self, targets: WholeTargets) -> WholeMotion:
        """Targets onto the robot."""
        count, tasks = targets.positions.shape[:2]
        base, position = np.zeros((count, 7)), np.zeros((count, len(self.robot.joints)))
        error, distance, balance = np.zeros((count, tasks, 2)), np.full(count, np.nan), np.full(count, np.nan)
        weight = BALANCE if self._balance else 0.0
        q, pose = self.robot.home.copy(), pose_of(self.problem.chain)
        pose.place[0], pose.turned[0] = targets.positions[0, 0], targets.rotations[0, 0]
        update(self.problem.chain, q, pose)
        wanted = targets.positions, targets.rotations, targets.stands
        out = base, position, error, balance
        if self._collide:
            self._follow_apart(pose, weight, targets.period, wanted, q, out, distance)
        else:
            _follow(self.problem, pose, weight, targets.period, *wanted, q, *out)
        return WholeMotion(
            targets.period,
            base,
            self.robot.joints,
            position,
            error[:, :, 0],
            error[:, :, 1],
            distance,
            balance,
            targets,
        )

    def _follow_apart(
        self,
        pose: Pose,
        weight: float,
        period: float,
        wanted: tuple[np.ndarray, np.ndarray, np.ndarray],
        q: np.ndarray,
        out: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
        distance: np.ndarray,
    ) -> None:
        """`_follow` with a row for each pair of links that is near; the solver is DAQP."""
        problem, links = self.problem, self._collision.parts()
        upright, size = pose_of(problem.chain), len(q) + 6
        near = max(WATCHED, WATCHED_STEP * period)
        most = MOST_ROWS * (MOST_STEPS - STEPS + 1)
        step_of = Step(np.empty((size, size)), np.empty(size), np.empty(size + most), np.full(size + most, 1e30))
        rows, ends = np.zeros((most, size)), np.zeros(most)
        self._collision.reset(q)
        look(problem.chain, q, upright, links, near)
        for frame in range(len(distance)):
            before, targets = q.copy(), (wanted[0][frame], wanted[1][frame], wanted[2][frame])
            count, least_steps = 0, STEPS if frame else SETTLING
            for number in range(MOST_STEPS if frame else SETTLING):
                plan(problem, pose, weight, period if frame else 0.0, *targets, before, q, step_of)
                # What was near in a step beyond the usual stays: else two places of one pair give way in turn.
                count = keep_apart(links, q, count if number >= least_steps else 0, rows, ends, step_of)
                sense = np.zeros(size + count, dtype=np.int32)
                sense[size:] = SOFT
                x, _, flag, _ = daqp.solve(
                    step_of.hessian,
                    -step_of.gradient,
                    rows[:count],
                    step_of.high[: size + count],
                    step_of.low[: size + count],
                    sense,
                )
                if flag <= 0:
                    break
                move(problem, pose, x, q)
                look(problem.chain, q, upright, links, near)
                if number + 1 >= least_steps and not too_near(links):
                    break
            if too_near(links):
                go_back(problem.chain, before, q, upright, links, near)
                update(problem.chain, q, pose)
            if links.near.used[0]:
                distance[frame] = links.near.distance[0]
            row = slice(frame, frame + 1)
            write(problem, pose, *targets, q, out[0][row], out[1][row], out[2][row], out[3][row])


@compiled
def _follow(
    problem: Problem,
    pose: Pose,
    weight: float,
    period: float,
    positions: np.ndarray,
    rotations: np.ndarray,
    stands: np.ndarray,
    q: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
    error: np.ndarray,
    balance: np.ndarray,
) -> None:
    """All frames, links wherever they go."""
    size = q.shape[0] + 6
    step_of = Step(np.empty((size, size)), np.empty(size), np.empty(size), np.empty(size))
    step, fixed = np.empty(size), np.empty(size, dtype=np.int64)
    for frame in range(positions.shape[0]):
        before = q.copy()
        for _ in range(STEPS if frame else SETTLING):
            pace = period if frame else 0.0
            plan(problem, pose, weight, pace, positions[frame], rotations[frame], stands[frame], before, q, step_of)
            solve(step_of.hessian, step_of.gradient, step_of.low, step_of.high, fixed, step)
            move(problem, pose, step, q)
        last = frame + 1
        write(
            problem,
            pose,
            positions[frame],
            rotations[frame],
            stands[frame],
            q,
            base[frame:last],
            out[frame:last],
            error[frame:last],
            balance[frame:last],
        )
