# SPDX-License-Identifier: Apache-2.0
"""Where the robot's wrists, elbows and torso should be, from what the person does: scaling and anchoring, no joint in
sight.

Wrists are measured from the middle between the shoulders, in a frame that is level and turned with the person's pelvis
(the robot's base). Distances are scaled: along the line of the shoulders so that hands that touch on the person touch
on the robot and arms held out to the sides are straight on both, otherwise by arm length. Rotations are taken over one
to one. A device that knows only the head and hands gets shoulders at a fixed distance below the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.calibration import OperatorCalibration, about_z, yaw
from humanoid_teleop.operator import SIDES, OperatorFrame


@dataclass(frozen=True)
class ArmTarget:
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


@dataclass(frozen=True)
class BodyTarget:
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
        if person.heading_from_pelvis and not frame.has("pelvis"):
            return BodyTarget({side: None for side in SIDES}, None, None)
        heading = yaw(frame.rotation("pelvis")) if person.heading_from_pelvis else 0.0
        base_from_tracking = rotations.matrix(about_z(-heading))
        base_turn = about_z(-heading)

        torso, chest_yaw = None, 0.0
        if person.chest and frame.has("torso"):
            chest = rotations.multiply(base_turn, frame.rotation("torso"))
            torso = rotations.multiply(chest, rotations.inverse(person.chest_neutral))
            chest_yaw = yaw(torso)
        chest_from_tracking = rotations.matrix(about_z(-chest_yaw - heading))

        middle = self._middle(frame)
        arms: dict[str, ArmTarget | None] = {}
        for side in SIDES:
            if middle is None or not frame.has(f"{side}_wrist"):
                arms[side] = None
                continue
            wrist = frame.position(f"{side}_wrist")
            scaled = self._scales * (chest_from_tracking @ (wrist - middle))
            arms[side] = ArmTarget(
                wrist=base_from_tracking @ (chest_from_tracking.T @ scaled),
                rotation=rotations.multiply(base_turn, frame.rotation(f"{side}_wrist")),
                elbow=self._elbow(frame, side, base_from_tracking),
            )
        head = None
        if person.head and frame.has("head"):
            turned = rotations.multiply(base_turn, frame.rotation("head"))
            head = rotations.multiply(turned, rotations.inverse(person.head_neutral))
        return BodyTarget(arms, torso, head)

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

    def _middle(self, frame: OperatorFrame) -> np.ndarray | None:
        """Middle between the shoulders, tracking frame (3,) [m]."""
        if self._person.from_joints:
            if not (frame.has("left_shoulder") and frame.has("right_shoulder")):
                return None
            return 0.5 * (frame.position("left_shoulder") + frame.position("right_shoulder"))
        if not frame.has("head"):
            return None
        return frame.position("head") - np.array([0.0, 0.0, self._person.shoulder_drop])

    def _elbow(self, frame: OperatorFrame, side: str, base_from_tracking: np.ndarray) -> np.ndarray:
        if not (frame.has(f"{side}_elbow") and frame.has(f"{side}_shoulder")):
            return np.zeros(3)
        shoulder = frame.position(f"{side}_shoulder")
        elbow, wrist = frame.position(f"{side}_elbow") - shoulder, frame.position(f"{side}_wrist") - shoulder
        length = float(wrist @ wrist)
        if length < 1e-6:
            return np.zeros(3)
        across = elbow - wrist * (float(elbow @ wrist) / length)
        return base_from_tracking @ across / self._person.arm
