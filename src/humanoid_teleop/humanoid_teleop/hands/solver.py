# SPDX-License-Identifier: Apache-2.0
"""From a person's hand to the joint positions of a robot's: fingers by least squares, grippers by their opening.

Fingers. Vectors from knuckle to tip, over the finger's length, are taken over from the person's. How far a finger is
closed draws its joints to between the open and the closed hand: a little in between, and alone at both ends, so that a
flat hand and a fist reach them. Where the person's thumb comes near a finger, the gap between the robot's is theirs,
metre for metre and the more strictly the smaller it is: fingers that touch touch. One least-squares problem over the
joints within their limits, by Gauss-Newton steps from the last answer: of a step, joints that would leave their range
stay on its end, and the others share what is left.

A robot's thumb need not stand like a person's (it may stand across the palm). Its vector counts by how much it does.

Source: fingertip vectors and pinch as in Handa et al., "DexPilot", ICRA 2020, there with a general solver and a fixed
distance in place of contact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from humanoid_description.config import Finger
from humanoid_teleop.compiled import compiled
from humanoid_teleop.hands.model import Chains, HandModel, fingertips
from humanoid_teleop.hands.person import FINGERS, PersonHand

# Weights of squares, against 1 per m2 of a fingertip's place
POSTURE = 0.015**2  # [m2/rad2] of the pose between open and closed
END_POSTURE = 0.2**2  # the same at both ends
END = 0.15  # share of a finger's way at each end over which the pose takes over from the fingertip
STILL = 0.003**2  # [m2/rad2] of the last answer
PINCH = 30.0**2  # of the gap between fingers that touch
LEADS = 0.5  # weight of a fingertip's place from which on it leads the finger
RIVAL = 1e-3  # [m] a gap larger by so much than the smallest one counts a quarter
YIELD = 4e-3  # [m] as if larger by so much: gaps of other fingers than the index, where the thumb cannot reach both
PINCH_FAR = 0.06  # [m] from which on a gap does not count

LONGEST_STEP = 0.6  # [rad] of a joint in one iteration: tips move on circles, steps on their tangents
DAMPING = 1e-3  # [m2/rad2] first tried where a step was too long
ITERATIONS = 8
CONVERGED = 3e-3  # [rad] after a step as short as this, the next would be far shorter

# From the thumb's lowest joint to its tip, hand open, operator's wrist axes of a right hand; of a left one y changes
# its sign.
_PERSON_THUMB = np.array([0.95, 0.31, 0.0])

SPAN = 0.10  # [m] gap between the person's thumb and index for which a gripper is wide open
FIST = 0.6, 0.9  # a gripper closes, whatever the gap, while the person's fingers close from the first to the second


class FingerSolver:
    """Joint positions of a hand with fingers.

    Args:
        model: The hand.
        side: "left" or "right".
        fingers: Of the configuration.
        lower: Limits (n,) [rad].
        upper: (n,) [rad].
        open_: The open hand (n,) [rad].
        closed: The closed hand (n,) [rad].
    """

    def __init__(
        self,
        model: HandModel,
        side: str,
        fingers: Mapping[str, Finger],
        lower: np.ndarray,
        upper: np.ndarray,
        open_: np.ndarray,
        closed: np.ndarray,
    ) -> None:
        self._model, self._lower, self._upper, self._open = model, lower, upper, open_
        self._names = tuple(fingers)
        self._wanted, self._counts = np.zeros((len(fingers), 3)), np.zeros(len(fingers))
        self._way = closed - open_
        follows = [[FINGERS.index(name) for name in finger.follows] for finger in fingers.values()]
        self._follows = np.array([[i in rows for i in range(len(FINGERS))] for rows in follows])
        self._tip_weights = np.ones(len(follows))
        self._thumb = next((row for row, person in enumerate(follows) if person == [0]), -1)
        if self._thumb >= 0:
            tip = model.tips(open_)[self._thumb] - model.knuckles[self._thumb]
            alike = tip @ (_PERSON_THUMB * (1.0, 1.0 if side == "right" else -1.0, 1.0))
            self._tip_weights[self._thumb] = max(float(alike) / float(np.linalg.norm(tip)), 0.0)

    def solve(self, person: PersonHand, start: np.ndarray) -> np.ndarray:
        """Joint positions (n,) [rad] for what the person does, from the last ones (n,)."""
        model = self._model
        task = _task(
            self._follows, self._thumb, self._tip_weights, model.finger_of, person.reach, person.closed, person.gaps
        )
        places = model.knuckles + task.reach * model.lengths[:, None]
        self._wanted, self._counts = places, task.tip_weights
        touching = model.radii + model.radii[self._thumb]
        posture = self._open + self._way * task.closed
        return _solve(
            model.chains, places, task.tip_weights, self._thumb, task.gaps + touching, task.gap_weights, posture,
            task.posture_weights, start, self._lower, self._upper,
        )  # fmt: skip

    def tip_errors(self, joints: np.ndarray) -> dict[str, float]:
        """By finger, how far its tip is from where it was wanted last [m]; only where that led the finger.

        Args:
            joints: (n,) [rad].
        """
        away = np.linalg.norm(self._model.tips(joints) - self._wanted, axis=1)
        led = self._counts > LEADS
        return {name: float(error) for name, error, counts in zip(self._names, away, led) if counts}


class Gripper:
    """Position of a hand's only joint.

    Args:
        model: The hand.
        open_: The open hand (1,) [rad or m].
        closed: The closed hand (1,) [rad or m].
    """

    def __init__(self, model: HandModel, open_: np.ndarray, closed: np.ndarray) -> None:
        self._shares = np.linspace(0.0, 1.0, 33)
        self._positions = closed + self._shares[:, None] * (open_ - closed)
        openings = SPAN * self._shares
        if len(model.fingers) > 1:
            tips = np.array([model.tips(q)[:2] for q in self._positions])
            apart = np.linalg.norm(tips[:, 0] - tips[:, 1], axis=1)
            openings = np.maximum.accumulate(apart - apart[0])
        self._openings = openings

    def solve(self, person: PersonHand, _start: np.ndarray) -> np.ndarray:
        """Joint position (1,) for what the person does."""
        widest = self._openings[-1]
        opening = person.gaps[0] * max(1.0, widest / SPAN)
        fist = (person.closed[1:].mean() - FIST[0]) / (FIST[1] - FIST[0])
        opening = min(opening, widest * min(1.0 - fist, 1.0))
        return np.atleast_1d(np.interp(max(opening, 0.0), self._openings, self._positions[:, 0]))

    def tip_errors(self, _joints: np.ndarray) -> dict[str, float]:
        """None: a gripper has an opening, no fingertips."""
        return {}


class _Task(NamedTuple):
    """What is asked of m fingers and n joints.

    Attributes:
        reach: Vectors from knuckle to tip over the finger's length (m, 3).
        tip_weights: (m,).
        gaps: To the thumb (m,) [m].
        gap_weights: (m,); 0: does not count.
        closed: Of each joint, 0 as in the open hand .. 1 as in the closed one (n,).
        posture_weights: (n,).
    """

    reach: np.ndarray
    tip_weights: np.ndarray
    gaps: np.ndarray
    gap_weights: np.ndarray
    closed: np.ndarray
    posture_weights: np.ndarray


@compiled
def _task(
    follows: np.ndarray,
    thumb: int,
    weights: np.ndarray,
    finger_of: np.ndarray,
    person_reach: np.ndarray,
    person_closed: np.ndarray,
    person_gaps: np.ndarray,
) -> _Task:
    size = len(follows)
    reach, closed, end = np.zeros((size, 3)), np.zeros(size + 1), np.zeros(size + 1)
    gaps, gap_weights = np.zeros(size), np.zeros(size)
    for row in range(size):
        gaps[row] = np.inf
        for i in np.flatnonzero(follows[row]):
            reach[row] += person_reach[i]
            closed[row] += person_closed[i]
            if i > 0:
                gaps[row] = min(gaps[row], person_gaps[i - 1])
        number = follows[row].sum()
        reach[row] /= number
        closed[row] /= number
        end[row] = max(abs(2.0 * closed[row] - 1.0) - (1.0 - 2.0 * END), 0.0) ** 2 / (2.0 * END) ** 2
    posture_end = end.copy()
    if thumb >= 0:
        gaps[thumb] = np.inf
        rivals = gaps + RIVAL + np.where(follows[:, 1], 0.0, YIELD)
        nearest = 0.0
        for row in range(size):
            if gaps[row] < PINCH_FAR:
                near = 1.0 - gaps[row] / PINCH_FAR
                if closed[row] > 0.5:  # a fist is one, wherever the thumb lies
                    near *= 1.0 - end[row]
                gap_weights[row] = PINCH * near**6 * (rivals.min() / rivals[row]) ** 2
                posture_end[row] *= (1.0 - near) ** 2
                nearest = max(nearest, near)
        posture_end[thumb] *= (1.0 - nearest) ** 2
    closed[size] = closed[:size].mean()
    by_joint, posture_weights = np.empty(len(finger_of)), np.empty(len(finger_of))
    for joint, row in enumerate(finger_of):
        by_joint[joint] = closed[row]
        posture_weights[joint] = POSTURE + END_POSTURE * posture_end[row]
    return _Task(reach, weights * (1.0 - end[:size]), gaps, gap_weights, by_joint, posture_weights)


@compiled
def _solve(
    chains: Chains,
    places: np.ndarray,
    tip_weights: np.ndarray,
    thumb: int,
    distances: np.ndarray,
    gap_weights: np.ndarray,
    posture: np.ndarray,
    posture_weights: np.ndarray,
    start: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Steps from `start` (n,): fingertips at `places` (m, 3), `distances` (m,) from the thumb, posture (n,).

    A step that makes things worse, because tips move on circles, is taken back and tried shorter (Levenberg, 1944).
    """
    size = len(start)
    goals = places, tip_weights, thumb, distances, gap_weights, posture, posture_weights, start
    q, hessian, slope = start, np.empty((size, size)), np.empty(size)
    cost = _quadratic(chains, q, *goals, hessian, slope)
    damping = 0.0
    for _ in range(ITERATIONS):
        damped = hessian + damping * np.eye(size)
        step = _bounded_step(damped, slope, np.maximum(lower - q, -LONGEST_STEP), np.minimum(upper - q, LONGEST_STEP))
        tried = np.minimum(np.maximum(q + step, lower), upper)
        hessian_there, slope_there = np.empty((size, size)), np.empty(size)
        cost_there = _quadratic(chains, tried, *goals, hessian_there, slope_there)
        if cost_there > cost:
            damping = max(8.0 * damping, DAMPING)
            continue
        q, hessian, slope, cost, damping = tried, hessian_there, slope_there, cost_there, 0.125 * damping
        if np.abs(step).max() < CONVERGED:
            break
    return q


