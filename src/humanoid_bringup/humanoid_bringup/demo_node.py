# SPDX-License-Identifier: Apache-2.0
"""Node `demo`: collects some episodes by itself with the system that demo.launch.py starts, then ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Float64

from humanoid_bringup.demo import GO_HOME, RESET_SCENE_POSE, SERVICES, Collected, Settings, World, collect
from humanoid_bringup.demo import summary as summary_of
from humanoid_bringup.story import Act, Answer, Call, DemoFailed, Runner, Say
from humanoid_core import endpoints, ros, task
from humanoid_interfaces.action import GoHome, ResetScenePose
from humanoid_interfaces.msg import CommandStatus, EpisodeStatus, SafetyStatus, SceneEvent, SyncStatus

_PERIOD = 0.05  # [s, steady] between two looks at the world
_SOURCE = "teleop"
_ACTIONS: dict[str, Any] = {GO_HOME: GoHome, RESET_SCENE_POSE: ResetScenePose}


class DemoNode(Node):
    """Messages in, service calls out; what to do when is in `demo`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("demo", **arguments)
        # Parameters
        self._settings = self._declare()
        # State
        self._world = World()
        self.collected: list[Collected] = []
        self.failed = False
        story = collect(self._settings, self._world, self.collected)
        self._runner = Runner(story, self._world, self._settings.stall_limit, self._settings.call_limit)
        self._calls = {
            endpoint.name: ros.client(self, endpoint) for endpoint in (*SERVICES, endpoints.SAFETY_RESET)
        }  # fmt: skip
        self._actions = {name: ActionClient(self, kind, name) for name, kind in _ACTIONS.items()}
        self._motion = 0  # number of the one that was started last
        # Inputs
        ros.subscribe(self, endpoints.JOINT_STATES, self._on_joint_state, depth=1, raw=True)
        ros.subscribe(self, endpoints.TELEOP_STATUS, self._on_teleop, depth=1, raw=True)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        ros.subscribe(self, endpoints.COMMAND_STATUS, self._on_command)
        ros.subscribe(self, endpoints.TIME_SCALE, self._on_time_scale)
        ros.subscribe(self, endpoints.SYNC_STATUS, self._on_sync)
        ros.subscribe(self, endpoints.RECORDER_STATUS, self._on_recorder)
        ros.subscribe(self, endpoints.SCENE_EVENTS, self._on_event)
        self.create_timer(_PERIOD, self._on_timer, clock=ros.steady_clock())

    def _declare(self) -> Settings:
        operator = ros.required(self, "operator", "Operator device: scripted or motion", kind=str)
        job = task.load(ros.required(self, "task", "Task file (YAML) of the scripted operator", kind=str))
        scripted = operator == "scripted"
        motion = ros.optional(self, "motion", "", "Recording that the motion operator plays")
        return Settings(
            episodes=ros.required(self, "episodes", "How many episodes to collect", 1, 10_000, kind=int),
            operator=operator,
            scene=ros.required(self, "scene", "Scene of the twin", kind=str),
            seed=ros.required(self, "seed", "Seed of the first episode's scene", 0, 2**31, kind=int),
            task=job.name if scripted else "motion_capture",
            instruction=job.instruction
            if scripted
            else f"Move like the person in {Path(motion).name or 'the capture'}.",
            has_goal=scripted,
            ready_limit=ros.optional(self, "ready_limit", 600.0, "Wait for the system [s, steady]", 1.0, 3600.0),
            call_limit=ros.optional(self, "call_limit", 60.0, "Wait for a service [s, steady]", 1.0, 3600.0),
            stall_limit=ros.optional(self, "stall_limit", 60.0, "Clock may stand still [s, steady]", 1.0, 3600.0),
            episode_limit=ros.optional(self, "episode_limit", 120.0, "Longest episode [s, simulated]", 1.0, 3600.0),
            planned=ros.optional(
                self, "planned", True, "Go home by planned motions before each episode and at the end"
            ),
            redo=ros.optional(self, "redo", 2, "Times an interrupted episode is discarded and done again", 0, 100),
            rest=ros.optional(self, "rest", 0.5, "Recorded at rest, before and after [s, simulated]", 0.0, 60.0),
        )

    # --- inputs ---

    def _on_joint_state(self, _: bytes) -> None:
        self._world.joint_states += 1

    def _on_teleop(self, _: bytes) -> None:
        self._world.retargeting = True

    def _on_safety(self, message: SafetyStatus) -> None:
        self._world.safety, self._world.reasons = message.state, list(message.reasons)

    def _on_command(self, message: CommandStatus) -> None:
        self._world.held = any(source.name == _SOURCE and source.enabled for source in message.sources)

    def _on_time_scale(self, message: Float64) -> None:
        self._world.time_scale = message.data

    def _on_sync(self, message: SyncStatus) -> None:
        self._world.streams = {stream.name: stream.messages for stream in message.streams}

    def _on_recorder(self, message: EpisodeStatus) -> None:
        self._world.recorder, self._world.recorded_bytes = True, message.bytes

    def _on_event(self, message: SceneEvent) -> None:
        self._world.event(message.kind, message.object)

    # --- going on ---

    def _on_timer(self) -> None:
        self._world.now_ns = self.get_clock().now().nanoseconds
        if len(self._world.services) < len(self._calls):
            self._world.services = {name for name, client in self._calls.items() if client.service_is_ready()}
        if self._settings.planned and len(self._world.actions) < len(self._actions):
            self._world.actions = {name for name, client in self._actions.items() if client.server_is_ready()}
        self._go_on(lambda: self._runner.tick(time.monotonic()))

    def _on_answer(self, future: Future) -> None:
        response = future.result()
        values = {name: getattr(response, name) for name in response.get_fields_and_field_types()}
        answer = Answer(response.success, response.message, values)
        self._world.now_ns = self.get_clock().now().nanoseconds
        self._go_on(lambda: self._runner.answer(answer, time.monotonic()))

    def _start(self, act: Act) -> None:
        """Start a planned motion; what comes of it is for the one that was started last."""
        self._motion += 1
        number, client = self._motion, self._actions[act.name]

        def end(answer: Answer) -> None:
            if number == self._motion:
                self._world.motion = answer

        def on_result(future: Future) -> None:
            response = future.result()
            values = {name: getattr(response.result, name) for name in response.result.get_fields_and_field_types()}
            success = response.status == GoalStatus.STATUS_SUCCEEDED and values["success"]
            end(Answer(success, values["message"], values))

        def on_accepted(future: Future) -> None:
            handle = future.result()
            if handle.accepted:
                handle.get_result_async().add_done_callback(on_result)
            else:
                end(Answer(False, "rejected"))

        client.send_goal_async(_ACTIONS[act.name].Goal(**act.fields)).add_done_callback(on_accepted)

    def _go_on(self, look: Callable[[], list[Say | Call | Act]]) -> None:
        try:
            actions = look()
        except DemoFailed as reason:
            self.failed = True
            print(f"the demonstration ends here: {reason}", flush=True)
            rclpy.try_shutdown()
            return
        for action in actions:
            if isinstance(action, Say):
                print(action.words, flush=True)
            elif isinstance(action, Act):
                self._start(action)
            else:
                client = self._calls[action.endpoint.name]
                client.call_async(_request(client.srv_type, action.fields)).add_done_callback(self._on_answer)
        if self._runner.done:
            print(summary_of(self.collected, self._settings.episodes), flush=True)
            rclpy.try_shutdown()


def _request(kind: Any, fields: dict[str, Any]) -> Any:
    tags = [KeyValue(key=key, value=value) for key, value in fields.get("tags", {}).items()]
    return kind.Request(**{**fields, **({"tags": tags} if tags else {})})


def main() -> None:
    """Run the node; exit code 1 where the demonstration could not go on."""
    made: list[DemoNode] = []

    def make() -> DemoNode:
        made.append(DemoNode())
        return made[0]

    ros.run(make)
    sys.exit(1 if made[0].failed else 0)
