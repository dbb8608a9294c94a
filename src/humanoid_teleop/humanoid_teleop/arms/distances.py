# SPDX-License-Identifier: Apache-2.0
"""Distance between two convex shapes: capsules in closed form, boxes and cylinders by GJK.

Every shape is a core swept by a ball: a segment (capsule; a ball where its length is 0), a box or a cylinder, with half
extents h and radius r. Coal gives the same, a pair at a time from Python; a test compares the two.

Source: Gilbert, Johnson, Keerthi, "A fast procedure for computing the distance between complex objects in
three-dimensional space", IEEE J. Robotics and Automation 4(2), 1988; closest points of segments, triangles and
tetrahedra as in Ericson, "Real-Time Collision Detection", 2005, section 5.1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import coal
import numpy as np
import pinocchio as pin

from humanoid_core.errors import HumanoidError
from humanoid_teleop.arms.kinematics import Pose
from humanoid_teleop.compiled import chain, compiled, dot, turn, turn_back

SEGMENT, BOX, CYLINDER = 0, 1, 2


class Shapes(NamedTuple):
    """n shapes on a chain.

    Attributes:
        kind: (n,) SEGMENT, BOX or CYLINDER.
        half: (n, 3) half extents of the core; of a segment only z, of a cylinder x is the radius [m].
        radius: (n,) of the ball [m].
        bound: (n,) radius of a ball around the shape's middle that holds it all [m].
        row: (n,) of the chain.
        turned: (n, 3, 3) in that row's axes.
        place: (n, 3) [m].
    """

    kind: np.ndarray
    half: np.ndarray
    radius: np.ndarray
    bound: np.ndarray
    row: np.ndarray
    turned: np.ndarray
    place: np.ndarray


class Placed(NamedTuple):
    """Rotations (n, 3, 3) and middles (n, 3) [m] of shapes, base axes."""

    turned: np.ndarray
    place: np.ndarray


def shapes_of(geometry: pin.GeometryModel) -> Shapes:
    """The shapes of a geometry model.

    Raises:
        HumanoidError: a shape is not a ball, capsule, box or cylinder.
    """
    items = list(geometry.geometryObjects)
    kind, half, radius = np.zeros(len(items), dtype=np.int64), np.zeros((len(items), 3)), np.zeros(len(items))
    for i, item in enumerate(items):
        form = item.geometry
        if isinstance(form, coal.Sphere):
            radius[i] = form.radius
        elif isinstance(form, coal.Capsule):
            half[i, 2], radius[i] = form.halfLength, form.radius
        elif isinstance(form, coal.Box):
            kind[i], half[i] = BOX, form.halfSide
        elif isinstance(form, coal.Cylinder):
            kind[i], half[i] = CYLINDER, (form.radius, form.radius, form.halfLength)
        else:
            raise HumanoidError(
                f"collision shape {item.name}: found {type(form).__name__}, expected ball, capsule, box or cylinder"
            )
    across = np.where(kind == CYLINDER, half[:, 0] ** 2, half[:, 0] ** 2 + half[:, 1] ** 2)
    return Shapes(
        kind=kind,
        half=half,
        radius=radius,
        bound=np.sqrt(across + half[:, 2] ** 2) + radius,
        row=np.array([item.parentJoint for item in items], dtype=np.int64),
        turned=np.array([item.placement.rotation for item in items]).reshape(-1, 3, 3),
        place=np.array([item.placement.translation for item in items]).reshape(-1, 3),
    )


def placed_of(shapes: Shapes) -> Placed:
    """Room for placements."""
    return Placed(np.zeros_like(shapes.turned), np.zeros_like(shapes.place))


@compiled
def place(shapes: Shapes, pose: Pose, placed: Placed) -> None:
    """Fill `placed` for a pose of the chain."""
    for i in range(shapes.row.shape[0]):
        row = shapes.row[i]
        chain(pose.turned[row], shapes.turned[i], placed.turned[i])
        turn(pose.turned[row], shapes.place[i], placed.place[i])
        for k in range(3):
            placed.place[i, k] += pose.place[row, k]


@compiled
def distance(
    shapes: Shapes, placed: Placed, a: int, b: int, way: np.ndarray, on_a: np.ndarray, on_b: np.ndarray
) -> float:
    """Distance of shapes a and b [m]; where cores overlap, minus the sum of their radii.

    Args:
        shapes: All shapes.
        placed: Where they are.
        a: A shape.
        b: Another.
        way: In: a guess of the unit vector from a to b (3,), or zeros. Out: that vector; between their
            middles where cores overlap.
        on_a: Out: nearest point of a's core (3,) [m].
        on_b: Out: of b's.
    """
    if shapes.kind[a] == SEGMENT and shapes.kind[b] == SEGMENT:
        _segments(shapes, placed, a, b, on_a, on_b)
        gap = np.empty(3)
        for k in range(3):
            gap[k] = on_b[k] - on_a[k]
        length = math.sqrt(dot(gap, gap))
    else:
        gap = np.empty(3)
        length = _gjk(shapes, placed, a, b, way, gap, on_a, on_b)
    if length <= 1e-9:  # no one way out: from middle to middle
        for k in range(3):
            gap[k] = placed.place[b, k] - placed.place[a, k]
        apart = math.sqrt(dot(gap, gap))
        for k in range(3):
            way[k] = gap[k] / apart if apart > 1e-9 else (1.0 if k == 2 else 0.0)
    else:
        for k in range(3):
            way[k] = gap[k] / length
    return length - shapes.radius[a] - shapes.radius[b]


@compiled
def _segments(shapes: Shapes, placed: Placed, a: int, b: int, on_a: np.ndarray, on_b: np.ndarray) -> None:
    """Nearest points of two segments."""
    ha, hb = shapes.half[a, 2], shapes.half[b, 2]
    ra, rb = placed.turned[a], placed.turned[b]
    cosine = ra[0, 2] * rb[0, 2] + ra[1, 2] * rb[1, 2] + ra[2, 2] * rb[2, 2]
    along_a = along_b = 0.0
    for k in range(3):
        apart = placed.place[b, k] - placed.place[a, k]
        along_a += apart * ra[k, 2]
        along_b += apart * rb[k, 2]
    square = 1.0 - cosine * cosine
    s = 0.0
    if square > 1e-9:
        s = min(max((along_a - cosine * along_b) / square, -ha), ha)
    t = min(max(s * cosine - along_b, -hb), hb)
    s = min(max(t * cosine + along_a, -ha), ha)
    for k in range(3):
        on_a[k] = placed.place[a, k] + s * ra[k, 2]
        on_b[k] = placed.place[b, k] + t * rb[k, 2]


@compiled
def _support(shapes: Shapes, placed: Placed, i: int, way: np.ndarray, sign: float, out: np.ndarray) -> None:
    """Point of a core that is farthest along sign times `way`."""
    turn_back(placed.turned[i], way, out)
    x, y, z = sign * out[0], sign * out[1], sign * out[2]
    half = shapes.half[i]
    if shapes.kind[i] == CYLINDER:
        across = math.sqrt(x * x + y * y)
        factor = half[0] / across if across > 1e-12 else 0.0
        out[0], out[1] = factor * x, factor * y
    else:
        out[0], out[1] = math.copysign(half[0], x), math.copysign(half[1], y)
    out[2] = math.copysign(half[2], z)
    turn(placed.turned[i], out, out)
    for k in range(3):
        out[k] += placed.place[i, k]


@compiled
def _gjk(
    shapes: Shapes,
    placed: Placed,
    a: int,
    b: int,
    guess: np.ndarray,
    gap: np.ndarray,
    on_a: np.ndarray,
    on_b: np.ndarray,
) -> float:
    """Length of the shortest vector `gap` from core a to core b; 0 where they overlap."""
    points, from_a = np.empty((4, 3)), np.empty((4, 3))  # of b - a, and their points on a
    weights = np.empty(4)
    far = np.empty(3)
    for k in range(3):
        gap[k] = guess[k]
    if dot(gap, gap) < 0.5:
        for k in range(3):
            gap[k] = placed.place[b, k] - placed.place[a, k]
        if dot(gap, gap) < 1e-12:
            gap[0] = 1.0
    count, square = 0, 1e300
    for _ in range(32):
        # The point of b - a that is farthest against the gap
        _support(shapes, placed, a, gap, 1.0, from_a[count])
        _support(shapes, placed, b, gap, -1.0, far)
        for k in range(3):
            far[k] -= from_a[count, k]
            points[count, k] = far[k]
        if count > 0:
            if square - dot(gap, far) <= 1e-9 * square:
                break
            known = False
            for i in range(count):
                known |= points[i, 0] == far[0] and points[i, 1] == far[1] and points[i, 2] == far[2]
            if known:
                break
        count = _nearest(points, from_a, count + 1, weights)
        if count == 4:
            square = 0.0
            break
        for k in range(3):
            gap[k] = 0.0
        for i in range(count):
            for k in range(3):
                gap[k] += weights[i] * points[i, k]
        shorter = dot(gap, gap)
        if shorter < 1e-16:
            square = 0.0
            break
        if shorter >= square:  # rounding
            square = shorter
            break
        square = shorter
    for k in range(3):
        on_a[k] = 0.0
    if square == 0.0:
        for k in range(3):
            on_a[k] = on_b[k] = 0.5 * (placed.place[a, k] + placed.place[b, k])
        return 0.0
    for i in range(count):
        for k in range(3):
            on_a[k] += weights[i] * from_a[i, k]
    for k in range(3):
        on_b[k] = on_a[k] + gap[k]
    return math.sqrt(square)


@compiled
def _keep(points: np.ndarray, from_a: np.ndarray, to: int, source: int) -> None:
    for k in range(3):
        points[to, k] = points[source, k]
        from_a[to, k] = from_a[source, k]


@compiled
def _nearest(points: np.ndarray, from_a: np.ndarray, count: int, weights: np.ndarray) -> int:
    """Reduce a simplex to its part nearest to the origin; its weights, and how many points. 4: the origin is in it."""
    if count == 1:
        weights[0] = 1.0
        return 1
    index = np.empty(3, dtype=np.int64)
    if count == 2:
        index[0], index[1] = 0, 1
        used = _edge(points, 0, 1, index, weights)
    elif count == 3:
        used = _triangle(points, 0, 1, 2, index, weights)
    else:
        used = 0
        best, trial, shares = 1e300, np.empty(3, dtype=np.int64), np.empty(4)
        inside = True
        for face in range(4):
            i, j, m, other = (face + 1) % 4, (face + 2) % 4, (face + 3) % 4, face
            if not _outside(points, i, j, m, other):
                continue
            inside = False
            n = _triangle(points, i, j, m, trial, shares)
            square = 0.0
            for k in range(3):
                x = 0.0
                for t in range(n):
                    x += shares[t] * points[trial[t], k]
                square += x * x
            if square < best:
                best, used = square, n
                for t in range(n):
                    index[t], weights[t] = trial[t], shares[t]
        if inside:
            return 4
    # In rising order, so that no point is overwritten before it is moved
    for i in range(used):
        for j in range(i + 1, used):
            if index[j] < index[i]:
                index[i], index[j] = index[j], index[i]
                weights[i], weights[j] = weights[j], weights[i]
    for i in range(used):
        _keep(points, from_a, i, index[i])
    return used


@compiled
def _edge(points: np.ndarray, i: int, j: int, index: np.ndarray, weights: np.ndarray) -> int:
    p, q = points[i], points[j]
    length = along = 0.0
    for k in range(3):
        d = q[k] - p[k]
        length += d * d
        along -= d * p[k]
    if along <= 0.0 or length <= 0.0:
        index[0], weights[0] = i, 1.0
        return 1
    if along >= length:
        index[0], weights[0] = j, 1.0
        return 1
    index[0], index[1] = i, j
    weights[1] = along / length
    weights[0] = 1.0 - weights[1]
    return 2


@compiled
def _triangle(points: np.ndarray, i: int, j: int, m: int, index: np.ndarray, weights: np.ndarray) -> int:
    a, b, c = points[i], points[j], points[m]
    d1 = d2 = d3 = d4 = d5 = d6 = 0.0
    for k in range(3):
        ab, ac = b[k] - a[k], c[k] - a[k]
        d1 -= ab * a[k]
        d2 -= ac * a[k]
        d3 -= ab * b[k]
        d4 -= ac * b[k]
        d5 -= ab * c[k]
        d6 -= ac * c[k]
    if d1 <= 0.0 and d2 <= 0.0:
        index[0], weights[0] = i, 1.0
        return 1
    if d3 >= 0.0 and d4 <= d3:
        index[0], weights[0] = j, 1.0
        return 1
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        return _edge(points, i, j, index, weights)
    if d6 >= 0.0 and d5 <= d6:
        index[0], weights[0] = m, 1.0
        return 1
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        return _edge(points, i, m, index, weights)
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        return _edge(points, j, m, index, weights)
    total = va + vb + vc
    index[0], index[1], index[2] = i, j, m
    weights[1], weights[2] = vb / total, vc / total
    weights[0] = 1.0 - weights[1] - weights[2]
    return 3


@compiled
def _outside(points: np.ndarray, i: int, j: int, m: int, other: int) -> bool:
    """Whether the origin and the point `other` are on different sides of a face; true for a flat tetrahedron."""
    a, b, c, d = points[i], points[j], points[m], points[other]
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    origin = -(a[0] * nx + a[1] * ny + a[2] * nz)
    fourth = (d[0] - a[0]) * nx + (d[1] - a[1]) * ny + (d[2] - a[2]) * nz
    return origin * fourth <= 0.0
