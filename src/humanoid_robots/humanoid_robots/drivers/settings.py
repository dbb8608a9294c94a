# SPDX-License-Identifier: Apache-2.0
"""config/drivers/<robot>.yaml: which driver a real robot has, and what that driver must know."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from humanoid_core import config
from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_robots.drivers.driver import Driver
from humanoid_robots.drivers.follower import Settings
from humanoid_robots.drivers.unitree import UnitreeConfig, UnitreeDriver


@dataclass(frozen=True)
class DriverConfig:
    """A driver's file.

    Attributes:
        driver: Which one.
        rate: Commands per second to the robot [Hz].
        follower: Times and the largest start gap.
        unitree: Of that driver.
    """

    driver: Literal["unitree"]
    rate: float
    follower: Settings = field(default_factory=Settings)
    unitree: UnitreeConfig | None = None

    def __post_init__(self) -> None:
        if not 10.0 <= self.rate <= 1000.0:
            raise ValueError(f"rate {self.rate}: must be 10 to 1000 Hz")


def load(file: str | Path) -> DriverConfig:
    """Read a driver's file.

    Raises:
        ConfigError: it is wrong, or lacks the part of its own driver.
    """
    read = config.load(DriverConfig, file)
    if getattr(read, read.driver) is None:
        raise ConfigError(file, read.driver, "nothing", f"what the driver {read.driver} must know")
    return read


def make(read: DriverConfig, robot: Robot, file: str | Path) -> Driver:
    """The driver that a file asks for."""
    assert read.unitree is not None
    return UnitreeDriver(robot, read.unitree, read.follower, str(file))
