# SPDX-License-Identifier: Apache-2.0
"""joint_commands as bytes: the same names 500 times a second need not be converted 500 times a second."""

from __future__ import annotations

import struct
from array import array

import numpy as np
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from humanoid_safety.gate import Command

_STAMP_AT = 4  # behind the encapsulation header
_SECOND = 1_000_000_000


class CommandSerializer:
    """Serialized sensor_msgs/JointState: ROS serializes the message once per set of names, here only numbers change."""

    def __init__(self) -> None:
        self._names: list[str] | None = None
        self._data = bytearray()
        self._position_at = self._velocity_at = 0

    def serialize(self, command: Command) -> bytes:
        """The bytes to publish."""
        if command.names != self._names:
            self._lay_out(command.names)
        struct.pack_into("=iI", self._data, _STAMP_AT, *divmod(command.stamp_ns, _SECOND))
        size = command.position.nbytes
        self._data[self._position_at : self._position_at + size] = command.position.tobytes()
        self._data[self._velocity_at : self._velocity_at + size] = command.velocity.tobytes()
        return bytes(self._data)

    def _lay_out(self, names: list[str]) -> None:
        """Serialize with numbers that stand nowhere else, and find them."""
        marks = [(np.arange(len(names)) + 1.0) * start for start in (1.2345e101, 6.789e-99)]
        message = JointState(name=names, position=array("d", marks[0]), velocity=array("d", marks[1]))
        data = serialize_message(message)
        self._position_at, self._velocity_at = (data.index(mark.tobytes()) for mark in marks)
        # The message ends with the number of efforts, 0; behind it the serializer leaves room that is no part of it.
        end = self._velocity_at + marks[1].nbytes + 4
        self._names, self._data = list(names), bytearray(data[:end])
