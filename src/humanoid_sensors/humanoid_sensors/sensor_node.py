# SPDX-License-Identifier: Apache-2.0
"""What every sensor's node does the same way: configure, open the device, tell how it fares."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from humanoid_core import convert, endpoints, ros
from humanoid_core.endpoints import Endpoint
from humanoid_core.errors import HumanoidError
from humanoid_interfaces.msg import ClockSample
from humanoid_sensors.device import Device, DeviceThread, Runner
from humanoid_sensors.health import Health


class SensorNode(LifecycleNode):
    """A node around a device. Whatever the device does, the node stays up and says so in /diagnostics.

    A kind of sensor declares its parameters in `__init__`, makes the device in `make_device` and publishes in `take`,
    which the device's thread calls.
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.device_name = str(ros.required(self, "device", "Name of the device, for people", kind=str))
        self._hardware_id = ros.optional(self, "hardware_id", "", "Name of the robot in diagnostics")
        retry = ros.optional(self, "retry", 1.0, "Time between two tries to open the device [s]", 0.05, 60.0)
        rate = ros.optional(self, "expected_rate", 0.0, "Readings per second below which it is slow [Hz]; 0: any", 0.0)
        self._retry, self.health = float(retry), Health(self.device_name, float(rate))
        self._runner: Runner | None = None
        self._diagnostics = ros.Diagnostics(self, self._hardware_id)
        self.create_timer(1.0, self._report, clock=ros.steady_clock())

    # --- of each kind ---

    def make_device(self) -> Device[Any]:
        """The device, not yet open; called when the node is configured.

        Raises:
            HumanoidError: its settings are wrong.
        """
        raise NotImplementedError

    def take(self, reading: Any) -> None:
        """Publish a reading; called in the device's thread."""
        raise NotImplementedError

    # --- helpers ---

    def clock_publisher(self, stream: str) -> Callable[[int, int], None]:
        """A publisher of `<stream>/clock`: called with device time and arrival [ns]."""
        publisher = ros.publisher(self, endpoints.CLOCK_SAMPLE.at(stream=stream))
        message = ClockSample(clock=self.device_name)

        def publish(device_stamp: int, arrival: int) -> None:
            message.header.stamp = convert.to_stamp(arrival)
            message.device_stamp = convert.to_stamp(device_stamp)
            publisher.publish(message)

        return publish

    def output(self, endpoint: Endpoint, **parts: str) -> Any:
        """A publisher of an endpoint."""
        return ros.publisher(self, endpoint.at(**parts))

    def done(self, stamp: int, lost: int = 0) -> None:
        """Count a reading measured at `stamp` [ns] that has just been published."""
        self.health.reading(1e-9 * (self.get_clock().now().nanoseconds - stamp), lost)

    # --- lifecycle ---

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            device = self.make_device()
        except HumanoidError as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        self._runner = Runner(device, self._take, self.health, self.get_logger().info, self._retry)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self._runner is not None
        self._runner.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        self._runner = None
        return super().on_cleanup(state)

    def destroy_node(self) -> None:
        """End the device's thread first: it publishes."""
        self._stop()
        super().destroy_node()

    def _stop(self) -> None:
        if self._runner is not None:
            self._runner.stop()

    def _take(self, reading: Any) -> None:
        if self.context.ok():  # a signal may have closed it under a publisher
            self.take(reading)

    def _report(self) -> None:
        if self._runner is None or not self._runner.alive:
            self._diagnostics.update(ros.Diagnostics.OK, "not active")
            return
        report = self.health.report()
        level = ros.Diagnostics.OK if report.healthy else ros.Diagnostics.ERROR
        self._diagnostics.update(level, report.message, **report.values)


def run(kind: Callable[[], SensorNode]) -> None:
    """Run one sensor's node until it is told to stop.

    A device's thread that was left behind in its driver would hold up the interpreter's own end until the driver
    returns (a silent network camera: 5 s), so the process ends without it; all that matters was closed by then.
    """
    ros.run(kind)
    if any(isinstance(thread, DeviceThread) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
