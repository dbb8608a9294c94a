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

from humanoid_teleop.arm_tasks import Task
from humanoid_teleop.collision import Near
from humanoid_teleop.compiled import compiled

SOFT = 8  # DAQP: a constraint that may give way where it must
_FAR = 1e30


class ArmSolver:
    """Solves for the joints of some arms.

    Args:
        posture_weight: Squared weights of all joints' posture rates (n,).
        smoothness: Squared weight of a change of velocity.
        least: How fast pairs of links that are nearer than they should be part, over their excess [1/s].
        braking: With which pairs of links brake before they are too near [m/s2].
    """

    def __init__(self, posture_weight: np.ndarray, smoothness: float, recovery: float, braking: float) -> None:
        self._posture_weight, self._smoothness = posture_weight, smoothness
        self._recovery, self._braking = recovery, braking

    def solve(
        self,
        tasks: list[tuple[np.ndarray, Task]],
        posture: np.ndarray,
        last: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        fixed: np.ndarray,
        near: Near,
        least: np.ndarray,
        joined: float,
        dt: float,
    ) -> np.ndarray | None:
        """Joint velocities (n,) of one step, inside low and high for the tasks' joints; None where there are none.

        Args:
            tasks: Joint numbers and rows of each arm that follows.
            posture: Rates (n,) at which joints would return home [rad/s].
            last: Velocities (n,) of the step before [rad/s].
            low: Lowest velocities (n,) [rad/s].
            high: Highest velocities (n,) [rad/s].
            fixed: Velocities (n,) of all joints; those of the tasks' joints are overwritten [rad/s].
            near: Pairs of links to watch.
            least: Distance that each pair of the model keeps [m].
            joined: 0..1 how far the arms have joined the person: engaging moves nothing.
            dt: Length of the step [s].
        """
        if not tasks:
            return fixed
        columns = np.concatenate([joints for joints, _ in tasks])
        size = len(columns)
        hessian, gradient = np.zeros((size, size)), np.empty(size)
        start = 0
        for joints, task in tasks:
            _assemble(task, joints, posture, self._posture_weight, last, self._smoothness, hessian, gradient, start)
            start += len(joints)
        rows, upper, lower = np.empty((len(near.pair), size)), np.empty(size + len(near.pair)), None
        lower = np.empty(size + len(near.pair))
        count = _rows(
            near, least, columns, low, high, fixed, self._recovery * joined, self._braking, dt, rows, upper, lower
        )
        sense = np.zeros(size + count, dtype=np.int32)
        sense[size:] = SOFT
        x, _, flag, _ = daqp.solve(hessian, gradient, rows[:count], upper[: size + count], lower[: size + count], sense)
        if flag < 1:
            return None
        v = fixed.copy()
        return v if _take(x, columns, low, high, v) else None


@compiled
def _assemble(
    task: Task,
    joints: np.ndarray,
    posture: np.ndarray,
    posture_weight: np.ndarray,
    last: np.ndarray,
    smoothness: float,
    hessian: np.ndarray,
    gradient: np.ndarray,
    start: int,
) -> None:
    """Add an arm's block to the program."""
    jacobian = task.jacobian
    for i in range(joints.shape[0]):
        slope = 0.0
        for k in range(jacobian.shape[0]):
            slope += jacobian[k, i] * task.rate[k]
        joint = joints[i]
        gradient[start + i] = -slope - posture_weight[joint] * posture[joint] - smoothness * last[joint]
        for j in range(i + 1):
            product = 0.0
            for k in range(jacobian.shape[0]):
                product += jacobian[k, i] * jacobian[k, j]
            hessian[start + i, start + j] = hessian[start + j, start + i] = product
        hessian[start + i, start + i] += posture_weight[joint] + task.damping[0] + smoothness


@compiled
def _rows(
    near: Near,
    least: np.ndarray,
    columns: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    fixed: np.ndarray,
    recovery: float,
    braking: float,
    dt: float,
    rows: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
) -> int:
    """Bounds of the joints and rows of those pairs that the joints could bring too near; how many rows."""
    size, count = columns.shape[0], 0
    for i in range(size):
        lower[i], upper[i] = low[columns[i]], high[columns[i]]
    step = braking * dt
    for p in range(near.pair.shape[0]):
        room = near.distance[p] - least[near.pair[p]]
        if room < 0.0:
            bound = recovery * room  # part: the distance changes by at least -bound
        else:
            bound = math.sqrt(step * step + 2.0 * braking * room) - step
        others = worst = 0.0
        for j in range(near.gradient.shape[1]):
            others += near.gradient[p, j] * fixed[j]
        for i in range(size):
            slope = near.gradient[p, columns[i]]
            rows[count, i] = slope
            others -= slope * fixed[columns[i]]
            worst += min(slope * lower[i], slope * upper[i])
        if worst + others >= -bound:
            continue
        lower[size + count], upper[size + count] = -bound - others, _FAR
        count += 1
    return count


@compiled
def _take(x: np.ndarray, columns: np.ndarray, low: np.ndarray, high: np.ndarray, v: np.ndarray) -> bool:
    """Clip the answer into its box, into v; false where it is not finite."""
    for i in range(columns.shape[0]):
        if not math.isfinite(x[i]):
            return False
        v[columns[i]] = min(max(x[i], low[columns[i]]), high[columns[i]])
    return True
