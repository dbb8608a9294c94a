# SPDX-License-Identifier: Apache-2.0
"""X-Humanoid Tiangong 2 over `bodyctrl_msgs`: arms, head and waist; the legs stay with the maker's controller.

The robot has no weight between its controller and ours: set-points begin where the joints are and come up to the
commanded ones as the share rises; handing back is holding and then falling silent. Facts: UBTECH-Robot/tk_sdk_demo
(topics, motor ids, working ranges, demonstration's speeds and currents), TienKung_ROS (message definitions).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from humanoid_core.errors import ConfigError, MessageError
from humanoid_description import Robot
from humanoid_robots.drivers import tiangong_wire as wire
from humanoid_robots.drivers.driver import Driver, Inertial, Input, Joints, Reading
from humanoid_robots.drivers.follower import Output, Settings

PARTS = ("arm", "head", "waist", "leg")
_FIRST = "arm"  # joint states go out with this part's


@dataclass(frozen=True)
class Motor:
    """A motor.

    Attributes:
        part: Whose topics it is on.
        id: Its number.
        working_deg: Range that it must not leave, or it disconnects until somebody puts it back by hand [deg]; None:
            not published.
    """

    part: Literal["arm", "head", "waist", "leg"]
    id: int
    working_deg: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not 0 < self.id < 2**16:
            raise ValueError(f"id {self.id}: must be 1 to 65535")


@dataclass(frozen=True)
class TiangongConfig:
    """What a driver's file says of a Tiangong.

    Attributes:
        motors: By joint.
        channel: "cmd_pos": the motor's own position loop, as the maker's grasping demonstration. "cmd_ctrl": position
            and velocity with the gains of the robot's configuration.
        speed: Of cmd_pos [rad/s]. The message's comment says rpm: if that were so, the motor would only be slower.
        current: Most that cmd_pos may draw [A].
        imu: Place of /imu/status; "": not read.
        leave: Joints that are only read.
    """

    motors: dict[str, Motor]
    channel: Literal["cmd_pos", "cmd_ctrl"] = "cmd_pos"
    speed: float = 0.4
    current: float = 5.0
    imu: str = ""
    leave: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [motor.id for motor in self.motors.values()]
        if len(set(ids)) != len(ids):
            raise ValueError(f"motors {sorted(ids)}: each id once")
        if self.speed <= 0.0 or self.current <= 0.0:
            raise ValueError(f"speed {self.speed}, current {self.current}: must be above 0")


class TiangongDriver(Driver):
    """Drives the commanded joints of a Tiangong, a follower for each part of it.

    Args:
        robot: The robot.
        config: Of this driver.
        settings: Of the followers.
        file: Named in errors.

    Raises:
        ConfigError: a motor's joint is not the robot's, or nothing is left to command.
    """

    def __init__(self, robot: Robot, config: TiangongConfig, settings: Settings, file: str) -> None:
        super().__init__(robot, settings)
        self._config = config
        self._names = {motor.id: joint for joint, motor in config.motors.items()}
        self._latest: dict[str, tuple[int, tuple[str, ...], np.ndarray]] = {}
        if strange := [joint for joint in (*config.motors, *config.leave) if joint not in robot.joints]:
            raise ConfigError(file, "tiangong.motors", strange[0], f"a joint of {robot.config.name}")
        ours = set(robot.config.commanded_joints) - set(config.leave)
        for part in PARTS:
            joints = [joint for joint, motor in config.motors.items() if motor.part == part and joint in ours]
            if joints:
                self.follower(part, joints, self._ranges(joints))
        if not self.followers:
            raise ConfigError(file, "tiangong.motors", "none that may be commanded", "at least one")

    @property
    def inputs(self) -> list[Input]:
        parts = {motor.part for motor in self._config.motors.values()}
        made = [
            Input(f"/{part}/status", "bodyctrl_msgs/msg/MotorStatusMsg", partial(self._status, part))
            for part in PARTS
            if part in parts
        ]
        if self._config.imu:
            made.append(Input("/imu/status", "bodyctrl_msgs/msg/Imu", self._imu))
        return made

    @property
    def outputs(self) -> dict[str, str]:
        kind = "CmdSetMotorPosition" if self._config.channel == "cmd_pos" else "CmdMotorCtrl"
        return {self._output(part): f"bodyctrl_msgs/msg/{kind}" for part in self.followers}

    def messages(self, now: int) -> Iterator[tuple[str, bytes]]:
        for part, follower in self.followers.items():
            output = follower.step(now)
            if output is not None:
                yield self._output(part), self._command(follower.joints, output)

    def _output(self, part: str) -> str:
        return f"/{part}/{self._config.channel}"

    def _ranges(self, joints: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of working ranges less the configuration's margins, (n,) [rad]."""
        free = (-np.inf, np.inf)
        ends = np.radians([self._config.motors[joint].working_deg or free for joint in joints])
        margin = np.array([self.robot.config.joints[joint].margin for joint in joints])
        return ends[:, 0] + margin, ends[:, 1] - margin

    # --- states ---

    def _status(self, part: str, message: bytes, now: int) -> list[Reading]:
        follower = self.followers.get(part)
        try:
            stamp, status = wire.motor_status(message)
        except MessageError as error:
            if follower:
                follower.distrust(str(error))
            raise
        which = [i for i, number in enumerate(status["name"]) if int(number) in self._names]
        names = tuple(self._names[int(status["name"][i])] for i in which)
        mine = status[which]
        self.health.temperatures.update(zip(names, mine["temperature"].tolist()))
        self.health.currents.update(zip(names, mine["current"].tolist()))
        broken = {name: int(code) for name, code in zip(names, mine["error"]) if code}
        others = [words for words in self.health.faults if words.partition(":")[0] not in names]
        self.health.faults = others + [f"{name}: error {code:#x}" for name, code in broken.items()]
        if follower:
            self._judge(part, names, mine, broken, now)
        self._latest[part] = (now, names, mine)
        return [self._joints(stamp, now)] if part == _FIRST else []

    def _judge(self, part: str, names: tuple[str, ...], status: np.ndarray, broken: dict[str, int], now: int) -> None:
        """Trust a state, or say why not."""
        follower = self.followers[part]
        place = {name: i for i, name in enumerate(names)}
        absent = [joint for joint in follower.joints if joint not in place]
        if absent:
            follower.distrust(f"no state of {', '.join(absent)}")
            return
        position = status["pos"][[place[joint] for joint in follower.joints]].astype(float)
        if faulty := [joint for joint in follower.joints if joint in broken]:
            follower.distrust(f"motor error at {', '.join(faulty)}")
        elif not np.isfinite(position).all():
            follower.distrust("positions that are not finite")
        else:
            follower.state(now, position)

    def _joints(self, stamp: int, now: int) -> Joints:
        """The newest state of every part that is not stale; currents are no torques, so effort is unknown."""
        fresh = [one for one in self._latest.values() if now - one[0] <= 1e9 * self.settings.state_timeout]
        names = tuple(name for one in fresh for name in one[1])
        status = np.concatenate([one[2] for one in fresh])
        position, velocity = status["pos"].astype(float), status["speed"].astype(float)
        return Joints(names, position, velocity, np.full(len(names), np.nan), device_stamp=stamp)

    def _imu(self, message: bytes, now: int) -> list[Reading]:
        return [Inertial(self._config.imu, *wire.imu(message))]

    # --- commands ---

    def _command(self, joints: tuple[str, ...], output: Output) -> bytes:
        ids = [self._config.motors[joint].id for joint in joints]
        if self._config.channel == "cmd_pos":
            return wire.set_positions(ids, output.eased, self._config.speed, self._config.current)
        gains = np.array([(self.robot.config.joints[j].kp, self.robot.config.joints[j].kd) for j in joints])
        return wire.motor_control(ids, gains, output.eased, output.velocity, output.share * output.effort)
