# SPDX-License-Identifier: Apache-2.0
"""Places of joints and frames at a configuration, and how they move: what pinocchio gives, as compiled loops that the
other compiled parts can call. The model comes from pinocchio, and a test compares the two."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pinocchio as pin

from humanoid_teleop.compiled import chain, compiled, cross, turn


class Chain(NamedTuple):
    """A tree of hinges and slides; row 0 is the base, row i > 0 joint i of pinocchio, whose number in q is i - 1.

    Attributes:
        parent: (k + 1,) row of the parent.
        turned: (k + 1, 3, 3) rotation of the joint in its parent at zero.
        place: (k + 1, 3) place likewise [m].
        axis: (k + 1, 3) unit axis, in the joint's frame.
        slides: (k + 1,) whether the joint is prismatic.
        above: (k + 1, k) whether joint number j moves row i.
    """

    parent: np.ndarray
    turned: np.ndarray
    place: np.ndarray
    axis: np.ndarray
    slides: np.ndarray
    above: np.ndarray


class Pose(NamedTuple):
    """Where a chain is, base axes.

    Attributes:
        turned: (k + 1, 3, 3).
        place: (k + 1, 3) [m].
        axis: (k + 1, 3).
    """

    turned: np.ndarray
    place: np.ndarray
    axis: np.ndarray


class Frame(NamedTuple):
    """A frame fixed to a row of the chain: rotation (3, 3) and place (3,) [m] there."""

    row: int
    turned: np.ndarray
    place: np.ndarray


def chain_of(model: pin.Model) -> Chain:
    """The chain of a pinocchio model whose joints all have one degree of freedom."""
    count = model.njoints
    parent, slides = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    turned, place, axis = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)), np.zeros((count, 3))
    above = np.zeros((count, model.nv), dtype=np.bool_)
    data = model.createData()
    pin.computeJointJacobians(model, data, pin.neutral(model))
    for row in range(1, count):
        parent[row] = model.parents[row]
        turned[row], place[row] = model.jointPlacements[row].rotation, model.jointPlacements[row].translation
        column = pin.getJointJacobian(model, data, row, pin.LOCAL)[:, model.joints[row].idx_v]
        slides[row] = not column[3:].any()
        axis[row] = column[:3] if slides[row] else column[3:]
        above[row] = above[model.parents[row]]
        above[row, model.joints[row].idx_v] = True
    return Chain(parent, turned, place, axis, slides, above)


def pose_of(chain_: Chain) -> Pose:
    """Room for a pose of a chain."""
    return Pose(chain_.turned.copy(), chain_.place.copy(), np.zeros_like(chain_.axis))


def frame_of(model: pin.Model, index: int) -> Frame:
    """A frame of the model."""
    frame = model.frames[index]
    rotation, place = frame.placement.rotation, frame.placement.translation
    return Frame(int(frame.parentJoint), np.ascontiguousarray(rotation), np.array(place))


@compiled
def update(model: Chain, q: np.ndarray, pose: Pose) -> None:
    """Fill `pose` for the configuration q (k,) [rad or m]."""
    local, moved = np.empty((3, 3)), np.empty(3)
    for row in range(1, model.parent.shape[0]):
        above, position = model.parent[row], q[row - 1]
        turn(pose.turned[above], model.place[row], moved)
        for i in range(3):
            pose.place[row, i] = pose.place[above, i] + moved[i]
        chain(pose.turned[above], model.turned[row], local)
        turn(local, model.axis[row], pose.axis[row])
        if model.slides[row]:
            for i in range(3):
                pose.place[row, i] += position * pose.axis[row, i]
                for j in range(3):
                    pose.turned[row, i, j] = local[i, j]
            continue
        # local times the rotation about the axis (Rodrigues)
        x, y, z = model.axis[row, 0], model.axis[row, 1], model.axis[row, 2]
        s, c = math.sin(position), math.cos(position)
        d = 1.0 - c
        for i in range(3):
            a, b, e = local[i, 0], local[i, 1], local[i, 2]
            along = d * (a * x + b * y + e * z)
            pose.turned[row, i, 0] = c * a + s * (b * z - e * y) + along * x
            pose.turned[row, i, 1] = c * b + s * (e * x - a * z) + along * y
            pose.turned[row, i, 2] = c * e + s * (a * y - b * x) + along * z


@compiled
def locate(pose: Pose, frame: Frame, turned: np.ndarray, place: np.ndarray) -> None:
    """Rotation (3, 3) and place (3,) [m] of a frame."""
    chain(pose.turned[frame.row], frame.turned, turned)
    turn(pose.turned[frame.row], frame.place, place)
    for i in range(3):
        place[i] += pose.place[frame.row, i]


@compiled
def column(model: Chain, pose: Pose, joint: int, point: np.ndarray, linear: np.ndarray, angular: np.ndarray) -> None:
    """How a body beyond joint number `joint` moves with it: its point (3,) [m/rad], and its rotation (3,) [rad/rad]."""
    row = joint + 1
    if model.slides[row]:
        for i in range(3):
            linear[i], angular[i] = pose.axis[row, i], 0.0
        return
    for i in range(3):
        angular[i] = point[i] - pose.place[row, i]
    cross(pose.axis[row], angular, linear)
    for i in range(3):
        angular[i] = pose.axis[row, i]
