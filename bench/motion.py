# SPDX-License-Identifier: Apache-2.0
"""A synthetic person: stands, and moves both arms smoothly in front of the chest, fingers opening and closing."""

from __future__ import annotations

import numpy as np

from humanoid_core import rotations
from humanoid_teleop.operator import TRACKED, WEBXR_JOINTS, Hand, OperatorFrame

UPPER, FORE = 0.29, 0.26  # [m] arm of a person 1.75 m tall
SHOULDER = np.array([0.0, 0.19, 1.43])  # left, tracking frame [m]
CYCLE = 8.0  # [s] after which the motion repeats
_SPREAD = {"thumb": 0.04, "index": 0.025, "middle": 0.0, "ring": -0.02, "pinky": -0.04}  # [m] across the palm


def person(seconds: float, stamp: int = 0, sequence: int = 0) -> OperatorFrame:
    """The person at a time, dead-man held on both hands."""
    frame = OperatorFrame(stamp, "synthetic", sequence)
    frame.set("head", np.array([0.05, 0.0, 1.64]))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        mirror = np.array([1.0, sign, 1.0])
        shoulder = SHOULDER * mirror
        phase = 2.0 * np.pi * seconds / CYCLE + (0.0 if side == "left" else 0.9)
        reach = np.array([0.33 + 0.06 * np.sin(phase), 0.03 * np.sin(2.0 * phase), -0.18 + 0.1 * np.cos(phase)])
        wrist = shoulder + reach * mirror
        frame.set(f"{side}_shoulder", shoulder)
        frame.set(f"{side}_elbow", _elbow(shoulder, wrist, sign))
        # Fingers forward, back of the hand outwards, nodding a little.
        fingers = np.array([np.cos(0.3 * np.sin(phase)), 0.0, np.sin(0.3 * np.sin(phase))])
        back = np.array([0.0, sign, 0.0])
        turn = np.column_stack([fingers, np.cross(back, fingers), back])
        rotation = rotations.quaternion(turn)
        frame.set(f"{side}_wrist", wrist, rotation)
        hand = frame.hand(side)
        hand.engaged, hand.validity = True, TRACKED
        _fingers(hand, wrist, turn, rotation, 0.5 + 0.5 * np.sin(phase))
    return frame


def _elbow(shoulder: np.ndarray, wrist: np.ndarray, sign: float) -> np.ndarray:
    """Elbow of a two-bone arm that hangs down and a little outwards, (3,) [m]."""
    span = np.linalg.norm(wrist - shoulder)
    along = (wrist - shoulder) / span
    down = np.array([0.0, 0.4 * sign, -1.0])
    down -= along * (along @ down)
    down /= np.linalg.norm(down)
    part = (UPPER**2 - FORE**2 + span**2) / (2.0 * span)
    return shoulder + along * part + down * np.sqrt(np.maximum(UPPER**2 - part**2, 0.0))


def _fingers(hand: Hand, wrist: np.ndarray, turn: np.ndarray, rotation: np.ndarray, closed: float) -> None:
    """WebXR's 25 joints: straight fingers that bend towards the palm."""
    positions = [np.zeros(3)]
    for finger, across in _SPREAD.items():
        bones = 4 if finger == "thumb" else 5
        for bone in range(bones):
            length = 0.03 + 0.028 * bone
            bend = closed * 0.35 * bone
            positions.append(np.array([length * np.cos(bend), across, -length * np.sin(bend)]))
    assert len(positions) == len(WEBXR_JOINTS)
    hand.joint_positions = wrist + np.array(positions) @ turn.T
    hand.joint_rotations = np.tile(rotation, (len(positions), 1))
    hand.grip = hand.trigger = float(closed)
