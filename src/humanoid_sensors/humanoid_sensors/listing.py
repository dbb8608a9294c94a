# SPDX-License-Identifier: Apache-2.0
"""config/sensors/<robot>.yaml: which sensors a real robot has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from humanoid_core import config


@dataclass(frozen=True)
class Sensor:
    """A sensor: which node drives it, and that node's parameters."""

    node: Literal["camera", "lidar", "imu", "wrench", "tactile", "microphone"]
    parameters: dict[str, Any]


def sensors_in(file: Path) -> dict[str, Sensor]:
    """Sensors of a file, by the name of their node.

    Raises:
        ConfigError: the file is wrong.
    """
    return {name: config.build(Sensor, entry, file, name) for name, entry in config.read_yaml(file).items()}