@compiled
def _quadratic(
    chains: Chains,
    q: np.ndarray,
    places: np.ndarray,
    tip_weights: np.ndarray,
    thumb: int,
    distances: np.ndarray,
    gap_weights: np.ndarray,
    posture: np.ndarray,
    posture_weights: np.ndarray,
    start: np.ndarray,
    hessian: np.ndarray,
    slope: np.ndarray,
) -> float:
    """What is to be made small, at q (n,); writes half its second derivatives (n, n) and half its fall (n,)."""
    size = len(q)
    tips, jacobians, row = np.empty(places.shape), np.empty((len(places), 3, size)), np.empty(size)
    fingertips(chains, q, tips, jacobians)
    hessian[:] = 0.0
    cost = 0.0
    for j in range(size):
        hessian[j, j] = posture_weights[j] + STILL
        slope[j] = posture_weights[j] * (posture[j] - q[j]) + STILL * (start[j] - q[j])
        cost += posture_weights[j] * (posture[j] - q[j]) ** 2 + STILL * (start[j] - q[j]) ** 2
    for finger in range(len(places)):
        for axis in range(3):
            error = places[finger, axis] - tips[finger, axis]
            cost += tip_weights[finger] * error**2
            _add(hessian, slope, jacobians[finger, axis], error, tip_weights[finger])
        if gap_weights[finger] > 0.0:
            apart = tips[finger] - tips[thumb]
            length = np.sqrt((apart * apart).sum()) + 1e-9
            row[:] = 0.0
            for axis in range(3):
                row += apart[axis] / length * (jacobians[finger, axis] - jacobians[thumb, axis])
            cost += gap_weights[finger] * (distances[finger] - length) ** 2
            _add(hessian, slope, row, distances[finger] - length, gap_weights[finger])
    return cost


