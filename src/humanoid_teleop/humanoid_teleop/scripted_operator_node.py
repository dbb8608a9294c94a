# SPDX-License-Identifier: Apache-2.0
"""Operator device that does the scene's task by a script: scene/objects in, operator/frame and annotations out."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.node import Node
from std_srvs.srv import Trigger

import humanoid_description
from humanoid_core import convert, endpoints, ros, task
from humanoid_core.task import ObjectState
from humanoid_interfaces.msg import Annotation, SceneObjects, StageTrace
from humanoid_teleop import operator_messages
from humanoid_teleop.devices.scripted_operator import DONE, GIVEN_UP, RUNNING, ScriptedOperator, Settings

_OUTCOMES = {DONE: "done", GIVEN_UP: "given_up"}


class ScriptedOperatorNode(Node):
    """Does the task when started; streams a person at rest until then."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("scripted_operator", **arguments)
        # Parameters
        robot = humanoid_description.load(
            ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str),
            ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's"),
        )
        work = task.load(ros.required(self, "task", "Task file (YAML)", kind=str))
        rate = ros.required(self, "rate", "Operator frames per second [Hz]", 1.0, 1000.0, kind=float)
        autostart = ros.required(self, "autostart", "Begin at once, not when operator/start is called", kind=bool)
        seed = ros.required(self, "seed", "Seed of pace and tremor", 0, kind=int)
        trace = ros.required(self, "trace", "Publish when each frame was sent", kind=bool)
        kinds = {"int": int, "float": float}
        settings = Settings(
            **{
                field.name: ros.required(
                    self,
                    field.name,
                    field.metadata["description"],
                    low=field.metadata["low"],
                    high=field.metadata["high"],
                    kind=kinds[str(field.type)],
                )
                for field in dataclasses.fields(Settings)
            }
        )
        # State
        self._operator = ScriptedOperator(robot, work, settings, seed)
        self._objects: list[ObjectState] | None = None
        self._waiting = autostart  # for the first look at the scene
        self._reported = self._operator.state
        self._stamps = ros.Forward(self, self._operator.stop)
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._annotations = ros.publisher(self, endpoints.ANNOTATIONS)
        self._traces = ros.publisher(self, endpoints.TRACE) if trace else None
        self._diagnostics = ros.Diagnostics(self, robot.config.name)
        ros.subscribe(self, endpoints.SCENE_OBJECTS, self._on_objects, depth=1)
        ros.service(self, endpoints.OPERATOR_START, self._on_start)
        ros.service(self, endpoints.OPERATOR_STOP, self._on_stop)
        self.create_timer(1.0 / rate, self._on_timer)

    def _on_objects(self, message: SceneObjects) -> None:
        self._objects = task.objects_of(message)
        if self._waiting:
            self._waiting = False
            self._operator.start()

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._operator.state == RUNNING:
            response.message = "already at it"
        elif self._objects is None:
            response.message = "no scene/objects yet"
        else:
            self._operator.start()
            response.success = True
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._operator.state == RUNNING
        response.message = "" if response.success else "not at it"
        self._operator.stop()
        return response

    def _on_timer(self) -> None:
        stamp = self.get_clock().now().nanoseconds
        if not self._stamps.passes(stamp):
            return
        received = time.time_ns()
        frame = self._operator.frame(stamp, self._objects or [])
        self._frames.publish(operator_messages.to_message(frame))
        for label in self._operator.labels():
            self._annotate(label.step, label.start, label.end, label.object)
        if self._operator.state != self._reported:
            self._reported = self._operator.state
            if self._reported in _OUTCOMES:
                self._annotate(_OUTCOMES[self._reported], stamp, 0, self._operator.note)
                self.get_logger().info(f"{self._reported}: {self._operator.note}")
        level = ros.Diagnostics.WARN if self._operator.state == GIVEN_UP else ros.Diagnostics.OK
        self._diagnostics.update(level, self._operator.state, doing=self._operator.note)
        if self._traces is not None:
            trace = StageTrace(
                stage="device", source_stamp=convert.to_stamp(stamp), received=convert.to_stamp(received)
            )
            trace.header.stamp = convert.to_stamp(time.time_ns())
            self._traces.publish(trace)

    def _annotate(self, label: str, start: int, end: int, note: str) -> None:
        message = Annotation(label=label, author="scripted operator", tool="scripted_operator", note=note)
        message.header.stamp = convert.to_stamp(start)
        message.end = convert.to_stamp(end) if end else Time()
        self._annotations.publish(message)


def main() -> None:
    ros.run(ScriptedOperatorNode)
