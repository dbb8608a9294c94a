# SPDX-License-Identifier: Apache-2.0
"""A robot, settings and a person for the tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import humanoid_description
from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_teleop.operator import SIDES, TRACKED, Hand, OperatorFrame
from humanoid_teleop.settings import Settings, load_settings

# What the tests share stands beside them and belongs to no package.
sys.path.append(str(Path(__file__).parent))

WORKSPACE = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parents[1]

UPPER_ARM, FOREARM, HALF_SHOULDERS = 0.28, 0.26, 0.19  # [m]
SIGN = {"left": 1.0, "right": -1.0}


class Person:
    """A person of 1.75 m who stands at the origin and faces x; wrists are where they are put, palms inwards."""

    def __init__(self) -> None:
        self.wrists = {side: np.array([0.30, 0.20 * SIGN[side], 1.10]) for side in SIDES}
        # Fingers forward, back of the hand outwards.
        self.turns = {
            "left": rotations.quaternion(np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])),
            "right": rotations.quaternion(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])),
        }
        self.engaged = {side: False for side in SIDES}
        self.grip = float("nan")
        self.lost: set[str] = set()
        self.twist = 0.0  # of the chest with the arms, to the left [rad]
        self.heading, self.place = 0.0, np.zeros(3)  # of the tracking space: turned and moved as a whole

    def frame(self, stamp: int, sequence: int) -> OperatorFrame:
        """What a full-body device would send."""
        frame = OperatorFrame(stamp, "test", sequence)
        parts = {
            "head": np.array([0.0, 0.0, 1.64]),
            "torso": np.array([0.0, 0.0, 1.3]),
            "pelvis": np.array([0.0, 0.0, 1.0]),
        }
        for side in SIDES:
            shoulder = np.array([0.0, HALF_SHOULDERS * SIGN[side], 1.43])
            parts[f"{side}_shoulder"] = shoulder
            parts[f"{side}_elbow"] = elbow(shoulder, self.wrists[side])
            parts[f"{side}_wrist"] = self.wrists[side]
        turn = np.array([0.0, 0.0, np.sin(0.5 * self.heading), np.cos(0.5 * self.heading)])
        twist = np.array([0.0, 0.0, np.sin(0.5 * self.twist), np.cos(0.5 * self.twist)])
        for part, position in parts.items():
            if part in self.lost:
                continue
            if part not in ("head", "pelvis"):
                position = rotations.matrix(twist) @ position
            own = self.turns[part.split("_")[0]] if part.endswith("wrist") else np.array([0.0, 0.0, 0.0, 1.0])
            if part == "torso" or part.endswith("wrist"):
                own = rotations.multiply(twist, own)
            frame.set(part, rotations.matrix(turn) @ position + self.place, rotations.multiply(turn, own), TRACKED)
        frame.left = Hand(engaged=self.engaged["left"], grip=self.grip)
        frame.right = Hand(engaged=self.engaged["right"], grip=self.grip)
        return frame


def elbow(shoulder: np.ndarray, wrist: np.ndarray) -> np.ndarray:
    """An elbow that hangs down, at the distances of the person's bones (as far as they reach)."""
    line = wrist - shoulder
    length = float(np.linalg.norm(line))
    along = (UPPER_ARM**2 - FOREARM**2 + length**2) / (2 * length)
    down = np.array([0.0, 0.0, -1.0]) - line * (-line[2] / length**2)
    across = np.sqrt(max(UPPER_ARM**2 - along**2, 0.0))
    return shoulder + line * (along / length) + across * down / max(float(np.linalg.norm(down)), 1e-9)


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture(scope="session")
def new_person() -> type[Person]:
    return Person


@pytest.fixture(scope="session")
def robot() -> Robot:
    return humanoid_description.load(WORKSPACE / "config" / "robots" / "unitree_g1.yaml")


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load_settings(PACKAGE / "config" / "retargeting.yaml")


@pytest.fixture(scope="session")
def skeletons() -> Path:
    return WORKSPACE / "config" / "motions" / "skeletons"


@pytest.fixture(scope="session")
def clips() -> Path:
    """Folder of real motion captures, where they are at hand."""
    folder = Path(os.environ.get("HUMANOID_SHARED_DATA", WORKSPACE.parent / "shared" / "data")) / "bvh"
    if not folder.is_dir():
        pytest.skip(f"no motion captures in {folder}: set HUMANOID_SHARED_DATA")
    return folder
