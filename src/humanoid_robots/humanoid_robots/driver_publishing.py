# SPDX-License-Identifier: Apache-2.0
"""What a real robot measured, on the workspace's topics."""

from __future__ import annotations

from array import array
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node
from sensor_msgs.msg import Imu

from humanoid_core import convert, endpoints, ros
from humanoid_description.config import RobotConfig
from humanoid_interfaces.msg import ClockSample, RobotStatus, TactileArray
from humanoid_robots.drivers.driver import Driver, Inertial, Joints, Reading, Touch
from humanoid_robots.servo import Mode


class DriverPublisher:
    """Publishes readings of a driver. Their stamps are those of arrival where the robot gives none.

    Args:
        node: The node.
        config: Of the robot.
        driver: Its driver.
    """

    def __init__(self, node: Node, config: RobotConfig, driver: Driver) -> None:
        self._node, self._config, self._driver = node, config, driver
        self._joints = ros.publisher(node, endpoints.JOINT_STATES)
        self._clock = ros.publisher(node, endpoints.CLOCK_SAMPLE.at(stream=endpoints.JOINT_STATES.name))
        self._status = ros.publisher(node, endpoints.ROBOT_STATUS)
        self._imus = {place: ros.publisher(node, endpoints.IMU.at(place=place)) for place in config.imus}
        self._pads: dict[str, Any] = {}
        self._last_device: int | None = None
        self._steps: list[int] = []
        self.lost = 0

    def publish(self, stamp: Time, readings: list[Reading]) -> None:
        """Publish what came at `stamp`."""
        for reading in readings:
            if isinstance(reading, Joints):
                self._publish_joints(stamp, reading)
            elif isinstance(reading, Inertial):
                self._publish_imu(stamp, reading)
            else:
                self._publish_pad(stamp, reading)

    def status(self, stamp: Time, mode: Mode, message: str) -> None:
        """Publish what the robot is about."""
        health = self._driver.health
        names = list(health.temperatures)
        status = RobotStatus(mode=int(mode), message=message, joint_names=names, faults=health.faults)
        status.temperatures = array("f", health.temperatures.values())
        status.currents = array("f", [health.currents.get(name, float("nan")) for name in names])
        status.header.stamp = stamp
        status.header.frame_id = self._config.base_frame
        self._status.publish(status)

    def _publish_joints(self, arrival: Time, reading: Joints) -> None:
        stamp = arrival if reading.stamp is None else convert.to_stamp(reading.stamp)
        message = convert.joint_state(stamp, reading.names, reading.position, reading.velocity, reading.effort)
        self._joints.publish(message)
        if reading.device_stamp is None:
            return
        sample = ClockSample(clock=f"{self._config.name} clock", device_stamp=convert.to_stamp(reading.device_stamp))
        sample.header.stamp = arrival
        self._clock.publish(sample)
        self._count_lost(reading.device_stamp)

    def _count_lost(self, device_stamp: int) -> None:
        """Gaps of the robot's counter, against the least step seen."""
        if self._last_device is not None and 0 < device_stamp - self._last_device < 10**10:
            step = device_stamp - self._last_device
            self._steps = sorted([*self._steps, step])[:5]
            usual = self._steps[-1] if len(self._steps) == 5 else step
            self.lost += max(0, round(step / usual) - 1)
        self._last_device = device_stamp

    def _publish_imu(self, stamp: Time, reading: Inertial) -> None:
        publisher = self._imus.get(reading.place)
        if publisher is None:
            return
        message = Imu()
        message.header.stamp = stamp
        message.header.frame_id = self._config.imus[reading.place].frame
        q, rate, pull = message.orientation, message.angular_velocity, message.linear_acceleration
        q.x, q.y, q.z, q.w = reading.orientation.tolist()
        rate.x, rate.y, rate.z = reading.angular_velocity.tolist()
        pull.x, pull.y, pull.z = reading.linear_acceleration.tolist()
        publisher.publish(message)

    def _publish_pad(self, stamp: Time, reading: Touch) -> None:
        if reading.place not in self._pads:
            self._pads[reading.place] = ros.publisher(self._node, endpoints.TACTILE.at(place=reading.place))
        message = TactileArray(quantity=TactileArray.RAW)
        message.header.stamp = stamp
        message.header.frame_id = reading.frame
        message.rows, message.columns = reading.values.shape
        message.values = array("f", reading.values.ravel().tolist())
        self._pads[reading.place].publish(message)
