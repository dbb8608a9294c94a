# SPDX-License-Identifier: Apache-2.0
"""A Tiangong 2 in a process of its own, speaking `bodyctrl_msgs` through Cyclone DDS, without code of the driver.

Each part's motors follow /<part>/cmd_pos with a first-order lag, no faster than its `spd`. Orders come as JSON lines on
stdin, each answered by a line on stdout with what it has seen.
"""

import json
import math
import sys
import threading
import time
from dataclasses import dataclass, field

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import array, float32, float64, int32, sequence, uint16, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic


@dataclass
class Time(IdlStruct, typename="builtin_interfaces.msg.dds_.Time_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
class Header(IdlStruct, typename="std_msgs.msg.dds_.Header_"):
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
class MotorStatus(IdlStruct, typename="bodyctrl_msgs.msg.dds_.MotorStatus_"):
    name: uint16 = 0
    pos: float32 = 0.0
    speed: float32 = 0.0
    current: float32 = 0.0
    temperature: float32 = 0.0
    error: uint32 = 0


@dataclass
class MotorStatusMsg(IdlStruct, typename="bodyctrl_msgs.msg.dds_.MotorStatusMsg_"):
    header: Header = field(default_factory=Header)
    status: sequence[MotorStatus] = field(default_factory=list)


@dataclass
class SetMotorPosition(IdlStruct, typename="bodyctrl_msgs.msg.dds_.SetMotorPosition_"):
    name: uint16 = 0
    pos: float32 = 0.0
    spd: float32 = 0.0
    cur: float32 = 0.0


@dataclass
class CmdSetMotorPosition(IdlStruct, typename="bodyctrl_msgs.msg.dds_.CmdSetMotorPosition_"):
    header: Header = field(default_factory=Header)
    cmds: sequence[SetMotorPosition] = field(default_factory=list)


@dataclass
class Quaternion(IdlStruct, typename="geometry_msgs.msg.dds_.Quaternion_"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0
    w: float64 = 1.0


@dataclass
class Vector3(IdlStruct, typename="geometry_msgs.msg.dds_.Vector3_"):
    x: float64 = 0.0
    y: float64 = 0.0
    z: float64 = 0.0


@dataclass
class Euler(IdlStruct, typename="bodyctrl_msgs.msg.dds_.Euler_"):
    roll: float64 = 0.0
    pitch: float64 = 0.0
    yaw: float64 = 0.0


@dataclass
class Imu(IdlStruct, typename="bodyctrl_msgs.msg.dds_.Imu_"):
    header: Header = field(default_factory=Header)
    orientation: Quaternion = field(default_factory=Quaternion)
    angular_velocity: Vector3 = field(default_factory=lambda: Vector3(0.0, 0.0, 0.1))
    linear_acceleration: Vector3 = field(default_factory=lambda: Vector3(0.0, 0.0, 9.81))
    euler: Euler = field(default_factory=Euler)
    error: uint32 = 0
    angular_velocity_covariance: array[float64, 3] = field(default_factory=lambda: [0.0] * 3)
    orientation_covariance: array[float64, 3] = field(default_factory=lambda: [0.0] * 3)
    linear_acceleration_covariance: array[float64, 3] = field(default_factory=lambda: [0.0] * 3)


MOTORS = {
    "head": [1, 2, 3],
    "arm": [*range(11, 18), *range(21, 28)],
    "waist": [31],
    "leg": [*range(51, 57), *range(61, 67)],
}


class FakeTiangong:
    """Where its motors are, and what it has seen."""

    def __init__(self, domain: int) -> None:
        participant = DomainParticipant(domain)
        best_effort = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1))
        reliable = Qos(Policy.Reliability.Reliable(10_000_000), Policy.History.KeepLast(500))

        def writer(name: str, kind: type) -> DataWriter:
            return DataWriter(participant, Topic(participant, name, kind), qos=best_effort)

        self.status = {part: writer(f"rt/{part}/status", MotorStatusMsg) for part in MOTORS}
        self.imu = writer("rt/imu/status", Imu)
        self.commands = {
            part: DataReader(participant, Topic(participant, f"rt/{part}/cmd_pos", CmdSetMotorPosition), qos=reliable)
            for part in ("arm", "head", "waist", "leg")
        }
        self.participant = participant
        self.position = {number: 0.001 * number for numbers in MOTORS.values() for number in numbers}
        self.settings = {"silent": "", "error_of": -1, "cut": False}
        self.last: dict[int, float] = {}
        self.seen: dict[str, object] = {}
        self.clear()

    def clear(self) -> None:
        self.seen = {"commands": 0, "parts": {}, "largest_step": 0.0, "first": {}, "spd": [], "cur": [], "unknown": []}
        self.last = {}

    def take(self, period: float) -> None:
        for part, reader in self.commands.items():
            for message in (one for one in reader.take(N=500) if isinstance(one, CmdSetMotorPosition)):
                seen = self.seen
                seen["commands"] += 1  # type: ignore[operator]
                seen["parts"][part] = seen["parts"].get(part, 0) + 1  # type: ignore[index, attr-defined]
                for one in message.cmds:
                    if one.name not in MOTORS[part]:
                        seen["unknown"].append(one.name)  # type: ignore[attr-defined]
                        continue
                    step = abs(one.pos - self.last.get(one.name, one.pos))
                    seen["largest_step"] = max(seen["largest_step"], step)  # type: ignore[type-var]
                    seen["first"].setdefault(str(one.name), one.pos - self.position[one.name])  # type: ignore[attr-defined]
                    seen["spd"], seen["cur"] = [one.spd], [one.cur]
                    self.last[one.name] = one.pos
                    move = 0.5 * (one.pos - self.position[one.name])
                    self.position[one.name] += math.copysign(min(abs(move), max(one.spd * period, 0.002)), move)

    def send(self) -> None:
        now = time.time_ns()
        header = Header(Time(now // 10**9, now % 10**9), "")
        for part, writer in self.status.items():
            if self.settings["silent"] in (part, "all"):
                continue
            status = [
                MotorStatus(n, self.position[n], 0.0, 0.5, 40.0, 7 if n == self.settings["error_of"] else 0)
                for n in MOTORS[part]
            ]
            writer.write(MotorStatusMsg(header, status[:3] if self.settings["cut"] and part == "arm" else status))
        self.imu.write(Imu(header))


def main() -> None:
    """Run until stdin ends."""
    robot = FakeTiangong(int(sys.argv[1]))
    period = 1.0 / float(sys.argv[2])
    lock = threading.Lock()

    def orders() -> None:
        for line in sys.stdin:
            order = json.loads(line)
            with lock:
                if order.pop("clear", False):
                    robot.clear()
                robot.settings.update(order)
                answer = {**robot.seen, "last": robot.last, "measured": robot.position}
            print(json.dumps(answer), flush=True)
        done.set()

    done = threading.Event()
    threading.Thread(target=orders, daemon=True).start()
    print("ready", flush=True)
    due = time.monotonic()
    while not done.is_set():
        with lock:
            robot.take(period)
            robot.send()
        due = max(due + period, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
