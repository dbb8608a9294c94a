# SPDX-License-Identifier: Apache-2.0
"""Reads a leader arm's Dynamixel bus: operator/leader/joint_states."""

from __future__ import annotations

import threading

from rclpy.node import Node

from humanoid_core import convert, endpoints, ros
from humanoid_teleop.devices.dynamixel import BusError, DynamixelBus

RETRY = 1.0  # [s]


class DynamixelNode(Node):
    """Publishes the motors' positions; joints are named by the motors' numbers. Goes on when the bus comes back."""

    def __init__(self) -> None:
        super().__init__("dynamixel")
        # Parameters
        self._port = ros.required(self, "port", "Serial device", kind=str)
        self._baud = ros.required(self, "baud", "Of the bus", 9600, 4000000, kind=int)
        self._motors = ros.required(self, "motors", "Numbers of the motors", kind=list)
        self._period = 1.0 / ros.required(self, "rate", "Readings per second [Hz]", 1.0, 1000.0, kind=float)
        # State
        self._stopped = threading.Event()
        self._misses = 0
        # Outputs
        self._states = ros.publisher(self, endpoints.LEADER_STATES)
        self._diagnostics = ros.Diagnostics(self)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def destroy_node(self) -> None:
        """Let go of the bus, then the node."""
        self._stopped.set()
        self._thread.join()
        super().destroy_node()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                bus = DynamixelBus(self._port, self._baud, self._motors)
            except BusError as error:
                self._say(str(error))
                self._stopped.wait(RETRY)
                continue
            self._say("")
            self._read(bus)
            bus.close()

    def _read(self, bus: DynamixelBus) -> None:
        """Until the bus is gone: three misses in a row."""
        names, misses = [str(motor) for motor in self._motors], 0
        while not self._stopped.wait(self._period) and misses < 3:
            begin = self.get_clock().now().nanoseconds
            try:
                positions = bus.read()
            except BusError as error:
                misses += 1
                self._misses += 1
                self._say(str(error))
                continue
            misses = 0
            middle = (begin + self.get_clock().now().nanoseconds) // 2
            self._states.publish(convert.joint_state(convert.to_stamp(middle), names, positions))
            self._diagnostics.update(ros.Diagnostics.OK, "reading", misses=self._misses)

    def _say(self, trouble: str) -> None:
        if trouble:
            self.get_logger().error(trouble, throttle_duration_sec=5.0)
            self._diagnostics.update(ros.Diagnostics.ERROR, trouble, misses=self._misses)
        else:
            self.get_logger().info(f"{self._port}: motors {', '.join(map(str, self._motors))}")


def main() -> None:
    """Run the node."""
    ros.run(DynamixelNode)
