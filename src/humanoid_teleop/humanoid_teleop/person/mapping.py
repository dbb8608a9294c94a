# SPDX-License-Identifier: Apache-2.0
"""Where the robot's wrists, elbows and torso should be, from what the person does: scaling and anchoring, no joint in
sight.

Wrists are measured from the middle between the shoulders, in a frame that is level and turned with the person's pelvis
(the robot's base). Distances are scaled: along the line of the shoulders so that hands that touch on the person touch
on the robot and arms held out to the sides are straight on both, otherwise by arm length. Rotations are taken over one
to one. A device that knows only the head and hands gets shoulders at a fixed distance below the head.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.compiled import compiled, multiply
from humanoid_teleop.operator import LOST, PART_INDEX, OperatorFrame
from humanoid_teleop.person.calibration import OperatorCalibration, about_z


class ArmTarget(NamedTuple):
    """One arm of the person, on the scale of the robot.

    Attributes:
        wrist: From the robot's chest, base axes (3,) [m].
        rotation: Of the operator's wrist axes in the base frame, quaternion xyzw (4,).
        elbow: From the shoulder, across the line from shoulder to wrist, base axes (3,), as long as it is far from that
            line over the length of the arm; zero where the device does not know the elbow.
    """

    wrist: np.ndarray
    rotation: np.ndarray
    elbow: np.ndarray


class BodyTarget(NamedTuple):
    """The whole person, on the scale of the robot. What the device has lost is None."""

    arms: dict[str, ArmTarget | None]
    # Quaternions xyzw (4,) in the heading frame: how the chest and the head are turned from standing straight.
    torso: np.ndarray | None
    head: np.ndarray | None


class BodyMapping:
    """Maps operator frames of one calibrated person to one robot.

    Args:
        calibration: The person.
        reach: The robot's, from shoulder to wrist [m].
        half_shoulders: Half the distance between the robot's shoulders [m].
    """

    def __init__(self, calibration: OperatorCalibration, reach: float, half_shoulders: float) -> None:
        self._person = calibration
        self.scale = reach / calibration.arm
        across = (reach + half_shoulders) / (calibration.arm + calibration.half_shoulders)
        self._scales = np.array([self.scale, across, self.scale])

    def body(self, frame: OperatorFrame) -> BodyTarget:
        """Targets of one frame; its poses are finite and its quaternions are unit."""
        person = self._person
        wrists, turns, bends, facing = np.empty((2, 3)), np.empty((2, 4)), np.empty((2, 3)), np.empty((2, 4))
        known = np.zeros(4, dtype=np.bool_)
        _map(
            frame.positions,
            frame.rotations,
            frame.validity,
            self._scales,
            person.arm,
            person.shoulder_drop,
            person.from_joints,
            person.heading_from_pelvis,
            person.chest,
            person.head,
            person.chest_neutral,
            person.head_neutral,
            wrists,
            turns,
            bends,
            facing,
            known,
        )
        left, right, torso, head = known.tolist()
        return BodyTarget(
            {
                "left": ArmTarget(wrists[0], turns[0], bends[0]) if left else None,
                "right": ArmTarget(wrists[1], turns[1], bends[1]) if right else None,
            },
            facing[0] if torso else None,
            facing[1] if head else None,
        )

    def operator_wrist(self, side: str, wrist: np.ndarray, chest_yaw: float = 0.0) -> np.ndarray:
        """The inverse of `body`: where the person's wrist must be for the robot's to be at `wrist`.

        Args:
            side: "left" or "right"; both arms are scaled alike.
            wrist: Robot's wrist from the robot's chest, base axes (3,) [m].
            chest_yaw: Of the chest in the base frame [rad].

        Returns:
            From the middle between the person's shoulders, in the heading frame (3,) [m].
        """
        chest_from_base = rotations.matrix(about_z(-chest_yaw))
        return chest_from_base.T @ ((chest_from_base @ wrist) / self._scales)


_HEAD, _TORSO, _PELVIS = (PART_INDEX[part] for part in ("head", "torso", "pelvis"))
_SHOULDERS, _ELBOWS, _WRISTS = (
    (PART_INDEX[f"left_{part}"], PART_INDEX[f"right_{part}"]) for part in ("shoulder", "elbow", "wrist")
)


@compiled
def _yaw(rotation: np.ndarray) -> float:
    return 2.0 * math.atan2(rotation[2], rotation[3])


@compiled
def _turned(angle: float, vector: np.ndarray, out: np.ndarray) -> None:
    """out = a vector (3,) turned about z."""
    c, s = math.cos(angle), math.sin(angle)
    x, y = c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]
    out[0], out[1], out[2] = x, y, vector[2]


@compiled
def _map(
    positions: np.ndarray,
    rotations: np.ndarray,
    validity: np.ndarray,
    scales: np.ndarray,
    arm: float,
    shoulder_drop: float,
    from_joints: bool,
    heading_from_pelvis: bool,
    has_chest: bool,
    has_head: bool,
    chest_neutral: np.ndarray,
    head_neutral: np.ndarray,
    wrists: np.ndarray,
    turns: np.ndarray,
    bends: np.ndarray,
    facing: np.ndarray,
    known: np.ndarray,
) -> None:
    """`BodyMapping.body` on arrays: wrists, rotations and elbows by side, then torso and head; which are known."""
    if heading_from_pelvis and validity[_PELVIS] == LOST:
        return
    heading = _yaw(rotations[_PELVIS]) if heading_from_pelvis else 0.0
    base = np.array([0.0, 0.0, -math.sin(0.5 * heading), math.cos(0.5 * heading)])
    back, vector = np.empty(4), np.empty(3)
    chest_yaw = 0.0
    for i in range(2):
        part, neutral = (_TORSO, chest_neutral) if i == 0 else (_HEAD, head_neutral)
        known[2 + i] = (has_chest if i == 0 else has_head) and validity[part] != LOST
        if known[2 + i]:
            back[0], back[1], back[2], back[3] = -neutral[0], -neutral[1], -neutral[2], neutral[3]
            multiply(rotations[part], back, facing[i])
            multiply(base, facing[i], facing[i])
    if known[2]:
        chest_yaw = _yaw(facing[0])
    # The middle between the shoulders
    middle = np.empty(3)
    if from_joints:
        if validity[_SHOULDERS[0]] == LOST or validity[_SHOULDERS[1]] == LOST:
            return
        for k in range(3):
            middle[k] = 0.5 * (positions[_SHOULDERS[0], k] + positions[_SHOULDERS[1], k])
    else:
        if validity[_HEAD] == LOST:
            return
        for k in range(3):
            middle[k] = positions[_HEAD, k]
        middle[2] -= shoulder_drop
    for side in range(2):
        wrist, elbow, shoulder = _WRISTS[side], _ELBOWS[side], _SHOULDERS[side]
        known[side] = validity[wrist] != LOST
        if not known[side]:
            continue
        for k in range(3):
            vector[k] = positions[wrist, k] - middle[k]
        _turned(-chest_yaw - heading, vector, vector)
        for k in range(3):
            vector[k] *= scales[k]
        _turned(chest_yaw, vector, wrists[side])
        multiply(base, rotations[wrist], turns[side])
        # The elbow, across the line from shoulder to wrist
        length = along = 0.0
        for k in range(3):
            bends[side, k] = 0.0
            line = positions[wrist, k] - positions[shoulder, k]
            length += line * line
            along += line * (positions[elbow, k] - positions[shoulder, k])
        if validity[elbow] == LOST or validity[shoulder] == LOST or length < 1e-6:
            continue
        for k in range(3):
            line = positions[wrist, k] - positions[shoulder, k]
            vector[k] = (positions[elbow, k] - positions[shoulder, k] - line * (along / length)) / arm
        _turned(-heading, vector, bends[side])
