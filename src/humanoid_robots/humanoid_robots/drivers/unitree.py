# SPDX-License-Identifier: Apache-2.0
"""Unitree G1, H1-2, H2 and G1-D over `unitree_hg`, with Dex3 hands.

On a biped the maker's balance controller keeps the legs: arms and waist go over `rt/arm_sdk`, blended by a weight. On
`rt/lowcmd`, for robots on wheels, the share scales gains and torques instead. Facts: unitree_ros2, unitree_sdk2 and
xr_teleoperate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from humanoid_core.errors import ConfigError, MessageError
from humanoid_description import Robot
from humanoid_robots.drivers import unitree_wire as wire
from humanoid_robots.drivers.driver import Driver, Inertial, Input, Joints, Reading, Touch
from humanoid_robots.drivers.follower import Output, Settings

TICK = 1_000_000  # [ns] of LowState's counter, as the maker's simulator counts
_SERIES = 0  # mode_pr: ankles and waist as pitch and roll
_TOUCH_PERIOD = 9_000_000  # [ns] between two readings of the pads that are published: some 100 Hz
_ENABLED = 1 << 4  # in the mode byte of a Dex3's motor


@dataclass(frozen=True)
class Hand:
    """A Dex3 hand: its joints in the order of its motors, and the link that its pads sit on."""

    joints: tuple[str, ...]
    frame: str


@dataclass(frozen=True)
class UnitreeConfig:
    """What a driver's file says of a Unitree robot.

    Attributes:
        channel: "arm_sdk" beside the maker's controller, "lowcmd" in its place.
        machines: Values of mode_machine that this configuration is for; empty: any, as long as it does not change.
        motors: Number of each joint's motor.
        weight_slot: Motor whose q is the weight of arm_sdk.
        leave: Joints that stay with the maker's controller, such as a locked waist.
        check_enabled: Whether a motor that says it is off is a fault.
        check_crc: Whether states with a wrong checksum are refused.
        imu: Place of the IMU in LowState.
        second_imu: Place of the one on rt/secondary_imu; "": none.
        hands: By side.
    """

    channel: Literal["arm_sdk", "lowcmd"]
    machines: tuple[int, ...]
    motors: dict[str, int]
    weight_slot: int = 29
    leave: tuple[str, ...] = ()
    check_enabled: bool = True
    check_crc: bool = True
    imu: str = "data"
    second_imu: str = ""
    hands: dict[str, Hand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = list(self.motors.values())
        if len(set(numbers)) != len(numbers) or not all(0 <= number < wire.MOTORS for number in numbers):
            raise ValueError(f"motors {sorted(numbers)}: each from 0 to {wire.MOTORS - 1}, once")
        if self.channel == "arm_sdk" and self.weight_slot in numbers:
            raise ValueError(f"weight_slot {self.weight_slot} is a motor")


class UnitreeDriver(Driver):
    """Drives the commanded joints of a Unitree robot.

    Args:
        robot: The robot.
        config: Its motors.
        settings: Of its followers.
        file: Named in errors.

    Raises:
        ConfigError: motors of joints that the robot lacks, or no motor for one that is commanded.
    """

    def __init__(self, robot: Robot, config: UnitreeConfig, settings: Settings, file: str = "") -> None:
        super().__init__(robot, settings)
        self._config = config
        hands = {joint: side for side, hand in config.hands.items() for joint in hand.joints}
        known = robot.config.joints
        for joint in (*config.motors, *hands):
            if joint not in known:
                raise ConfigError(file, "motors", f"a joint {joint}", "joints of the robot")
        wanted = [joint for joint in robot.config.commanded_joints if joint not in (*config.leave, *hands)]
        if absent := [joint for joint in wanted if joint not in config.motors]:
            raise ConfigError(file, "motors", f"no {', '.join(absent)}", "a motor for each joint that is commanded")
        self._names = tuple(config.motors)
        self._numbers = np.array(list(config.motors.values()))
        self._body = self.follower("body", wanted)
        self._commanded = np.array([config.motors[joint] for joint in wanted])
        self._gains = {joint: (known[joint].kp, known[joint].kd) for joint in (*wanted, *hands)}
        self._machine: int | None = None
        self._tick: int | None = None
        self._touched: dict[str, int] = {}
        self._hand_states: dict[str, tuple[int, wire.HandState]] = {}
        for side, hand in config.hands.items():
            self.follower(f"{side} hand", hand.joints)

    @property
    def inputs(self) -> list[Input]:
        made = [Input("/lowstate", "unitree_hg/msg/LowState", self._low_state)]
        for side in self._config.hands:
            take = partial(self._hand_state, side)
            made.append(Input(f"/dex3/{side}/state", "unitree_hg/msg/HandState", take))
        if self._config.second_imu:
            made.append(Input("/secondary_imu", "unitree_hg/msg/IMUState", self._second_imu))
        return made

    @property
    def outputs(self) -> dict[str, str]:
        hands = {f"/dex3/{side}/cmd": "unitree_hg/msg/HandCmd" for side in self._config.hands}
        return {f"/{self._config.channel}": "unitree_hg/msg/LowCmd", **hands}

    def messages(self, now: int) -> Iterator[tuple[str, bytes]]:
        output = self._body.step(now)
        if output is not None:
            yield f"/{self._config.channel}", self._low_command(output)
        for side in self._config.hands:
            follower = self.followers[f"{side} hand"]
            output = follower.step(now)
            if output is not None:
                yield f"/dex3/{side}/cmd", self._hand_command(output, follower.joints)

    # --- states ---

    def _low_state(self, message: bytes, now: int) -> list[Reading]:
        try:
            state = wire.low_state(message, self._config.check_crc)
        except MessageError as error:
            self._body.distrust(str(error))
            raise
        self._judge(state, now)
        position, velocity, effort = (part[self._numbers] for part in (state.position, state.velocity, state.effort))
        names = self._names
        for side, hand in self._config.hands.items():
            known = self._hand_states.get(side)
            if known is not None and now - known[0] <= 1e9 * self.settings.state_timeout:
                names += hand.joints
                position = np.concatenate([position, known[1].position])
                velocity = np.concatenate([velocity, known[1].velocity])
                effort = np.concatenate([effort, known[1].effort])
        return [
            Joints(names, position, velocity, effort, state.tick * TICK),
            Inertial(self._config.imu, state.orientation, state.angular_velocity, state.linear_acceleration),
        ]

    def _judge(self, state: wire.LowState, now: int) -> None:
        """Trust a state, or say why not."""
        config = self._config
        machine, self._machine = self._machine, state.mode_machine
        self.health.temperatures.update(zip(self._names, state.temperature[self._numbers].tolist()))
        broken = [name for name, number in config.motors.items() if state.faults[number]]
        self.health.faults = [f"{name}: {int(state.faults[config.motors[name]]):#x}" for name in broken]
        measured = state.position[self._commanded]
        joints = self._body.joints
        if config.machines and state.mode_machine not in config.machines:
            wanted = " or ".join(map(str, config.machines))
            self._body.distrust(f"mode_machine {state.mode_machine}, this configuration is for {wanted}")
        elif machine is not None and machine != state.mode_machine:
            self._body.distrust(f"mode_machine changed from {machine} to {state.mode_machine}")
        elif state.mode_pr != _SERIES:
            self._body.distrust(f"mode_pr {state.mode_pr}: ankles and waist are not given as pitch and roll")
        elif not np.isfinite(measured).all():
            self._body.distrust("positions that are not finite")
        elif faulty := [joint for joint in joints if joint in broken]:
            self._body.distrust(f"motor fault at {', '.join(faulty)}")
        elif config.check_enabled and not state.enabled[self._commanded].all():
            off = [joint for joint, on in zip(joints, state.enabled[self._commanded]) if not on]
            self._body.distrust(f"motors off at {', '.join(off)}")
        else:
            self._body.state(now, measured)

    def _hand_state(self, side: str, message: bytes, now: int) -> list[Reading]:
        follower, hand = self.followers[f"{side} hand"], self._config.hands[side]
        try:
            state = wire.hand_state(message)
            if len(state.position) != len(hand.joints) or not np.isfinite(state.position).all():
                raise MessageError(
                    "hand state", f"{len(state.position)} motors", f"{len(hand.joints)} finite positions"
                )
        except MessageError as error:
            follower.distrust(str(error))
            raise
        follower.state(now, state.position)
        self._hand_states[side] = (now, state)
        self.health.temperatures.update(zip(hand.joints, state.temperature.tolist()))
        if now - self._touched.get(side, 0) < _TOUCH_PERIOD:
            return []
        self._touched[side] = now
        return [Touch(f"{side}_hand", hand.frame, state.pressure)]

    def _second_imu(self, message: bytes, now: int) -> list[Reading]:
        return [Inertial(self._config.second_imu, *wire.imu_state(message))]

    # --- commands ---

    def _low_command(self, output: Output) -> bytes:
        motors = wire.new_commands()
        scale = 1.0 if self._config.channel == "arm_sdk" else output.share
        which = self._commanded
        gains = np.array([self._gains[joint] for joint in self._body.joints])
        motors["mode"][which] = 1
        motors["q"][which], motors["dq"][which] = output.position, output.velocity
        motors["tau"][which] = scale * output.effort
        motors["kp"][which], motors["kd"][which] = scale * gains[:, 0], scale * gains[:, 1]
        if self._config.channel == "arm_sdk":
            motors["q"][self._config.weight_slot] = output.share
        assert self._machine is not None
        return wire.low_command(_SERIES, self._machine, motors)

    def _hand_command(self, output: Output, joints: tuple[str, ...]) -> bytes:
        motors = wire.new_commands()[: len(joints)]
        gains = output.share * np.array([self._gains[joint] for joint in joints])
        motors["mode"] = np.arange(len(joints)) | _ENABLED
        motors["q"], motors["dq"], motors["tau"] = output.position, output.velocity, output.share * output.effort
        motors["kp"], motors["kd"] = gains[:, 0], gains[:, 1]
        return wire.hand_command(motors)
