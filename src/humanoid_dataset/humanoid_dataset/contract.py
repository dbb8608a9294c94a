# SPDX-License-Identifier: Apache-2.0
"""What a data set holds: one file that export and training agree on (config/export/default.yaml)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from humanoid_core.config import load
from humanoid_dataset.results import workspace_file
from humanoid_dataset.robot import read_robot


@dataclass(frozen=True)
class Joints:
    """Joints of one topic.

    Attributes:
        topic: A JointState, relative to the robot's namespace.
        joints: Groups of the robot's configuration, or joint names, in the order of the vector.
    """

    topic: str
    joints: list[str]


@dataclass(frozen=True)
class Video:
    """How pictures are encoded: constant quantiser `qp`, a key frame each `gop` frames."""

    codec: str = "libx264"
    preset: str = "ultrafast"
    qp: int = 24
    gop: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.gop <= 1000 or not 0 <= self.qp <= 63:
            raise ValueError(f"gop {self.gop}, qp {self.qp}: expected 1 to 1000 and 0 to 63")


@dataclass(frozen=True)
class Contract:
    """The file; units in it."""

    fps: int
    state: Joints
    action: Joints
    cameras: dict[str, str] = field(default_factory=dict)
    tolerance: float = 0.05
    missing: float = 0.0
    video: Video = field(default_factory=Video)

    def __post_init__(self) -> None:
        if not 1 <= self.fps <= 1000:
            raise ValueError(f"fps {self.fps}: expected 1 to 1000")
        if not 0.0 <= self.missing < 1.0 or not 0.0 < self.tolerance <= 1.0:
            raise ValueError(f"missing {self.missing}, tolerance {self.tolerance}: expected shares and seconds below 1")

    @property
    def digest(self) -> str:
        """SHA-256 of what it says."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def load_contract(path: Path | str = "") -> Contract:
    """A contract; without a path the workspace's own.

    Raises:
        ConfigError: the file is missing or says something that is not understood.
    """
    return load(Contract, Path(path) if path else workspace_file("export/default.yaml"))


def named_joints(joints: Joints, robot: str) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """Joint names in the order of the vector, and which part of it each group is.

    Raises:
        ConfigError: there is no configuration of the robot.
    """
    groups: dict[str, list[str]] = read_robot(workspace_file(f"robots/{robot}.yaml"))["groups"]
    names: list[str] = []
    parts = {}
    for name in joints.joints:
        own = groups.get(name, [name])
        if own:
            parts[name] = (len(names), len(names) + len(own))
            names += own
    return names, parts
