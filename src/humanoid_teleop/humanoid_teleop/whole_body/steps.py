# SPDX-License-Identifier: Apache-2.0
"""One step of whole-body motion: a frame's program, pairs of links that are near, and moving on. Compiled.

Source: inverse kinematics of scaled body parts as in Nakaoka et al., "Learning from observation paradigm", IJRR 26(8),
2007; box-constrained least squares by an active set as in Lawson and Hanson, "Solving Least Squares Problems", 1974.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from humanoid_teleop.arms.collision import Links, watch
from humanoid_teleop.arms.kinematics import Chain, Frame, Pose, column, locate, update
from humanoid_teleop.compiled import between, compiled, exp, multiply, norm, normalise, to_matrix, to_quaternion

DAMPING = 1e-3  # squared weight of joint motion, against 1 m
STANDING = 10.0  # times as much weighs a foot that stands
SUPPORT = 0.05  # [m] beside the feet where the centre of mass may be
LONGEST = 0.2  # [m], [rad] of a step of the base, and of joints in the first frame
SHARE = 0.6  # of the distance that links are to keep that is kept for sure
DEEPEST = 0.02  # [m] by which a step brings a pair apart at most: beyond, its direction says little
BACK = 4  # parts in which joints go back that brought links too near


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


class Step(NamedTuple):
    """A step's program: base place and turn, then joints; rows of pairs of links behind them.

    Attributes:
        hessian: (6 + n, 6 + n).
        gradient: Downhill (6 + n,).
        low: (6 + n + rows,).
        high: (6 + n + rows,).
    """

    hessian: np.ndarray
    gradient: np.ndarray
    low: np.ndarray
    high: np.ndarray


@compiled
def plan(
    problem: Problem,
    pose: Pose,
    weight: float,
    period: float,
    positions: np.ndarray,
    rotations: np.ndarray,
    stands: np.ndarray,
    before: np.ndarray,
    q: np.ndarray,
    out: Step,
) -> None:
    """A Gauss-Newton step for one frame; `period` [s] since the frame before, 0: there is none."""
    _assemble(problem, pose, positions, rotations, stands, out.hessian, out.gradient)
    _balance(problem, pose, stands, weight, out.hessian, out.gradient)
    for k in range(6):
        out.low[k], out.high[k] = -LONGEST, LONGEST
    for j in range(q.shape[0]):
        around, most = (before[j], problem.velocity[j] * period) if period > 0.0 else (q[j], LONGEST)
        out.low[6 + j] = min(max(problem.lower[j], around - most) - q[j], 0.0)
        out.high[6 + j] = max(min(problem.upper[j], around + most) - q[j], 0.0)


@compiled
def keep_apart(links: Links, q: np.ndarray, count: int, rows: np.ndarray, ends: np.ndarray, out: Step) -> int:
    """Add a row for each pair of links that is near to `count` rows; how many there are then.

    A row says how far joints may go its way: row q >= end.
    """
    near, size = links.near, out.gradient.shape[0]
    for i in range(near.used[0]):
        ends[count] = min(links.pairs.least[near.pair[i]] - near.distance[i], DEEPEST)
        for j in range(q.shape[0]):
            rows[count, 6 + j] = near.gradient[i, j]
            ends[count] += near.gradient[i, j] * q[j]
        count += 1
    for i in range(count):
        out.low[size + i] = ends[i]
        for j in range(q.shape[0]):
            out.low[size + i] -= rows[i, 6 + j] * q[j]
    return count


@compiled
def move(problem: Problem, pose: Pose, step: np.ndarray, q: np.ndarray) -> None:
    """Take a step (6 + n,): base and joints."""
    facing, turn = np.empty(4), np.empty(4)
    for k in range(3):
        pose.place[0, k] += step[k]
    exp(step[3:6], 1.0, turn)
    to_quaternion(pose.turned[0], facing)
    multiply(turn, facing, facing)
    normalise(facing)
    to_matrix(facing, pose.turned[0])
    for j in range(q.shape[0]):
        q[j] = min(max(q[j] + step[6 + j], problem.lower[j]), problem.upper[j])
    update(problem.chain, q, pose)


@compiled
def write(
    problem: Problem,
    pose: Pose,
    positions: np.ndarray,
    rotations: np.ndarray,
    stands: np.ndarray,
    q: np.ndarray,
    base: np.ndarray,
    out: np.ndarray,
    error: np.ndarray,
    balance: np.ndarray,
) -> None:
    """One frame's row (1, ...) of each result."""
    for k in range(3):
        base[0, k] = pose.place[0, k]
    to_quaternion(pose.turned[0], base[0, 3:])
    out[0] = q
    _judge(problem, pose, positions, rotations, error[0])
    balance[0] = _balance(problem, pose, stands, 0.0, np.empty((1, 1)), np.empty(1))


@compiled
def look(chain: Chain, q: np.ndarray, upright: Pose, links: Links, near: float) -> None:
    """Find the pairs of links that are near in a configuration, the base standing still."""
    update(chain, q, upright)
    watch(chain, upright, links, 1.0, near, 1e9)


@compiled
def too_near(links: Links) -> bool:
    """Whether a pair of links is nearer than what is kept for sure."""
    for i in range(links.near.used[0]):
        if links.near.distance[i] < SHARE * links.pairs.least[links.near.pair[i]]:
            return True
    return False


@compiled
def go_back(chain: Chain, before: np.ndarray, q: np.ndarray, upright: Pose, links: Links, distance: float) -> None:
    """Go back from q towards `before` with the joints between links that are too near, in the end with all joints."""
    near, pairs, goal, back = links.near, links.pairs, q.copy(), np.zeros(q.shape[0], dtype=np.bool_)
    for attempt in range(BACK + 1):
        for i in range(near.used[0]):
            pair = near.pair[i]
            if near.distance[i] < SHARE * pairs.least[pair]:
                a, b = links.shapes.row[pairs.first[pair]], links.shapes.row[pairs.second[pair]]
                for j in range(q.shape[0]):
                    back[j] |= chain.above[a, j] != chain.above[b, j]
        share = max(1.0 - (attempt + 1) / BACK, 0.0)
        for j in range(q.shape[0]):
            if back[j] or attempt == BACK:
                q[j] = before[j] + share * (goal[j] - before[j])
        look(chain, q, upright, links, distance)
        if not too_near(links):
            return


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
def solve(
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
