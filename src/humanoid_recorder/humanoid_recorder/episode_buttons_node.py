# SPDX-License-Identifier: Apache-2.0
"""Node `episode_buttons`: the operator's buttons start, label and stop episodes."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from humanoid_core import convert, endpoints, ros, task
from humanoid_core.endpoints import Endpoint
from humanoid_interfaces.msg import Annotation, OperatorFrame
from humanoid_interfaces.srv import StopEpisode
from humanoid_recorder.buttons import Buttons, label_of, load_bindings

_OUTCOMES = {"success": StopEpisode.Request.SUCCESS, "failure": StopEpisode.Request.FAILURE}


class EpisodeButtonsNode(Node):
    """Listens to operator frames and calls the recorder."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("episode_buttons", **arguments)
        bindings = load_bindings(ros.required(self, "buttons", "What each button does: a YAML file", kind=str))
        self._task = task.load(ros.required(self, "task", "What is being done: a YAML file", kind=str))
        self._operator = ros.required(self, "operator_name", "Who has the buttons", kind=str)
        # State
        self._buttons = Buttons(bindings, self._task.steps)
        # Outputs before inputs
        self._annotations = ros.publisher(self, endpoints.ANNOTATIONS)
        self._recorder: dict[Endpoint, Client] = {
            endpoint: ros.client(self, endpoint)
            for endpoint in (endpoints.RECORDER_START, endpoints.RECORDER_STOP, endpoints.RECORDER_DISCARD)
        }
        ros.subscribe(self, endpoints.OPERATOR_FRAME, self._on_frame)

    def _on_frame(self, frame: OperatorFrame) -> None:
        for action in self._buttons.update(time.monotonic(), frame.left_hand.buttons, frame.right_hand.buttons):
            label = label_of(action)
            if label:
                message = Annotation(label=label, author=self._operator, tool="button")
                message.header.stamp = self.get_clock().now().to_msg()
                self._annotations.publish(message)
                self.get_logger().info(f"label {label} at {convert.stamp_ns(message.header.stamp) * 1e-9:.3f}")
            elif action == "start":
                fields = {"task": self._task.name, "instruction": self._task.instruction, "scene": self._task.scene}
                self._call(endpoints.RECORDER_START, operator_name=self._operator, **fields)
            elif action == "discard":
                self._call(endpoints.RECORDER_DISCARD, reason=f"button, {self._operator}")
            else:
                self._call(endpoints.RECORDER_STOP, outcome=_OUTCOMES[action], note="")

    def _call(self, endpoint: Endpoint, **fields: Any) -> None:
        client = self._recorder[endpoint]
        if not client.service_is_ready():
            self.get_logger().error(f"{endpoint.name}: the recorder is not there")
            return
        request = ros.message_type(endpoint.type).Request(**fields)
        client.call_async(request).add_done_callback(partial(self._on_answer, endpoint))

    def _on_answer(self, endpoint: Endpoint, future: Future) -> None:
        answer = future.result()
        say = self.get_logger().info if answer.success else self.get_logger().error
        say(f"{endpoint.name}: {answer.message or 'done'}")


def main() -> None:
    ros.run(EpisodeButtonsNode)
