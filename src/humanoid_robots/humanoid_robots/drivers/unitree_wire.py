# SPDX-License-Identifier: Apache-2.0
"""Unitree's `unitree_hg` messages as bytes on the wire: CDR on one side, the C layout of the checksum on the other.

500 messages a second of 35 motors each are decoded with NumPy from serialized messages: as Python objects they would
cost many times as much. Facts: unitree_ros2 and unitree_sdk2 (message definitions, checksum of the low-level example).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from humanoid_core.errors import MessageError

MOTORS = 35
_CDR = b"\x00\x01\x00\x00"  # little endian
_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))

_MOTOR_COMMAND: list[Any] = [(name, "<f4") for name in ("q", "dq", "tau", "kp", "kd")] + [("reserve", "<u4")]
_MOTOR_STATE: list[Any] = [
    *((name, "<f4") for name in ("q", "dq", "ddq", "tau_est")),
    ("temperature", "<i2", (2,)),
    ("vol", "<f4"),
    ("sensor", "<u4", (2,)),
    ("motorstate", "<u4"),
    ("reserve", "<u4", (4,)),
]
_IMU: list[Any] = [
    ("quaternion", "<f4", (4,)),
    ("gyroscope", "<f4", (3,)),
    ("accelerometer", "<f4", (3,)),
    ("rpy", "<f4", (3,)),
    ("temperature", "<i2"),
]


# In CDR and in C a motor is its mode, padding to a multiple of 4, and the rest; only before the first do they differ.
_HEAD: list[Any] = [("mode", "u1"), ("pad", "u1", (3,))]
_COMMAND_MOTOR = np.dtype(_HEAD + _MOTOR_COMMAND)
_STATE_MOTOR = np.dtype(_HEAD + _MOTOR_STATE)
_LOW_COMMAND_C = np.dtype(
    [("mode_pr", "u1"), ("mode_machine", "u1"), ("pad", "<u2"), ("motor", _COMMAND_MOTOR, (MOTORS,))]
    + [("reserve", "<u4", (4,)), ("crc", "<u4")]
)
_LOW_STATE_C = np.dtype(
    [("version", "<u4", (2,)), ("mode_pr", "u1"), ("mode_machine", "u1"), ("pad", "<u2"), ("tick", "<u4")]
    + [("imu", [*_IMU, ("pad", "<u2")]), ("motor", _STATE_MOTOR, (MOTORS,)), ("remote", "u1", (40,))]
    + [("reserve", "<u4", (4,)), ("crc", "<u4")]
)
# Where CDR leaves four bytes out: the first motor's mode follows what stands before it without a gap.
_STATE_MODE = _LOW_STATE_C.fields["motor"][1] - 2  # type: ignore[index]
_PRESSES = np.dtype([("pressure", "<f4", (12,)), ("temperature", "<f4", (12,)), ("lost", "<u4"), ("reserve", "<u4")])


def checksum(words: bytes) -> int:
    """CRC-32/MPEG-2 of little-endian 32-bit words, most significant bit first.

    zlib computes the reflected form of the same polynomial, so bits are reversed before and after.
    """
    swapped = np.frombuffer(words, "<u4").byteswap().tobytes().translate(_REVERSED)
    return int(f"{zlib.crc32(swapped) ^ 0xFFFFFFFF:032b}"[::-1], 2)


@dataclass(frozen=True)
class LowState:
    """What the robot tells 500 times a second; arrays are by motor number.

    Attributes:
        mode_pr: 0: ankles and waist as pitch and roll.
        mode_machine: Names the hardware.
        tick: The robot's counter.
        enabled: (35,) bool.
        position: (35,) [rad].
        velocity: (35,) [rad/s].
        effort: Estimated torque (35,) [N m].
        temperature: Of the winding (35,) [deg C].
        faults: (35,), 0: none.
        orientation: x, y, z, w.
        angular_velocity: (3,) [rad/s].
        linear_acceleration: (3,) [m/s2].
    """

    mode_pr: int
    mode_machine: int
    tick: int
    enabled: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    temperature: np.ndarray
    faults: np.ndarray
    orientation: np.ndarray
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray


def low_state(message: bytes, check: bool = True) -> LowState:
    """Decode a serialized LowState.

    Args:
        message: As it came.
        check: Whether its checksum must be right.

    Raises:
        MessageError: another size or byte order, or a wrong checksum.
    """
    size = len(_CDR) + _LOW_STATE_C.itemsize - 4
    if len(message) != size or message[:4] != _CDR:
        raise MessageError("lowstate", f"{len(message)} bytes, {message[:4].hex()}", f"{size}, {_CDR.hex()}")
    body = message[len(_CDR) :]
    head = body[:_STATE_MODE]
    image = head + b"\0\0" + body[_STATE_MODE : _STATE_MODE + 1] + b"\0\0\0" + body[_STATE_MODE + 2 :]
    state = np.frombuffer(image, _LOW_STATE_C)[0]
    if check:
        clean = np.frombuffer(bytearray(image), _LOW_STATE_C)
        clean["motor"]["pad"], clean["pad"] = 0, 0
        found = checksum(clean.tobytes()[:-4])
        if found != state["crc"]:
            raise MessageError("lowstate", f"checksum {int(state['crc']):#010x}", f"{found:#010x}")
    motor, imu = state["motor"], state["imu"]
    return LowState(
        mode_pr=int(state["mode_pr"]),
        mode_machine=int(state["mode_machine"]),
        tick=int(state["tick"]),
        enabled=motor["mode"] == 1,
        position=motor["q"].astype(float),
        velocity=motor["dq"].astype(float),
        effort=motor["tau_est"].astype(float),
        temperature=motor["temperature"][:, 1].astype(float),
        faults=motor["motorstate"],
        orientation=imu["quaternion"][[1, 2, 3, 0]].astype(float),
        angular_velocity=imu["gyroscope"].astype(float),
        linear_acceleration=imu["accelerometer"].astype(float),
    )


def imu_state(message: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation xyzw, angular velocity [rad/s] and acceleration [m/s2] of a serialized IMUState.

    Raises:
        MessageError: another size or byte order.
    """
    kind = np.dtype(_IMU)
    if len(message) < len(_CDR) + kind.itemsize or message[:4] != _CDR:
        raise MessageError("IMU state", f"{len(message)} bytes, {message[:4].hex()}", f"{kind.itemsize + 4}")
    imu = np.frombuffer(message, kind, 1, len(_CDR))[0]
    quaternion = imu["quaternion"][[1, 2, 3, 0]].astype(float)
    return quaternion, imu["gyroscope"].astype(float), imu["accelerometer"].astype(float)