@compiled
def _add(hessian: np.ndarray, slope: np.ndarray, row: np.ndarray, error: float, weight: float) -> None:
    """Add weight |row x - error|^2 to a quadratic of n variables."""
    for i in range(len(row)):
        scaled = weight * row[i]
        if scaled != 0.0:
            slope[i] += scaled * error
            for j in range(len(row)):
                hessian[i, j] += scaled * row[j]


@compiled
def _bounded_step(hessian: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Low point x (n,) of 1/2 x' H x - slope' x within bounds: what leaves them is put on them, the rest solved anew.

    A variable that stands on its bound and is pushed outwards stays; whether others should leave theirs again is seen
    in the next call, whose bounds begin at the new place.
    """
    size = len(slope)
    x = np.zeros(size)
    free = np.empty(size, dtype=np.bool_)
    for i in range(size):
        free[i] = not ((low[i] >= 0.0 and slope[i] < 0.0) or (high[i] <= 0.0 and slope[i] > 0.0))
    factor, y = np.empty((size, size)), np.empty(size)
    for _ in range(size):
        # Cholesky of the free part, in place of indices: rows of others are those of the identity.
        for i in range(size):
            y[i] = x[i]
            if free[i]:
                y[i] = slope[i]
                for j in range(size):
                    if not free[j]:
                        y[i] -= hessian[i, j] * x[j]
            for j in range(i + 1):
                value = hessian[i, j] if free[i] and free[j] else (1.0 if i == j else 0.0)
                for k in range(j):
                    value -= factor[i, k] * factor[j, k]
                factor[i, j] = np.sqrt(value) if i == j else value / factor[j, j]
        for i in range(size):
            for k in range(i):
                y[i] -= factor[i, k] * y[k]
            y[i] /= factor[i, i]
        inside = True
        for i in range(size - 1, -1, -1):
            for k in range(i + 1, size):
                y[i] -= factor[k, i] * y[k]
            y[i] /= factor[i, i]
        for i in range(size):
            if free[i] and not low[i] <= y[i] <= high[i]:
                y[i] = low[i] if y[i] < low[i] else high[i]
                free[i] = False
                inside = False
        x[:] = y
        if inside:
            break
    return x
