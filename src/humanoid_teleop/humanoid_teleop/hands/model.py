# SPDX-License-Identifier: Apache-2.0
"""A robot's hand by itself: where its fingertips are, how joints move them, and where fingers touch.

Everything is in the operator's wrist axes (x along the fingers, z out of the back of the hand) at the robot's wrist.
"""

from __future__ import annotations

from typing import NamedTuple

import coal
import numpy as np
import pinocchio as pin

from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_teleop.compiled import compiled


class Chains(NamedTuple):
    """Fingers as chains of joints, from the wrist outwards; m fingers of up to d joints each, n driven joints.

    Attributes:
        depths: How many joints each finger has (m,).
        joint: Which driven joint moves each of them (m, d).
        multiplier: What a joint turns or slides per that one's (m, d).
        offset: (m, d) [rad or m].
        slides: Whether it slides (m, d).
        axis: In the joint's axes (m, d, 3).
        rotation: From the joint's axes to those of the one before (m, d, 3, 3).
        place: Of the joint in the axes of the one before (m, d, 3) [m].
        tip: In the axes of the last joint (m, 3) [m].
    """

    depths: np.ndarray
    joint: np.ndarray
    multiplier: np.ndarray
    offset: np.ndarray
    slides: np.ndarray
    axis: np.ndarray
    rotation: np.ndarray
    place: np.ndarray
    tip: np.ndarray


class HandModel:
    """Fingers of one hand, the rest of the robot at home. A fingertip is the middle of the finger's round end.

    Args:
        robot: The robot.
        side: "left" or "right".

    Attributes:
        joints: n names, in the configuration's order.
        fingers: m names, in the configuration's order.
        chains: What moves the fingertips.
        radii: Of the fingers' round ends (m,) [m]: ends as far apart as the sum of their radii touch.
        knuckles: Where each finger begins (m, 3) [m].
        lengths: From there along the finger to its tip (m,) [m].
        finger_of: Row of the finger that each joint moves (n,); m: of none or of several.
    """

    def __init__(self, robot: Robot, side: str) -> None:
        config = robot.config.hands[side]
        self.joints = robot.group(config.group)
        self.fingers = tuple(config.fingers)
        # All joints by themselves, those that mimic others included
        model = pin.buildModelFromXML(robot.urdf)
        data = model.createData()
        home = pin.neutral(model)
        for name, position in robot.config.home.items():
            home[model.joints[model.getJointId(name)].idx_q] = position
        pin.computeJointJacobians(model, data, home)
        pin.updateFramePlacements(model, data)
        arm = robot.config.operator.arms[side]
        wrist = data.oMf[model.getFrameId(arm.wrist_frame, pin.BODY)]
        wrist = pin.SE3(wrist.rotation @ arm.wrist_from_operator, wrist.translation)

        driven = {joint: (index, 1.0, 0.0) for index, joint in enumerate(self.joints)}
        for joint, mimic in robot.mimics.items():
            if mimic.joint in driven:
                driven[joint] = (driven[mimic.joint][0], mimic.multiplier, mimic.offset)
        geometry, whole = robot.geometry(), robot.pinocchio()
        size = len(self.fingers)
        paths = []
        for finger in config.fingers.values():
            tip = model.frames[model.getFrameId(finger.tip_frame, pin.BODY)]
            paths.append([j for j in list(model.supports[tip.parentJoint])[1:] if model.names[j] in driven])
        depth = max((len(path) for path in paths), default=0)
        chains = self.chains = Chains(
            depths=np.array([len(path) for path in paths], dtype=np.int64),
            joint=np.zeros((size, depth), dtype=np.int64),
            multiplier=np.zeros((size, depth)),
            offset=np.zeros((size, depth)),
            slides=np.zeros((size, depth), dtype=np.bool_),
            axis=np.zeros((size, depth, 3)),
            rotation=np.zeros((size, depth, 3, 3)),
            place=np.zeros((size, depth, 3)),
            tip=np.zeros((size, 3)),
        )
        self.radii, self.knuckles, self.lengths = np.zeros(size), np.zeros((size, 3)), np.zeros(size)
        for row, (finger, path) in enumerate(zip(config.fingers.values(), paths)):
            before = wrist
            for column, joint in enumerate(path):
                chains.joint[row, column], chains.multiplier[row, column], chains.offset[row, column] = driven[
                    model.names[joint]
                ]
                motion = pin.getJointJacobian(model, data, joint, pin.LOCAL)[:, model.joints[joint].idx_v]
                chains.slides[row, column] = bool(motion[:3].any())
                chains.axis[row, column] = motion[:3] if motion[:3].any() else motion[3:]
                placed = before.actInv(data.oMi[model.parents[joint]] * model.jointPlacements[joint])
                chains.rotation[row, column], chains.place[row, column] = placed.rotation, placed.translation
                before = data.oMi[joint]
            tip = model.frames[model.getFrameId(finger.tip_frame, pin.BODY)]
            shapes = [
                shape
                for shape in geometry.geometryObjects
                if whole.names[shape.parentJoint] == model.names[tip.parentJoint]
            ]
            centre, self.radii[row] = _round_end(shapes, tip.placement.translation)
            chains.tip[row] = before.actInv(data.oMi[tip.parentJoint].act(centre))
            if path:
                self.knuckles[row] = chains.place[row, 0]
                lengths = np.linalg.norm(chains.place[row, 1 : len(path)], axis=1)
                self.lengths[row] = lengths.sum() + np.linalg.norm(chains.tip[row])
        moved = np.zeros((size, len(self.joints)), dtype=bool)
        for row, path in enumerate(paths):
            moved[row, chains.joint[row, : len(path)]] = True
        self.finger_of = np.where(moved.sum(axis=0) == 1, moved.argmax(axis=0) if size else size, size)

    def tips(self, joints: np.ndarray) -> np.ndarray:
        """Fingertips (m, 3) [m] at joint positions (n,) [rad or m]."""
        places, jacobians = np.empty((len(self.fingers), 3)), np.empty((len(self.fingers), 3, len(joints)))
        fingertips(self.chains, joints, places, jacobians)
        return places


