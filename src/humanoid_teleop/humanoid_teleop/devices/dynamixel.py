# SPDX-License-Identifier: Apache-2.0
"""Joint positions from Dynamixel X motors on a serial bus (protocol 2.0, ROBOTIS's own SDK)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from dynamixel_sdk import COMM_SUCCESS, GroupSyncRead, PacketHandler, PortHandler

from humanoid_core.errors import HumanoidError

PRESENT_POSITION = 132  # control table of the X series, 4 bytes signed
TORQUE_ENABLE = 64
TICKS = 4096  # per turn
READ_TIMEOUT = 0.002  # [s] the SDK polls; this lets it sleep between two looks


class BusError(HumanoidError):
    """The bus or a motor on it does not answer as it should."""


class DynamixelBus:
    """Motors on one serial port, torque off: a person moves them.

    Args:
        port: Serial device.
        baud: Of the bus.
        motors: Their numbers.

    Raises:
        BusError: the port cannot be opened, or a motor does not answer.
    """

    def __init__(self, port: str, baud: int, motors: Sequence[int]) -> None:
        self._name, self._motors = port, list(motors)
        self._port = PortHandler(port)
        self._packets = PacketHandler(2.0)
        try:
            if not self._port.setBaudRate(baud):
                raise BusError(f"{port}: found baud rate {baud}, expected one that Dynamixel motors have")
        except OSError as error:
            raise BusError(f"{port}: found {error}, expected a serial port with Dynamixel motors") from error
        self._port.ser.timeout = READ_TIMEOUT
        silent = [motor for motor in self._motors if self._packets.ping(self._port, motor)[1] != COMM_SUCCESS]
        if silent:
            self.close()
            raise BusError(f"{port}: found no motor {', '.join(map(str, silent))} at {baud} baud, expected {motors}")
        for motor in self._motors:
            self._packets.write1ByteTxRx(self._port, motor, TORQUE_ENABLE, 0)
        self._reading = GroupSyncRead(self._port, self._packets, PRESENT_POSITION, 4)
        for motor in self._motors:
            self._reading.addParam(motor)

    def read(self) -> np.ndarray:
        """Position of each motor [rad], in the order given; 0 at the motor's middle.

        Raises:
            BusError: a motor does not answer, or the port is gone.
        """
        try:
            answer = self._reading.txRxPacket()
        except OSError as error:
            raise BusError(f"{self._name}: found {error}, expected the bus to stay plugged in") from error
        if answer != COMM_SUCCESS:
            raise BusError(f"{self._name}: found {self._packets.getTxRxResult(answer).strip('[] ')}, expected answers")
        ticks = np.array([self._reading.getData(motor, PRESENT_POSITION, 4) for motor in self._motors], dtype=np.uint32)
        return (ticks.astype(np.int32) - TICKS // 2) * (2.0 * np.pi / TICKS)

    def close(self) -> None:
        """Give the port back."""
        self._port.closePort()
