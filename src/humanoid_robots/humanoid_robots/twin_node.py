# SPDX-License-Identifier: Apache-2.0
"""The MuJoCo twin: joint_commands in; joint states, sensors, scene, tf and /clock out."""

from __future__ import annotations

import dataclasses
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from geometry_msgs.msg import TwistStamped
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

import humanoid_description
from humanoid_core import config, convert, endpoints, ros
from humanoid_core.errors import HumanoidError, MessageError
from humanoid_robots import imperfections, scene
from humanoid_robots.loop import SimulationLoop
from humanoid_robots.readings import ImageReading, Reading
from humanoid_robots.rendering import RenderThread
from humanoid_robots.servo import WORDS, Mode
from humanoid_robots.settings import Settings
from humanoid_robots.twin import Twin
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
        self._flaws = imperfections.load() if settings.imperfections else None
        self._images = RenderThread(
            self._on_image,
            settings.render_backlog,
            settings.shadows,
            imperfections.ImageSpoiler(self._flaws, settings.seed) if self._flaws is not None else None,
            self._flaws.camera.blur if self._flaws is not None else 1,
        )
        self._twin: Twin | None = None
        self._publisher: TwinPublisher | None = None
        self._loop = SimulationLoop(settings, self._on_clock, self._on_reading, self._on_lost, self._on_failure)
        self._refused = 0
        # Outputs and inputs
        self._time_scale = ros.publisher(self, endpoints.TIME_SCALE)
        self._diagnostics: ros.Diagnostics | None = None
        ros.subscribe(self, endpoints.JOINT_COMMANDS, self._on_command, depth=1)
        ros.subscribe(self, endpoints.CMD_VEL, self._on_cmd_vel, depth=1)
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
            self._twin = Twin(robot, place, job, self._settings, self._images, self._flaws)
            self._publisher = TwinPublisher(self, self._twin)
        except HumanoidError as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        self._diagnostics = self._diagnostics or ros.Diagnostics(self, robot.config.name)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self._twin is not None
        self._loop.start(self._twin)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._loop.halt()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._loop.halt()
        if self._twin is not None:
            self._twin.close(discard=True)
        self._twin = self._publisher = None
        return super().on_cleanup(state)

    def destroy_node(self) -> None:
        """End the threads first: they publish."""
        self._loop.halt()
        if self._twin is not None:
            self._twin.close(discard=True)
        super().destroy_node()

    # --- called from the thread of the simulation ---

    def _on_clock(self, now: int) -> None:
        assert self._publisher is not None
        self._publisher.clock(now)

    def _on_reading(self, reading: Reading) -> None:
        assert self._publisher is not None
        self._publisher.publish(reading)

    def _on_lost(self) -> None:
        self.get_logger().warning(f"joint_commands kept time waiting too long: {_NOT_WAITED}")

    def _on_failure(self, error: Exception) -> None:
        if self.context.ok():  # a signal may have closed it under a publisher
            self.get_logger().fatal(f"{type(error).__name__}: {error}")
            os.kill(os.getpid(), signal.SIGINT)

    def _apply(self, message: JointState | TwistStamped) -> None:
        assert self._twin is not None
        try:
            if isinstance(message, JointState):
                self._twin.command(message.name, message.position, message.velocity, message.effort)
            else:
                twist = message.twist
                self._twin.move_base((twist.linear.x, twist.linear.y, twist.angular.z))
        except MessageError as error:
            self._refused += 1
            self.get_logger().error(f"refused: {error}", throttle_duration_sec=1.0)

    def _on_image(self, reading: ImageReading) -> None:
        """Called in the rendering thread: it encodes, and the loop publishes when the camera would have."""
        if self._publisher is not None:
            latency = self._flaws.camera.latency if self._flaws is not None else 0.0
            self._loop.at(reading.stamp + round(1e9 * latency), self._publisher.encoded(reading))

    # --- inputs and reports, in the executor's thread ---

    def _on_command(self, message: JointState) -> None:
        self._loop.command("joint_commands", partial(self._apply, message))
        if self._twin is not None:
            self._loop.patience.command(convert.stamp_ns(message.header.stamp), self._twin.now)

    def _on_cmd_vel(self, message: TwistStamped) -> None:
        self._loop.command("cmd_vel", partial(self._apply, message))

    def _on_reset(self, request: Any, response: Any) -> Any:
        if self._twin is None or not self._loop.alive:
            response.success, response.message = False, "the twin is not active"
            return response
        twin, file = self._twin, self._scene_file
        if request.scene:
            file = file.with_name(f"{request.scene}.yaml")

        def reset() -> None:
            try:
                twin.reset(*scene.load_with_task(file), request.seed)
                self._scene_file = file
                response.success, response.message = True, f"{file.stem}, seed {request.seed}"
            except HumanoidError as error:
                response.success, response.message = False, str(error)

        self._loop.do(reset)
        return response

    def _report(self) -> None:
        twin = self._twin
        if twin is None or self._publisher is None or self._diagnostics is None:
            return
        scale = self._loop.speed
        self._time_scale.publish(Float64(data=scale))
        mode = twin.mode if self._loop.alive else Mode.OFF
        self._publisher.status(twin.now, mode, WORDS[mode])
        patience = self._loop.patience
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
