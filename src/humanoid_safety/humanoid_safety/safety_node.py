# SPDX-License-Identifier: Apache-2.0
"""Safety limiter and arbiter: joint_targets/<source> in, joint_commands out."""

from __future__ import annotations

import gc
import time

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

import humanoid_description
from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import RobotStatus, StageTrace
from humanoid_interfaces.srv import SelectSource
from humanoid_safety.base_shell import BaseShell
from humanoid_safety.command_message import CommandSerializer
from humanoid_safety.gate import Command, SafetyGate
from humanoid_safety.grid import StepGrid
from humanoid_safety.intake import Intake
from humanoid_safety.lift_gate import LiftGate
from humanoid_safety.parameters import body_settings, gate_settings, surroundings
from humanoid_safety.reports import Reports
from humanoid_safety.robot_limits import allowed_deviation, bodies, commanded_limits, other_joints
from humanoid_safety.states import State
from humanoid_safety.status_messages import command_status


class SafetyNode(Node):
    """Starts in HOLD and stays up. Its timer runs on a steady clock; commands are due on a grid of ROS time."""

    def __init__(self, **arguments) -> None:
        super().__init__("safety", **arguments)
        # Parameters
        robot = humanoid_description.load(
            ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str),
            ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's"),
        )
        settings = gate_settings(self)
        deviation = ros.required(
            self, "deviation", "Allowed difference of measured and commanded [rad]", 0.01, kind=float
        )
        traces = ros.required(self, "trace", "Publish when a target was first used", kind=bool)
        # State
        limits = commanded_limits(robot)
        body = bodies(robot, surroundings(self), body_settings(self))
        base_rate = ros.required(self, "base_rate", "Base velocities per second [Hz]", 10.0, 200.0, kind=float)
        base_silence = ros.required(self, "deadline_base", "Silence that stops the base [s]", 0.02, 2.0, kind=float)
        lift = LiftGate(robot, limits, settings.rate, base_silence) if robot.config.operator.lift else None
        self._gate = SafetyGate(limits, other_joints(robot), allowed_deviation(robot, deviation), settings, body, lift)
        self._grid = StepGrid(self._gate.period_ns, settings.late_steps)
        self._serializer = CommandSerializer()
        self._reported: tuple[State, str] | None = None
        # Outputs before inputs
        self._commands = ros.publisher(self, endpoints.JOINT_COMMANDS)
        self._command_status = ros.publisher(self, endpoints.COMMAND_STATUS)
        self._trace = ros.publisher(self, endpoints.TRACE) if traces else None
        self._reports = Reports(self, robot, self._gate)
        self._intake = Intake(self, self._gate, [source.name for source in settings.sources], traces)
        ros.subscribe(self, endpoints.SAFETY_HEARTBEAT, lambda _: self._gate.heartbeat(time.monotonic()), depth=1)
        ros.subscribe(self, endpoints.ROBOT_STATUS, self._on_robot_status)
        ros.subscribe(self, endpoints.TIME_SCALE, self._on_time_scale)
        if robot.config.drive is not None:
            oldest = settings.streams[settings.sources[0].name].oldest
            names = [source.name for source in settings.sources]
            self._base = BaseShell(
                self, robot.config.drive, names, base_rate, base_silence, oldest, self._gate.following, lift
            )
        ros.service(self, endpoints.COMMAND_SELECT, self._on_select)
        ros.service(self, endpoints.SAFETY_ENGAGE, self._on_engage)
        ros.service(self, endpoints.SAFETY_STOP, self._on_stop)
        ros.service(self, endpoints.SAFETY_RESET, self._on_reset)
        self.create_timer(1.0 / settings.rate, self._on_timer, clock=ros.steady_clock())
        self.create_timer(0.1, self._report, clock=ros.steady_clock())
        self.create_timer(0.5, self._report_sources, clock=ros.steady_clock())
        self._report()
        self._report_sources()
        # What is alive now stays: the collector need not look at it again between two commands.
        gc.collect()
        gc.freeze()

    # --- inputs ---

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_robot_status(self, message: RobotStatus) -> None:
        faults = list(message.faults) or ([message.message] if message.mode == RobotStatus.FAULT else [])
        self._gate.robot_status(faults, message.joint_names, np.array(message.temperatures), np.array(message.currents))

    def _on_time_scale(self, message: Float64) -> None:
        self._gate.time_scale(message.data, time.monotonic())

    # --- services ---

    def _on_select(self, request: SelectSource.Request, response: SelectSource.Response) -> SelectSource.Response:
        response.success, response.message = self._gate.select(request.source, request.grant, time.monotonic())
        self._report_sources()
        return response

    def _on_engage(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = self._gate.engage(request.data, time.monotonic())
        self._report()
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._gate.stop("safety/stop was called")
        self._on_timer()
        response.success, response.message = True, self._gate.machine.state.name
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._gate.reset(time.monotonic())
        self._report()
        return response

    # --- outputs ---
    def _on_timer(self) -> None:
        now, steady = self._now_ns(), time.monotonic()
        due = self._grid.due(now)
        self._intake.take(bool(due), now, steady)
        for step_ns in due:
            command = self._gate.step(step_ns, steady)
            if command is not None:
                self._publish(command)
        if not due:
            self._gate.watch(now, steady)
        machine, active = self._gate.machine, self._gate.arbiter.active
        if (machine.state, active) != self._reported:
            if self._reported and self._reported[1] != active:
                self._report_sources()
            self._report()

    def _publish(self, command: Command) -> None:
        self._commands.publish(self._serializer.serialize(command))
        if self._trace is not None:
            self._publish_trace(self._trace, command)

    def _publish_trace(self, topic: Publisher, command: Command) -> None:
        received = self._intake.received
        for stamp_ns in command.fresh:
            trace = StageTrace(stage="safety", source_stamp=convert.to_stamp(stamp_ns))
            trace.received = convert.to_stamp(received.get(stamp_ns, 0))
            trace.header.stamp = convert.to_stamp(time.time_ns())
            topic.publish(trace)
        self._intake.forget(max(command.fresh, default=0))

    def destroy_node(self) -> None:
        self._intake.close()
        super().destroy_node()

    def _report(self) -> None:
        state = self._reports.publish(self._intake.seen)
        self._reported = (state, self._gate.arbiter.active)

    def _report_sources(self) -> None:
        sources = self._gate.sources(time.monotonic())
        status = command_status(self.get_clock().now().to_msg(), self._gate.arbiter.active, sources)
        self._command_status.publish(status)


def main() -> None:
    """Run the node."""
    ros.run(SafetyNode)
