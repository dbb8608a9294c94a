# SPDX-License-Identifier: Apache-2.0
"""A real robot behind joint_commands: the driver that config/drivers/<robot>.yaml names."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

import humanoid_description
from humanoid_core import endpoints, ros
from humanoid_core.errors import ConfigError, HumanoidError, MessageError
from humanoid_robots.driver_goals import GoalSender
from humanoid_robots.driver_publishing import DriverPublisher
from humanoid_robots.drivers import settings
from humanoid_robots.drivers.driver import Driver, Input
from humanoid_robots.servo import Mode

_STATES = 1  # only the newest counts
_COMMANDS = 10


class DriverNode(LifecycleNode):
    """Configure reads the robot's states, activate lets it follow joint_commands, deactivate hands it back."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("driver", **arguments)
        self._robot_file = ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str)
        self._urdf = ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's")
        self._file = ros.required(self, "driver_config", "Driver of the robot (YAML)", kind=str)
        self._driver: Driver | None = None
        self._publisher: DriverPublisher | None = None
        self._senders: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._timer: Any = None
        self._active = False
        self._refused = self._unusable = self._received = self._sent = 0
        self._last_refusal = ""
        self._since = time.monotonic()
        self._diagnostics: ros.Diagnostics | None = None
        ros.subscribe(self, endpoints.JOINT_COMMANDS, self._on_command, depth=1)
        self.create_timer(0.5, self._report, clock=ros.steady_clock())

    # --- lifecycle ---

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            robot = humanoid_description.load(self._robot_file, self._urdf)
            read = settings.load(self._file)
            driver = settings.make(read, robot, self._file)
            ours = self.resolve_topic_name(endpoints.JOINT_STATES.name)
            if ours in (one.topic for one in driver.inputs):
                raise ConfigError(self.get_name(), "namespace", f"{ours} both ways", "a namespace: robot_name:=...")
        except HumanoidError as error:
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        self._driver, self._publisher = driver, DriverPublisher(self, robot.config, driver)
        self._diagnostics = self._diagnostics or ros.Diagnostics(self, robot.config.name)
        profile = QoSProfile(depth=_STATES, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._inputs = [
            self.create_subscription(
                ros.message_type(one.type), one.topic, partial(self._on_message, one), profile, raw=True
            )
            for one in driver.inputs
        ]
        self._senders = {
            topic: GoalSender(self, topic, partial(self._on_trouble, topic))
            if "/action/" in kind
            else self.create_publisher(ros.message_type(kind), topic, QoSProfile(depth=_COMMANDS))
            for topic, kind in driver.outputs.items()
        }
        self._timer = self.create_timer(1.0 / read.rate, self._step, clock=ros.steady_clock())
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        assert self._driver is not None
        self._driver.resume()
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._hand_back()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._leave()
        return super().on_cleanup(state)

    def destroy_node(self) -> None:
        """Hand the robot back before the program ends."""
        self._leave()
        super().destroy_node()

    def _hand_back(self) -> None:
        """Begin to; the timer goes on until it is done."""
        self._active = False
        if self._driver is not None:
            self._driver.release()

    def _leave(self) -> None:
        """Hand back here and now: no callback comes any more."""
        driver = self._driver
        if driver is None:
            return
        period = 1e-9 * self._timer.timer_period_ns
        self.destroy_timer(self._timer)
        driver.release(unseen=True)
        while not driver.released and self.context.ok():
            self._step()
            time.sleep(period)
        for one in (*self._inputs, *self._senders.values()):
            one.destroy()
        self._inputs, self._senders, self._driver, self._publisher = [], {}, None, None

    # --- messages ---

    def _on_message(self, source: Input, message: bytes) -> None:
        assert self._publisher is not None
        stamp = self.get_clock().now()
        try:
            readings = source.take(message, time.monotonic_ns())
        except MessageError as error:
            self._unusable += 1
            self.get_logger().error(f"{source.topic}: {error}", throttle_duration_sec=1.0)
            return
        self._received += 1
        self._publisher.publish(stamp.to_msg(), readings)

    def _on_command(self, message: JointState) -> None:
        if self._driver is None or not self._active:
            return
        try:
            refusals = self._driver.command(
                time.monotonic_ns(), message.name, message.position, message.velocity, message.effort
            )
        except MessageError as error:
            refusals = [str(error)]
        if refusals:
            self._refused += 1
            self._last_refusal = "; ".join(refusals)
            self.get_logger().error(f"refused: {self._last_refusal}", throttle_duration_sec=1.0)

    def _on_trouble(self, output: str, reason: str) -> None:
        if self._driver is not None:
            self._driver.trouble(output, reason, time.monotonic_ns())

    def _step(self) -> None:
        if self._driver is None:
            return
        for topic, message in self._driver.messages(time.monotonic_ns()):
            self._senders[topic].publish(message)
            self._sent += 1

    def _report(self) -> None:
        driver = self._driver
        if driver is None or self._publisher is None or self._diagnostics is None:
            return
        now = time.monotonic()
        period, self._since = now - self._since, now
        mode, words = driver.mode, driver.words
        self._publisher.status(self.get_clock().now().to_msg(), mode, words)
        senders = self._senders.items()
        unheard = [f"nobody takes {topic}" for topic, sender in senders if not sender.get_subscription_count()]
        fine = mode in (Mode.FOLLOWING, Mode.IDLE) and not driver.health.faults and not unheard
        level = ros.Diagnostics.OK if fine else ros.Diagnostics.WARN
        self._diagnostics.update(
            ros.Diagnostics.ERROR if mode is Mode.FAULT else level,
            "; ".join([words, *driver.health.faults, *unheard]),
            states_hz=f"{self._received / period:.0f}",
            commands_hz=f"{self._sent / period:.0f}",
            states_lost=self._publisher.lost,
            unusable_messages=self._unusable,
            refused_commands=self._refused,
            last_refusal=self._last_refusal,
            share=f"{max(follower.share for follower in driver.followers.values()):.2f}",
        )
        self._received = self._sent = 0


def main() -> None:
    """Run the node."""
    ros.run(DriverNode)
