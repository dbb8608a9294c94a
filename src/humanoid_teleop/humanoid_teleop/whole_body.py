# SPDX-License-Identifier: Apache-2.0
"""Whole-body motion offline: a motion-captured clip as base pose and joint positions of a legged robot, as a reference
for those who train or play motions. (On a real biped the maker's balance controller owns the legs.)

Each frame is a few Gauss-Newton steps from the frame before towards all of the person's body parts at once, inside
joint ranges and true speed limits (what a joint may turn from one frame to the next), with the centre of mass drawn
over the standing feet. Links are not kept apart: how near they come is measured. All of it is one compiled loop.

Source: inverse kinematics of scaled body parts as in Nakaoka et al., "Learning from observation paradigm", IJRR 26(8),
2007; box-constrained least squares by an active set as in Lawson and Hanson, "Solving Least Squares Problems", 1974.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from humanoid_description import Robot
from humanoid_teleop.collision import Links, SelfCollision, watch
from humanoid_teleop.compiled import between, compiled, exp, multiply, norm, normalise, to_matrix, to_quaternion
from humanoid_teleop.kinematics import Chain, Frame, Pose, chain_of, column, frame_of, locate, pose_of, update
from humanoid_teleop.motion import OperatorMotion
from humanoid_teleop.whole_body_targets import WholeRobot, WholeTargets, whole_targets

STEPS = 2  # Gauss-Newton steps a frame
DAMPING = 1e-3  # squared weight of joint motion, against 1 m
STANDING = 3.0  # times as much weighs a foot that stands
BALANCE, SUPPORT = 0.3, 0.05  # weight [1/m] of the centre of mass, and how far beside the feet it may be [m]
WATCHED = 0.03  # [m] from where distances of links are told
FASTEST = 12.0  # [rad/s] of any joint: people's stay below in all but throws
SETTLING = 40  # steps for the first frame


class Problem(NamedTuple):
    """What does not change.

    Attributes:
        chain: The joints; row 0 is the base, which moves.
        rows: Row of each task's frame (t,).
        turned: Its rotation there (t, 3, 3).
        places: Its place there (t, 3) [m].
        weights: Of place and rotation (t, 2).
        feet: Numbers of the feet's tasks (2,).
        lower: Joint ranges (n,) [rad].
        upper: (n,) [rad].
        velocity: (n,) [rad/s].
        mass: Of each row (n + 1,) [kg].
        centre: Of that mass in its row (n + 1, 3) [m].
    """

    chain: Chain
    rows: np.ndarray
    turned: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    feet: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray
    centre: np.ndarray


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
        distance: Of the nearest pair of links (m,) [m]; NaN where none is near, or not measured.
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
        measure: Measure the distance of links in each frame.
        balance: Draw the centre of mass over the standing feet.
    """

    def __init__(self, robot: Robot, measure: bool = True, balance: bool = True) -> None:
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
        self._collision = SelfCollision(model, self.robot.geometry, self.robot.home, (limits.lower, limits.upper), 0.0)
        self._measure, self._balance = measure, balance

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
        self._collision.reset(self.robot.home)
        _follow(
            self.problem,
            pose_of(self.problem.chain),
            self._collision.parts(),
            self._measure,
            BALANCE if self._balance else 0.0,
            targets.period,
            targets.positions,
            targets.rotations,
            targets.stands,
            self.robot.home.copy(),
            base,
            position,
            error,
            distance,
            balance,
        )
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


