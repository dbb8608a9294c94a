# SPDX-License-Identifier: Apache-2.0
"""What the checks know about the robot: the URDF in the bag, and its configuration file where that is at hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from humanoid_core.config import read_yaml
from humanoid_core.errors import ConfigError
from humanoid_dataset.episode import Episode
from humanoid_dataset.kinematics import Kinematics
from humanoid_dataset.results import workspace_file


@dataclass(frozen=True)
class RobotFacts:
    """Limits and names by which a recording is judged.

    Attributes:
        name: Robot, as in config/robots; empty where unknown.
        title: For people.
        kinematics: From the bag's robot_description; None where that was not recorded.
        lower: Position limits by joint [rad or m].
        upper: Position limits by joint [rad or m].
        velocity: Velocity limits by joint [rad/s or m/s].
        acceleration: Acceleration limits by joint [rad/s² or m/s²]; a URDF has none.
        rates: Nominal rate of each sensor topic of this robot [Hz]; empty where unknown.
        commanded: Joints that may be commanded; empty where unknown.
        fingers: Joints that stop at what they hold, so that their tracking says nothing.
        arms: Joint names by arm, for plots.
        wrists: Link of each wrist, for example {"left": "left_wrist_yaw_link"}.
        source: Where the limits come from, for people.
    """

    name: str = ""
    title: str = ""
    kinematics: Kinematics | None = None
    lower: dict[str, float] = field(default_factory=dict)
    upper: dict[str, float] = field(default_factory=dict)
    velocity: dict[str, float] = field(default_factory=dict)
    acceleration: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    commanded: list[str] = field(default_factory=list)
    fingers: list[str] = field(default_factory=list)
    arms: dict[str, list[str]] = field(default_factory=dict)
    wrists: dict[str, str] = field(default_factory=dict)
    source: str = "nothing"

    def limit(self, table: dict[str, float], names: list[str]) -> np.ndarray:
        """Limits in the order of `names`, (n,); NaN where unknown."""
        return np.array([table.get(name, np.nan) for name in names])


def robot_facts(episode: Episode, robot_config: Path | str = "") -> RobotFacts:
    """Gather what is known about the robot of an episode.

    Args:
        episode: Its robot_description gives joints and their limits.
        robot_config: Path of config/robots/<robot>.yaml; empty: the one of the model that robot_description or the
            sidecar names, if it is at hand.

    Raises:
        ConfigError: the file named does not exist or is not a robot's.
        EpisodeError: robot_description is no URDF.
    """
    facts = _from_urdf(episode.urdf)
    models = [facts.kinematics.model if facts.kinematics else "", str(episode.sidecar.get("robot", ""))]
    path = Path(robot_config) if robot_config else next(filter(None, map(_config_of, models)), None)
    return _with_config(facts, read_robot(path), path) if path else facts


def read_robot(path: Path) -> dict[str, Any]:
    """A robot's configuration; one that did not change is read once.

    Raises:
        ConfigError: there is no such file, or it is no YAML.
    """
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=32)
def _read(path: Path, _changed_ns: int) -> dict[str, Any]:
    return read_yaml(path)


@lru_cache(maxsize=32)
def _kinematics(urdf: str) -> Kinematics:
    return Kinematics(urdf)


def _from_urdf(urdf: str) -> RobotFacts:
    if not urdf:
        return RobotFacts()
    kinematics = _kinematics(urdf)
    moving = kinematics.moving
    return RobotFacts(
        kinematics=kinematics,
        lower={name: joint.lower for name, joint in moving.items()},
        upper={name: joint.upper for name, joint in moving.items()},
        velocity={name: joint.velocity for name, joint in moving.items()},
        source="robot_description",
    )


def _config_of(robot: str) -> Path | None:
    try:
        return workspace_file(f"robots/{robot}.yaml") if robot else None
    except ConfigError:
        return None  # a laptop without the workspace: the URDF's limits still hold


def _with_config(facts: RobotFacts, data: dict[str, Any], path: Path) -> RobotFacts:
    """Add a robot's configuration: the tighter of two limits counts."""
    try:
        joints: dict[str, dict[str, float]] = data["joints"]
        groups: dict[str, list[str]] = data["groups"]
        arms = data["operator"]["arms"]
        return replace(
            facts,
            name=data["name"],
            title=data.get("title", data["name"]),
            velocity={name: min(facts.velocity.get(name, np.inf), joint["velocity"]) for name, joint in joints.items()},
            acceleration={name: joint["acceleration"] for name, joint in joints.items()},
            rates=_rates(data),
            commanded=[name for group in data["commanded"] for name in groups[group]],
            fingers=[name for hand in data.get("hands", {}).values() for name in groups[hand["group"]]],
            arms={side: list(groups[arm["group"]]) for side, arm in arms.items()},
            wrists={side: arm["wrist_frame"] for side, arm in arms.items()},
            source=f"{facts.source} and {path.name}" if facts.kinematics else path.name,
        )
    except (KeyError, TypeError, AttributeError) as reason:
        raise ConfigError(path, str(reason).strip("'"), "nothing usable", "a robot's configuration") from reason


def _rates(data: dict[str, Any]) -> dict[str, float]:
    rates = {"joint_states": data["joint_state_rate"], "joint_commands": data["command_rate"]}
    for name, camera in data.get("cameras", {}).items():
        rates[f"camera/{name}/color/image_raw/compressed"] = camera["color"]["rate"]
        rates[f"camera/{name}/color/camera_info"] = camera["color"]["rate"]
        if camera.get("depth"):
            rates[f"camera/{name}/depth/image_rect_raw/compressedDepth"] = camera["depth"]["rate"]
            rates[f"camera/{name}/depth/camera_info"] = camera["depth"]["rate"]
    if data.get("lidar"):
        rates["lidar/points"] = data["lidar"]["rate"]
    for kind, section in (("imu", "imus"), ("tactile", "tactile"), ("wrench", "wrenches")):
        rates |= {f"{kind}/{place}": sensor["rate"] for place, sensor in data.get(section, {}).items()}
    return {topic: float(rate) for topic, rate in rates.items()}
