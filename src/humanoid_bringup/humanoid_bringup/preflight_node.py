# SPDX-License-Identifier: Apache-2.0
"""Node `preflight`: looks at a running robot or twin for some seconds, prints one red and green table, ends."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from ament_index_python.packages import get_package_share_path
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, JointState
from std_srvs.srv import Trigger

from humanoid_bringup import preflight, transport
from humanoid_bringup.host_clock import host_clock
from humanoid_bringup.preflight_checks import rows
from humanoid_bringup.preflight_streams import Seen, Stream, World, expected_streams
from humanoid_core import config, convert, endpoints, ros
from humanoid_description import Robot
from humanoid_interfaces.msg import EpisodeStatus, RobotStatus, SafetyStatus, SyncStatus
from humanoid_sensors.listing import Sensor, sensors_in

_HOLD, _E_STOP = SafetyStatus.HOLD, SafetyStatus.E_STOP
_PATIENCE = 5.0  # [s] for the stop and the reset to be answered
_SLOWEST = 10.0  # the look lasts at most so many times its length, however slow the simulation is


class PreflightNode(Node):
    """Subscribes to what should be there, and when it has seen enough, makes the table.

    Args:
        robot: The robot.
        options: Of the command line.
    """

    def __init__(self, robot: Robot, options: argparse.Namespace) -> None:
        super().__init__("preflight", namespace=options.robot_name)
        self.world, self.table = World(), list[preflight.Row]()
        self._robot, self._options, self._wanted = robot, options, robot.config.commanded_joints
        self._simulated: int | None = None  # the twin's time [ns]
        self._streams: list[Stream] = []
        self._story = self._go_on()
        ros.subscribe(self, endpoints.CLOCK, self._on_clock)
        ros.subscribe(self, endpoints.ROBOT_STATUS, self._on_robot)
        ros.subscribe(self, endpoints.ROBOT_DESCRIPTION, self._on_description)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        ros.subscribe(self, endpoints.SYNC_STATUS, self._on_sync)
        ros.subscribe(self, endpoints.RECORDER_STATUS, self._on_recorder)
        ros.subscribe(self, endpoints.DIAGNOSTICS, self._on_diagnostics)
        self._buttons = {one.name: ros.client(self, one) for one in (endpoints.SAFETY_STOP, endpoints.SAFETY_RESET)}
        self.create_timer(0.05, self._on_timer, clock=ros.steady_clock())

    # --- the story: wait, look, press, judge ---

    def _go_on(self) -> Iterator[None]:
        """Each step waits for the next look at the clock."""
        options, world, begun = self._options, self.world, time.monotonic()
        while world.robot_mode is None and time.monotonic() - begun < options.wait:
            yield
        world.hardware = "real" if self._simulated is None else "twin"
        self._streams = expected_streams(self._robot, self._sensors(), options.without)
        for stream in self._streams:
            world.seen[stream.endpoint.name] = seen = Seen()
            ros.subscribe(self, stream.endpoint, partial(self._on_stream, stream, seen), raw=True)
            if stream.endpoint.type.endswith("CameraInfo"):
                ros.subscribe(self, stream.endpoint, partial(self._on_camera, stream.endpoint.name), depth=1)
        begun = time.monotonic()
        while self._awaited() and time.monotonic() - begun < options.wait:
            yield
        first, begun = self._now(), time.monotonic()
        while self._now() - first < 1e9 * options.seconds and time.monotonic() - begun < _SLOWEST * options.seconds:
            yield
        for name, seen in world.seen.items():
            seen.publishers = self.count_publishers(name)
        world.commanders = self.count_publishers(endpoints.JOINT_COMMANDS.name)
        world.services = {name for name, button in self._buttons.items() if button.service_is_ready()}
        if options.press and world.safety == _HOLD and len(world.services) == len(self._buttons):
            yield from self._press()
        self._look_around()
        self.table = rows(self._robot, self._streams, world)

    def _press(self) -> Iterator[None]:
        """Press the stop, see the limiter in E_STOP, and take it back."""
        begun, self.world.pressed = time.monotonic(), math.nan
        self._buttons[endpoints.SAFETY_STOP.name].call_async(Trigger.Request())
        while self.world.safety != _E_STOP and time.monotonic() - begun < _PATIENCE:
            yield
        if self.world.safety == _E_STOP:
            self.world.pressed = time.monotonic() - begun
        begun = time.monotonic()
        while self.world.safety == _E_STOP and time.monotonic() - begun < _PATIENCE:
            answer = self._buttons[endpoints.SAFETY_RESET.name].call_async(Trigger.Request())
            while not answer.done() and time.monotonic() - begun < _PATIENCE:
                yield
            yield

    def _look_around(self) -> None:
        """What needs no message."""
        world = self.world
        world.host_clock = host_clock()
        world.shared_memory = transport.shortage(transport.free_bytes())
        if world.recorder is None:
            world.disk_free = float(transport.free_bytes(_existing(Path(self._options.out))))
        recorder = config.read_yaml(get_package_share_path("humanoid_recorder") / "config" / "recorder.yaml")
        world.disk_needed = float(recorder["/**/recorder"]["ros__parameters"]["disk_start"])

    def _awaited(self) -> bool:
        """Whether something is published of which nothing has come yet."""
        return any(self.count_publishers(name) for name, seen in self.world.seen.items() if not seen.messages)

    def _sensors(self) -> dict[str, Sensor] | None:
        """Of a real robot, what its file in config/sensors starts; None with the twin."""
        if self.world.hardware == "twin":
            return None
        file = self._options.sensors
        if not file:
            found = (
                get_package_share_path("humanoid_bringup") / "config" / "sensors" / f"{self._robot.config.name}.yaml"
            )
            file = found if found.is_file() else ""
        return sensors_in(Path(file)) if file else {}

    def _now(self) -> int:
        """[ns] of the robot's time."""
        return time.time_ns() if self._simulated is None else self._simulated

    def _on_timer(self) -> None:
        try:
            next(self._story)
        except StopIteration:
            rclpy.try_shutdown()

    # --- inputs ---

    def _on_clock(self, message: Clock) -> None:
        self._simulated = convert.stamp_ns(message.clock)

    def _on_stream(self, stream: Stream, seen: Seen, message: bytes) -> None:
        seen.message(message, self._now(), stream.stamped)
        if stream.endpoint == endpoints.JOINT_STATES and not set(self._wanted) <= set(self.world.joints):
            names = deserialize_message(message, JointState).name  # makers may send a robot in parts
            self.world.joints = tuple(dict.fromkeys((*self.world.joints, *names)))

    def _on_camera(self, name: str, message: CameraInfo) -> None:
        self.world.calibrations[name] = (message.width, message.height, float(message.k[0]))

    def _on_robot(self, message: RobotStatus) -> None:
        self.world.robot_mode, self.world.robot_words = message.mode, message.message
        self.world.robot_faults = list(message.faults)

    def _on_description(self, message: Any) -> None:
        self.world.urdf = message.data

    def _on_safety(self, message: SafetyStatus) -> None:
        self.world.safety, self.world.reasons = message.state, list(message.reasons)
        self.world.operator_age = message.operator_age

    def _on_sync(self, message: SyncStatus) -> None:
        self.world.warnings = list(message.warnings)

    def _on_recorder(self, message: EpisodeStatus) -> None:
        names = ("idle", "recording", "finalising", "error")
        words = ": ".join(filter(None, (names[message.state], message.message)))
        self.world.recorder, self.world.disk_free = (message.state == EpisodeStatus.ERROR, words), message.disk_free

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        own = f"{self.get_namespace().rstrip('/')}/"
        for status in message.status:
            if status.name.startswith(own) or status.hardware_id == self._options.robot_name.strip("/"):
                self.world.diagnostics[status.name.removesuffix(": status")] = (status.level[0], status.message)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