@compiled
def _follow(
    problem: Problem,
    pose: Pose,
    links: Links,
    measure: bool,
    balance_weight: float,
    period: float,
    positions: np.ndarray,
    rotations: np.ndarray,
    stands: np.ndarray,
    q: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
    error: np.ndarray,
    distance: np.ndarray,
    balance: np.ndarray,
) -> None:
    chain, n = problem.chain, q.shape[0]
    size = n + 6
    hessian, gradient, step = np.empty((size, size)), np.empty(size), np.empty(size)
    low, high, fixed = np.empty(size), np.empty(size), np.empty(size, dtype=np.int64)
    facing, turn = np.empty(4), np.empty(4)
    for k in range(3):
        pose.place[0, k] = positions[0, 0, k]
        for m in range(3):
            pose.turned[0, k, m] = rotations[0, 0, k, m]
    update(chain, q, pose)
    for frame in range(positions.shape[0]):
        before = q.copy()
        for _ in range(STEPS if frame else SETTLING):
            _assemble(problem, pose, positions[frame], rotations[frame], stands[frame], hessian, gradient)
            _balance(problem, pose, stands[frame], balance_weight, hessian, gradient)
            for k in range(6):
                low[k], high[k] = -0.2, 0.2
            for j in range(n):
                most = problem.velocity[j] * period if frame else 0.2
                low[6 + j] = min(max(problem.lower[j], before[j] - most) - q[j], 0.0)
                high[6 + j] = max(min(problem.upper[j], before[j] + most) - q[j], 0.0)
            _solve(hessian, gradient, low, high, fixed, step)
            for k in range(3):
                pose.place[0, k] += step[k]
            exp(step[3:6], 1.0, turn)
            to_quaternion(pose.turned[0], facing)
            multiply(turn, facing, facing)
            normalise(facing)
            to_matrix(facing, pose.turned[0])
            for j in range(n):
                q[j] = min(max(q[j] + step[6 + j], problem.lower[j]), problem.upper[j])
            update(chain, q, pose)
        to_quaternion(pose.turned[0], facing)
        for k in range(3):
            base[frame, k] = pose.place[0, k]
        for k in range(4):
            base[frame, 3 + k] = facing[k]
        for j in range(n):
            out[frame, j] = q[j]
        _judge(problem, pose, positions[frame], rotations[frame], error[frame])
        balance[frame] = _balance(problem, pose, stands[frame], 0.0, hessian, gradient)
        if not measure:
            continue
        watch(chain, pose, links, period, WATCHED, 10.0)
        if links.near.used[0]:
            distance[frame] = links.near.distance[0]


@compiled
def _task_error(
    problem: Problem,
    pose: Pose,
    task: int,
    position: np.ndarray,
    rotation: np.ndarray,
    point: np.ndarray,
    out: np.ndarray,
) -> None:
    """Place and rotation that a task lacks (6,), and where its frame is (3,)."""
    turned, at, wanted = np.empty((3, 3)), np.empty(4), np.empty(4)
    frame = Frame(problem.rows[task], problem.turned[task], problem.places[task])
    locate(pose, frame, turned, point)
    to_quaternion(turned, at)
    to_quaternion(rotation, wanted)
    between(at, wanted, out[3:])
    for k in range(3):
        out[k] = position[k] - point[k]


@compiled
def _judge(problem: Problem, pose: Pose, positions: np.ndarray, rotations: np.ndarray, out: np.ndarray) -> None:
    point, lack = np.empty(3), np.empty(6)
    for task in range(positions.shape[0]):
        _task_error(problem, pose, task, positions[task], rotations[task], point, lack)
        out[task, 0], out[task, 1] = norm(lack[:3]), norm(lack[3:])


@compiled
def _assemble(
    problem: Problem,
    pose: Pose,
    positions: np.ndarray,
    rotations: np.ndarray,
    stands: np.ndarray,
    hessian: np.ndarray,
    gradient: np.ndarray,
) -> None:
    """Gauss-Newton's normal equations of all tasks: base 3 + 3, then joints."""
    chain, n, size = problem.chain, problem.lower.shape[0], gradient.shape[0]
    hessian[:] = 0.0
    gradient[:] = 0.0
    for i in range(6):
        hessian[i, i] = 1e-6
    for i in range(6, size):
        hessian[i, i] = DAMPING
    point, lack, active, rows = np.empty(3), np.empty(6), np.empty(size, dtype=np.int64), np.empty((size, 6))
    for task in range(positions.shape[0]):
        _task_error(problem, pose, task, positions[task], rotations[task], point, lack)
        weight, turning = problem.weights[task, 0], problem.weights[task, 1]
        for foot in range(2):
            if problem.feet[foot] == task and stands[foot]:
                weight *= STANDING
        count = 6
        for k in range(3):
            active[k], active[3 + k] = k, 3 + k
            for m in range(6):
                rows[k, m] = rows[3 + k, m] = 0.0
            rows[k, k], rows[3 + k, 3 + k] = 1.0, 1.0
        x, y, z = point[0] - pose.place[0, 0], point[1] - pose.place[0, 1], point[2] - pose.place[0, 2]
        rows[3, 1], rows[3, 2] = -z, y
        rows[4, 0], rows[4, 2] = z, -x
        rows[5, 0], rows[5, 1] = -y, x
        for j in range(n):
            if chain.above[problem.rows[task], j]:
                column(chain, pose, j, point, rows[count, :3], rows[count, 3:])
                active[count] = 6 + j
                count += 1
        first, last = (0 if weight > 0.0 else 3), (6 if turning > 0.0 else 3)
        for a in range(count):
            for k in range(6):
                rows[a, k] *= weight if k < 3 else turning
        for k in range(6):
            lack[k] *= weight if k < 3 else turning
        for a in range(count):
            i = active[a]
            for k in range(first, last):
                gradient[i] += rows[a, k] * lack[k]
            for b in range(a + 1):
                product = 0.0
                for k in range(first, last):
                    product += rows[a, k] * rows[b, k]
                hessian[i, active[b]] += product
    for i in range(size):
        for j in range(i):
            hessian[j, i] = hessian[i, j]


