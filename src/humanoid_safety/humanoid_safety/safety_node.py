# SPDX-License-Identifier: Apache-2.0
"""Safety limiter and arbiter: joint_targets/<source> in, joint_commands out."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

import humanoid_description
from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import HumanoidError
from humanoid_core.taps import Inbox
from humanoid_interfaces.msg import RobotStatus, StageTrace
from humanoid_interfaces.srv import SelectSource
from humanoid_safety.base_shell import BaseShell
from humanoid_safety.command_message import CommandSerializer
from humanoid_safety.dead_man import engaged
from humanoid_safety.gate import Command, SafetyGate
from humanoid_safety.grid import StepGrid
from humanoid_safety.joint_state_reader import Joints, JointStateReader
from humanoid_safety.lift_gate import LiftGate
from humanoid_safety.parameters import body_settings, gate_settings, surroundings
from humanoid_safety.reports import Reports
from humanoid_safety.robot_limits import allowed_deviation, bodies, commanded_limits, other_joints
from humanoid_safety.states import State
from humanoid_safety.status_messages import command_status

_LOOK = 0.008  # [s] joint states are looked at about 100 times a second: watchdogs and take-overs need no more


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
        self._traces = ros.required(self, "trace", "Publish when a target was first used", kind=bool)
        # State
        limits = commanded_limits(robot)
        body = bodies(robot, surroundings(self), body_settings(self))
        base_rate = ros.required(self, "base_rate", "Base velocities per second [Hz]", 10.0, 200.0, kind=float)
        base_silence = ros.required(self, "deadline_base", "Silence that stops the base [s]", 0.02, 2.0, kind=float)
        lift = LiftGate(robot, limits, settings.rate, base_silence) if robot.config.operator.lift else None
        self._gate = SafetyGate(limits, other_joints(robot), allowed_deviation(robot, deviation), settings, body, lift)
        self._grid = StepGrid(self._gate.period_ns, settings.late_steps)
        self._serializer = CommandSerializer()
        self._seen = Joints(0, [], np.zeros(0))  # joint states looked at last
        self._looked = 0.0  # when joint states were looked for last, steady
        self._complained = 0.0  # when something was refused aloud, steady
        self._reported: tuple[State, str] | None = None
        self._received: dict[int, int] = {}  # stamp of a target -> when it came, system clock; only while tracing
        # Outputs before inputs
        self._commands = ros.publisher(self, endpoints.JOINT_COMMANDS)
        self._command_status = ros.publisher(self, endpoints.COMMAND_STATUS)
        self._trace = ros.publisher(self, endpoints.TRACE) if self._traces else None
        self._reports = Reports(self, robot, self._gate)
        self._inbox = Inbox(self)
        self._take_targets = {
            source.name: self._inbox.add(endpoints.JOINT_TARGETS.at(source=source.name)) for source in settings.sources
        }
        self._take_frames = self._inbox.add(endpoints.OPERATOR_FRAME)
        self._take_joint_states = self._inbox.add(endpoints.JOINT_STATES, depth=1, reliable=False)
        self._read_targets = {source: JointStateReader(f"joint_targets/{source}") for source in self._take_targets}
        self._read_joint_states = JointStateReader("joint_states")
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

    def _take(self, now: int, steady: float) -> None:
        """What has come since the last time. Asking costs: who does not command is asked 100 times a second."""
        look = steady - self._looked > _LOOK
        for frame in self._take_frames():
            self._try(self._on_operator, frame, steady)
        for source, take in self._take_targets.items():
            if look or source == self._gate.arbiter.active:
                for targets in take():
                    self._try(self._on_targets, source, targets, now, steady)
        if look:
            self._looked = steady
            for joint_states in self._take_joint_states():
                self._try(self._on_joint_states, joint_states, steady)

    def _try(self, take: Callable[..., None], *arguments: Any) -> None:
        """Nothing that anybody sends ends this node."""
        try:
            take(*arguments)
        except HumanoidError as reason:
            self._complain(f"refused: {reason}", steady=time.monotonic())

    def _complain(self, text: str, steady: float) -> None:
        if steady - self._complained > 1.0:  # the logger's own throttle costs 0.2 ms a call
            self._complained = steady
            self.get_logger().warning(text)

    def _on_operator(self, frame: bytes, steady: float) -> None:
        self._gate.operator(engaged(frame), steady)

    def _on_targets(self, source: str, message: bytes, now: int, steady: float) -> None:
        stamp, names, position = self._read_targets[source].read(message)
        refusal = self._gate.targets(source, names, position, stamp, now, steady)
        if refusal:
            self._complain(f"{source}: {refusal}", steady)
        elif self._traces:
            self._received[stamp] = time.time_ns()

    def _on_joint_states(self, message: bytes, steady: float) -> None:
        self._seen = self._read_joint_states.read(message)
        self._gate.joint_state(self._seen.names, self._seen.position, steady)

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
        self._take(now, steady)
        due = self._grid.due(now)
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
        for stamp_ns in command.fresh:
            trace = StageTrace(stage="safety", source_stamp=convert.to_stamp(stamp_ns))
            trace.received = convert.to_stamp(self._received.get(stamp_ns, 0))
            trace.header.stamp = convert.to_stamp(time.time_ns())
            topic.publish(trace)
            self._received = {stamp: came for stamp, came in self._received.items() if stamp > stamp_ns}

    def destroy_node(self) -> None:
        self._inbox.close()
        super().destroy_node()

    def _report(self) -> None:
        state = self._reports.publish(self._seen)
        self._reported = (state, self._gate.arbiter.active)

    def _report_sources(self) -> None:
        sources = self._gate.sources(time.monotonic())
        status = command_status(self.get_clock().now().to_msg(), self._gate.arbiter.active, sources)
        self._command_status.publish(status)


def main() -> None:
    """Run the node."""
    ros.run(SafetyNode)
