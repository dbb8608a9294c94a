# SPDX-License-Identifier: Apache-2.0
"""A Unitree G1 in a process of its own, speaking `unitree_hg` through Cyclone DDS; it shares no code with the driver.

It publishes LowState and Dex3 states, follows what arrives on rt/arm_sdk as a first-order lag, blended by the weight,
and checks every command's checksum, mode and size of step. Orders come as JSON lines on stdin, each answered by a
line on stdout with what it has seen.
"""

import json
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float32, int16, sequence, uint8, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

MOTORS = 35


@dataclass
class MotorCmd(IdlStruct, typename="unitree_hg.msg.dds_.MotorCmd_"):
    mode: uint8 = 0
    q: float32 = 0.0
    dq: float32 = 0.0
    tau: float32 = 0.0
    kp: float32 = 0.0
    kd: float32 = 0.0
    reserve: uint32 = 0


@dataclass
class LowCmd(IdlStruct, typename="unitree_hg.msg.dds_.LowCmd_"):
    mode_pr: uint8 = 0
    mode_machine: uint8 = 0
    motor_cmd: array[MotorCmd, MOTORS] = field(default_factory=lambda: [MotorCmd() for _ in range(MOTORS)])
    reserve: array[uint32, 4] = field(default_factory=lambda: [0] * 4)
    crc: uint32 = 0


@dataclass
class ImuState(IdlStruct, typename="unitree_hg.msg.dds_.IMUState_"):
    quaternion: array[float32, 4] = field(default_factory=lambda: [1.0, 0.0, 0.0, 0.0])
    gyroscope: array[float32, 3] = field(default_factory=lambda: [0.0, 0.0, 0.1])
    accelerometer: array[float32, 3] = field(default_factory=lambda: [0.0, 0.0, 9.81])
    rpy: array[float32, 3] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    temperature: int16 = 33


@dataclass
class MotorState(IdlStruct, typename="unitree_hg.msg.dds_.MotorState_"):
    mode: uint8 = 1
    q: float32 = 0.0
    dq: float32 = 0.0
    ddq: float32 = 0.0
    tau_est: float32 = 0.0
    temperature: array[int16, 2] = field(default_factory=lambda: [40, 45])
    vol: float32 = 50.0
    sensor: array[uint32, 2] = field(default_factory=lambda: [0, 0])
    motorstate: uint32 = 0
    reserve: array[uint32, 4] = field(default_factory=lambda: [0] * 4)


@dataclass
class LowState(IdlStruct, typename="unitree_hg.msg.dds_.LowState_"):
    version: array[uint32, 2] = field(default_factory=lambda: [1, 0])
    mode_pr: uint8 = 0
    mode_machine: uint8 = 5
    tick: uint32 = 0
    imu_state: ImuState = field(default_factory=ImuState)
    motor_state: array[MotorState, MOTORS] = field(default_factory=lambda: [MotorState() for _ in range(MOTORS)])
    wireless_remote: array[uint8, 40] = field(default_factory=lambda: [0] * 40)
    reserve: array[uint32, 4] = field(default_factory=lambda: [0] * 4)
    crc: uint32 = 0


@dataclass
class PressSensorState(IdlStruct, typename="unitree_hg.msg.dds_.PressSensorState_"):
    pressure: array[float32, 12] = field(default_factory=lambda: [0.0] * 12)
    temperature: array[float32, 12] = field(default_factory=lambda: [25.0] * 12)
    lost: uint32 = 0
    reserve: uint32 = 0


@dataclass
class HandCmd(IdlStruct, typename="unitree_hg.msg.dds_.HandCmd_"):
    motor_cmd: sequence[MotorCmd] = field(default_factory=list)
    reserve: array[uint32, 4] = field(default_factory=lambda: [0] * 4)


@dataclass
class HandState(IdlStruct, typename="unitree_hg.msg.dds_.HandState_"):
    motor_state: sequence[MotorState] = field(default_factory=list)
    press_sensor_state: sequence[PressSensorState] = field(default_factory=list)
    imu_state: ImuState = field(default_factory=ImuState)
    power_v: float32 = 0.0
    power_a: float32 = 0.0
    system_v: float32 = 0.0
    device_v: float32 = 0.0
    error: array[uint32, 2] = field(default_factory=lambda: [0, 0])
    reserve: array[uint32, 2] = field(default_factory=lambda: [0, 0])


_TABLE = []
for _byte in range(256):
    _value = _byte << 24
    for _ in range(8):
        _value = (_value << 1 ^ 0x04C11DB7 if _value & 0x80000000 else _value << 1) & 0xFFFFFFFF
    _TABLE.append(_value)


def crc(words: tuple[int, ...]) -> int:
    """CRC-32/MPEG-2 by table, byte by byte."""
    value = 0xFFFFFFFF
    for word in words:
        for shift in (24, 16, 8, 0):
            value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[(value >> 24) ^ (word >> shift & 0xFF)]
    return value


def command_crc(message: LowCmd) -> int:
    data = struct.pack("<BBxx", message.mode_pr, message.mode_machine)
    for motor in message.motor_cmd:
        data += struct.pack("<B3x5fI", motor.mode, motor.q, motor.dq, motor.tau, motor.kp, motor.kd, motor.reserve)
    data += struct.pack("<4I", *message.reserve)
    return crc(struct.unpack("<250I", data))


