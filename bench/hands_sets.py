# SPDX-License-Identifier: Apache-2.0
"""A person's hand in motion, seeded: WebXR's 25 joints at 90 Hz. Shares no code with what retargets it.

Fingers bend and straighten each by itself, the thumb comes and goes, and again and again thumb and a finger meet, stay,
and part; in between the hand is flat for a while, and a fist. Joints have 0.3 mm of noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 90.0  # [Hz]
SECONDS = 60.0
PERIOD = 4.0  # [s] of one task: pinch index, pinch middle, flat, fist, free
CONTACT = 0.020  # [m] between the tip joints of two fingers that touch
NOISE = 0.0003  # [m]
# Operator's wrist axes of a right hand: x along the fingers, y to the thumb, z out of the back of the hand [m].
KNUCKLES = np.array([[0.095, 0.025, 0.0], [0.097, 0.003, 0.002], [0.091, -0.018, 0.0], [0.082, -0.036, -0.004]])
BONES = np.array([[0.045, 0.026, 0.024], [0.049, 0.030, 0.026], [0.045, 0.028, 0.025], [0.036, 0.021, 0.022]])
BENDS = np.array([1.45, 1.55, 1.0])  # [rad] of a finger's joints in a fist
THUMB_BASE, THUMB_BONES = np.array([0.022, 0.028, -0.012]), np.array([0.045, 0.034, 0.028])
THUMB_AWAY, THUMB_ACROSS = np.array([0.72, 0.66, -0.2]), np.array([0.55, -0.30, -0.78])
# WebXR's wrist axes (-z along the fingers, y out of the back) in the operator's
OPERATOR_FROM_WEBXR = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True)
class HandMotion:
    """A hand over m frames.

    Attributes:
        positions: WebXR's joints (m, 25, 3) [m], in WebXR's wrist axes.
        rotation: Of the wrist, quaternion xyzw (4,): none.
        local: The same in the operator's wrist axes (m, 25, 3) [m].
        gaps: From the thumb's tip to the other tips, without noise, 0 where they touch (m, 4) [m].
        flat: Frames in which the hand has been flat for a while (m,).
        fist: Likewise a fist (m,).
    """

    positions: np.ndarray
    rotation: np.ndarray
    local: np.ndarray
    gaps: np.ndarray
    flat: np.ndarray
    fist: np.ndarray


def hand_motion(side: str, seed: int = 1) -> HandMotion:
    """A minute of one hand."""
    random = np.random.default_rng(seed)
    time = np.arange(round(RATE * SECONDS)) / RATE
    task, phase = (time // PERIOD).astype(int) % 5, time % PERIOD / PERIOD
    hold = np.clip(np.minimum(phase - 0.15, 0.85 - phase) / 0.2, 0.0, 1.0)
    hold = hold**2 * (3.0 - 2.0 * hold)
    closed = np.stack([_wander(random, time) for _ in range(5)], axis=1)
    pinched = np.zeros((len(time), 4))
    for finger in (0, 1):
        meets = hold * (task == finger)
        pinched[:, finger] = meets
        middle = np.array([0.55, 0.5, 0.45, 0.4, 0.35])
        closed += meets[:, None] * (middle - closed)
    for number, end in ((2, 0.0), (3, 1.0)):
        closed += (hold * (task == number))[:, None] * (end - closed)
    local = np.array([_joints(shares, meets) for shares, meets in zip(closed, pinched)])
    tips = local[:, [4, 9, 14, 19, 24]]
    gaps = np.maximum(np.linalg.norm(tips[:, 1:] - tips[:, :1], axis=2) - CONTACT, 0.0)
    local = local + random.normal(scale=NOISE, size=local.shape) * (np.arange(25) > 0)[:, None]
    if side == "left":
        local = local * (1.0, -1.0, 1.0)
    steady = hold == 1.0
    steady &= np.concatenate([np.zeros(20, bool), steady[:-20]])
    return HandMotion(
        local @ OPERATOR_FROM_WEBXR, np.array([0.0, 0.0, 0.0, 1.0]), local, gaps,
        steady & (task == 2), steady & (task == 3),
    )  # fmt: skip


def _wander(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """A course between 0 and 1, up to about 1 Hz (m,)."""
    waves = [np.sin(2 * np.pi * (f * time + random.uniform())) for f in random.uniform(0.1, 0.9, 4)]
    return np.clip(0.4 + 0.25 * np.sum(waves, axis=0), 0.0, 1.0)


def _joints(closed: np.ndarray, meets: np.ndarray) -> np.ndarray:
    """WebXR's joints (25, 3) of a hand whose fingers are closed by shares (5,) and meet the thumb by shares (4,)."""
    joints = np.zeros((25, 3))
    along = (1.0 - closed[0]) * THUMB_AWAY + closed[0] * THUMB_ACROSS
    steps = np.concatenate([[0.0], np.cumsum(THUMB_BONES)])
    joints[1:5] = THUMB_BASE + steps[:, None] * along / np.linalg.norm(along)
    for finger in range(4):
        place = KNUCKLES[finger]
        joints[5 + 5 * finger], joints[6 + 5 * finger] = 0.3 * place, place
        angle = 0.0
        for bone in range(3):
            angle += closed[finger + 1] * BENDS[bone]
            place = place + BONES[finger, bone] * np.array([np.cos(angle), 0.0, -np.sin(angle)])
            joints[7 + 5 * finger + bone] = place
        if meets[finger] > 0.0:
            tip = 9 + 5 * finger
            apart = joints[tip] - joints[4]
            length = np.linalg.norm(apart)
            nearer = 0.5 * meets[finger] * (length - CONTACT) * apart / length
            joints[4] += nearer
            joints[tip] -= nearer
    return joints
