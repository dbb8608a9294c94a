# SPDX-License-Identifier: Apache-2.0
"""What a person does at one instant, as plain arrays: the ROS-free twin of humanoid_interfaces/OperatorFrame.

Tracking frame: x forward (where the person faced at calibration), y left, z up, origin on the floor under the head.
Body-part
axes: wrist x along the fingers, z out of the back of the hand; head, torso and pelvis x forward, z up; foot x to the
    toes, z up.
Quaternions are x, y, z, w.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

LOST, INFERRED, TRACKED = 0, 1, 2

SIDES = ("left", "right")
BODY_PARTS = (
    "head",
    "torso",
    "pelvis",
    *(f"{side}_{part}" for side in SIDES for part in ("shoulder", "elbow", "wrist", "hip", "knee", "foot")),
)
PART_INDEX = {name: index for index, name in enumerate(BODY_PARTS)}

# WebXR Hand Input: order of the 25 joints of a hand.
WEBXR_JOINTS = (
    "wrist",
    "thumb-metacarpal",
    "thumb-phalanx-proximal",
    "thumb-phalanx-distal",
    "thumb-tip",
    *(
        f"{finger}-finger-{bone}"
        for finger in ("index", "middle", "ring", "pinky")
        for bone in ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
    ),
)


@dataclass
class Hand:
    """One hand: fingers, controls and the dead-man state.

    Attributes:
        engaged: The person wants the robot's arm to follow now.
        validity: Of the joints: LOST, INFERRED or TRACKED.
        joint_positions: (25, 3) [m] in WebXR's order, tracking frame; None where the device has no fingers.
        joint_rotations: (25, 4) xyzw, WebXR's joint axes in the tracking frame; None likewise.
        grip: 0 open .. 1 closed; NaN where the device has none.
        trigger: 0 released .. 1 pressed; NaN where the device has none.
        axes: Of the stick, -1..1; empty where the device has none.
        buttons: Empty where the device has none.
    """

    engaged: bool = False
    validity: int = LOST
    joint_positions: np.ndarray | None = None
    joint_rotations: np.ndarray | None = None
    grip: float = float("nan")
    trigger: float = float("nan")
    axes: list[float] = field(default_factory=list)
    buttons: list[bool] = field(default_factory=list)


def _no_positions() -> np.ndarray:
    return np.zeros((len(BODY_PARTS), 3))


def _no_rotations() -> np.ndarray:
    rotations = np.zeros((len(BODY_PARTS), 4))
    rotations[:, 3] = 1.0
    return rotations


def _no_validity() -> np.ndarray:
    return np.zeros(len(BODY_PARTS), dtype=np.uint8)


@dataclass
class OperatorFrame:
    """One measurement of the whole person, in the tracking frame.

    Attributes:
        stamp: Time of measurement [ns].
        source: Device name.
        sequence: Counts up by one per frame.
        positions: (15, 3) [m], in the order of BODY_PARTS.
        rotations: (15, 4) xyzw.
        validity: (15,) LOST, INFERRED or TRACKED; parts that the device does not know are LOST.
        left: Left hand.
        right: Right hand.
    """

    stamp: int
    source: str = ""
    sequence: int = 0
    positions: np.ndarray = field(default_factory=_no_positions)
    rotations: np.ndarray = field(default_factory=_no_rotations)
    validity: np.ndarray = field(default_factory=_no_validity)
    left: Hand = field(default_factory=Hand)
    right: Hand = field(default_factory=Hand)

    def hand(self, side: str) -> Hand:
        """The hand of "left" or "right"."""
        return self.left if side == "left" else self.right

    def has(self, part: str) -> bool:
        """Whether the part's pose is measured or inferred in this frame."""
        return bool(self.validity[PART_INDEX[part]] != LOST)

    def position(self, part: str) -> np.ndarray:
        """Position (3,) [m] of a part."""
        return self.positions[PART_INDEX[part]]

    def rotation(self, part: str) -> np.ndarray:
        """Quaternion xyzw (4,) of a part."""
        return self.rotations[PART_INDEX[part]]

    def set(self, part: str, position: np.ndarray, rotation: np.ndarray | None = None, validity: int = TRACKED) -> None:
        """Write a part's pose: position (3,) [m] and quaternion xyzw (4,), identity where None."""
        index = PART_INDEX[part]
        self.positions[index] = position
        self.rotations[index] = (0.0, 0.0, 0.0, 1.0) if rotation is None else rotation
        self.validity[index] = validity
