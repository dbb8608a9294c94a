# SPDX-License-Identifier: Apache-2.0
"""The part of a robot that follows a person: arms, torso and head; everything else, a lift included, locked at home."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_teleop.arms.arm_tasks import ArmFrames
from humanoid_teleop.arms.kinematics import Frame, chain_of, frame_of
from humanoid_teleop.arms.limits import JointLimits
from humanoid_teleop.operator import SIDES

STRAIGHT_MARGIN = 0.05  # [rad] kept between the elbow and straight, where its bending direction would be lost


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        joints: Indices into the model's position and velocity vectors.
        wrist: Frame index.
        elbow: Frame index.
        frames: The same for the compiled parts.
        wrist_from_operator: Rotation (3, 3) from the operator's wrist axes to the wrist frame.
        shoulder: Centre of the shoulder in the torso frame (3,) [m].
        reach: From shoulder to wrist, arm straight [m].
    """

    joints: np.ndarray
    wrist: int
    elbow: int
    frames: ArmFrames
    wrist_from_operator: np.ndarray
    shoulder: np.ndarray
    reach: float


class UpperBody:
    """Model of the joints that retargeting moves.

    Args:
        robot: The robot.

    Attributes:
        joints: Names in the model's order, that of q.
        home: (n,) [rad].
        limits: Of the joints; the elbows stop before straight, so that they always bend the way they do at home.
        chain: The model for the compiled parts.
        torso: Frame index of the torso.
        torso_frame: The same for the compiled parts.
        head_frame: Where the robot looks, likewise.
        waist: Indices of the torso's joints.
        neck: Indices of the head's joints.
        arms: By side.
        chest: Middle between the shoulders in the torso frame (3,) [m].
        half_shoulders: Half the distance between the shoulders [m].
        reach: Mean of the arms' [m].
        posture_weights: (n,).

    Raises:
        ConfigError: the configuration names something that the model lacks, or the robot has no two arms.
    """

    def __init__(self, robot: Robot) -> None:
        config = robot.config
        for side in SIDES:
            if side not in config.operator.arms:
                raise ConfigError(robot.config_path, f"operator.arms.{side}", "nothing", "an arm on each side")
        groups = [
            group
            for group in ("torso", "head", *(config.operator.arms[side].group for side in SIDES))
            if group in config.commanded
        ]
        # A lift is its own lever's: the person's chest says nothing about it.
        lift = config.operator.lift.joints if config.operator.lift else ()
        moved = set(robot.group(*groups)) - set(lift)
        model = robot.pinocchio()
        for index in range(1, model.njoints):
            if model.names[index] in moved and model.joints[index].nq != 1:
                raise ConfigError(
                    robot.config_path, f"groups: {model.names[index]}", "a joint of several axes", "a hinge or slide"
                )
        locked = [index for index in range(1, model.njoints) if model.names[index] not in moved]
        self.model = pin.buildReducedModel(model, locked, robot.home())
        self.geometry = reduced_geometry(robot.geometry(), model, self.model)
        self.joints: tuple[str, ...] = tuple(self.model.names)[1:]
        self.home = np.array([config.home.get(joint, 0.0) for joint in self.joints])
        self.torso = int(self.model.getFrameId(config.operator.torso_frame))
        self.chain = chain_of(self.model)
        self.torso_frame = frame_of(self.model, self.torso)
        self.head_frame = frame_of(self.model, self.model.getFrameId(config.operator.head_frame))
        self.waist, self.neck = (
            self.indices([joint for joint in config.groups.get(group, ()) if joint in moved])
            for group in ("torso", "head")
        )
        limits = robot.limits(self.joints)
        self.limits = JointLimits(limits.lower, limits.upper, limits.velocity, limits.acceleration)
        self.posture_weights = np.ones(len(self.joints))
        for group in groups:
            weight = config.operator.posture_weights.get(group, 1.0)
            self.posture_weights[self.indices([joint for joint in config.groups[group] if joint in moved])] = weight
        shoulders = [robot.arm(side).shoulder for side in SIDES]
        self.chest = 0.5 * (shoulders[0] + shoulders[1])
        self.arms = {side: self._arm(robot, side) for side in SIDES}
        self.half_shoulders = 0.5 * float(np.linalg.norm(shoulders[0] - shoulders[1]))
        self.reach = 0.5 * sum(arm.reach for arm in self.arms.values())

    def indices(self, joints: list[str] | tuple[str, ...]) -> np.ndarray:
        """Indices (n,) of joints in q."""
        return np.array([self.model.joints[self.model.getJointId(joint)].idx_q for joint in joints], dtype=np.int64)

    def _arm(self, robot: Robot, side: str) -> Arm:
        measured = robot.arm(side)
        wrist = int(self.model.getFrameId(measured.wrist_frame))
        elbow_index = int(self.indices([robot.config.operator.arms[side].elbow_joint])[0])

        # Straight: the elbow angle that puts the wrist farthest from the shoulder.
        data = self.model.createData()
        angles = np.linspace(
            self.model.lowerPositionLimit[elbow_index], self.model.upperPositionLimit[elbow_index], 1001
        )
        distances = np.empty(len(angles))
        q = self.home.copy()
        for place, angle in enumerate(angles):
            q[elbow_index] = angle
            pin.framesForwardKinematics(self.model, data, q)
            distances[place] = np.linalg.norm(data.oMf[wrist].translation - data.oMf[self.torso].act(measured.shoulder))
        straight = float(angles[distances.argmax()])
        if self.home[elbow_index] < straight:
            self.limits.upper[elbow_index] = min(self.limits.upper[elbow_index], straight - STRAIGHT_MARGIN)
        else:
            self.limits.lower[elbow_index] = max(self.limits.lower[elbow_index], straight + STRAIGHT_MARGIN)

        joints = self.indices(measured.joints)
        elbow = int(self.model.getFrameId(measured.elbow_frame))
        bent, held = frame_of(self.model, elbow), frame_of(self.model, wrist)
        frames = ArmFrames(
            joints=joints,
            wrist=Frame(held.row, np.ascontiguousarray(held.turned @ measured.wrist_from_operator), held.place),
            elbow=bent,
            shoulder=np.array(measured.shoulder),
            moves_elbow=self.chain.above[bent.row, joints],
        )
        return Arm(
            joints=joints,
            wrist=wrist,
            elbow=elbow,
            frames=frames,
            wrist_from_operator=np.ascontiguousarray(measured.wrist_from_operator),
            shoulder=measured.shoulder,
            reach=float(distances.max()),
        )


def reduced_geometry(geometry: pin.GeometryModel, model: pin.Model, reduced: pin.Model) -> pin.GeometryModel:
    """The geometry on the reduced model, with the pairs that can still move against each other.

    pinocchio's own reduction of a geometry model ends the process (4.1.0).
    """
    out = pin.GeometryModel()
    for item in geometry.geometryObjects:
        name = model.names[item.parentJoint]
        if item.parentJoint == 0 or reduced.existJointName(name):
            parent, placement = (reduced.getJointId(name) if item.parentJoint else 0), item.placement
        else:  # a locked joint is a frame of the reduced model
            frame = reduced.frames[reduced.getFrameId(name)]
            parent, placement = frame.parentJoint, frame.placement * item.placement
        out.addGeometryObject(pin.GeometryObject(item.name, parent, placement, item.geometry))
    for pair in geometry.collisionPairs:
        if out.geometryObjects[pair.first].parentJoint != out.geometryObjects[pair.second].parentJoint:
            out.addCollisionPair(pin.CollisionPair(pair.first, pair.second))
    return out