def state_crc(message: LowState) -> int:
    data = struct.pack("<2IBBxxI", *message.version, message.mode_pr, message.mode_machine, message.tick)
    imu = message.imu_state
    data += struct.pack("<13fhxx", *imu.quaternion, *imu.gyroscope, *imu.accelerometer, *imu.rpy, imu.temperature)
    for motor in message.motor_state:
        numbers = (motor.q, motor.dq, motor.ddq, motor.tau_est, *motor.temperature, motor.vol, *motor.sensor)
        data += struct.pack("<B3x4f2hf7I", motor.mode, *numbers, motor.motorstate, *motor.reserve)
    data += bytes(message.wireless_remote) + struct.pack("<4I", *message.reserve)
    return crc(struct.unpack("<522I", data))


def _valid(sample: object) -> bool:
    """Whether a sample carries data; one that does not tells of a writer that left."""
    return isinstance(sample, (LowCmd, HandCmd))


class FakeRobot:
    """State of the robot, and what it has seen."""

    def __init__(self, domain: int) -> None:
        participant = DomainParticipant(domain)
        reliable = Qos(Policy.Reliability.Reliable(10_000_000), Policy.History.KeepLast(2000))
        best_effort = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1))

        def writer(name: str, kind: type) -> DataWriter:
            return DataWriter(participant, Topic(participant, name, kind), qos=best_effort)

        def reader(name: str, kind: type) -> DataReader:
            return DataReader(participant, Topic(participant, name, kind), qos=reliable)

        self.low = writer("rt/lowstate", LowState)
        self.commands = reader("rt/arm_sdk", LowCmd)
        self.hands = {
            side: (writer(f"rt/dex3/{side}/state", HandState), reader(f"rt/dex3/{side}/cmd", HandCmd))
            for side in ("left", "right")
        }
        self.participant = participant
        self.state = LowState()
        self.own = [0.01 * i for i in range(MOTORS)]  # where the maker's controller holds the joints
        for motor, q in zip(self.state.motor_state, self.own):
            motor.q = q
        self.hand_states = {
            side: HandState([MotorState() for _ in range(7)], [PressSensorState([float(i)] * 12) for i in range(9)])
            for side in self.hands
        }
        self.settings = {"silent": False, "mode_machine": 5, "break_crc": False, "motor_off": -1, "hold_tick": False}
        self.seen: dict[str, object] = {}
        self.clear()

    def clear(self) -> None:
        self.seen = {
            "commands": 0, "bad_crc": 0, "bad_mode": 0, "weight": 0.0, "weights_first": None, "largest_step": 0.0,
            "q": [], "kp": [], "kd": [], "modes": [], "hand_commands": 0, "hand": {}, "largest_weight_step": 0.0,
        }  # fmt: skip

    def take(self) -> None:
        for message in filter(_valid, self.commands.take(N=2000)):
            seen = self.seen
            seen["commands"] += 1  # type: ignore[operator]
            seen["bad_crc"] += message.crc != command_crc(message)  # type: ignore[operator]
            wrong = message.mode_machine != self.state.mode_machine or message.mode_pr != 0
            seen["bad_mode"] += wrong  # type: ignore[operator]
            weight, q = message.motor_cmd[29].q, [motor.q for motor in message.motor_cmd]
            if seen["q"]:
                step = abs(weight - seen["weight"])  # type: ignore[operator]
                seen["largest_weight_step"] = max(seen["largest_weight_step"], step)  # type: ignore[type-var]
                moved = max(abs(a - b) for a, b in zip(q[12:29], seen["q"][12:29]))  # type: ignore[index]
                seen["largest_step"] = max(seen["largest_step"], moved)  # type: ignore[type-var]
            seen["weight"] = weight
            if seen["weights_first"] is None:
                seen["weights_first"] = weight
            seen["q"], seen["kp"] = q, [motor.kp for motor in message.motor_cmd]
            seen["kd"], seen["modes"] = (
                [motor.kd for motor in message.motor_cmd],
                [motor.mode for motor in message.motor_cmd],
            )
            for number in range(12, 29):
                target = weight * q[number] + (1 - weight) * self.own[number]
                motor = self.state.motor_state[number]
                motor.q += 0.3 * (target - motor.q)
        for side, (_, reader) in self.hands.items():
            for message in filter(_valid, reader.take(N=2000)):
                self.seen["hand_commands"] += 1  # type: ignore[operator]
                self.seen["hand"][side] = [[m.mode, m.q, m.kp] for m in message.motor_cmd]  # type: ignore[index]
                for motor, command in zip(self.hand_states[side].motor_state, message.motor_cmd):
                    if command.kp > 0.0:
                        motor.q += 0.3 * (command.q - motor.q)

    def send(self) -> None:
        if not self.settings["hold_tick"]:
            self.state.tick += 2
        self.state.mode_machine = int(self.settings["mode_machine"])
        for i, motor in enumerate(self.state.motor_state):
            motor.mode = 0 if i == self.settings["motor_off"] else 1
        self.state.crc = state_crc(self.state) ^ int(self.settings["break_crc"])
        if not self.settings["silent"]:
            self.low.write(self.state)
            if self.state.tick % 4 == 0:
                for side, (writer, _) in self.hands.items():
                    writer.write(self.hand_states[side])


def main() -> None:
    """Run until stdin ends."""
    robot = FakeRobot(int(sys.argv[1]))
    period = 1.0 / float(sys.argv[2])
    lock = threading.Lock()

    def orders() -> None:
        for line in sys.stdin:
            order = json.loads(line)
            with lock:
                if order.pop("clear", False):
                    robot.clear()
                robot.settings.update(order)
                answer = {**robot.seen, "measured": [motor.q for motor in robot.state.motor_state]}
            print(json.dumps(answer), flush=True)
        done.set()

    done = threading.Event()
    threading.Thread(target=orders, daemon=True).start()
    print("ready", flush=True)
    due = time.monotonic()
    while not done.is_set():
        with lock:
            robot.take()
            robot.send()
        due = max(due + period, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
