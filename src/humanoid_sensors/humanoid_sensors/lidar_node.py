# SPDX-License-Identifier: Apache-2.0
"""A LiDAR, from the network or a capture: PointCloud2 with the time of each point."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

from sensor_msgs.msg import Imu, PointCloud2, PointField

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_sensors.device import Device
from humanoid_sensors.lidar.cloud import POINT, Sweep
from humanoid_sensors.lidar.device import PORTS, LidarDevice, decoder
from humanoid_sensors.lidar.livox import ImuSample
from humanoid_sensors.lidar.livox_control import LivoxControl
from humanoid_sensors.network import CaptureSource, DatagramSource, UdpSource
from humanoid_sensors.sensor_node import SensorNode, run
from humanoid_sensors.timing import HostTime

_KINDS = {"<f4": PointField.FLOAT32, "<u4": PointField.UINT32, "<u2": PointField.UINT16, "|u1": PointField.UINT8}


class LidarNode(SensorNode):
    """Publishes lidar/points, lidar/points/clock and, of a Mid-360, imu/<imu_place>."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("lidar", **arguments)
        self._model = ros.required(self, "model", f"One of {', '.join(PORTS)}", kind=str)
        if self._model not in PORTS:
            raise ConfigError(self.get_name(), "model", self._model, f"one of {', '.join(PORTS)}")
        self._frame = ros.required(self, "frame", "Frame of the points", kind=str)
        self._address = ros.optional(self, "address", "", "Address of the device; empty: whoever sends")
        self._host = ros.optional(self, "host", "", "Address of this machine that a Mid-360 is told to send to")
        self._firmware = ros.optional(self, "firmware", "", "Lowest firmware of a Mid-360, such as 13.18.1.1")
        self._ports = [int(p) for p in ros.optional(self, "ports", list(PORTS[self._model]), "UDP ports: points, IMU")]
        self._calibration = ros.optional(self, "calibration", "", "File of angles or metadata of this very device")
        self._capture = ros.optional(self, "capture", "", "A pcap to play in place of the network")
        self._repeat = ros.optional(self, "repeat", False, "Play the capture again and again")
        self._rate = ros.optional(self, "sweep_rate", 10.0, "Sweeps per second of a LiDAR that does not turn [Hz]", 1.0)
        clock = ros.optional(
            self, "clock", "arrival", "arrival: the device's clock is its own; device: it is the host's"
        )
        if clock not in ("arrival", "device"):
            raise ConfigError(self.get_name(), "clock", clock, "arrival or device")
        self._time = HostTime() if clock == "arrival" else None
        place = ros.optional(self, "imu_place", "lidar", "Place of the LiDAR's own IMU")
        self._imu_frame = ros.optional(self, "imu_frame", "", "Frame of the LiDAR's own IMU; empty: the points'")
        self._points = self.output(endpoints.LIDAR_POINTS)
        self._clock_sample = self.clock_publisher(endpoints.LIDAR_POINTS.name)
        self._imu = self.output(endpoints.IMU, place=place) if self._model == "livox_mid360" else None
        self._cloud = empty_cloud(self._frame)

    def make_device(self) -> Device[Any]:
        name = f"{self.device_name} ({self._model} at {self._capture or self._address or f'port {self._ports[0]}'})"
        source: DatagramSource = UdpSource(name, self._ports, self._address)
        control = None
        if self._capture:
            source = CaptureSource(Path(self._capture), self._ports, repeat=self._repeat)
        elif self._host and self._model == "livox_mid360":
            control = LivoxControl(name, self._address, self._host, (self._ports[0], self._ports[1]), self._firmware)
        imu_port = self._ports[1] if self._imu is not None and len(self._ports) > 1 else 0
        made = decoder(self._model, name, self._calibration, float(self._rate))
        return LidarDevice(name, source, made, imu_port, control)

    def take(self, reading: Sweep | ImuSample) -> None:
        if isinstance(reading, ImuSample):
            self._publish_imu(reading)
            return
        self._clock_sample(reading.last, reading.arrival)
        first = self._host_time(reading.last, reading.arrival) - (reading.last - reading.stamp)
        cloud = self._cloud
        cloud.header.stamp = convert.to_stamp(first)
        cloud.width, cloud.row_step = len(reading.points), reading.points.nbytes
        cloud.data = array("B", reading.points.tobytes())
        self._points.publish(cloud)
        self.done(first, reading.lost)

    def _publish_imu(self, sample: ImuSample) -> None:
        assert self._imu is not None
        message = Imu()
        message.header.stamp = convert.to_stamp(self._host_time(sample.stamp, sample.arrival))
        message.header.frame_id = self._imu_frame or self._frame
        message.orientation_covariance[0] = -1.0  # REP-145: no orientation
        rate, pull = message.angular_velocity, message.linear_acceleration
        rate.x, rate.y, rate.z = sample.angular_velocity.tolist()
        pull.x, pull.y, pull.z = sample.linear_acceleration.tolist()
        self._imu.publish(message)

    def _host_time(self, stamp: int, arrival: int) -> int:
        return stamp if self._time is None else self._time.host(stamp, arrival)


def empty_cloud(frame: str) -> PointCloud2:
    """A cloud of POINTs without points."""
    assert POINT.fields is not None
    cloud = PointCloud2(height=1, is_bigendian=False, is_dense=True, point_step=POINT.itemsize)
    cloud.header.frame_id = frame
    cloud.fields = [
        PointField(name=name, offset=offset, datatype=_KINDS[kind.str], count=1)
        for name, (kind, offset) in ((name, POINT.fields[name][:2]) for name in POINT.names or ())
    ]
    return cloud


def main() -> None:
    """Run the node."""
    run(LidarNode)
