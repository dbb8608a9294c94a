# SPDX-License-Identifier: Apache-2.0
"""Size and stance of the person in front of the robot, from the first frames that the device sends."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from humanoid_core import rotations
from humanoid_core.errors import HumanoidError
from humanoid_teleop.operator import PART_INDEX, SIDES, OperatorFrame

# Lengths over standing height: Drillis and Contini, "Body Segment Parameters", 1966 (in Winter, "Biomechanics and Motor
# Control of Human Movement", figure 4.1). The tracked head is the point between the eyes.
UPPER_ARM = 0.186
FOREARM = 0.146
HALF_SHOULDERS = 0.129
SHOULDER_HEIGHT = 0.818
EYE_HEIGHT = 0.936

MAX_NEUTRAL_TILT = 0.35  # [rad] a chest that leans more at calibration is a posture, not the way a skeleton is drawn


class CalibrationError(HumanoidError):
    """The person cannot be measured."""


@dataclass(frozen=True)
class OperatorCalibration:
    """A person.

    Attributes:
        arm: Shoulder to wrist, arm straight [m].
        half_shoulders: Half the distance between the shoulders [m].
        shoulder_drop: From the head down to the line between the shoulders [m].
        from_joints: The device tracks shoulders: they anchor the wrists. Otherwise the head does.
        heading_from_pelvis: The device tracks the pelvis: its heading is the robot's forward. Otherwise the tracking
            frame's x is.
        chest: The device tracks the chest.
        chest_neutral: Quaternion xyzw (4,) of the chest in the heading frame when standing straight.
        head: The device tracks the head.
        head_neutral: Quaternion xyzw (4,) of the head in the heading frame when looking ahead.
    """

    arm: float
    half_shoulders: float
    shoulder_drop: float
    from_joints: bool
    heading_from_pelvis: bool
    chest: bool
    chest_neutral: np.ndarray
    head: bool = False
    head_neutral: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))


def calibrate(frames: list[OperatorFrame], height: float = 0.0) -> OperatorCalibration:
    """Measure a person who stands upright and looks ahead.

    Arms are measured from shoulder, elbow and wrist where the device tracks them (any pose will do); otherwise
    proportions of the body's height are used.

    Args:
        frames: A few frames of one device.
        height: Of the person [m]; 0: taken from the height of the head.

    Raises:
        CalibrationError: no frame has a head, or the figures are no person's.
    """
    if not frames:
        raise CalibrationError("no operator frame to calibrate with")
    tracked = [part for part in PART_INDEX if all(frame.has(part) for frame in frames)]
    median = {part: np.median([frame.position(part) for frame in frames], axis=0) for part in tracked}
    from_joints = all(f"{side}_{part}" in tracked for side in SIDES for part in ("shoulder", "elbow", "wrist"))
    if "head" not in tracked and not from_joints:
        raise CalibrationError("the device tracks neither the head nor shoulders, elbows and wrists")
    if height <= 0.0 and "head" in tracked:
        height = float(median["head"][2]) / EYE_HEIGHT
    if from_joints:
        arms = [
            _distance(frames, f"{side}_shoulder", f"{side}_elbow") + _distance(frames, f"{side}_elbow", f"{side}_wrist")
            for side in SIDES
        ]
        arm = 0.5 * sum(arms)
        half_shoulders = 0.5 * _distance(frames, "left_shoulder", "right_shoulder")
        shoulders = 0.5 * (median["left_shoulder"] + median["right_shoulder"])
        drop = float(median["head"][2] - shoulders[2]) if "head" in tracked else 0.0
    else:
        arm, half_shoulders = (UPPER_ARM + FOREARM) * height, HALF_SHOULDERS * height
        drop = (EYE_HEIGHT - SHOULDER_HEIGHT) * height
    if not (0.2 < arm < 1.2 and 0.05 < half_shoulders < 0.5 and -0.5 < drop < 0.8):
        raise CalibrationError(
            f"arm {arm:.2f} m, half shoulder width {half_shoulders:.2f} m, shoulders {drop:.2f} m below the head: "
            "no person's figures; is the unit of the device right, and does the person stand?"
        )
    return OperatorCalibration(
        arm=arm,
        half_shoulders=half_shoulders,
        shoulder_drop=drop,
        from_joints=from_joints,
        heading_from_pelvis="pelvis" in tracked,
        chest="torso" in tracked,
        chest_neutral=_neutral(frames[-1], "torso"),
        head="head" in tracked,
        head_neutral=_neutral(frames[-1], "head"),
    )


def _neutral(frame: OperatorFrame, part: str) -> np.ndarray:
    """How a part that faces ahead is drawn leaning, quaternion xyzw (4,) in the heading frame."""
    upright = np.array([0.0, 0.0, 0.0, 1.0])
    if not frame.has(part):
        return upright
    heading = yaw(frame.rotation("pelvis")) if frame.has("pelvis") else 0.0
    turned = rotations.multiply(about_z(-heading), frame.rotation(part))
    lean = rotations.multiply(about_z(-yaw(turned)), turned)
    return lean if rotations.angle(upright, lean) < MAX_NEUTRAL_TILT else upright


def yaw(rotation: np.ndarray) -> float:
    """Heading [rad] of a quaternion xyzw (4,): its twist about z, defined however far a person bends over."""
    return 2.0 * math.atan2(float(rotation[2]), float(rotation[3]))


def about_z(angle: float) -> np.ndarray:
    """Quaternion xyzw (4,) of a turn about z [rad]."""
    return np.array([0.0, 0.0, math.sin(0.5 * angle), math.cos(0.5 * angle)])


def _distance(frames: list[OperatorFrame], a: str, b: str) -> float:
    return float(np.median([np.linalg.norm(frame.position(a) - frame.position(b)) for frame in frames]))
