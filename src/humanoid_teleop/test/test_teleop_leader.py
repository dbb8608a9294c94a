# SPDX-License-Identifier: Apache-2.0
"""Leader arms: joint to joint, and a Dynamixel bus simulated on a pseudo-terminal from the published protocol."""

from __future__ import annotations

import os
import pty
import struct
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import humanoid_description
from humanoid_core.errors import ConfigError, MessageError
from humanoid_description import Robot
from humanoid_teleop.devices.dynamixel import BusError, DynamixelBus
from humanoid_teleop.devices.leader import Leader, load_leader, load_offsets, save_offsets

ROOT = Path(__file__).parents[3]
MAPPING = ROOT / "config/leaders/unitree_g1_dynamixel.yaml"
ELBOW = "left_elbow_joint"


@pytest.fixture(scope="module")
def g1() -> Robot:
    return humanoid_description.load(ROOT / "config/robots/unitree_g1.yaml")


@pytest.fixture
def leader(g1: Robot) -> Leader:
    return Leader(load_leader(MAPPING, g1), g1)


def readings(**changed: float) -> dict[str, float]:
    return {**{str(motor): 0.0 for motor in (*range(1, 9), *range(11, 19))}, **changed}


def test_calibrated_at_home_the_robot_stands_at_home(leader: Leader, g1: Robot) -> None:
    assert not leader.calibrated
    held = readings(**{"4": 2.5, "11": -1.0})
    leader.calibrate(held)
    assert leader.calibrated
    at = dict(zip(leader.names, leader.targets(held)))
    arms = [name for name in leader.names if "hand" not in name]
    assert [at[name] for name in arms] == pytest.approx([g1.config.home.get(name, 0.0) for name in arms])
    at = dict(zip(leader.names, leader.targets({**held, "4": 2.8})))
    assert at[ELBOW] == pytest.approx(g1.config.home[ELBOW] + 0.3)


def test_a_trigger_closes_the_hand(leader: Leader, g1: Robot) -> None:
    leader.calibrate(readings())
    hand = g1.config.hands["right"]
    for pressed, pose in ((-0.3, hand.open), (0.0, hand.open), (0.8, hand.closed), (1.5, hand.closed)):
        at = dict(zip(leader.names, leader.targets(readings(**{"18": pressed}))))
        assert {name: at[name] for name in pose} == pytest.approx(pose)
    assert leader.grips(readings(**{"8": 0.4})) == pytest.approx({"left": 0.5, "right": 0.0})


def test_a_joint_is_followed_over_the_end_of_its_turn(leader: Leader) -> None:
    leader.calibrate(readings(**{"4": 3.0}))
    before = leader.targets(readings(**{"4": 3.1}))
    after = leader.targets(readings(**{"4": 3.2 - 2 * np.pi}))
    assert after - before == pytest.approx([0.1 if name == ELBOW else 0.0 for name in leader.names], abs=1e-9)


@pytest.mark.parametrize("reading", [None, np.nan])
def test_a_missing_joint_gives_no_targets(leader: Leader, reading: float | None) -> None:
    leader.calibrate(readings())
    broken = readings(**{"4": reading})  # type: ignore[dict-item]
    with pytest.raises(MessageError, match="4"):
        leader.targets(broken)
    with pytest.raises(MessageError):
        leader.calibrate(broken)


def test_joints_far_from_the_robot_are_named(leader: Leader, g1: Robot) -> None:
    leader.calibrate(readings())
    targets = leader.targets(readings(**{"4": 0.7})).tolist()
    robot = {name: g1.config.home.get(name, 0.0) for name in leader.names}
    assert leader.far_joints(targets, robot, 0.6) == [ELBOW]
    assert len(leader.far_joints(targets, {}, 0.6)) == 14  # the robot is not there


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("left_elbow_joint:", "left_knee_joint:", "left_knee_joint"),
        ('left_elbow_joint: {leader: "4"}', 'left_elbow_joint: {leader: "5"}', "5 twice"),
        ('left_elbow_joint: {leader: "4"}', 'left_elbow_joint: {leader: "4", sign: 2}', "sign"),
        ("grips:\n  left:", "grips:\n  third:", "third"),
        ("pressed: 0.8", "pressed: 0.0", "pressed"),
    ],
)
def test_a_wrong_mapping_is_named(tmp_path: Path, g1: Robot, old: str, new: str, found: str) -> None:
    file = tmp_path / "leader.yaml"
    file.write_text(MAPPING.read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=found):
        load_leader(file, g1)


