# SPDX-License-Identifier: Apache-2.0
"""A tactile array or the pads of a hand: Modbus over TCP or a serial line, or simulated."""

from __future__ import annotations

from array import array
from typing import Any

from geometry_msgs.msg import Point32
from std_srvs.srv import Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_interfaces.msg import TactileArray
from humanoid_sensors.device import Device
from humanoid_sensors.sensor_node import SensorNode, run
from humanoid_sensors.simulated import Simulated
from humanoid_sensors.tactile import layout
from humanoid_sensors.tactile.modbus import ModbusTactile, client
from humanoid_sensors.tactile.reading import Touch, stroked
from humanoid_sensors.tactile.zeroing import Zero

_SOURCES = ("modbus", "simulated")
_QUANTITIES = {"pressure": TactileArray.PRESSURE, "force": TactileArray.FORCE, "raw": TactileArray.RAW}


class TactileNode(SensorNode):
    """Publishes tactile/<place> of every pad of the layout; ~/zero finds the zero anew."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("tactile", **arguments)
        self._source = ros.required(self, "source", f"One of {', '.join(_SOURCES)}", kind=str)
        if self._source not in _SOURCES:
            raise ConfigError(self.get_name(), "source", self._source, f"one of {', '.join(_SOURCES)}")
        self._layout = layout.load(ros.required(self, "layout", "File of the device's pads", kind=str))
        self._port = ros.optional(self, "port", "192.168.11.210:6000", "address:port (TCP), or a serial port (RTU)")
        self._baud = ros.optional(self, "baud", 115200, "Of a serial port [bit/s]", 1200, 4_000_000)
        self._rate = ros.optional(self, "rate", 50.0, "How often all pads are read [Hz]", 0.1, 1000.0)
        threshold = ros.optional(self, "threshold", 20.0, "What counts as touched, in the pads' unit", 0.0)
        constant = ros.optional(self, "drift_time", 30.0, "In which the zero follows drift [s]; 0: it stays", 0.0)
        first = ros.optional(self, "zero_readings", 25, "Untouched readings for the first zero; 0: none", 0, 10_000)
        prefix = ros.optional(self, "prefix", "", "Before each pad's place and frame, such as left_")
        self._zeros = {
            name: Zero(pad.count, threshold, constant, first) for name, pad in self._layout.pads.items() if first
        }
        self._messages = {name: self._message(pad, prefix) for name, pad in self._layout.pads.items()}
        self._outputs = {name: self.output(endpoints.TACTILE, place=f"{prefix}{name}") for name in self._layout.pads}
        self.create_service(Trigger, "~/zero", self._on_zero)

    def make_device(self) -> Device[Touch]:
        if self._source == "simulated":
            return Simulated(f"{self.device_name} (simulated)", stroked(self._layout), self._rate)
        name = f"{self.device_name} (Modbus at {self._port})"
        return ModbusTactile(name, client(self._port, self._baud), self._layout, self._rate)

    def take(self, reading: Touch) -> None:
        stamp = convert.to_stamp(reading.stamp)
        for name, values in reading.values.items():
            zero = self._zeros.get(name)
            touch = values if zero is None else zero.apply(values, reading.stamp)
            message = self._messages[name]
            message.header.stamp = stamp
            message.values = array("f", touch.tolist())
            self._outputs[name].publish(message)
        self.done(reading.stamp, reading.lost)

    def _message(self, pad: layout.Pad, prefix: str) -> TactileArray:
        message = TactileArray(quantity=_QUANTITIES[pad.quantity], rows=pad.rows, columns=pad.columns)
        message.header.frame_id = f"{prefix}{pad.frame}"
        message.positions = [Point32(x=x, y=y, z=z) for x, y, z in pad.positions.tolist()]
        return message

    def _on_zero(self, request: Trigger.Request, answer: Trigger.Response) -> Trigger.Response:
        for zero in self._zeros.values():
            zero.restart()
        answer.success = bool(self._zeros)
        answer.message = "keep off for some readings" if self._zeros else "zero_readings is 0"
        return answer


def main() -> None:
    """Run the node."""
    run(TactileNode)
