# SPDX-License-Identifier: Apache-2.0
"""A robot behind ros2_control: joint_state_broadcaster's states, and a joint_trajectory_controller for each part of it.

Each period a controller gets a trajectory of one point, the newest set-points, to be reached in `horizon`: a point
without velocities, between which it interpolates linearly; with velocities it would refuse one that still moves at its
end. When points cease it holds the last one, so a driver that falls silent leaves a robot that stands. Facts:
ros2_controllers, joint_trajectory_controller (topics, checks of a trajectory, FollowJointTrajectory).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from humanoid_core.errors import ConfigError, MessageError
from humanoid_description import Robot
from humanoid_robots.drivers.cdr import Reader, Writer
from humanoid_robots.drivers.driver import Driver, Input, Joints, Reading
from humanoid_robots.drivers.follower import Output, Settings

_REFUSED = 1_000_000_000  # [ns] that a refusal of a controller keeps the driver from commanding it


@dataclass(frozen=True)
class Ros2ControlConfig:
    """What a driver's file says of a robot behind ros2_control.

    Attributes:
        controllers: Joints of each joint_trajectory_controller, by its absolute name such as "/left_arm_controller".
        states: Topic of joint_state_broadcaster.
        channel: "topic": `<controller>/joint_trajectory`. "action": `<controller>/follow_joint_trajectory`, slower, but
            the controller answers, and a refusal is a fault here.
        horizon: Time in which each point is to be reached [s].
        stamps: "host": the stamps of states are in this computer's time. "robot": in another computer's.
    """

    controllers: dict[str, tuple[str, ...]]
    states: str = "/joint_states"
    channel: Literal["topic", "action"] = "topic"
    horizon: float = 0.05
    stamps: Literal["host", "robot"] = "host"

    def __post_init__(self) -> None:
        names = [joint for joints in self.controllers.values() for joint in joints]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"controllers command {sorted(names)}: each joint by one of them, at least one")
        if strange := [name for name in (*self.controllers, self.states) if not name.startswith("/")]:
            raise ValueError(f"{', '.join(strange)}: names must be absolute")
        if not 0.0 < self.horizon <= 1.0:
            raise ValueError(f"horizon {self.horizon}: must be above 0 and at most 1 s")


class Ros2ControlDriver(Driver):
    """Drives what its controllers command; a follower for each.

    Args:
        robot: The robot.
        config: Of this driver.
        settings: Of the followers.
        file: Named in errors.
        wall: Host time [ns].

    Raises:
        ConfigError: a controller has a joint that the robot does not have or that may not be commanded.
    """

    def __init__(
        self,
        robot: Robot,
        config: Ros2ControlConfig,
        settings: Settings,
        file: str,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(robot, settings)
        self._config, self._wall = config, wall
        self._troubles: dict[str, tuple[str, int]] = {}
        for name, joints in config.controllers.items():
            if strange := [joint for joint in joints if joint not in robot.config.commanded_joints]:
                raise ConfigError(
                    file, f"ros2_control.controllers.{name}", strange[0], f"a commanded joint of {robot.config.name}"
                )
            self.follower(name, joints)

    @property
    def inputs(self) -> list[Input]:
        return [Input(self._config.states, "sensor_msgs/msg/JointState", self._states)]

    @property
    def outputs(self) -> dict[str, str]:
        if self._config.channel == "topic":
            kind = "trajectory_msgs/msg/JointTrajectory"
        else:
            kind = "control_msgs/action/FollowJointTrajectory"
        return {self._output(name): kind for name in self._config.controllers}

    def messages(self, now: int) -> Iterator[tuple[str, bytes]]:
        for name, follower in self.followers.items():
            output = follower.step(now)
            if output is not None:
                yield self._output(name), self._trajectory(follower.joints, output)

    def trouble(self, output: str, reason: str, now: int) -> None:
        self._troubles[output.rpartition("/")[0]] = (reason, now)

    def _output(self, controller: str) -> str:
        word = "joint_trajectory" if self._config.channel == "topic" else "follow_joint_trajectory"
        return f"{controller}/{word}"

    def _states(self, message: bytes, now: int) -> list[Reading]:
        reader = Reader(self._config.states, message)
        stamp, names = reader.header(), reader.texts()
        position, velocity, effort = reader.doubles(), reader.doubles(), reader.doubles()
        count = len(names)
        if len(position) != count or not np.isfinite(position).all():
            raise MessageError(self._config.states, f"{len(position)} positions", f"{count} that are finite")
        velocity, effort = (part if len(part) == count else np.full(count, np.nan) for part in (velocity, effort))
        place = {name: i for i, name in enumerate(names)}
        of_host = self._config.stamps == "host"
        age = 1e-9 * (self._wall() - stamp) if of_host else 0.0
        for part, follower in self.followers.items():
            reason, since = self._troubles.get(part, ("", 0))
            if reason and now - since < _REFUSED:
                follower.distrust(f"{part} refuses: {reason}")
            elif abs(age) > self.settings.state_timeout:
                follower.distrust(f"the robot's state is stamped {age:.3f} s ago: late, or another clock")
            elif place.keys() >= set(follower.joints):
                follower.state(now, position[[place[joint] for joint in follower.joints]])
        known = [i for i, name in enumerate(names) if name in self.robot.joints]
        return [
            Joints(
                tuple(names[i] for i in known),
                position[known],
                velocity[known],
                effort[known],
                device_stamp=None if of_host else stamp,
                stamp=stamp if of_host else None,
            )
        ]

    def _trajectory(self, joints: tuple[str, ...], output: Output) -> bytes:
        """trajectory_msgs/JointTrajectory of one point; stamp 0: from now on."""
        horizon = round(1e9 * self._config.horizon)
        writer = Writer().header(0).texts(joints).number("I", 1).doubles(output.eased)
        for _ in ("velocities", "accelerations", "effort"):
            writer.doubles(())
        return writer.number("i", horizon // 10**9).number("I", horizon % 10**9).message
