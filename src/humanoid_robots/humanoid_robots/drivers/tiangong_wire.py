# SPDX-License-Identifier: Apache-2.0
"""Tiangong's `bodyctrl_msgs` as bytes on the wire. Facts: TienKung_ROS (definitions), tk_sdk_demo (`error`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from humanoid_core.errors import MessageError
from humanoid_robots.drivers.cdr import Reader, Writer

# In CDR a float32 begins at a multiple of 4, so two bytes follow each motor's number.
_HEAD: list[Any] = [("name", "<u2"), ("pad", "<u2")]
_STATUS = np.dtype([*_HEAD, *((n, "<f4") for n in ("pos", "speed", "current", "temperature")), ("error", "<u4")])
_SET_POSITION = np.dtype([*_HEAD, *((n, "<f4") for n in ("pos", "spd", "cur"))])
_CONTROL = np.dtype([*_HEAD, *((n, "<f4") for n in ("kp", "kd", "pos", "spd", "tor"))])


def motor_status(message: bytes) -> tuple[int, np.ndarray]:
    """Stamp [ns] and motors (n,) of a serialized MotorStatusMsg.

    Fields of a motor: name (its number), pos [rad], speed [rad/s], current [A], temperature [deg C], error (0: none).

    Raises:
        MessageError: it is cut off, longer than its motors, or in another byte order.
    """
    reader = Reader("MotorStatusMsg", message)
    stamp, count = reader.header(), reader.count()
    body = reader.rest()
    if len(body) != count * _STATUS.itemsize:
        raise MessageError("MotorStatusMsg", f"{len(body)} bytes of motors", f"{count} of {_STATUS.itemsize}")
    return stamp, np.frombuffer(body, _STATUS)


def imu(message: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orientation xyzw, angular velocity [rad/s] and acceleration [m/s2] of a serialized bodyctrl_msgs/Imu.

    Raises:
        MessageError: it is cut off or in another byte order.
    """
    reader = Reader("bodyctrl_msgs/Imu", message)
    reader.header()
    return reader.doubles(4), reader.doubles(3), reader.doubles(3)


def set_positions(ids: list[int], position: np.ndarray, speed: float, current: float) -> bytes:
    """A serialized CmdSetMotorPosition: positions (n,) [rad], one speed [rad/s] and one largest current [A] for all."""
    motors = np.zeros(len(ids), _SET_POSITION)
    motors["name"], motors["pos"], motors["spd"], motors["cur"] = ids, position, speed, current
    return _commands(motors)


def motor_control(
    ids: list[int], gains: np.ndarray, position: np.ndarray, velocity: np.ndarray, torque: np.ndarray
) -> bytes:
    """A serialized CmdMotorCtrl: gains kp, kd (n, 2), positions, velocities and torques (n,)."""
    motors = np.zeros(len(ids), _CONTROL)
    motors["name"], motors["kp"], motors["kd"] = ids, gains[:, 0], gains[:, 1]
    motors["pos"], motors["spd"], motors["tor"] = position, velocity, torque
    return _commands(motors)


def _commands(motors: np.ndarray) -> bytes:
    return Writer().header(0).number("I", len(motors)).message + motors.tobytes()