def new_commands() -> np.ndarray:
    """Commands of all 35 motors, all off: fields mode, q, dq, tau, kp, kd, reserve."""
    return np.zeros(MOTORS, _COMMAND_MOTOR)


def low_command(mode_pr: int, mode_machine: int, motors: np.ndarray) -> bytes:
    """A serialized LowCmd with its checksum.

    Args:
        mode_pr: As in LowState.
        mode_machine: As in LowState.
        motors: (35,) as `new_commands` makes them.
    """
    image = np.zeros((), _LOW_COMMAND_C)
    image["mode_pr"], image["mode_machine"], image["motor"] = mode_pr, mode_machine, motors
    image["motor"]["pad"] = 0
    data = bytearray(image.tobytes())
    data[-4:] = checksum(bytes(data[:-4])).to_bytes(4, "little")
    # C: two modes, two bytes of padding, the first motor's mode and three more; CDR: three modes and one.
    return _CDR + bytes([mode_pr, mode_machine, data[4], 0]) + bytes(data[8:])


@dataclass(frozen=True)
class HandState:
    """What a Dex3 hand tells; arrays are by motor number.

    Attributes:
        position: (n,) [rad].
        velocity: (n,) [rad/s].
        effort: (n,) [N m].
        temperature: (n,) [deg C].
        pressure: Of each pad's twelve places, in the maker's unit (m, 12).
        lost: Readings that each pad has lost (m,).
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    temperature: np.ndarray
    pressure: np.ndarray
    lost: np.ndarray


def hand_state(message: bytes) -> HandState:
    """Decode a serialized HandState.

    Raises:
        MessageError: it is cut off or in another byte order.
    """
    try:
        if message[:4] != _CDR:
            raise ValueError(f"it begins with {message[:4].hex()}")
        body, at = message[4:], 4
        count = int(np.frombuffer(body, "<u4", 1)[0])
        motors = np.frombuffer(body, _STATE_MOTOR, min(count, MOTORS), at)
        at += motors.nbytes
        pads = int(np.frombuffer(body, "<u4", 1, at)[0])
        presses = np.frombuffer(body, _PRESSES, min(pads, MOTORS), at + 4)
    except ValueError as error:
        raise MessageError("hand state", f"{len(message)} bytes ({error})", "motors and pads") from error
    return HandState(
        motors["q"].astype(float),
        motors["dq"].astype(float),
        motors["tau_est"].astype(float),
        motors["temperature"][:, 1].astype(float),
        presses["pressure"].astype(float),
        presses["lost"],
    )


def hand_command(motors: np.ndarray) -> bytes:
    """A serialized HandCmd of motors (n,) as `new_commands` makes them."""
    motors = motors.copy()
    motors["pad"] = 0
    return _CDR + len(motors).to_bytes(4, "little") + motors.tobytes() + bytes(16)
