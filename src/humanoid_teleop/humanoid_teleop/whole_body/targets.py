# SPDX-License-Identifier: Apache-2.0
"""A person's whole motion on the scale of a robot: where its pelvis, chest, head, wrists, elbows, knees and feet should
be in every frame, and when a foot stands.

Lengths are scaled limb by limb, so that straight limbs are straight on both: legs by leg length about the floor, so
that what stands on the floor stands there on the robot too; arms by arm length from the middle between the shoulders. A
foot that stands is held where it stands on average, at the height of the robot's ankle: it does not slide or sink.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin
from scipy.ndimage import binary_closing, binary_opening
from scipy.spatial.transform import Rotation

from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_teleop.arms.kinematics import chain_of
from humanoid_teleop.arms.upper_body import reduced_geometry
from humanoid_teleop.operator import LOST, PART_INDEX, SIDES
from humanoid_teleop.recordings.motion import OperatorMotion

STANDING_SPEED, STANDING_HEIGHT = 0.25, 0.05  # [m/s], [m] above its lowest: slower and lower, a foot stands
BLEND = 0.08  # [s] in which a foot is taken to where it will stand
_PARTS = (
    "head",
    "torso",
    "pelvis",
    *(f"{s}_{p}" for s in SIDES for p in ("shoulder", "elbow", "wrist", "hip", "knee", "foot")),
)


@dataclass(frozen=True)
class Task:
    """A frame that follows the person.

    Attributes:
        name: Of the body part.
        frame: Of the model.
        position: Weight of its place [1/m].
        rotation: Weight of its rotation [1/rad].
    """

    name: str
    frame: int
    position: float
    rotation: float


class WholeRobot:
    """A robot's model for whole-body motion: all but hands and wheels, and what is measured on it at zero.

    Args:
        robot: The robot.

    Attributes:
        joints: Names in the model's order.
        model: Base fixed; the base moves as a whole.
        geometry: Its shapes; links with one or two joints between them, or the waist, are left to the joints' ranges.
        tasks: What follows.
        leg: Hip to ankle, straight [m].
        arm: Shoulder to wrist, straight [m].
        half_shoulders: Half the distance between the shoulders [m].
        ankle: Height of the ankles over the floor, standing straight [m].
        places: Of the tasks' frames at zero, from the base, (4, 4) by name; and "hips", "shoulders": middles.

    Raises:
        HumanoidError: the robot has no legs to follow with.
    """

    def __init__(self, robot: Robot) -> None:
        config = robot.config
        if not all(config.groups.get(f"{side}_leg") for side in SIDES):
            raise HumanoidError(f"{config.name}: whole-body motion needs a group of joints for each leg, found none")
        arms = [config.operator.arms[side].group for side in SIDES]
        moved = set(robot.group("left_leg", "right_leg", "torso", "head", *arms))
        full = robot.pinocchio()
        locked = [i for i in range(1, full.njoints) if full.names[i] not in moved]
        self.model = pin.buildReducedModel(full, locked, robot.home())
        waist = set(robot.group("torso"))
        self.geometry = _apart_by_joints(reduced_geometry(robot.geometry(), full, self.model), self.model, waist)
        self.joints = tuple(self.model.names)[1:]
        self.home = np.array([config.home.get(joint, 0.0) for joint in self.joints])
        data = self.model.createData()
        pin.framesForwardKinematics(self.model, data, np.zeros(self.model.nq))
        self.tasks = [
            Task("pelvis", int(self.model.getFrameId(config.base_frame)), 1.0, 0.5),
            Task("torso", int(self.model.getFrameId(config.operator.torso_frame)), 0.0, 0.5),
        ]
        if config.groups.get("head"):
            self.tasks.append(Task("head", int(self.model.getFrameId(config.operator.head_frame)), 0.0, 0.1))
        lengths, feet, shoulders, hips = [], [], [], []
        for side in SIDES:
            arm, leg = robot.arm(side), config.groups[f"{side}_leg"]
            foot, knee = self._child(leg[-1]), self._child(self._knee(leg))
            hip = np.mean([data.oMi[self.model.getJointId(j)].translation for j in leg[:3]], axis=0)
            knee_at, foot_at = data.oMf[knee].translation, data.oMf[foot].translation
            lengths.append(float(np.linalg.norm(hip - knee_at) + np.linalg.norm(knee_at - foot_at)))
            hips.append(hip)
            feet.append(foot_at[2])
            shoulders.append(data.oMf[self.tasks[1].frame].act(arm.shoulder))
            self.tasks += [
                Task(f"{side}_foot", foot, 2.0, 0.5),
                Task(f"{side}_knee", knee, 0.2, 0.0),
                Task(f"{side}_wrist", int(self.model.getFrameId(arm.wrist_frame)), 1.0, 0.1),
                Task(f"{side}_elbow", int(self.model.getFrameId(arm.elbow_frame)), 0.2, 0.0),
            ]
        self.leg = float(np.mean(lengths))
        self.arm = float(np.mean([robot.arm(side).length for side in SIDES]))
        self.half_shoulders = 0.5 * float(np.linalg.norm(shoulders[0] - shoulders[1]))
        self.ankle = config.base_height + float(np.mean(feet))
        self.base_height = config.base_height
        self.places = {task.name: data.oMf[task.frame].homogeneous.copy() for task in self.tasks}
        self.hips, self.shoulders = np.mean(hips, axis=0), np.mean(shoulders, axis=0)
        self.turned = {f"{side}_wrist": np.asarray(config.operator.arms[side].wrist_from_operator).T for side in SIDES}

    def _child(self, joint: str) -> int:
        number = self.model.getJointId(joint)
        return next(i for i, f in enumerate(self.model.frames) if f.type == pin.BODY and f.parentJoint == number)

    def _knee(self, leg: tuple[str, ...]) -> str:
        """The joint that brings the ankle nearest to the hip."""
        data, spans = self.model.createData(), {}
        for joint in leg[:-1]:
            number = self.model.joints[self.model.getJointId(joint)].idx_q
            reach = []
            for angle in (self.model.lowerPositionLimit[number], self.model.upperPositionLimit[number]):
                q = np.zeros(self.model.nq)
                q[number] = angle
                pin.forwardKinematics(self.model, data, q)
                ends = (data.oMi[self.model.getJointId(j)].translation for j in (leg[0], leg[-1]))
                reach.append(float(np.linalg.norm(next(ends) - next(ends))))
            spans[joint] = min(reach)
        return min(spans, key=lambda joint: spans[joint])


def _apart_by_joints(geometry: pin.GeometryModel, model: pin.Model, waist: set[str]) -> pin.GeometryModel:
    """The geometry without pairs that up to two joints, or the waist alone, move against each other.

    Their shapes are drawn too generously to be kept apart: the G1's thighs overlap its pelvis in every squat.
    """
    above, waists = chain_of(model).above, np.array([joint in waist for joint in tuple(model.names)[1:]])
    rows = [item.parentJoint for item in geometry.geometryObjects]
    for pair in list(geometry.collisionPairs):
        between = above[rows[pair.first]] ^ above[rows[pair.second]]
        if np.count_nonzero(between) <= 2 or not between[~waists].any():
            geometry.removeCollisionPair(pair)
    return geometry


@dataclass(frozen=True)
class WholeTargets:
    """Where m frames want the tasks, world axes, floor at 0.

    Attributes:
        period: Between frames [s].
        positions: (m, tasks, 3) [m].
        rotations: (m, tasks, 3, 3).
        stands: Whether the left and the right foot stands (m, 2).
    """

    period: float
    positions: np.ndarray
    rotations: np.ndarray
    stands: np.ndarray


def whole_targets(motion: OperatorMotion, robot: WholeRobot) -> WholeTargets:
    """A person's motion on the scale of a robot.

    Raises:
        HumanoidError: the motion lacks a body part.
    """
    missing = [part for part in _PARTS if motion.validity[PART_INDEX[part]] == LOST]
    if missing:
        raise HumanoidError(
            f"{motion.source}: whole-body motion needs {', '.join(_PARTS)}; it lacks {', '.join(missing)}"
        )
    at = {part: motion.positions[:, PART_INDEX[part]] for part in _PARTS}
    turns = {
        part: Rotation.from_quat(motion.rotations[:, PART_INDEX[part]]).as_matrix()
        for part in ("head", "torso", "pelvis", *(f"{s}_{p}" for s in SIDES for p in ("wrist", "foot")))
    }
    arm = np.mean([_length(at, f"{s}_shoulder", f"{s}_elbow") + _length(at, f"{s}_elbow", f"{s}_wrist") for s in SIDES])
    leg = np.mean([_length(at, f"{s}_hip", f"{s}_knee") + _length(at, f"{s}_knee", f"{s}_foot") for s in SIDES])
    half = 0.5 * _length(at, "left_shoulder", "right_shoulder")
    ground = min(float(np.percentile(at[f"{s}_foot"][:, 2], 2.0)) for s in SIDES)
    low, high = robot.leg / leg, robot.arm / arm
    across = (robot.arm + robot.half_shoulders) / (arm + half)

    def on_floor(points: np.ndarray) -> np.ndarray:
        return low * (points - [0.0, 0.0, ground]) + [0.0, 0.0, robot.ankle]

    pelvis, chest = turns["pelvis"], turns["torso"]
    hips = on_floor(0.5 * (at["left_hip"] + at["right_hip"]))
    base = hips - pelvis @ robot.hips
    # The chest stands on the pelvis as at zero, each turned as the person's.
    waist = robot.places["torso"][:3, 3]
    shoulders = base + pelvis @ waist + chest @ (robot.shoulders - waist)
    middle = 0.5 * (at["left_shoulder"] + at["right_shoulder"])
    scales = np.array([high, across, high])
    wanted: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "pelvis": (base, pelvis),
        "torso": (base, chest @ robot.places["torso"][:3, :3]),
    }
    if "head" in robot.places:
        wanted["head"] = base, turns["head"] @ robot.places["head"][:3, :3]
    stands = np.zeros((len(base), 2), dtype=bool)
    for number, side in enumerate(SIDES):
        for part in ("wrist", "elbow"):
            local = np.einsum("mji,mj->mi", chest, at[f"{side}_{part}"] - middle)
            place = shoulders + np.einsum("mij,mj->mi", chest, scales * local)
            turned = turns[f"{side}_wrist"] @ robot.turned[f"{side}_wrist"]
            wanted[f"{side}_{part}"] = place, turned
        ankle = on_floor(at[f"{side}_foot"])
        stands[:, number] = _stands(at[f"{side}_foot"], ground, motion.frame_time)
        ankle = _planted(ankle, stands[:, number], robot.ankle, motion.frame_time)
        wanted[f"{side}_foot"] = ankle, turns[f"{side}_foot"] @ robot.places[f"{side}_foot"][:3, :3]
        wanted[f"{side}_knee"] = on_floor(at[f"{side}_knee"]), pelvis
    return WholeTargets(
        period=motion.frame_time,
        positions=np.stack([wanted[task.name][0] for task in robot.tasks], axis=1),
        rotations=np.stack([wanted[task.name][1] for task in robot.tasks], axis=1),
        stands=stands,
    )


def _length(at: dict[str, np.ndarray], a: str, b: str) -> float:
    return float(np.median(np.linalg.norm(at[a] - at[b], axis=1)))


def _stands(foot: np.ndarray, ground: float, period: float) -> np.ndarray:
    """Whether a foot (m, 3) [m] stands on the floor: low and slow for 0.1 s (m,)."""
    if len(foot) < 3:
        return foot[:, 2] < ground + STANDING_HEIGHT
    speed = np.linalg.norm(np.gradient(foot, period, axis=0), axis=1)
    still = (speed < STANDING_SPEED) & (foot[:, 2] < ground + STANDING_HEIGHT)
    window = np.ones(max(3, round(0.1 / period)), dtype=bool)
    return binary_opening(binary_closing(still, window), window)


def _planted(ankle: np.ndarray, stands: np.ndarray, height: float, period: float) -> np.ndarray:
    """The ankle's way (m, 3) with the places where it stands held, blended in and out over BLEND."""
    shift, weight = np.zeros_like(ankle), np.zeros(len(ankle))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stands.astype(int), [0]])))
    reach = max(1, round(BLEND / period))
    for first, last in zip(edges[::2], edges[1::2]):
        place = ankle[first:last].mean(axis=0)
        place[2] = height
        for i in range(max(first - reach, 0), min(last + reach, len(ankle))):
            away = max(first - i, i - last + 1, 0) / (reach + 1)
            share = 1.0 - away * away * (3.0 - 2.0 * away)
            if share > weight[i]:
                weight[i], shift[i] = share, place
    return ankle + weight[:, None] * (shift - ankle)
