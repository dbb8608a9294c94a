# SPDX-License-Identifier: Apache-2.0
"""Node `recorder`: takes serialized messages, and starts and stops episodes by service."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.utilities import get_rmw_implementation_identifier

from humanoid_core import endpoints, ros
from humanoid_core.errors import HumanoidError
from humanoid_recorder import messages, plan, transport_check
from humanoid_recorder.errors import EpisodeError
from humanoid_recorder.folders import leftovers
from humanoid_recorder.listener import Listener
from humanoid_recorder.parameters import configuration, declare_settings
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.recovery import recover_all
from humanoid_recorder.selection import load_selection
from humanoid_recorder.settings import Request

_INTERRUPTED = "the recorder was shut down"


class RecorderNode(LifecycleNode):
    """Configured: answers services. Active: listens to the selected topics and records episodes."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("recorder", **arguments)
        settings = declare_settings(self)
        topics = ros.required(self, "topics", "What is recorded: a YAML file", kind=str)
        poll = ros.required(self, "poll_period", "Between two bursts of messages [s]", 0.001, 0.1, float)
        period = ros.required(self, "discovery_period", "Between two looks for new topics [s]", 0.05, 10.0, float)
        tasks = ros.optional(self, "tasks", "", "Folder of tasks with target counts; empty: none")
        # State
        self._targets = plan.read_targets(Path(tasks)) if tasks else {}
        self._plan: dict[str, plan.TaskProgress] = {}
        self._settings = dataclasses.replace(settings, configuration=configuration(self, topics))
        self._recorder = Recorder(self._settings, load_selection(topics))
        self._listener = Listener(self, self._recorder, poll)
        self._recovery: threading.Thread | None = None
        # Outputs before inputs
        self._status = ros.publisher(self, endpoints.RECORDER_STATUS)
        self._annotations = ros.publisher(self, endpoints.ANNOTATIONS)
        self._diagnostics = ros.Diagnostics(self, hardware_id=self._settings.robot)
        ros.service(self, endpoints.RECORDER_START, self._on_start)
        ros.service(self, endpoints.RECORDER_STOP, self._on_stop)
        ros.service(self, endpoints.RECORDER_DISCARD, self._on_discard)
        ros.service(self, endpoints.RECORDER_ANNOTATE, self._on_annotate)
        self.create_timer(0.5, self._on_tick, clock=ros.steady_clock())
        self.create_timer(period, self._discover, clock=ros.steady_clock())
        self.create_timer(5.0, self._check_transport, clock=ros.steady_clock())

    # --- lifecycle ---

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        parts = list(leftovers(self._settings.out, self._settings.robot))
        self._recovery = threading.Thread(target=self._look_back, args=(parts,))
        self._recovery.start()
        self._listener.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._wind_up()
        return super().on_deactivate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._wind_up()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """An episode that is being recorded is finished as unsure, whatever ends the node."""
        self._wind_up()
        self._listener.destroy()
        super().destroy_node()

    def _look_back(self, parts: list[Path]) -> None:
        """What earlier runs left: repair it, and count it."""
        recover_all(parts, self.get_logger())
        self._plan = plan.progress(self._settings.out, self._targets)

    def _wind_up(self) -> None:
        self._listener.stop()
        if self._recovery is not None:
            self._recovery.join()
        if self._recorder.recording is not None:
            try:
                ended = self._recorder.stop("unsure", _INTERRUPTED, self.get_clock().now().nanoseconds)
                self.get_logger().warning(f"episode finished as unsure: {ended.path}")
            except HumanoidError as error:
                self.get_logger().error(str(error))

    # --- services ---

    def _answer(self, response: Any, work: Any) -> Any:
        """Run a service's work: an error of ours becomes the response's message."""
        try:
            if not self._listener.running:
                raise EpisodeError("the recorder is not active; activate it first")
            response.message = work() or ""
            response.success = True
        except HumanoidError as error:
            self.get_logger().error(f"refused: {error}")
            response.success, response.message = False, str(error)
        self._publish_status()
        return response

    def _on_start(self, request: Any, response: Any) -> Any:
        def work() -> str:
            tags = messages.tags(request.tags)
            asked = Request(request.task, request.instruction, request.operator_name, request.scene, tags)
            self._listener.discover()
            recording = self._recorder.start(asked, self._now())
            response.episode_id, response.path = recording.episode.episode_id, str(recording.staging.final)
            self.get_logger().info(f"recording {response.episode_id}")
            return plan.sentence(request.task, self._plan.get(request.task, plan.TaskProgress()))

        return self._answer(response, work)

    def _on_stop(self, request: Any, response: Any) -> Any:
        def work() -> str:
            now, outcome, post_roll = self._now(), messages.outcome(request.outcome), self._settings.post_roll
            if post_roll and self._recorder.recording is not None:  # simulated time may be slow, or stand still
                self._listener.wait_until(now + round(post_roll * 1e9), 1.0 + 10.0 * post_roll)
            self._listener.settle()
            self._publish_status(finalising=True)
            ended = self._recorder.stop(outcome, request.note, now)
            response.episode_id, response.path = ended.episode_id, str(ended.path)
            entry = plan.count(self._plan, ended.task, ended.outcome, ended.duration)
            self.get_logger().info(plan.sentence(ended.task, entry))
            self.get_logger().info(f"finished {ended.path}" + "".join(f"\n  {line}" for line in ended.problems))
            return "; ".join(ended.problems)

        return self._answer(response, work)

    def _on_discard(self, request: Any, response: Any) -> Any:
        def work() -> None:
            response.episode_id = self._recorder.discard(request.reason).episode_id

        return self._answer(response, work)

    def _on_annotate(self, request: Any, response: Any) -> Any:
        def work() -> None:
            label = messages.label(request.annotation, self._now())
            self._recorder.annotate(label)
            self._annotations.publish(messages.annotation(label))

        return self._answer(response, work)

    def _now(self) -> int:
        now = self.get_clock().now().nanoseconds
        if now == 0:
            raise EpisodeError("there is no time on /clock yet; start the simulation first")
        return now

    # --- health ---

    def _discover(self) -> None:
        if self._listener.running:
            self._listener.discover()

    def _check_transport(self) -> None:
        if not self._listener.running:
            return
        causes = transport_check.look(get_rmw_implementation_identifier(), self._listener.publisher_ids())
        for cause in set(causes) - set(self._recorder.causes):
            self.get_logger().warning(cause)
        self._recorder.causes = causes

    def _on_tick(self) -> None:
        if self._listener.error is not None:
            raise EpisodeError(f"messages cannot be taken any more: {self._listener.error!r}")
        try:
            if ended := self._recorder.tick(self.get_clock().now().nanoseconds):
                self.get_logger().error(f"episode ended early: {ended.path}: {'; '.join(ended.problems)}")
        except HumanoidError as error:
            self.get_logger().error(str(error))
        if self._listener.running:
            self._publish_status()
            self._update_diagnostics()

    def _publish_status(self, finalising: bool = False) -> None:
        self._status.publish(messages.status(self._recorder, self.get_clock().now(), finalising))

    def _update_diagnostics(self) -> None:
        warnings = self._recorder.warnings(self.get_clock().now().nanoseconds)
        recording = self._recorder.recording
        levels = ros.Diagnostics
        level = levels.ERROR if self._recorder.failed else levels.WARN if warnings else levels.OK
        word = f"recording {recording.episode.episode_id}" if recording else "idle"
        facts = {"topics": len(self._recorder.topics), "queue_high_water": recording.high_water if recording else 0}
        self._diagnostics.update(level, "; ".join([word, *warnings]), **facts)


def main() -> None:
    ros.run(RecorderNode)
