# SPDX-License-Identifier: Apache-2.0
"""One robot hand: from a grip value, or from the 25 finger joints of WebXR, to finger joints inside their limits.

Fingertips are matched as vectors from the wrist, each scaled by the length of the robot's finger over the person's;
where the person's thumb meets a finger, the robot's are drawn together too. Solved by a few Gauss-Newton steps from the
last answer.

Source: vectors and pinch as in Handa et al., "DexPilot", ICRA 2020; there with a general solver.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pinocchio as pin

from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_teleop.limits import JointLimits, braking_velocity, velocity_box
from humanoid_teleop.operator import LOST, WEBXR_JOINTS, Hand
from humanoid_teleop.settings import Settings

# Operator's wrist axes (x along the fingers, z out of the back of the hand) in WebXR's (-z along the bone, y out of the
# back).
_WEBXR_FROM_OPERATOR = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
_FINGERS = {
    "thumb": "thumb",
    "index": "index-finger",
    "middle": "middle-finger",
    "ring": "ring-finger",
    "little": "pinky-finger",
}
_CHAINS = {
    name: [i for i, joint in enumerate(WEBXR_JOINTS) if joint.startswith(prefix)] for name, prefix in _FINGERS.items()
}

PINCH_NEAR, PINCH_FAR = 0.015, 0.05  # [m] between the person's fingertips: touching, and not pinching at all
PINCH_WEIGHT = 2.0  # against 1 of a fingertip's place
REST_WEIGHT = 3e-3  # [m/rad] of staying where the fingers were
ITERATIONS = 4
ARRIVED = 1e-4  # [rad] from its goal a finger joint rests


class HandRetargeter:
    """Moves one hand.

    Args:
        robot: The robot.
        side: "left" or "right".
        settings: Shares of the joint limits.

    Attributes:
        joints: Names, in the configuration's order.
        position: (n,) [rad].
        velocity: (n,) [rad/s].
    """

    def __init__(self, robot: Robot, side: str, settings: Settings) -> None:
        config = robot.config.hands[side]
        self.joints = robot.group(config.group)
        limits = robot.limits(self.joints)
        self._limits = JointLimits(
            limits.lower,
            limits.upper,
            settings.velocity_share * limits.velocity,
            settings.acceleration_share * limits.acceleration,
        )
        self._open = np.array([config.open[joint] for joint in self.joints])
        self._closed = np.array([config.closed[joint] for joint in self.joints])
        self.position = self._open.copy()
        self.velocity = np.zeros(len(self.joints))
        self._goal = self._open.copy()

        # The hand alone, in the axes of the wrist.
        model = robot.pinocchio()
        locked = [index for index in range(1, model.njoints) if model.names[index] not in self.joints]
        self._model = pin.buildReducedModel(model, locked, robot.home())
        self._data = self._model.createData()
        self._columns = np.array([self._model.joints[self._model.getJointId(joint)].idx_v for joint in self.joints])
        self._tips = [int(self._model.getFrameId(finger.tip_frame)) for finger in config.fingers.values()]
        self._follows = [finger.follows for finger in config.fingers.values()]
        names = list(config.fingers)
        self._thumb = names.index("thumb") if "thumb" in names else None
        mapping = robot.config.operator.arms[side]
        self._wrist_from_operator = np.ascontiguousarray(mapping.wrist_from_operator)
        pin.framesForwardKinematics(self._model, self._data, pin.neutral(self._model))
        self._base_from_wrist = self._data.oMf[self._model.getFrameId(mapping.wrist_frame)].copy()
        straight, _ = self._fingertips(np.clip(np.zeros(len(self.joints)), self._limits.lower, self._limits.upper))
        self._lengths = np.linalg.norm(straight, axis=1)

    def start(self, positions: Mapping[str, float]) -> None:
        """Begin where the hand is: positions by joint name [rad]; a missing joint is taken to be open."""
        measured = np.array([positions.get(joint, value) for joint, value in zip(self.joints, self._open)], dtype=float)
        self.position = np.clip(measured, self._limits.lower, self._limits.upper)
        self.velocity = np.zeros(len(self.joints))
        self._goal = self.position.copy()

    def update(self, hand: Hand) -> None:
        """Take in what the person's hand does; what is not known leaves the goal as it was."""
        if hand.joint_positions is not None and hand.joint_rotations is not None and hand.validity != LOST:
            self._from_joints(hand.joint_positions, hand.joint_rotations[0])
        elif math.isfinite(hand.grip):
            grip = min(max(hand.grip, 0.0), 1.0)
            self._goal = np.clip(
                self._open + grip * (self._closed - self._open), self._limits.lower, self._limits.upper
            )

    def step(self, dt: float, follow: bool) -> None:
        """Move towards the goal for dt [s], or brake."""
        limits = self._limits
        if not self.velocity.any() and (not follow or np.abs(self._goal - self.position).max() < ARRIVED):
            return
        low, high = velocity_box(self.position, self.velocity, dt, limits)
        if follow:
            error = self._goal - self.position
            step = limits.acceleration * dt
            speed = np.sqrt(step * step + 2.0 * limits.acceleration * np.abs(error)) - step
            wanted = np.where(np.abs(error) < ARRIVED, 0.0, np.copysign(speed, error))
        else:
            wanted = braking_velocity(self.velocity, dt, limits.acceleration)
        self.velocity = np.minimum(np.maximum(wanted, low), high)
        self.position = np.clip(self.position + self.velocity * dt, limits.lower, limits.upper)

    def _from_joints(self, positions: np.ndarray, wrist_rotation: np.ndarray) -> None:
        """Goal from WebXR joints: positions (25, 3) [m] and the wrist's quaternion xyzw (4,)."""
        turn = rotations.normalised(wrist_rotation)
        if turn is None or positions.shape != (len(WEBXR_JOINTS), 3) or not np.isfinite(positions).all():
            return
        wrist_from_tracking = self._wrist_from_operator @ (rotations.matrix(turn) @ _WEBXR_FROM_OPERATOR).T
        local = (positions - positions[0]) @ wrist_from_tracking.T
        wanted = np.empty((len(self._tips), 3))
        tips = np.empty((len(self._tips), 3))
        for row, fingers in enumerate(self._follows):
            chains = [local[[0, *_CHAINS[name]]] for name in fingers]
            length = np.mean([np.linalg.norm(np.diff(chain, axis=0), axis=1).sum() for chain in chains])
            if not 0.03 < length < 0.4:
                return
            tips[row] = np.mean([chain[-1] for chain in chains], axis=0)
            wanted[row] = tips[row] * (self._lengths[row] / length)
        self._goal = self._solve(wanted, tips)

    def _solve(self, wanted: np.ndarray, tips: np.ndarray) -> np.ndarray:
        """Joints (n,) that take fingertips (m, 3) to `wanted` and together where the person's `tips` (m, 3) are."""
        q = self._goal.copy()
        pinches = []
        if self._thumb is not None:
            for row in range(len(tips)):
                gap = float(np.linalg.norm(tips[row] - tips[self._thumb]))
                share = min(max((PINCH_FAR - gap) / (PINCH_FAR - PINCH_NEAR), 0.0), 1.0)
                if row != self._thumb and share > 0.0:
                    pinches.append((row, PINCH_WEIGHT * share, (tips[row] - tips[self._thumb]) * (1.0 - share)))
        for _ in range(ITERATIONS):
            places, jacobians = self._fingertips(q)
            errors = [(wanted - places).ravel()]
            rows = [jacobians.reshape(-1, len(q))]
            for row, weight, apart in pinches:
                errors.append(weight * (apart - places[row] + places[self._thumb]))
                rows.append(weight * (jacobians[row] - jacobians[self._thumb]))
            jacobian, error = np.concatenate(rows), np.concatenate(errors)
            # A joint on its stop that is pushed outwards takes no part.
            slope = jacobian.T @ error
            stuck = ((q <= self._limits.lower) & (slope < 0.0)) | ((q >= self._limits.upper) & (slope > 0.0))
            free = np.flatnonzero(~stuck)
            part = jacobian[:, free]
            step = np.linalg.solve(part.T @ part + REST_WEIGHT**2 * np.eye(len(free)), part.T @ error)
            q[free] += np.clip(step, -0.5, 0.5)
            q = np.clip(q, self._limits.lower, self._limits.upper)
        return q

    def _fingertips(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fingertips (m, 3) [m] and their Jacobians (m, 3, n), in the axes of the wrist."""
        q = np.zeros(self._model.nq)
        q[self._columns] = joints
        pin.computeJointJacobians(self._model, self._data, q)
        turn, origin = self._base_from_wrist.rotation.T, self._base_from_wrist.translation
        places = np.empty((len(self._tips), 3))
        jacobians = np.empty((len(self._tips), 3, len(joints)))
        for row, tip in enumerate(self._tips):
            pin.updateFramePlacement(self._model, self._data, tip)
            frame = pin.getFrameJacobian(self._model, self._data, tip, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED)
            places[row] = turn @ (self._data.oMf[tip].translation - origin)
            jacobians[row] = turn @ frame[:3, self._columns]
        return places, jacobians
