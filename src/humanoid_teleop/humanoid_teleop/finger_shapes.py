# SPDX-License-Identifier: Apache-2.0
"""Where the collision shapes of a hand's fingers are on the link that carries the hand, as its joints move them.

The arms' model knows fingers as parts of the wrist, stiff at home; here they bend.
"""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from humanoid_description import Robot
from humanoid_teleop.collision import SelfCollision
from humanoid_teleop.compiled import compiled
from humanoid_teleop.distances import Placed, Shapes, place, placed_of
from humanoid_teleop.kinematics import Chain, Pose, chain_of, pose_of, update


class FingerShapes:
    """The shapes of one hand's fingers.

    Args:
        robot: The robot.
        joints: That move the fingers: n names.
        collision: Of the arms, at home; its shapes are those of `robot.geometry()`, in that order.

    Attributes:
        extents: By shape: how far any point of it can be from the joint before the hand, however fingers bend [m].
    """

    def __init__(self, robot: Robot, joints: tuple[str, ...], collision: SelfCollision) -> None:
        driven = {joint: (index, 1.0, 0.0) for index, joint in enumerate(joints)}
        for joint, mimic in robot.mimics.items():
            if mimic.joint in driven:
                driven[joint] = (driven[mimic.joint][0], mimic.multiplier, mimic.offset)
        whole = pin.buildModelFromXML(robot.urdf)  # all joints by themselves, those that mimic others included
        home = pin.neutral(whole)
        for name, position in robot.config.home.items():
            home[whole.joints[whole.getJointId(name)].idx_q] = position
        locked = [index for index in range(1, whole.njoints) if whole.names[index] not in driven]
        model = pin.buildReducedModel(whole, locked, home)
        self._chain = chain_of(model)
        rules = [driven[name] for name in list(model.names)[1:]]
        self._joint = np.array([index for index, _, _ in rules], dtype=np.int64)
        self._multiplier = np.array([multiplier for _, multiplier, _ in rules])
        self._offset = np.array([offset for _, _, offset in rules])
        self._q = np.zeros(model.nv)

        names = robot.pinocchio().names
        items = [
            (i, item) for i, item in enumerate(robot.geometry().geometryObjects) if names[item.parentJoint] in driven
        ]
        everything = collision.shapes
        self._index = np.array([i for i, _ in items], dtype=np.int64)
        self._shapes = Shapes(
            kind=everything.kind[self._index],
            half=everything.half[self._index],
            radius=everything.radius[self._index],
            bound=everything.bound[self._index],
            row=np.array([model.getJointId(names[item.parentJoint]) for _, item in items], dtype=np.int64),
            turned=np.array([item.placement.rotation for _, item in items]).reshape(-1, 3, 3),
            place=np.array([item.placement.translation for _, item in items]).reshape(-1, 3),
        )
        self._placed = placed_of(self._shapes)
        # The chain begins at the base, the robot at home; wanted are places on the row that carries the hand.
        self._pose = pose_of(self._chain)
        if items:
            carrier = everything.row[self._index[0]]
            turned, at = collision.home.turned[carrier], collision.home.place[carrier]
            self._pose.turned[0], self._pose.place[0] = turned.T, -turned.T @ at
        lengths = self._lengths(model.lowerPositionLimit, model.upperPositionLimit)
        self.extents = {
            int(i): float(lengths[row] + np.linalg.norm(at) + bound)
            for i, row, at, bound in zip(self._index, self._shapes.row, self._shapes.place, self._shapes.bound)
        }

    def bend(self, position: np.ndarray, collision: SelfCollision) -> None:
        """Move the shapes to where joint positions (n,) [rad or m] put them."""
        _bend(
            self._chain, position, self._joint, self._multiplier, self._offset, self._q, self._pose, self._shapes,
            self._placed, self._index, collision.shapes,
        )  # fmt: skip

    def _lengths(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """How far each row can be from the joint before the hand [m]."""
        chain, out = self._chain, np.zeros(len(self._chain.parent))
        for row in range(1, len(out)):
            above, at = chain.parent[row], chain.place[row]
            if not above:
                at = self._pose.turned[0] @ at + self._pose.place[0]
            slide = max(abs(lower[row - 1]), abs(upper[row - 1])) if chain.slides[row] else 0.0
            out[row] = out[above] + np.linalg.norm(at) + slide
        return out


@compiled
def _bend(
    model: Chain,
    position: np.ndarray,
    joint: np.ndarray,
    multiplier: np.ndarray,
    offset: np.ndarray,
    q: np.ndarray,
    pose: Pose,
    fingers: Shapes,
    placed: Placed,
    index: np.ndarray,
    shapes: Shapes,
) -> None:
    for i in range(q.shape[0]):
        q[i] = multiplier[i] * position[joint[i]] + offset[i]
    update(model, q, pose)
    place(fingers, pose, placed)
    for i in range(index.shape[0]):
        shapes.turned[index[i]] = placed.turned[i]
        shapes.place[index[i]] = placed.place[i]
