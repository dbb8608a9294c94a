# SPDX-License-Identifier: Apache-2.0
"""Settings of the twin. Their values are in config/twin.yaml and nowhere else."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ament_index_python.packages import get_package_share_directory

from humanoid_core import config
from humanoid_core.errors import ConfigError


def _setting(description: str, low: float | None = None, high: float | None = None) -> Any:
    """A field with what a node needs to declare it as a parameter."""
    return dataclasses.field(metadata={"description": description, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """How the twin runs; each field's metadata says what it means."""

    control_rate: float = _setting("Control periods, and /clock messages, per simulated second [Hz]", 50.0, 2000.0)
    substeps: int = _setting("Physics steps in each control period", 1, 20)
    base: Literal["held", "standing", "free"] = _setting(
        "Of a biped. held: at standing height; standing: balances on its feet; free: left to fall"
    )
    time_scale: float = _setting("Simulated seconds per second at most", 0.01, 1000.0)
    seed: int = _setting("Of the scene", 0, 2**62)
    command_timeout: float = _setting("Simulated time without joint_commands that starts a soft stop [s]", 0.01, 10.0)
    patience: float = _setting("Longest wait for joint_commands before a step, wall time [s]", 0.0, 10.0)
    commands_behind: float = _setting("How far joint_commands may lie behind simulated time unwaited for [s]", 0.0, 1.0)
    stop_decay: float = _setting("Time constant of the soft stop [s]", 0.001, 1.0)
    objects_rate: float = _setting("Of scene/objects [Hz]", 1.0, 500.0)
    base_rate: float = _setting("Of odom and its transforms [Hz]", 1.0, 500.0)
    imperfections: bool = _setting("Noise, delays and losses of sensors and links, as in config/imperfections.yaml")
    cameras: bool = _setting("Draw the robot's cameras")
    lidar: bool = _setting("Cast the LiDAR's rays")
    shadows: bool = _setting("Draw shadows in camera images; on a processor they cost as much again as all else")
    render_backlog: int = _setting("Instants that may wait to be drawn before simulated time waits for them", 1, 100)
    jpeg_quality: int = _setting("Of colour images", 1, 100)
    png_level: int = _setting("zlib level of depth images", 0, 9)


def load_settings(file: str | Path = "", **changes: Any) -> Settings:
    """Settings from the node's own parameter file.

    Args:
        file: A ROS parameter file; "": the one that ships with this package.
        changes: Values in place of the file's.

    Raises:
        ConfigError: the file does not fit.
    """
    path = Path(file) if file else Path(get_package_share_directory("humanoid_robots")) / "config" / "twin.yaml"
    sections = [section for name, section in config.read_yaml(path).items() if name.rpartition("/")[2] == "twin"]
    if len(sections) != 1 or not isinstance(sections[0], dict) or "ros__parameters" not in sections[0]:
        raise ConfigError(path, "twin.ros__parameters", "nothing", "the node's parameters")
    return config.build(Settings, {**sections[0]["ros__parameters"], **changes}, path, "twin.ros__parameters")
