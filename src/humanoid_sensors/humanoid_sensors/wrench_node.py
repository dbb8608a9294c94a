# SPDX-License-Identifier: Apache-2.0
"""A six-axis force sensor: ATI Net F/T over UDP, or simulated."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import WrenchStamped

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_sensors.device import Device
from humanoid_sensors.sensor_node import SensorNode, run
from humanoid_sensors.simulated import Simulated
from humanoid_sensors.timing import HostTime
from humanoid_sensors.wrench.netft import PORT, NetFt, Scale
from humanoid_sensors.wrench.reading import Wrench, swinging

_SOURCES = ("netft", "simulated")


class WrenchNode(SensorNode):
    """Publishes wrench/<place> and, of a real sensor, wrench/<place>/clock."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("wrench", **arguments)
        place = ros.required(self, "place", "wrench/<place>", kind=str)
        self._source = ros.required(self, "source", f"One of {', '.join(_SOURCES)}", kind=str)
        if self._source not in _SOURCES:
            raise ConfigError(self.get_name(), "source", self._source, f"one of {', '.join(_SOURCES)}")
        self._address = ros.optional(self, "address", "192.168.1.1", "Address of the sensor")
        self._port = ros.optional(self, "port", PORT, "UDP port of its RDT", 1, 65535)
        self._firmware = ros.optional(self, "firmware", "", "Lowest that will do, such as 2.0.14; empty: any")
        self._bias = ros.optional(self, "bias", False, "Call the load at the start zero")
        self._counts = [
            ros.optional(self, name, 0.0, f"{what}; 0: the sensor is asked", 0.0)
            for name, what in (
                ("counts_per_newton", "Counts per N"),
                ("counts_per_newton_metre", "Counts per N m"),
                ("sensor_rate", "Samples per second that its own counter counts [Hz]"),
            )
        ]
        self._rate = ros.optional(self, "rate", 200.0, "Of a simulated one [Hz]", 1.0, 8000.0)
        self._message = WrenchStamped()
        self._message.header.frame_id = ros.required(self, "frame", "Frame of force and torque", kind=str)
        topic = endpoints.WRENCH.at(place=place)
        self._publisher, self._clock_sample = self.output(topic), self.clock_publisher(topic.name)
        self._time = HostTime()

    def make_device(self) -> Device[Wrench]:
        if self._source == "simulated":
            return Simulated(f"{self.device_name} (simulated)", swinging, self._rate)
        if any(self._counts) and not all(self._counts):
            raise ConfigError(self.get_name(), "counts_per_newton", self._counts, "all three scales, or none")
        scale = Scale(*self._counts) if all(self._counts) else None
        name = f"{self.device_name} (Net F/T at {self._address})"
        return NetFt(name, self._address, scale, self._port, self._firmware, self._bias)

    def take(self, reading: Wrench) -> None:
        stamp = reading.device_stamp
        if self._source != "simulated":
            self._clock_sample(reading.device_stamp, reading.arrival)
            stamp = self._time.host(reading.device_stamp, reading.arrival)
        message = self._message
        message.header.stamp = convert.to_stamp(stamp)
        force, torque = message.wrench.force, message.wrench.torque
        force.x, force.y, force.z = reading.force.tolist()
        torque.x, torque.y, torque.z = reading.torque.tolist()
        self._publisher.publish(message)
        self.done(stamp, reading.lost)


def main() -> None:
    """Run the node."""
    run(WrenchNode)
