# SPDX-License-Identifier: Apache-2.0
"""Tactile arrays behind Modbus: TCP, or RTU over a serial line.

Source: MODBUS Application Protocol V1.1b3: functions 3 and 4 read at most 125 registers of 16 bits at a time. The
protocol itself is pymodbus's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.exceptions import ModbusException

from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.tactile.layout import Layout
from humanoid_sensors.tactile.reading import Touch

_MOST = 125  # registers in one answer
_TIMEOUT = 0.5  # [s]
_PATIENCE = 0.1  # [s]


class ModbusTactile:
    """All pads of one device, read in turn.

    Args:
        name: For people.
        client: Of pymodbus, not yet connected.
        layout: Of the device.
        rate: How often all pads are read [Hz]; slower where the device is.
    """

    def __init__(self, name: str, client: ModbusTcpClient | ModbusSerialClient, layout: Layout, rate: float) -> None:
        self.name = name
        self._client, self._layout, self._period = client, layout, round(1e9 / rate)
        self._due = 0

    def open(self) -> None:
        if not self._client.connect():
            raise DeviceLost(self.name, "no connection", "a Modbus device")
        check = self._layout.check
        if check is not None:
            (found,) = self._registers(check.register, 1)
            if found not in check.values:
                wanted = " or ".join(map(str, check.values))
                raise DeviceError(self.name, f"{found} in register {check.register}", f"{wanted}: another device")
        self._due = time.time_ns()

    def read(self) -> Iterable[Touch]:
        wait = 1e-9 * (self._due - time.time_ns())
        if wait > 0.0:
            time.sleep(min(wait, _PATIENCE))
        if wait > _PATIENCE:
            return
        late = max(0, (time.time_ns() - self._due) // self._period)
        self._due += (late + 1) * self._period
        begin = time.time_ns()
        counts = {name: self._registers(pad.register, pad.count) for name, pad in self._layout.pads.items()}
        kind = np.int16 if self._layout.signed else np.uint16
        values = {
            name: pad.values(np.array(counts[name], np.uint16).view(kind).astype(float))
            for name, pad in self._layout.pads.items()
        }
        yield Touch((begin + time.time_ns()) // 2, values, int(late))

    def close(self) -> None:
        self._client.close()

    def _registers(self, address: int, count: int) -> list[int]:
        """Registers from an address on, in as many questions as it takes."""
        one = self._client
        ask = one.read_holding_registers if self._layout.table == "holding" else one.read_input_registers
        found: list[int] = []
        while len(found) < count:
            length = min(_MOST, count - len(found))
            place = address + self._layout.stride * len(found)
            try:
                answer = ask(place, count=length, device_id=self._layout.device_id)
            except (ModbusException, OSError) as error:
                raise DeviceLost(self.name, error, f"{length} registers from {place}") from error
            if answer.isError():
                raise DeviceError(self.name, answer, f"{length} registers from {place}")
            if len(answer.registers) != length:
                raise DeviceError(self.name, f"{len(answer.registers)} registers", f"{length} from {place}")
            found += answer.registers
        return found


def client(port: str, baud: int) -> ModbusTcpClient | ModbusSerialClient:
    """The client for "address:port" (TCP) or a serial port such as /dev/ttyUSB0 (RTU)."""
    if port.startswith("/"):
        return ModbusSerialClient(port, baudrate=baud, timeout=_TIMEOUT, retries=0)
    host, _, number = port.partition(":")
    return ModbusTcpClient(host, port=int(number or 502), timeout=_TIMEOUT, retries=0)
