# SPDX-License-Identifier: Apache-2.0
"""The MuJoCo twin: joint_commands in; joint states, sensors, scene, tf and /clock out."""

from __future__ import annotations

import dataclasses
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

import humanoid_description
from humanoid_core import config, convert, endpoints, ros
from humanoid_core.errors import HumanoidError, MessageError
from humanoid_robots import scene
from humanoid_robots.pacing import Pace, Patience
from humanoid_robots.rendering import RenderThread
from humanoid_robots.servo import WORDS, Mode
from humanoid_robots.settings import Settings
from humanoid_robots.twin import START_NS, Twin
from humanoid_robots.twin_publishing import TwinPublisher

_NOT_WAITED = "time goes on without joint_commands until they have caught up"


class TwinNode(LifecycleNode):
    """Configure builds the simulation, activate lets time run, deactivate halts it."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("twin", **arguments)
        # Parameters
        self._robot_file = ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str)
        self._urdf = ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's")
        self._scene_file = Path(ros.required(self, "scene", "Scene file (YAML); its task lies in ../tasks", kind=str))
        self._settings = self._declare_settings()
        # State
        settings = self._settings
        self._images = RenderThread(self._on_image, settings.render_backlog, settings.shadows)
        self._twin: Twin | None = None
        self._publisher: TwinPublisher | None = None
        self._command: JointState | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._running = threading.Event()
        self._loop = threading.Thread()
        self._pace = Pace(settings.time_scale)
        self._patience = Patience(settings.patience, settings.commands_behind)
        self._refused = 0
        # Outputs and inputs
        self._time_scale = ros.publisher(self, endpoints.TIME_SCALE)
        self._diagnostics: ros.Diagnostics | None = None
        ros.subscribe(self, endpoints.JOINT_COMMANDS, self._on_command, depth=1)
        ros.service(self, endpoints.SCENE_RESET, self._on_reset)
        self.create_timer(0.5, self._report, clock=ros.steady_clock())

    def _declare_settings(self) -> Settings:
        kinds = {"int": int, "float": float, "bool": bool}
        values = {}
        for field in dataclasses.fields(Settings):
            told = field.metadata
            kind = kinds.get(str(field.type), str)
            values[field.name] = ros.required(self, field.name, told["description"], told["low"], told["high"], kind)
        return config.build(Settings, values, self.get_name())

    # --- lifecycle ---

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            robot = humanoid_description.load(self._robot_file, self._urdf)
            place, job = scene.load_with_task(self._scene_file)
            self._twin = Twin(robot, place, job, self._settings, self._images)
            self._publisher = TwinPublisher(self, self._twin)
        except HumanoidError as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        self._diagnostics = self._diagnostics or ros.Diagnostics(self, robot.config.name)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._running.set()
        self._pace = Pace(self._settings.time_scale)
        self._loop = threading.Thread(target=self._run, name="physics")
        self._loop.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._halt()
        if self._twin is not None:
            self._twin.close(discard=True)
        self._twin = self._publisher = None
        return super().on_cleanup(state)

    def destroy_node(self) -> None:
        """End the threads first: they publish."""
        self._halt()
        if self._twin is not None:
            self._twin.close(discard=True)
        super().destroy_node()

    def _halt(self) -> None:
        self._running.clear()
        if self._loop.is_alive():
            self._loop.join()

    # --- simulation, in its own thread ---

    def _run(self) -> None:
        assert self._twin is not None
        assert self._publisher is not None
        twin, publisher = self._twin, self._publisher
        try:
            while self._running.is_set() and self.context.ok():
                while not self._jobs.empty():
                    self._jobs.get()()
                publisher.clock(twin.now)
                if not self._patience.wait(twin.now):
                    self.get_logger().warning(f"joint_commands kept time waiting too long: {_NOT_WAITED}")
                command, self._command = self._command, None
                if command is not None:
                    self._apply(command)
                for reading in twin.step():
                    publisher.publish(reading)
                time.sleep(self._pace.wait(1e-9 * (twin.now - START_NS), time.monotonic(), twin.attainable))
        except Exception as error:  # nobody waits for this thread: say why, and end the node
            if not self.context.ok():
                return  # a signal closed the context under a publisher
            self.get_logger().fatal(f"{type(error).__name__}: {error}")
            os.kill(os.getpid(), signal.SIGINT)

    def _apply(self, command: JointState) -> None:
        assert self._twin is not None
        try:
            self._twin.command(command.name, command.position, command.velocity, command.effort)
        except MessageError as error:
            self._refused += 1
            self.get_logger().error(f"refused: {error}", throttle_duration_sec=1.0)

    def _on_image(self, reading: Any) -> None:
        if self._publisher is not None and self.context.ok():
            self._publisher.image(reading)

    # --- inputs and reports, in the executor's thread ---

    def _on_command(self, message: JointState) -> None:
        self._command = message
        if self._twin is not None:
            self._patience.command(convert.stamp_ns(message.header.stamp), self._twin.now)

    def _on_reset(self, request: Any, response: Any) -> Any:
        if self._twin is None or not self._running.is_set():
            response.success, response.message = False, "the twin is not active"
            return response
        file = self._scene_file.with_name(f"{request.scene}.yaml") if request.scene else self._scene_file
        finished = threading.Event()

        def reset() -> None:
            assert self._twin is not None
            try:
                self._twin.reset(*scene.load_with_task(file), request.seed)
                self._scene_file = file
                response.success, response.message = True, f"{file.stem}, seed {request.seed}"
            except HumanoidError as error:
                response.success, response.message = False, str(error)
            finished.set()

        self._jobs.put(reset)
        while not finished.wait(0.1) and self._loop.is_alive():
            continue
        return response

    def _report(self) -> None:
        twin = self._twin
        if twin is None or self._publisher is None or self._diagnostics is None:
            return
        alive = self._loop.is_alive()
        scale = self._pace.measured if alive else 0.0
        self._time_scale.publish(Float64(data=scale))
        mode = twin.mode if alive else Mode.OFF
        self._publisher.status(twin.now, mode, WORDS[mode])
        patience = self._patience
        words = f"{WORDS[mode]}; {_NOT_WAITED}" if patience.lost else WORDS[mode]
        level = ros.Diagnostics.WARN if mode is Mode.STOPPING or patience.lost else ros.Diagnostics.OK
        self._diagnostics.update(
            level,
            words,
            time_scale=f"{scale:.3f}",
            waits_in_vain=patience.exhausted,
            refused_commands=self._refused,
            contacts=twin.plant.data.ncon,
        )


def main() -> None:
    """Run the node."""
    ros.run(TwinNode)
