# SPDX-License-Identifier: Apache-2.0
"""What a person's hand does, from the 25 joints of WebXR: fingertips, how far each finger is closed, and pinches.

Nothing here depends on the robot, and but for lengths nothing depends on the size of the person's hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.compiled import compiled
from humanoid_teleop.operator import WEBXR_JOINTS

FINGERS = ("thumb", "index", "middle", "ring", "little")

# Operator's wrist axes (x along the fingers, z out of the back of the hand) in WebXR's (-z along the bone, y out of the
# back).
_WEBXR_FROM_OPERATOR = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])

# Sum of the bends of a finger's joints, straight and in a fist [rad]; distance of the thumb's tip from the little
# finger's knuckle over that from the wrist to the middle finger's, thumb away from the hand and in a fist. Measured on
# WebXR recordings of a flat hand, a pointing hand and a fist, a little inside of what they show, so that everybody
# reaches both ends.
STRAIGHT, FIST = 0.35, 3.5
THUMB_AWAY, THUMB_IN_FIST = 1.20, 0.65

TOUCH = 0.020  # [m] between the tip joints of two fingers that touch: joints lie in the middle of fingertips
SHORTEST, LONGEST, SHORTEST_BONE = 0.02, 0.25, 1e-4  # [m] from the knuckle: what is no finger


class PersonHand(NamedTuple):
    """A person's hand in the operator's wrist axes; rows are FINGERS.

    Attributes:
        reach: From knuckle (thumb: from its lowest joint) to tip, over the finger's length (5, 3).
        closed: 0 straight .. 1 as in a fist (5,).
        gaps: Between the thumb's tip and each other one, 0 where they touch (4,) [m].
    """

    reach: np.ndarray
    closed: np.ndarray
    gaps: np.ndarray


def measure(positions: np.ndarray, wrist_rotation: np.ndarray) -> PersonHand | None:
    """Measure a hand.

    Args:
        positions: WebXR's joints in its order (25, 3) [m].
        wrist_rotation: Of the wrist in WebXR's axes, quaternion xyzw (4,).

    Returns:
        The hand; None where the joints are no hand: not finite, of impossible size, a wrist without rotation.
    """
    turn = rotations.normalised(wrist_rotation)
    if turn is None or positions.shape != (len(WEBXR_JOINTS), 3):
        return None
    hand = PersonHand(np.empty((5, 3)), np.empty(5), np.empty(4))
    known = _measure(positions, rotations.matrix(turn) @ _WEBXR_FROM_OPERATOR, *hand)
    return hand if known else None


@compiled
def _measure(
    positions: np.ndarray, tracking_from_wrist: np.ndarray, reach: np.ndarray, closed: np.ndarray, gaps: np.ndarray
) -> bool:
    """Write what PersonHand holds; False where this is no hand."""
    points = np.empty((25, 3))
    for i in range(25):
        for axis in range(3):
            points[i, axis] = 0.0
            for k in range(3):
                points[i, axis] += (positions[i, k] - positions[0, k]) * tracking_from_wrist[k, axis]
    for finger in range(5):
        # The wrist stands in for the thumb's missing bone in the palm: five points each.
        bones = points[5 * finger + 1 : 5 * finger + 5] - points[5 * finger : 5 * finger + 4]
        length = 0.0
        for bone in range(4):
            size = np.sqrt((bones[bone] ** 2).sum())
            if not SHORTEST_BONE < size < LONGEST:  # also refuses what is not a number
                return False
            length += size if bone else 0.0
        if not SHORTEST < length < LONGEST:
            return False
        reach[finger] = (points[5 * finger + 4] - points[5 * finger + 1]) / length
        # Bends about the axis across the palm, so that a finger bent backwards is not a little closed.
        bend = 0.0
        for joint in range(3):
            a, b = bones[joint], bones[joint + 1]
            bend += np.arctan2(a[2] * b[0] - a[0] * b[2], (a * b).sum())
        closed[finger] = (bend - STRAIGHT) / (FIST - STRAIGHT)
        if finger:
            away = points[5 * finger + 4] - points[4]
            gaps[finger - 1] = max(np.sqrt((away**2).sum()) - TOUCH, 0.0)
    apart = np.sqrt(((points[4] - points[21]) ** 2).sum() / (points[11] ** 2).sum())
    closed[0] = (THUMB_AWAY - apart) / (THUMB_AWAY - THUMB_IN_FIST)
    closed[:] = np.minimum(np.maximum(closed, 0.0), 1.0)
    return True