def test_a_calibration_is_kept(tmp_path: Path, leader: Leader) -> None:
    file = tmp_path / "folder" / "offsets.yaml"
    assert load_offsets(file) == {}
    save_offsets(file, leader.calibrate(readings(**{"4": 1.25})))
    assert load_offsets(file) == pytest.approx(leader.offsets, abs=1e-6)
    file.write_text("left_elbow_joint: north\n")
    with pytest.raises(ConfigError, match="left_elbow_joint"):
        load_offsets(file)


# --- the bus ---


def crc(data: bytes) -> int:
    """CRC-16 with polynomial 0x8005 (protocol 2.0), bit by bit."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = ((value << 1) ^ 0x8005 if value & 0x8000 else value << 1) & 0xFFFF
    return value


class SimulatedBus:
    """X motors that answer ping, write and sync read on a pseudo-terminal."""

    def __init__(self, ticks: dict[int, int]) -> None:
        self.ticks, self.torque, self.spoil = ticks, dict.fromkeys(ticks, 1), False
        self._end, other = pty.openpty()
        tty.setraw(self._end)
        tty.setraw(other)
        self.port, self._other = os.ttyname(other), other
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        os.close(self._other)
        os.close(self._end)

    def _serve(self) -> None:
        pending = b""
        while True:
            try:
                pending += os.read(self._end, 1024)
            except OSError:
                return
            while len(pending) >= 7 and len(pending) >= 7 + struct.unpack_from("<H", pending, 5)[0]:
                size = 7 + struct.unpack_from("<H", pending, 5)[0]
                packet, pending = pending[:size], pending[size:]
                assert packet[:4] == b"\xff\xff\xfd\x00"
                assert crc(packet[:-2]) == struct.unpack("<H", packet[-2:])[0]
                self._answer(packet[4], packet[7], packet[8:-2])

    def _answer(self, motor: int, instruction: int, parameters: bytes) -> None:
        if instruction == 0x01 and motor in self.ticks:
            self._send(motor, struct.pack("<HB", 1020, 50))
        elif instruction == 0x03 and motor in self.ticks:
            assert parameters[:2] == struct.pack("<H", 64)
            self.torque[motor] = parameters[2]
            self._send(motor, b"")
        elif instruction == 0x82:
            assert parameters[:4] == struct.pack("<HH", 132, 4)
            for asked in parameters[4:]:
                if asked in self.ticks:
                    self._send(asked, struct.pack("<i", self.ticks[asked]))

    def _send(self, motor: int, content: bytes) -> None:
        packet = b"\xff\xff\xfd\x00" + struct.pack("<BHBB", motor, len(content) + 4, 0x55, 0) + content
        check = crc(packet) ^ (0xFF if self.spoil else 0)
        os.write(self._end, packet + struct.pack("<H", check))


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    simulated = SimulatedBus({1: 2048, 2: 3072, 11: -1024})
    yield simulated
    simulated.close()


def test_positions_come_off_the_bus_with_the_torque_off(bus: SimulatedBus) -> None:
    motors = DynamixelBus(bus.port, 1_000_000, [1, 2, 11])
    assert bus.torque == {1: 0, 2: 0, 11: 0}
    assert motors.read() == pytest.approx([0.0, np.pi / 2, -1.5 * np.pi])
    bus.ticks[2] = 2047
    assert motors.read()[1] == pytest.approx(-2 * np.pi / 4096)
    motors.close()


def test_what_does_not_answer_is_named(bus: SimulatedBus, tmp_path: Path) -> None:
    with pytest.raises(BusError, match="no motor 7"):
        DynamixelBus(bus.port, 1_000_000, [1, 7])
    with pytest.raises(BusError, match="nowhere"):
        DynamixelBus(str(tmp_path / "nowhere"), 1_000_000, [1])
    with pytest.raises(BusError, match="12345"):
        DynamixelBus(bus.port, 12345, [1])


@pytest.mark.parametrize("trouble", ["silent", "garbled"])
def test_a_reading_that_fails_is_an_error_and_the_next_one_works(bus: SimulatedBus, trouble: str) -> None:
    motors = DynamixelBus(bus.port, 1_000_000, [1, 2])
    ticks = bus.ticks.pop(2) if trouble == "silent" else bus.ticks[2]
    bus.spoil = trouble == "garbled"
    with pytest.raises(BusError):
        motors.read()
    bus.ticks[2], bus.spoil = ticks, False
    assert motors.read()[0] == 0.0
    motors.close()
