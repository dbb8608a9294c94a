# SPDX-License-Identifier: Apache-2.0
"""A path around obstacles: OMPL searches, shortens; corners are rounded and timed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from moveit_msgs.msg import MoveItErrorCodes
from ompl import base, geometric, util

from moveit._collision import Collisions
from moveit._timing import Limits, timed

util.setLogLevel(util.LogLevel.LOG_ERROR)
_SHORTCUTS = 3  # rounds
_RANGE = 0.2  # share of the space's extent that OMPL takes for a branch by itself
_TRIES = ((1.0, 8.0), (0.4, 8.0), (1.0, 2.0))  # share of that, and how coarsely motions are looked at
_FIRST_TRY = 0.4  # [s]


@dataclass(frozen=True)
class Request:
    """What to plan: from q to goal (nq,), within bounds (n,), in so many seconds and attempts."""

    start: np.ndarray
    goal: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seconds: float
    attempts: int
    range: float
    limits: Limits
    dt: float
    tolerance: float


@dataclass(frozen=True)
class Plan:
    """Times (m,), positions, velocities and accelerations (m, n)."""

    times: np.ndarray
    rows: list[np.ndarray]


class _Motions(base.MotionValidator):
    """Straight motions, looked at so finely that no body gets past another."""

    def __init__(self, space: base.SpaceInformation, collisions: Collisions, still: np.ndarray, coarse: float) -> None:
        super().__init__(space)
        self._coarse = coarse
        self._collisions, self._from, self._to = collisions, still.copy(), still.copy()
        self._columns = collisions.columns

    def checkMotion(self, first: base.State, second: base.State, *_: object) -> bool:
        count = len(self._columns)
        self._from[self._columns] = [first[i] for i in range(count)]
        self._to[self._columns] = [second[i] for i in range(count)]
        return not self._collisions.motion_collides(self._from, self._to, self._coarse)


def plan(request: Request, collisions: Collisions, planner_id: str) -> Plan | int:
    """A motion, or the code of what went wrong (MoveItErrorCodes)."""
    end = time.perf_counter() + request.seconds
    columns = collisions.columns
    for q, outside, hit in (
        (request.start, MoveItErrorCodes.START_STATE_INVALID, MoveItErrorCodes.START_STATE_IN_COLLISION),
        (request.goal, MoveItErrorCodes.GOAL_STATE_INVALID, MoveItErrorCodes.GOAL_IN_COLLISION),
    ):
        if not (request.low <= q[columns]).all() or not (q[columns] <= request.high).all():
            return int(outside)
        if not collisions.accept(q):
            return int(hit)
    best: np.ndarray | None = None
    for _ in range(max(1, request.attempts)):
        points = _search(request, collisions, planner_id, end)
        if points is not None and (best is None or _length(points) < _length(best)):
            best = points
        if time.perf_counter() >= end or (points is not None and len(points) == 2):
            break
    if best is None:
        return int(MoveItErrorCodes.TIMED_OUT)

    def free(rows: np.ndarray) -> bool:
        q = request.start.copy()
        for row in collisions.apart(rows):
            q[columns] = row
            if collisions.collides(q):
                return False
        return True

    times, *rows = timed(best, request.limits, request.dt, request.tolerance, free)
    return Plan(times, list(rows))


def _search(request: Request, collisions: Collisions, planner_id: str, end: float) -> np.ndarray | None:
    """Corners of a free path (k, n), or None.

    The straight way is tried first. Then the planner begins again and again, with ever more time, in turns with long
    and short branches: long ones cross free space in a few looks, short ones get a hand out of a bin. While it searches
    it looks at motions coarsely; a path counts when every piece was looked at closely.
    """
    columns = collisions.columns
    if not collisions.motion_collides(request.start, request.goal):
        return np.array([request.start[columns], request.goal[columns]])
    longest = _FIRST_TRY
    while True:
        for share, coarse in _TRIES:
            left = end - time.perf_counter()
            if left <= 0.0:
                return None
            points = _try(request, collisions, planner_id, min(left, longest), share, coarse)
            if points is not None and _free(request.start, points, collisions):
                return points
        longest *= 2.0


def _free(still: np.ndarray, points: np.ndarray, collisions: Collisions) -> bool:
    rows = np.tile(still, (len(points), 1))
    rows[:, collisions.columns] = points
    return not any(collisions.motion_collides(first, last) for first, last in pairwise(rows))


def _try(
    request: Request, collisions: Collisions, planner_id: str, seconds: float, share: float, coarse: float
) -> np.ndarray | None:
    """One run of the planner with branches of a share of their usual length; looks only as closely as `coarse` says."""
    columns = collisions.columns
    count = len(columns)
    space = base.RealVectorStateSpace(count)
    bounds = base.RealVectorBounds(count)
    for i in range(count):
        bounds.setLow(i, float(request.low[i]))
        bounds.setHigh(i, float(request.high[i]))
    space.setBounds(bounds)
    information = base.SpaceInformation(space)
    q = request.start.copy()

    def free(state: base.State) -> bool:
        q[columns] = [state[i] for i in range(count)]
        return not collisions.collides(q)

    information.setStateValidityChecker(free)
    information.setMotionValidator(_Motions(information, collisions, request.start, coarse))
    information.setup()
    problem = base.ProblemDefinition(information)
    first, last = information.allocState(), information.allocState()
    for i, column in enumerate(columns):
        first[i], last[i] = float(request.start[column]), float(request.goal[column])
    problem.setStartAndGoalStates(first, last, 1e-9)
    planner = getattr(geometric, planner_id)(information)
    planner.setProblemDefinition(problem)
    usual = request.range or _RANGE * space.getMaximumExtent()
    planner.setRange(share * usual)
    planner.setup()
    end = time.perf_counter() + seconds
    planner.solve(seconds)
    if not problem.hasExactSolution():
        return None
    path, simplifier = problem.getSolutionPath(), geometric.PathSimplifier(information)
    for _ in range(_SHORTCUTS):
        if time.perf_counter() < end:
            simplifier.reduceVertices(path)
            simplifier.partialShortcutPath(path)
    simplifier.reduceVertices(path)
    return np.array([[state[i] for i in range(count)] for state in path.getStates()])


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
