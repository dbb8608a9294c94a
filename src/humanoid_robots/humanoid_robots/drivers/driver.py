# SPDX-License-Identifier: Apache-2.0
"""What the driver of a robot offers its node: serialized messages of the maker in and out, no ROS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from humanoid_core.errors import MessageError
from humanoid_description import Robot
from humanoid_robots.drivers.errors import CommandRefused
from humanoid_robots.drivers.follower import Follower, Settings
from humanoid_robots.servo import Mode


@dataclass(frozen=True)
class Input:
    """A topic of the robot's.

    Attributes:
        topic: Absolute name.
        type: "package/msg/Name".
        take: Called with a serialized message and the steady time of its arrival [ns]; gives what it measured. Raises
            MessageError where it cannot be used.
    """

    topic: str
    type: str
    take: Callable[[bytes, int], list[Reading]]


@dataclass(frozen=True)
class Joints:
    """Measured joints: names, positions (n,) [rad], velocities (n,) [rad/s], torques (n,) [N m]."""

    names: tuple[str, ...]
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    device_stamp: int | None = None  # [ns] of the robot's own clock
    stamp: int | None = None  # [ns] of measurement in host time; None: the robot does not tell, arrival must do


@dataclass(frozen=True)
class Inertial:
    """Orientation xyzw, rotation (3,) [rad/s] and acceleration (3,) [m/s2] at a place."""

    place: str
    orientation: np.ndarray
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray


@dataclass(frozen=True)
class Touch:
    """Values of a hand's pads, a row each (m, n), in the maker's unit, and the frame of the link that they sit on."""

    place: str
    frame: str
    values: np.ndarray


Reading = Joints | Inertial | Touch


@dataclass
class Health:
    """Of each joint: temperature [deg C] and, where it is measured, current [A]; and faults in words."""

    temperatures: dict[str, float] = field(default_factory=dict)
    currents: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Driver(ABC):
    """A robot, commanded through one follower per part of it that can be away by itself.

    Args:
        robot: The robot.
        settings: Of its followers.
    """

    def __init__(self, robot: Robot, settings: Settings) -> None:
        self.robot = robot
        self.settings = settings
        self.followers: dict[str, Follower] = {}
        self.health = Health()

    @property
    @abstractmethod
    def inputs(self) -> list[Input]:
        """Topics to subscribe to."""

    @property
    @abstractmethod
    def outputs(self) -> dict[str, str]:
        """Types of the topics to publish on, by absolute name; of an action, trajectories become its goals."""

    @abstractmethod
    def messages(self, now: int) -> Iterator[tuple[str, bytes]]:
        """Topic and serialized message of whatever is to be sent at `now` [ns]."""

    def trouble(self, output: str, reason: str, now: int) -> None:  # noqa: B027  (most robots never answer)
        """The robot answered at `now` [ns] that it does not do what was sent on an output."""

    def follower(
        self, part: str, joints: Sequence[str], ranges: tuple[np.ndarray, np.ndarray] | None = None
    ) -> Follower:
        """A follower of some joints, with the URDF's ranges, and within `ranges`, lower and upper (n,), where given."""
        limits = self.robot.limits(joints)
        lower, upper = ranges or (limits.lower, limits.upper)
        made = Follower(joints, np.maximum(lower, limits.lower), np.minimum(upper, limits.upper), self.settings)
        self.followers[part] = made
        return made

    def command(
        self,
        now: int,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> list[str]:
        """Give each part its share of a command.

        Returns:
            Why parts of the robot did not take theirs.

        Raises:
            MessageError: the command itself is wrong.
        """
        known = {name for follower in self.followers.values() for name in follower.joints}
        if unknown := [name for name in names if name not in known]:
            raise MessageError("joint_commands", f"joints {', '.join(unknown)}", "joints that this driver commands")
        for part in (velocity, effort):
            if len(part) not in (0, len(names)):
                raise MessageError("joint_commands", f"{len(part)} numbers", f"{len(names)} or none")
        if len(position) != len(names):
            raise MessageError("joint_commands", f"{len(position)} positions", f"{len(names)}")
        refusals = []
        for part_name, follower in self.followers.items():
            mine = [i for i, name in enumerate(names) if name in follower.joints]
            if not mine:
                continue
            try:
                follower.command(
                    now,
                    [names[i] for i in mine],
                    [position[i] for i in mine],
                    [velocity[i] for i in mine] if len(velocity) else (),
                    [effort[i] for i in mine] if len(effort) else (),
                )
            except CommandRefused as reason:
                refusals.append(f"{part_name}: {reason}")
        return refusals

    @property
    def mode(self) -> Mode:
        """FAULT if any part has one, else FOLLOWING if any part follows, else STOPPING if any part stops."""
        order = (Mode.FAULT, Mode.FOLLOWING, Mode.STOPPING, Mode.IDLE)
        modes = {follower.mode for follower in self.followers.values()}
        return next(mode for mode in order if mode in modes)

    @property
    def words(self) -> str:
        """What each part does, those that do the same together."""
        told: dict[str, list[str]] = {}
        for part, follower in self.followers.items():
            told.setdefault(follower.reason, []).append(part)
        return "; ".join(f"{', '.join(parts)}: {reason}" for reason, parts in told.items())

    def release(self, unseen: bool = False) -> None:
        """Hand control back; `unseen`: no state will be read meanwhile."""
        for follower in self.followers.values():
            follower.release_unseen() if unseen else follower.release()

    def resume(self) -> None:
        """Take commands again."""
        for follower in self.followers.values():
            follower.resume()

    @property
    def released(self) -> bool:
        """Whether the robot's own controller has everything."""
        return all(follower.share == 0.0 for follower in self.followers.values())
