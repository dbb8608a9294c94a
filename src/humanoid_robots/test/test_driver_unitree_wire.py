# SPDX-License-Identifier: Apache-2.0
"""Unitree's bytes: checksums against published values, layouts against ROS 2's own serialization."""

from __future__ import annotations

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from humanoid_core.errors import MessageError
from humanoid_robots.drivers import unitree_wire as wire

pytest.importorskip("unitree_hg", reason="the maker's messages are not installed")

from unitree_hg.msg import HandCmd, HandState, IMUState, LowCmd, LowState, MotorState, PressSensorState


def commands(**motors: dict[str, float]) -> np.ndarray:
    made = wire.new_commands()
    for number, fields in motors.items():
        for name, value in fields.items():
            made[name][int(number[1:])] = value
    return made


@pytest.mark.parametrize(
    ("machine", "motors", "crc"),
    [
        (0, {}, 0xFE172F9F),
        (5, {f"m{i}": {"mode": 1} for i in range(29)}, 0x058980D1),
        (5, {"m15": {"mode": 1, "q": 0.5, "kp": 60, "kd": 1.5}, "m29": {"q": 1.0}}, 0xCBA56233),
    ],
)
def test_commands_carry_the_makers_checksum(machine, motors, crc):
    message = deserialize_message(wire.low_command(0, machine, commands(**motors)), LowCmd)
    assert message.crc == crc


def test_a_command_is_what_ros_reads():
    motors = commands(m0={"mode": 1, "q": 1.5}, m34={"mode": 7, "kd": 2.5, "dq": -1, "tau": 3, "reserve": 9})
    message = deserialize_message(wire.low_command(1, 5, motors), LowCmd)
    assert (message.mode_pr, message.mode_machine) == (1, 5)
    assert (message.motor_cmd[0].mode, message.motor_cmd[0].q) == (1, 1.5)
    last = message.motor_cmd[34]
    assert (last.mode, last.kd, last.dq, last.tau, last.reserve) == (7, 2.5, -1.0, 3.0, 9)


def state_of_ros(**fields) -> LowState:
    message = LowState(mode_machine=5, tick=77, **fields)
    message.imu_state = IMUState(temperature=-3)
    message.imu_state.quaternion = np.array([0.5, 0.1, 0.2, 0.3], np.float32)
    message.imu_state.gyroscope = np.array([1, 2, 3], np.float32)
    for i, motor in enumerate(message.motor_state):
        motor.mode, motor.q, motor.dq, motor.tau_est = i % 2, 0.1 * i, -0.1 * i, float(i)
        motor.temperature = np.array([i, 2 * i], np.int16)
        motor.motorstate = 4 if i == 3 else 0
    return message


def test_a_state_of_ros_is_read_as_it_was_written():
    state = wire.low_state(serialize_message(state_of_ros()), check=False)
    assert (state.mode_machine, state.tick) == (5, 77)
    np.testing.assert_allclose(state.position, 0.1 * np.arange(35), atol=1e-6)
    np.testing.assert_allclose(state.velocity, -0.1 * np.arange(35), atol=1e-6)
    assert state.effort.tolist() == list(range(35))
    assert state.enabled.tolist() == [i % 2 == 1 for i in range(35)]
    assert state.temperature.tolist() == [2.0 * i for i in range(35)]
    assert np.nonzero(state.faults)[0].tolist() == [3]
    np.testing.assert_allclose(state.orientation, [0.1, 0.2, 0.3, 0.5], atol=1e-7)
    assert state.angular_velocity.tolist() == [1.0, 2.0, 3.0]


def test_a_wrong_checksum_is_an_error():
    with pytest.raises(MessageError, match="checksum 0x00000000"):
        wire.low_state(serialize_message(state_of_ros()))


def test_every_bit_of_a_word_matters_to_the_checksum():
    words = np.arange(8, dtype="<u4").tobytes()
    seen = {wire.checksum(words)}
    for bit in range(8 * len(words)):
        changed = bytearray(words)
        changed[bit // 8] ^= 1 << bit % 8
        seen.add(wire.checksum(bytes(changed)))
    assert len(seen) == 8 * len(words) + 1


@pytest.mark.parametrize("message", [b"", b"\0\1\0\0", bytes(2092), bytes(100)])
def test_other_sizes_are_errors(message):
    with pytest.raises(MessageError, match="lowstate"):
        wire.low_state(message)
    with pytest.raises(MessageError, match=r"hand state|IMU"):
        (wire.hand_state if len(message) < 50 else wire.imu_state)(message[:20])


def test_hands_of_ros_are_read_and_written():
    state = HandState(motor_state=[MotorState(q=0.1 * i) for i in range(7)])
    state.press_sensor_state = [PressSensorState(lost=i) for i in range(9)]
    state.press_sensor_state[8].pressure = np.arange(12, dtype=np.float32)
    read = wire.hand_state(serialize_message(state))
    np.testing.assert_allclose(read.position, 0.1 * np.arange(7), atol=1e-6)
    assert read.pressure.shape == (9, 12)
    assert read.pressure[8].tolist() == list(range(12))
    assert read.lost.tolist() == list(range(9))
    motors = wire.new_commands()[:7]
    motors["mode"], motors["q"], motors["kd"] = np.arange(7) | 16, 0.5, 0.25
    message = deserialize_message(wire.hand_command(motors), HandCmd)
    assert [m.mode for m in message.motor_cmd] == [16, 17, 18, 19, 20, 21, 22]
    assert {(m.q, m.kd) for m in message.motor_cmd} == {(0.5, 0.25)}


def test_an_imu_of_ros_is_read():
    message = IMUState()
    message.quaternion = np.array([1, 0, 0, 0], np.float32)
    message.accelerometer = np.array([0, 0, 9.5], np.float32)
    orientation, rate, pull = wire.imu_state(serialize_message(message))
    assert (orientation.tolist(), rate.tolist(), pull.tolist()) == ([0, 0, 0, 1], [0, 0, 0], [0, 0, 9.5])