@compiled
def _balance(
    problem: Problem, pose: Pose, stands: np.ndarray, weight: float, hessian: np.ndarray, gradient: np.ndarray
) -> float:
    """Draw the centre of mass over the standing feet; how far it is outside them [m], NaN where none stands."""
    if not (stands[0] or stands[1]):
        return math.nan
    chain, count = problem.chain, problem.mass.shape[0]
    mass, moment = problem.mass.copy(), np.empty((count, 3))
    for row in range(count):
        for k in range(3):
            moment[row, k] = pose.place[row, k]
            for m in range(3):
                moment[row, k] += pose.turned[row, k, m] * problem.centre[row, m]
            moment[row, k] *= mass[row]
    for row in range(count - 1, 0, -1):  # of everything beyond each joint
        mass[chain.parent[row]] += mass[row]
        for k in range(3):
            moment[chain.parent[row], k] += moment[row, k]
    feet = np.empty((2, 2))
    for foot in range(2):
        row = problem.rows[problem.feet[foot] if stands[foot] else problem.feet[1 - foot]]
        feet[foot, 0], feet[foot, 1] = pose.place[row, 0], pose.place[row, 1]
    # From the nearest point of the line between the feet
    dx, dy = feet[1, 0] - feet[0, 0], feet[1, 1] - feet[0, 1]
    x, y = moment[0, 0] / mass[0] - feet[0, 0], moment[0, 1] / mass[0] - feet[0, 1]
    along = min(max((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0.0), 1.0)
    x, y = x - along * dx, y - along * dy
    away = math.sqrt(x * x + y * y)
    outside = max(away - SUPPORT, 0.0)
    if weight == 0.0 or outside == 0.0:
        return outside
    x, y = weight * x / away, weight * y / away
    slope, size = np.zeros(gradient.shape[0]), gradient.shape[0]
    point, linear, angular = np.empty(3), np.empty(3), np.empty(3)
    slope[0], slope[1] = x, y
    for k in range(3):
        point[k] = moment[0, k] / mass[0] - pose.place[0, k]
    slope[3], slope[4], slope[5] = -y * point[2], x * point[2], y * point[0] - x * point[1]
    for j in range(size - 6):
        row = j + 1
        for k in range(3):
            point[k] = moment[row, k] / max(mass[row], 1e-9)
        column(chain, pose, j, point, linear, angular)
        slope[6 + j] = mass[row] / mass[0] * (x * linear[0] + y * linear[1])
    for i in range(size):
        gradient[i] -= slope[i] * weight * outside
        for j in range(size):
            hessian[i, j] += slope[i] * slope[j]
    return outside


@compiled
def _solve(
    hessian: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray, fixed: np.ndarray, x: np.ndarray
) -> None:
    """Minimise 1/2 x'Hx - g'x in a box that holds 0: Cholesky on the free variables, those that leave are fixed."""
    size = gradient.shape[0]
    fixed[:] = 0
    index, factor, right = np.empty(size, dtype=np.int64), np.empty((size, size)), np.empty(size)
    for _ in range(6):
        n = 0
        for i in range(size):
            if fixed[i] == 0:
                index[n] = i
                n += 1
            else:
                x[i] = low[i] if fixed[i] < 0 else high[i]
        for a in range(n):
            i = index[a]
            right[a] = gradient[i]
            for j in range(size):
                if fixed[j] != 0:
                    right[a] -= hessian[i, j] * x[j]
            for b in range(a + 1):
                value = hessian[i, index[b]]
                for k in range(b):
                    value -= factor[a, k] * factor[b, k]
                factor[a, b] = math.sqrt(max(value, 1e-12)) if a == b else value / factor[b, b]
        for a in range(n):
            value = right[a]
            for k in range(a):
                value -= factor[a, k] * right[k]
            right[a] = value / factor[a, a]
        for a in range(n - 1, -1, -1):
            value = right[a]
            for k in range(a + 1, n):
                value -= factor[k, a] * right[k]
            right[a] = value / factor[a, a]
        left = False
        for a in range(n):
            i = index[a]
            x[i] = right[a]
            if x[i] < low[i] or x[i] > high[i]:
                fixed[i] = -1 if x[i] < low[i] else 1
                left = True
        if not left:
            return
    for i in range(size):
        x[i] = min(max(x[i], low[i]), high[i])
