# SPDX-License-Identifier: Apache-2.0
"""Node `console`: the collector's page, the labels, and the workload screen, served to paired browsers."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from humanoid_console.console_server import Answer, ConsoleServer
from humanoid_console.desk import Desk, Places, note_of
from humanoid_console.errors import ConsoleError
from humanoid_console.fleet import RECORDER, SAFETY, TELEOP, Fleet, recorder_facts
from humanoid_console.trial import Trial
from humanoid_console.verdicts import Verdict
from humanoid_core import endpoints, ros, task
from humanoid_core.errors import ConfigError
from humanoid_core.page_server import invite
from humanoid_core.pairing import Pairing
from humanoid_interfaces.msg import EpisodeStatus, SafetyStatus, SyncStatus, TeleopStatus
from humanoid_interfaces.srv import StopEpisode

OUTCOMES = {"success": StopEpisode.Request.SUCCESS, "failure": StopEpisode.Request.FAILURE, "unsure": 0}
_SERVICES = (
    endpoints.RECORDER_START, endpoints.RECORDER_STOP, endpoints.RECORDER_DISCARD, endpoints.SAFETY_ENGAGE,
    endpoints.SAFETY_STOP, endpoints.SAFETY_RESET, endpoints.SCENE_RESET,
)  # fmt: skip


class ConsoleNode(Node):
    """Messages to the page, its buttons to services."""

    def __init__(self) -> None:
        super().__init__("console")
        # Parameters
        host = ros.required(self, "host", "Address to listen on; 0.0.0.0 lets tablets in", kind=str)
        port = ros.required(self, "port", "Port to listen on; 0 takes a free one", 0, 65535, kind=int)
        folder = ros.required(self, "folder", "Of certificate and pairings; empty: console in ROS_HOME", kind=str)
        camera = ros.required(self, "camera", "Camera shown while collecting", kind=str)
        robot = ros.required(self, "robot", "Model of the robot", kind=str)
        tasks = ros.required(self, "tasks", "Folder of the task files", kind=str)
        first = ros.required(self, "task", "Task to begin with", kind=str)
        recordings = Path(ros.required(self, "recordings", "Folder of the recordings", kind=str)).resolve()
        catalogue = ros.required(self, "catalogue", "Its file; empty: catalogue.sqlite beside the recordings", kind=str)
        limits = ros.required(self, "limits", "Limits of the checks; empty: the workspace's own", kind=str)
        preflight = ros.optional(self, "preflight", "", "Program that prints the pre-flight table as JSON")
        plan = [task.load(path) for path in sorted(Path(tasks).glob("*.yaml"))]
        plan = [one for one in plan if not one.robots or robot in one.robots]
        if first not in [one.name for one in plan]:
            names = ", ".join(one.name for one in plan)
            raise ConfigError("console", "task", first, f"one of {names}: tasks that {robot} may do")
        # State
        self._seen: str | None = None  # last episode that ended
        self._scenes = 0
        # Outputs before inputs
        self._verdicts = ros.publisher(self, endpoints.CONSOLE_VERDICT)
        self._diagnostics = ros.Diagnostics(self)
        self._callable = {endpoint.name: ros.client(self, endpoint) for endpoint in _SERVICES}
        home = Path(folder) if folder else Path(os.environ.get("ROS_HOME", Path.home() / ".ros")) / "console"
        self._server: ConsoleServer | None = None
        pairing = Pairing(home / "pairings.json", self._announce)
        places = Places(
            Path(catalogue) if catalogue else recordings.parent / "catalogue.sqlite",
            recordings, limits, tuple(shlex.split(preflight)),
        )  # fmt: skip
        self._desk = Desk(places, plan, first, self, self._tell, self._judged)
        self._server = ConsoleServer(host, port, home, pairing, self._desk)
        self._announce(pairing.code)
        self._tell(robot=self.get_namespace().strip("/") or robot, model=robot, **self._desk.shown)
        # Inputs
        self._fleet = Fleet(self)
        picture = endpoints.CAMERA_COLOR_COMPRESSED.at(camera=camera)
        ros.subscribe(self, picture, self._on_picture, depth=1, reliable=False)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        ros.subscribe(self, endpoints.TELEOP_STATUS, self._on_teleop, depth=1)
        ros.subscribe(self, endpoints.SYNC_STATUS, self._on_sync)
        ros.subscribe(self, endpoints.RECORDER_STATUS, self._on_recorder)
        ros.service(self, endpoints.CONSOLE_START, self._on_start)
        self.create_timer(1.0, self._on_timer, clock=ros.steady_clock())

    def destroy_node(self) -> None:
        """Close the connections and files, then the node."""
        if self._server:
            self._server.stop()
        self._desk.stop()
        super().destroy_node()

    def _announce(self, code: str) -> None:
        if not self._server:
            return  # not listening yet
        self.get_logger().info(f"console: open {invite(self._server.port, code)} and type {code}, or scan this")

    def _tell(self, **values: Any) -> None:
        if self._server:
            self._server.set_status(**values)

    # --- what the desk asks for ---

    def start(self, trial: Trial, operator: str, answer: Answer) -> None:
        """Begin to record a trial."""
        job = trial.task
        tags = [KeyValue(key=key, value=value) for key, value in trial.tags.items()]
        words = {"task": job.name, "instruction": job.instruction, "scene": job.scene}
        self._call(endpoints.RECORDER_START, answer, operator_name=operator, tags=tags, **words)

    def command(self, name: str, arguments: dict[str, Any], answer: Answer) -> None:
        """Do what a button asks for."""
        if name == "end" and arguments.get("outcome") in OUTCOMES:
            self._desk.stopping()
            outcome, note = OUTCOMES[arguments["outcome"]], note_of(arguments)

            def ended(success: bool, text: str, value: Any) -> None:
                if not success:
                    self._desk.goes_on()
                answer(success, text, value)

            self._call(endpoints.RECORDER_STOP, ended, outcome=outcome, note=note)
        elif name == "redo":
            self._call(endpoints.RECORDER_DISCARD, answer, reason=note_of(arguments))
        elif name == "engage":
            self._call(endpoints.SAFETY_ENGAGE, answer, data=True)
        elif name in ("stop", "reset"):
            self._call(endpoints.SAFETY_STOP if name == "stop" else endpoints.SAFETY_RESET, answer)
        elif name == "scene":
            self._scenes += 1
            self._call(endpoints.SCENE_RESET, answer, seed=self._scenes)
        else:
            answer(False, f"there is no command {name[:40]}", None)

    def _call(self, endpoint: endpoints.Endpoint, answer: Answer, **fields: Any) -> None:
        client = self._callable[endpoint.name]
        if not client.service_is_ready():
            answer(False, f"nobody offers {endpoint.name}", None)
            return
        future = client.call_async(client.srv_type.Request(**fields))
        future.add_done_callback(lambda done: answer(done.result().success, done.result().message, None))

    def _judged(self, verdict: Verdict, error: str) -> None:
        level = DiagnosticStatus.ERROR if error else DiagnosticStatus.OK if verdict["passed"] else DiagnosticStatus.WARN
        message = error or ("passed" if verdict["passed"] else "rejected")
        status = DiagnosticStatus(name=verdict.get("episode", ""), level=level, message=message)
        status.values = [KeyValue(key=one["name"], value=one["detail"]) for one in verdict.get("failed", [])]
        self._verdicts.publish(status)
        if verdict:
            self.get_logger().info(f"{verdict['episode']}: {message}, {verdict['seconds']:.2f} s after its end")
        else:
            self.get_logger().error(f"the checks could not run: {error}")

    # --- what the robot tells ---

    def _on_start(self, request: Any, response: Any) -> Any:
        def started(success: bool, text: str, _: Any) -> None:
            (self.get_logger().info if success else self.get_logger().error)(f"{endpoints.CONSOLE_START.name}: {text}")

        try:
            self._desk.start_as(request.operator_name, request.task, started)
            response.success, response.message = True, f"asked {endpoints.RECORDER_START.name}"
        except ConsoleError as error:
            response.message = str(error)
        return response

    def _on_picture(self, message: CompressedImage) -> None:
        if self._server and self._server.clients and "jpeg" in message.format:
            self._server.set_picture(0, bytes(message.data))

    def _on_safety(self, status: SafetyStatus) -> None:
        self._tell(safety=SAFETY[status.state], reasons=list(status.reasons)[:4])

    def _on_teleop(self, status: TeleopStatus) -> None:
        self._tell(teleop=TELEOP[status.state], teleop_message=status.message)

    def _on_sync(self, status: SyncStatus) -> None:
        self._tell(
            sync={"streams": len(status.streams), "frames": status.frames, "warnings": list(status.warnings)[:4]}
        )

    def _on_recorder(self, status: EpisodeStatus) -> None:
        self._tell(recording=recorder_facts(status))
        if RECORDER[status.state] == "finalising":
            self._desk.stopping()
        if self._seen is not None and status.last_episode_id not in ("", self._seen):
            discarded = status.last_outcome == EpisodeStatus.DISCARDED
            self._desk.ended(status.last_episode_id, status.last_path, discarded)
        self._seen = status.last_episode_id

    def _on_timer(self) -> None:
        self._fleet.discover()
        self._desk.live = self._fleet.robots
        if self._server:
            self._diagnostics.update(ros.Diagnostics.OK, f"{self._server.clients} browsers")


def main() -> None:
    """Run the node."""
    ros.run(ConsoleNode)
