# SPDX-License-Identifier: Apache-2.0
"""One step of differential inverse kinematics for both arms, as a quadratic program with hard joint limits.

minimise  sum |w (J v - x')|^2 + posture + smoothness + damping   over the joint velocities v of the arms that follow
subject to  low <= v <= high                          the braking box of limits.py, hard
            d' >= -approach speed                     for each near pair of links, soft

Wrists weigh most, then the elbow's direction, then posture; velocities that change little are preferred, and damping
grows with the error, so that an arm that is nearly straight or reaches for what it cannot reach does not chatter.

Source: velocity quadratic programs as in Kanoun, Lamiraux, Wieber, "Kinematic control of redundant manipulators", IEEE
    T-RO 2011;
the solver is DAQP (Arnstrom, Bemporad, Axehill, "A dual active-set solver for embedded quadratic programming", IEEE TAC
2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np

SOFT = 8  # DAQP: a constraint that may give way where it must


@dataclass(frozen=True)
class ArmTask:
    """What one arm is to do in a step.

    Attributes:
        columns: Indices (7,) of the arm's joints.
        jacobian: Weighted task Jacobian over those joints (m, 7).
        rate: Weighted task rates (m,).
        damping: Of the joint velocities, squared.
    """

    columns: np.ndarray
    jacobian: np.ndarray
    rate: np.ndarray
    damping: float


def solve(
    tasks: list[ArmTask],
    posture: np.ndarray,
    posture_weight: np.ndarray,
    last: np.ndarray,
    smoothness: float,
    low: np.ndarray,
    high: np.ndarray,
    fixed: np.ndarray,
    gradients: np.ndarray,
    approach: np.ndarray,
) -> np.ndarray | None:
    """Joint velocities of one step.

    Args:
        tasks: Of the arms that follow.
        posture: Rates (n,) at which joints would return home [rad/s].
        posture_weight: Squared weights (n,).
        last: Velocities (n,) of the step before [rad/s].
        smoothness: Squared weight of a change from them.
        low: Lowest velocities (n,) [rad/s].
        high: Highest velocities (n,) [rad/s].
        fixed: Velocities (n,) of all joints; those of the tasks' joints are overwritten [rad/s].
        gradients: Change of each near pair's distance with each joint (k, n) [m/rad].
        approach: Highest speed at which each pair may come closer (k,) [m/s].

    Returns:
        Velocities (n,) inside low and high for the tasks' joints; None where the solver found none.
    """
    v = fixed.copy()
    if not tasks:
        return v
    columns = np.concatenate([task.columns for task in tasks])
    size = len(columns)
    hessian = np.zeros((size, size))
    gradient = np.empty(size)
    start = 0
    for task in tasks:
        end = start + len(task.columns)
        weight = posture_weight[task.columns]
        block = task.jacobian.T @ task.jacobian
        block.flat[:: end - start + 1] += weight + task.damping + smoothness
        hessian[start:end, start:end] = block
        gradient[start:end] = (
            -(task.jacobian.T @ task.rate) - weight * posture[task.columns] - smoothness * last[task.columns]
        )
        start = end
    lower, upper = low[columns], high[columns]
    if len(approach):
        free = gradients[:, columns]
        others = gradients @ fixed - free @ fixed[columns]
        rows = np.ascontiguousarray(free)
        bounds = -approach - others
        sense = np.zeros(size + len(approach), dtype=np.int32)
        sense[size:] = SOFT
        x, _, flag, _ = daqp.solve(
            hessian,
            gradient,
            rows,
            np.concatenate([upper, np.full(len(approach), 1e30)]),
            np.concatenate([lower, bounds]),
            sense,
        )
    else:
        x, _, flag, _ = daqp.solve(hessian, gradient, np.zeros((0, size)), upper, lower, np.zeros(size, dtype=np.int32))
    if flag < 1 or not np.isfinite(x).all():
        return None
    v[columns] = np.minimum(np.maximum(x, lower), upper)
    return v