@compiled
def fingertips(chains: Chains, joints: np.ndarray, places: np.ndarray, jacobians: np.ndarray) -> None:
    """Write fingertips (m, 3) [m] and their Jacobians (m, 3, n), given joint positions (n,) [rad or m]."""
    jacobians[:] = 0.0
    depth = chains.joint.shape[1]
    origins, axes = np.empty((depth, 3)), np.empty((depth, 3))
    turn, turned, place = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for row in range(len(chains.depths)):
        turn[:] = 0.0
        turn[0, 0] = turn[1, 1] = turn[2, 2] = 1.0
        place[:] = 0.0
        for k in range(chains.depths[row]):
            value = chains.multiplier[row, k] * joints[chains.joint[row, k]] + chains.offset[row, k]
            _move(place, turn, chains.place[row, k])
            _compose(turn, chains.rotation[row, k], turned)
            axes[k] = 0.0
            _move(axes[k], turned, chains.axis[row, k])
            if chains.slides[row, k]:
                place += value * axes[k]
                turn[:] = turned
            else:
                _turn_about(axes[k], value, turned, turn)
            origins[k] = place
        _move(place, turn, chains.tip[row])
        places[row] = place
        for k in range(chains.depths[row]):
            share, joint = chains.multiplier[row, k], chains.joint[row, k]
            x, y, z = share * axes[k, 0], share * axes[k, 1], share * axes[k, 2]
            if not chains.slides[row, k]:
                a, b, c = place[0] - origins[k, 0], place[1] - origins[k, 1], place[2] - origins[k, 2]
                x, y, z = y * c - z * b, z * a - x * c, x * b - y * a
            jacobians[row, 0, joint] += x
            jacobians[row, 1, joint] += y
            jacobians[row, 2, joint] += z


# Products of 3 x 3 are written out: calls of BLAS cost more than they do.


@compiled
def _move(place: np.ndarray, turn: np.ndarray, by: np.ndarray) -> None:
    """Add `by` (3,), turned (3, 3), to a place (3,)."""
    for i in range(3):
        place[i] += turn[i, 0] * by[0] + turn[i, 1] * by[1] + turn[i, 2] * by[2]


@compiled
def _compose(first: np.ndarray, second: np.ndarray, out: np.ndarray) -> None:
    for i in range(3):
        for j in range(3):
            out[i, j] = first[i, 0] * second[0, j] + first[i, 1] * second[1, j] + first[i, 2] * second[2, j]


@compiled
def _turn_about(axis: np.ndarray, angle: float, before: np.ndarray, out: np.ndarray) -> None:
    """Turn the columns of a rotation (3, 3) about a unit axis (3,), by Rodrigues' formula."""
    s, c = np.sin(angle), np.cos(angle)
    x, y, z = axis[0], axis[1], axis[2]
    for j in range(3):
        a, b, d = before[0, j], before[1, j], before[2, j]
        along = (1.0 - c) * (x * a + y * b + z * d)
        out[0, j] = c * a + s * (y * d - z * b) + along * x
        out[1, j] = c * b + s * (z * a - x * d) + along * y
        out[2, j] = c * d + s * (x * b - y * a) + along * z


def _round_end(shapes: list[pin.GeometryObject], tip: np.ndarray) -> tuple[np.ndarray, float]:
    """Middle (3,) and radius [m] of the ball that fits into the end, next to `tip` (3,), of a finger's last link.

    Shapes and tip are in the axes of the finger's last joint. Without shapes the tip is a point.
    """
    best, centre, radius = np.inf, tip, 0.0
    for shape in shapes:
        half, ball = _core(shape.geometry)
        local = shape.placement.actInv(tip)
        middle = np.clip(local, -half, half)
        outside = abs(float(np.linalg.norm(local - middle)) - ball)
        if outside < best:
            best, centre, radius = outside, shape.placement.act(middle), ball
    return centre, radius


def _core(form: coal.ShapeBase) -> tuple[np.ndarray, float]:
    """Half sizes (3,) of the box that, grown by the radius also given, fills a shape from inside [m]."""
    if isinstance(form, coal.Sphere):
        return np.zeros(3), form.radius
    if isinstance(form, coal.Capsule):
        return np.array([0.0, 0.0, form.halfLength]), form.radius
    if isinstance(form, coal.Cylinder):
        radius = min(form.radius, form.halfLength)
        return np.array([0.0, 0.0, form.halfLength - radius]), radius
    if isinstance(form, coal.Box):
        radius = float(min(form.halfSide))
        return np.asarray(form.halfSide) - radius, radius
    raise HumanoidError(
        f"a finger's last link: found a {type(form).__name__}, expected a ball, capsule, cylinder or box"
    )
