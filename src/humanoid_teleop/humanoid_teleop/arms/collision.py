# SPDX-License-Identifier: Apache-2.0
"""Self-collision: which pairs of links are near, how fast joints may let them approach, and whether the robot could
still stop before they touch.

Pairs that are far are not measured in each tick. Every shape keeps count of how far any point of it can have moved; a
pair that was measured d apart is nearer than that by no more than both its shapes have moved since. Only pairs whose
bound falls below the distance that they need to stop are measured again.

Two things use the distances. Rows of the solver let near pairs approach no faster than they can brake: that makes
motion near contact smooth. The guard lets a step pass only if the robot, braking as hard as it may from the state after
the step, comes to rest without a pair nearer than allowed; otherwise it takes the step back towards the braking one,
which was found good a tick before.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pinocchio as pin

from humanoid_teleop.arms.distances import Placed, Shapes, distance, place, placed_of, shapes_of
from humanoid_teleop.arms.kinematics import Chain, Pose, chain_of, column, pose_of, update
from humanoid_teleop.compiled import compiled, dot, norm

MOST_ROWS = 32  # pairs, nearest first, that one step looks at
SAMPLES = 3  # places on the way to rest that the guard looks at
_CANNOT_TOUCH = 0.002  # [m] that two links with one or two joints between them always keep: never looked at


class Pairs(NamedTuple):
    """p pairs of shapes, and what is known of them.

    Attributes:
        first: Shape (p,).
        second: Shape (p,).
        least: Distance to keep (p,) [m]; where links are nearer than that at home, what they are there.
        budget: Distance when last measured plus both shapes' ways then (p,) [m].
        way: Unit vector from the first to the second when last measured (p, 3).
    """

    first: np.ndarray
    second: np.ndarray
    least: np.ndarray
    budget: np.ndarray
    way: np.ndarray


class Ways(NamedTuple):
    """How far any point of each shape has come at most: `total` (n,) [m], and `last` in the newest tick (n,) [m]."""

    total: np.ndarray
    last: np.ndarray


class Near(NamedTuple):
    """Pairs that need watching, nearest first.

    Attributes:
        used: How many of the rows below are in use (1,).
        pair: (MOST_ROWS,).
        distance: (MOST_ROWS,) [m].
        gradient: Change of the distance with each joint (MOST_ROWS, k) [m/rad].
    """

    used: np.ndarray
    pair: np.ndarray
    distance: np.ndarray
    gradient: np.ndarray


class Links(NamedTuple):
    """What the compiled parts need to know of a robot's links."""

    shapes: Shapes
    pairs: Pairs
    ways: Ways
    placed: Placed
    near: Near


class SelfCollision:
    """Distances between the links of one model.

    Args:
        model: The joints.
        geometry: Shapes and pairs.
        home: Configuration whose distances are always allowed (n,) [rad].
        limits: Lower and upper ends of the joints (n,), (n,) [rad].
        least: Distance to keep [m].

    Attributes:
        pairs: That are looked at.
        near: Those near in the newest pose.
        reaches: How far any point of each shape can be from each joint (shapes, joints) [m].
    """

    def __init__(
        self,
        model: pin.Model,
        geometry: pin.GeometryModel,
        home: np.ndarray,
        limits: tuple[np.ndarray, np.ndarray],
        least: float,
    ) -> None:
        self._chain = chain_of(model)
        self._shapes = shapes_of(geometry)
        self._names = [item.name.rsplit("_", 1)[0] for item in geometry.geometryObjects]
        self._lower, self._upper = limits
        self._pose, self._placed = pose_of(self._chain), placed_of(self._shapes)
        count, joints = len(self._names), model.nv
        self._ways = Ways(np.zeros(count), np.zeros(count))
        rows = self._shapes.row
        pairs = [
            (pair.first, pair.second)
            for pair in geometry.collisionPairs
            if self._can_touch(pair.first, pair.second, rows[pair.first], rows[pair.second], home)
        ]
        first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        n = len(first)
        self.pairs = Pairs(
            np.ascontiguousarray(first), np.ascontiguousarray(second), np.full(n, least), np.zeros(n), np.zeros((n, 3))
        )
        self.near = Near(
            np.zeros(1, np.int64), np.zeros(MOST_ROWS, np.int64), np.zeros(MOST_ROWS), np.zeros((MOST_ROWS, joints))
        )
        self.reaches = _reaches(self._chain, self._shapes)
        self.reset(home)
        self.pairs.least[:] = np.minimum(least, self.pairs.budget - 1e-4)

    def reset(self, q: np.ndarray) -> None:
        """Measure every pair at a configuration (n,) [rad]; nothing moves."""
        update(self._chain, q, self._pose)
        place(self._shapes, self._pose, self._placed)
        self._ways.total[:] = 0.0
        self._ways.last[:] = 0.0
        self.pairs.way[:] = 0.0
        _measure_all(self.pairs, self._shapes, self._placed)

    def parts(self) -> Links:
        """For the compiled parts."""
        return Links(self._shapes, self.pairs, self._ways, self._placed, self.near)

    @property
    def nearest(self) -> tuple[float, str, str]:
        """Distance [m] and link names of the nearest pair watched; NaN where there is none."""
        if not self.near.used[0]:
            return math.nan, "", ""
        pair = int(self.near.pair[0])
        first, second = self._names[self.pairs.first[pair]], self._names[self.pairs.second[pair]]
        return float(self.near.distance[0]), first, second

    def _can_touch(self, a: int, b: int, row_a: int, row_b: int, home: np.ndarray) -> bool:
        """False for shapes that one or two joints move against each other and that stay apart over all their range."""
        between = np.flatnonzero(self._chain.above[row_a] ^ self._chain.above[row_b])
        if not between.size:
            return False
        if between.size > 2:
            return True
        ranges = [np.linspace(self._lower[j], self._upper[j], 13) for j in between]
        way, on_a, on_b, q = np.zeros(3), np.zeros(3), np.zeros(3), home.copy()
        for values in np.stack(np.meshgrid(*ranges), axis=-1).reshape(-1, between.size):
            q[between] = values
            update(self._chain, q, self._pose)
            place(self._shapes, self._pose, self._placed)
            if distance(self._shapes, self._placed, a, b, way, on_a, on_b) < _CANNOT_TOUCH:
                return True
        return False


