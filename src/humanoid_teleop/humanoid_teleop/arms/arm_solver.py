# SPDX-License-Identifier: Apache-2.0
"""One step of differential inverse kinematics for the arms, as a quadratic program with hard joint limits.

minimise  sum |w (J v - x')|^2 + posture + smoothness + damping   over the joint velocities v of the arms that follow
subject to  low <= v <= high                          the braking box of limits.py, hard
            d' >= -approach speed                     for each near pair of links, soft

Wrists weigh most, then the elbow's direction, then posture; velocities that change little are preferred, and damping
grows with the error, so that an arm that is nearly straight or reaches for what it cannot reach does not chatter.

Source: velocity quadratic programs as in Kanoun, Lamiraux, Wieber, "Kinematic control of redundant manipulators", IEEE
T-RO 2011; the solver is DAQP (Arnstrom, Bemporad, Axehill, "A dual active-set solver for embedded quadratic
programming", IEEE TAC 2022).
"""

from __future__ import annotations

import math

import daqp
import numpy as np

from humanoid_teleop.arms.arm_tasks import Program
from humanoid_teleop.arms.collision import MOST_ROWS, Near
from humanoid_teleop.compiled import compiled

SOFT = 8  # DAQP: a constraint that may give way where it must
_FAR = 1e30
_SENSES = {
    (size, count): np.array([0] * size + [SOFT] * count, dtype=np.int32)
    for size in range(32)
    for count in range(MOST_ROWS + 1)
}


def program(joints: int) -> Program:
    """Room for a program over so many joints."""
    total = joints + MOST_ROWS
    return Program(
        np.zeros((joints, joints)),
        np.zeros(joints),
        np.zeros((MOST_ROWS, joints)),
        np.zeros(total),
        np.zeros(total),
        np.zeros(joints, dtype=np.int64),
    )


def solve(problem: Program, size: int, count: int) -> np.ndarray | None:
    """Velocities (size,) that solve the program over its first `size` variables and `count` rows; None: no answer."""
    hessian = problem.hessian if size == len(problem.gradient) else np.ascontiguousarray(problem.hessian[:size, :size])
    rows = problem.rows[:count] if size == len(problem.gradient) else np.ascontiguousarray(problem.rows[:count, :size])
    total = size + count
    sense = _SENSES[size, count].copy()
    x, _, flag, _ = daqp.solve(
        hessian, problem.gradient[:size], rows, problem.upper[:total], problem.lower[:total], sense
    )
    return x if flag > 0 else None


@compiled
def add_arm(
    jacobian: np.ndarray,
    rates: np.ndarray,
    damping: float,
    joints: np.ndarray,
    home_rate: np.ndarray,
    posture_weight: np.ndarray,
    last: np.ndarray,
    smoothness: float,
    start: int,
    out: Program,
) -> None:
    """Add an arm's block to the program, from variable `start` on.

    Args:
        jacobian: Rows of the arm's task (k, n).
        rates: Their rates (k,).
        damping: Squared weight of velocities.
        joints: Their numbers (n,).
        home_rate: Rates at which all joints would return home [rad/s].
        posture_weight: Squared weights of that.
        last: Velocities of all joints in the step before [rad/s].
        smoothness: Squared weight of a change from them.
        start: First variable.
        out: The program.
    """
    for i in range(joints.shape[0]):
        slope = 0.0
        for k in range(jacobian.shape[0]):
            slope += jacobian[k, i] * rates[k]
        joint, row = joints[i], start + i
        out.columns[row] = joint
        out.gradient[row] = -slope - posture_weight[joint] * home_rate[joint] - smoothness * last[joint]
        for j in range(start):
            out.hessian[row, j] = out.hessian[j, row] = 0.0
        for j in range(i + 1):
            product = 0.0
            for k in range(jacobian.shape[0]):
                product += jacobian[k, i] * jacobian[k, j]
            out.hessian[row, start + j] = out.hessian[start + j, row] = product
        out.hessian[row, row] += posture_weight[joint] + damping + smoothness


@compiled
def add_bounds(
    near: Near,
    pairs: int,
    least: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    fixed: np.ndarray,
    recovery: float,
    braking: float,
    dt: float,
    size: int,
    out: Program,
) -> int:
    """Bounds of the variables, and rows of those near pairs that they could bring too near; how many rows.

    Args:
        near: The near pairs, of which the first `pairs` count.
        pairs: How many.
        least: Distance that each pair of the model keeps [m].
        low: Of all joints [rad/s].
        high: Of all joints [rad/s].
        fixed: Velocities of all joints; those of the variables do not count [rad/s].
        recovery: How fast pairs that are too near part, over what they lack [1/s].
        braking: With which pairs brake before they are too near [m/s2].
        dt: Length of the step [s].
        size: How many variables the program has.
        out: The program.
    """
    count = 0
    for i in range(size):
        out.lower[i], out.upper[i] = low[out.columns[i]], high[out.columns[i]]
    for p in range(pairs):
        room = near.distance[p] - least[near.pair[p]]
        speed = recovery * room if room < 0.0 else approach(room, braking, dt)
        others = worst = 0.0
        for j in range(near.gradient.shape[1]):
            others += near.gradient[p, j] * fixed[j]
        for i in range(size):
            slope = near.gradient[p, out.columns[i]]
            out.rows[count, i] = slope
            others -= slope * fixed[out.columns[i]]
            worst += min(slope * out.lower[i], slope * out.upper[i])
        if worst + others >= -speed:
            continue
        out.lower[size + count], out.upper[size + count] = -speed - others, _FAR
        count += 1
    return count


@compiled
def approach(room: float, braking: float, dt: float) -> float:
    """How fast a pair with so much room [m] may close [m/s] that brakes with `braking` [m/s2] after a step of dt."""
    step = braking * dt
    return math.sqrt(step * step + 2.0 * braking * room) - step
