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
from humanoid_robots.drivers.ros2_control import Ros2ControlConfig, Ros2ControlDriver
from humanoid_robots.drivers.tiangong import TiangongConfig, TiangongDriver
from humanoid_robots.drivers.unitree import UnitreeConfig, UnitreeDriver


@dataclass(frozen=True)
class DriverConfig:
    """A driver's file.

    Attributes:
        driver: Which one.
        rate: Commands per second to the robot [Hz].
        follower: Times and the largest start gap.
        unitree: Of that driver.
        ros2_control: Of that driver.
        tiangong: Of that driver.
    """

    driver: Literal["unitree", "ros2_control", "tiangong"]
    rate: float
    follower: Settings = field(default_factory=Settings)
    unitree: UnitreeConfig | None = None
    ros2_control: Ros2ControlConfig | None = None
    tiangong: TiangongConfig | None = None

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
    made: Driver | None = None
    if read.driver == "unitree" and read.unitree:
        made = UnitreeDriver(robot, read.unitree, read.follower, str(file))
    elif read.driver == "ros2_control" and read.ros2_control:
        made = Ros2ControlDriver(robot, read.ros2_control, read.follower, str(file))
    elif read.driver == "tiangong" and read.tiangong:
        made = TiangongDriver(robot, read.tiangong, read.follower, str(file))
    assert made is not None
    return made