def _reaches(chain: Chain, shapes: Shapes) -> np.ndarray:
    """How far any point of each shape (row) can be from each joint (column), whatever the pose (n, k) [m]."""
    out = np.zeros((len(shapes.row), chain.above.shape[1]))
    for i, row in enumerate(shapes.row):
        length = float(np.linalg.norm(shapes.place[i])) + float(shapes.bound[i])
        while row:
            out[i, row - 1] = 1.0 if chain.slides[row] else length
            length += float(np.linalg.norm(chain.place[row]))
            row = chain.parent[row]
    return out


@compiled
def _measure_all(pairs: Pairs, shapes: Shapes, placed: Placed) -> None:
    on_a, on_b = np.empty(3), np.empty(3)
    for p in range(pairs.first.shape[0]):
        pairs.budget[p] = distance(shapes, placed, pairs.first[p], pairs.second[p], pairs.way[p], on_a, on_b)


@compiled
def watch(chain: Chain, pose: Pose, links: Links, dt: float, near: float, braking: float) -> None:
    """Take in where the robot is now, and find the pairs to watch.

    Args:
        chain: The joints.
        pose: Where they are.
        links: The links; all but shapes are updated.
        dt: Since the last time [s].
        near: Pairs are watched that are so much nearer than they need to be to stop [m].
        braking: With which links that approach each other can brake [m/s2].
    """
    shapes, pairs, ways, placed, out = links.shapes, links.pairs, links.ways, links.placed, links.near
    count = shapes.row.shape[0]
    before, turned_before = placed.place.copy(), placed.turned.copy()
    place(shapes, pose, placed)
    for i in range(count):
        moved = turned = 0.0
        for k in range(3):
            moved += (placed.place[i, k] - before[i, k]) ** 2
            for m in range(3):
                turned += (placed.turned[i, k, m] - turned_before[i, k, m]) ** 2
        ways.last[i] = math.sqrt(moved) + shapes.bound[i] * math.sqrt(0.5 * turned)
        ways.total[i] += ways.last[i]
    on_a, on_b = np.empty((MOST_ROWS + 1, 3)), np.empty((MOST_ROWS + 1, 3))
    a_point, b_point = np.empty(3), np.empty(3)
    found = 0
    fastest = 2.0 * ways.last.max() / dt if count else 0.0
    farthest = near + 0.5 * fastest * fastest / braking
    # Those of the last time first: they are soon the nearest, and what is farther need not be measured.
    earlier, seen = out.pair[: out.used[0]].copy(), np.zeros(pairs.first.shape[0], dtype=np.bool_)
    for index in range(earlier.shape[0] + pairs.first.shape[0]):
        p = earlier[index] if index < earlier.shape[0] else index - earlier.shape[0]
        if seen[p]:
            continue
        seen[p] = index < earlier.shape[0]
        a, b = pairs.first[p], pairs.second[p]
        come = ways.total[a] + ways.total[b]
        if pairs.budget[p] - come >= pairs.least[p] + farthest:
            continue
        if found == MOST_ROWS and pairs.budget[p] - come >= out.distance[found - 1]:
            continue
        closing = (ways.last[a] + ways.last[b]) / dt
        need = pairs.least[p] + near + 0.5 * closing * closing / braking
        if pairs.budget[p] - come >= need:
            continue
        gap = distance(shapes, placed, a, b, pairs.way[p], a_point, b_point)
        pairs.budget[p] = gap + come
        if gap >= need or (found == MOST_ROWS and gap >= out.distance[found - 1]):
            continue
        # Sort in
        i = found if found < MOST_ROWS else MOST_ROWS - 1
        while i > 0 and out.distance[i - 1] > gap:
            out.pair[i], out.distance[i] = out.pair[i - 1], out.distance[i - 1]
            for k in range(3):
                on_a[i, k], on_b[i, k] = on_a[i - 1, k], on_b[i - 1, k]
            i -= 1
        out.pair[i], out.distance[i] = p, gap
        for k in range(3):
            on_a[i, k], on_b[i, k] = a_point[k], b_point[k]
        found = min(found + 1, MOST_ROWS)
    linear, angular = np.empty(3), np.empty(3)
    for i in range(found):
        p = out.pair[i]
        row_a, row_b = shapes.row[pairs.first[p]], shapes.row[pairs.second[p]]
        for j in range(chain.above.shape[1]):
            out.gradient[i, j] = 0.0
            if chain.above[row_a, j] != chain.above[row_b, j]:
                column(chain, pose, j, on_b[i] if chain.above[row_b, j] else on_a[i], linear, angular)
                slope = dot(pairs.way[p], linear)
                out.gradient[i, j] = slope if chain.above[row_b, j] else -slope
    out.used[0] = found


