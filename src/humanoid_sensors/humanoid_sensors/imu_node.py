# SPDX-License-Identifier: Apache-2.0
"""An IMU of its own: WitMotion over a serial line, a recording of one, or simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sensor_msgs.msg import Imu

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_sensors.device import Device
from humanoid_sensors.imu.sample import Sample, standing
from humanoid_sensors.imu.witmotion import WitMotion
from humanoid_sensors.sensor_node import SensorNode, run
from humanoid_sensors.serial_line import Line, RecordedLine, SerialLine
from humanoid_sensors.simulated import Simulated

_SOURCES = ("witmotion", "recorded", "simulated")


class ImuNode(SensorNode):
    """Publishes imu/<place> (REP-145)."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("imu", **arguments)
        place = ros.required(self, "place", "imu/<place>", kind=str)
        self._source = ros.required(self, "source", f"One of {', '.join(_SOURCES)}", kind=str)
        if self._source not in _SOURCES:
            raise ConfigError(self.get_name(), "source", self._source, f"one of {', '.join(_SOURCES)}")
        self._port = ros.optional(self, "port", "/dev/ttyUSB0", "Serial port; of a recording its file")
        self._baud = ros.optional(self, "baud", 115200, "[bit/s]", 1200, 4_000_000)
        self._firmware = ros.optional(self, "firmware", 0, "Lowest version that will do; 0: any", 0, 65535)
        self._quaternion = ros.optional(self, "quaternion", True, "The device is set to send quaternions")
        self._rate = ros.optional(self, "rate", 200.0, "Of a simulated one [Hz]", 1.0, 2000.0)
        self._message = Imu()
        self._message.header.frame_id = ros.required(self, "frame", "Frame of the IMU", kind=str)
        self._publisher = self.output(endpoints.IMU, place=place)

    def make_device(self) -> Device[Sample]:
        name = f"{self.device_name} ({self._source}{'' if self._source == 'simulated' else f' at {self._port}'})"
        if self._source == "simulated":
            return Simulated(name, standing, self._rate)
        line: Line = SerialLine(name, self._port, self._baud)
        if self._source == "recorded":
            line = RecordedLine(name, Path(self._port), self._baud)
        return WitMotion(name, line, 0 if self._source == "recorded" else self._firmware, self._quaternion)

    def take(self, sample: Sample) -> None:
        message = self._message
        message.header.stamp = convert.to_stamp(sample.stamp)
        rate, pull, turned = message.angular_velocity, message.linear_acceleration, message.orientation
        rate.x, rate.y, rate.z = sample.angular_velocity.tolist()
        pull.x, pull.y, pull.z = sample.linear_acceleration.tolist()
        message.orientation_covariance[0] = -1.0 if sample.orientation is None else 0.0
        if sample.orientation is not None:
            turned.x, turned.y, turned.z, turned.w = sample.orientation.tolist()
        self._publisher.publish(message)
        self.done(sample.stamp, sample.lost)


def main() -> None:
    """Run the node."""
    run(ImuNode)