@compiled
def could_stop(
    chain: Chain,
    links: Links,
    reaches: np.ndarray,
    q: np.ndarray,
    v: np.ndarray,
    acceleration: np.ndarray,
    dt: float,
    slack: float,
) -> bool:
    """Whether full braking after a step with velocities v touches nothing.

    Args:
        chain: The joints.
        links: As `watch` left them.
        reaches: Of SelfCollision.
        q: Where the robot is (n,) [rad].
        v: Of the step (n,) [rad/s].
        acceleration: With which joints brake (n,) [rad/s2].
        dt: Length of the step [s].
        slack: How much nearer than the distance to keep pairs may come on the way [m].
    """
    shapes, pairs, ways, placed = links.shapes, links.pairs, links.ways, links.placed
    count, joints = shapes.row.shape[0], v.shape[0]
    # First the longest way that any point can go, without looking where it leads.
    longest, last = np.empty(joints), 0.0
    for j in range(joints):
        last = max(last, abs(v[j]) / acceleration[j])
        longest[j] = abs(v[j]) * dt + 0.5 * v[j] * v[j] / acceleration[j]
    come = np.zeros(count)
    for i in range(count):
        for j in range(joints):
            come[i] += reaches[i, j] * longest[j]
    open_pairs, number = np.empty(pairs.first.shape[0], dtype=np.int64), 0
    for p in range(pairs.first.shape[0]):
        a, b = pairs.first[p], pairs.second[p]
        bound = pairs.budget[p] - ways.total[a] - ways.total[b]
        if bound - come[a] - come[b] < pairs.least[p] - slack:
            open_pairs[number] = p
            number += 1
    if number == 0:
        return True
    needed = np.zeros(count, dtype=np.bool_)
    for i in range(number):
        needed[pairs.first[open_pairs[i]]] = needed[pairs.second[open_pairs[i]]] = True
    # Then along the way to rest.
    k_rows = chain.parent.shape[0]
    pose = Pose(np.empty((k_rows, 3, 3)), np.empty((k_rows, 3)), np.empty((k_rows, 3)))
    pose.turned[0], pose.place[0] = chain.turned[0], chain.place[0]
    trial = Placed(np.empty((count, 3, 3)), np.empty((count, 3)))
    there, way, on_a, on_b, apart = np.empty(joints), np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for sample in range(SAMPLES):
        time = last * sample / (SAMPLES - 1)
        for j in range(joints):
            braked = min(time, abs(v[j]) / acceleration[j])
            there[j] = q[j] + v[j] * (dt + braked) - math.copysign(0.5 * acceleration[j] * braked * braked, v[j])
        update(chain, there, pose)
        place(shapes, pose, trial)
        for i in range(count):
            if needed[i]:
                turned = 0.0
                for k in range(3):
                    apart[k] = trial.place[i, k] - placed.place[i, k]
                    for m in range(3):
                        turned += (trial.turned[i, k, m] - placed.turned[i, k, m]) ** 2
                come[i] = norm(apart) + shapes.bound[i] * math.sqrt(0.5 * turned)
        for i in range(number):
            p = open_pairs[i]
            a, b = pairs.first[p], pairs.second[p]
            bound = pairs.budget[p] - ways.total[a] - ways.total[b]
            if bound - come[a] - come[b] >= pairs.least[p] - slack:
                continue
            for k in range(3):
                way[k] = pairs.way[p, k]
            gap = distance(shapes, trial, a, b, way, on_a, on_b)
            if gap < pairs.least[p] - slack:
                now = distance(shapes, placed, a, b, way, on_a, on_b)
                if gap < min(now, pairs.least[p] - slack) - 1e-6:
                    return False
    return True
