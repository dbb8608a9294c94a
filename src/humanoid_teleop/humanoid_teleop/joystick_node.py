# SPDX-License-Identifier: Apache-2.0
"""Operator device: a joystick for base, lift and head: cmd_vel_targets/teleop and operator/frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError, MessageError
from humanoid_description.sources import share_folders
from humanoid_interfaces.msg import OperatorFrame
from humanoid_teleop import operator_messages
from humanoid_teleop.devices.joystick import Joystick, Motion, load_gamepad

# What the joystick is: the operator's only device; a second one for base and lift; the sticks that the first one has.
OPERATOR, BESIDE, STICKS = ROLES = ("operator", "beside", "sticks")


class JoystickNode(Node):
    """Moves on, at a steady rate, while the dead-man is held and the joystick is heard."""

    def __init__(self) -> None:
        super().__init__("joystick")
        # Parameters
        gamepad = ros.required(self, "gamepad", "Make: a name in config/gamepads, or a file", kind=str)
        role = ros.required(self, "role", f"One of {', '.join(ROLES)}", kind=str)
        rate = ros.required(self, "rate", "Velocities and frames per second [Hz]", 10.0, 200.0, kind=float)
        stale = ros.required(self, "stale", "A joystick silent for longer is gone [s]", 0.02, 2.0, kind=float)
        aside = ros.required(self, "head_turn", "How far the head turns to each side [rad]", 0.0, 3.0, kind=float)
        up = ros.required(self, "head_nod", "How far the head looks up and down [rad]", 0.0, 1.5, kind=float)
        if role not in ROLES:
            raise ConfigError("joystick", "role", role, f"one of {', '.join(ROLES)}")
        # State
        self._joystick = Joystick(load_gamepad(_file(gamepad)), stale, (aside, up))
        self._sequence = 0
        self._stamps = ros.Forward(self)
        # Outputs before inputs
        self._velocities = ros.publisher(self, endpoints.CMD_VEL_TARGETS.at(source="teleop"))
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME) if role == OPERATOR else None
        self._engage = ros.client(self, endpoints.SAFETY_ENGAGE)
        self._stop = ros.client(self, endpoints.SAFETY_STOP)
        self._diagnostics = ros.Diagnostics(self)
        if role == STICKS:
            ros.subscribe(self, endpoints.OPERATOR_FRAME, self._on_frame, depth=1)
        else:
            ros.subscribe(self, endpoints.OPERATOR_JOY, lambda joy: self._read(joy.axes, joy.buttons))
        self.create_timer(1.0 / rate, self._on_timer, clock=ros.steady_clock())

    def _on_frame(self, frame: OperatorFrame) -> None:
        hands = frame.left_hand, frame.right_hand
        sticks = [[*hand.axes, 0.0, 0.0][:2] for hand in hands]
        self._read([*sticks[0], *sticks[1]], [int(any(hand.engaged for hand in hands))])

    def _read(self, axes: Sequence[float], buttons: Sequence[int]) -> None:
        try:
            pressed = self._joystick.read(axes, buttons, time.monotonic())
        except MessageError as error:
            self.get_logger().error(str(error), throttle_duration_sec=5.0)
            self._diagnostics.update(ros.Diagnostics.ERROR, str(error))
            return
        if "stop" in pressed:
            self._stop.call_async(Trigger.Request()).add_done_callback(self._say)
        elif "engage" in pressed:
            self._engage.call_async(SetBool.Request(data=True)).add_done_callback(self._say)

    def _say(self, answer: Future) -> None:
        response = answer.result()
        self.get_logger().info(f"limiter: {response.message}" if response else "limiter: no answer")

    def _on_timer(self) -> None:
        motion = self._joystick.motion(time.monotonic())
        stamp = self.get_clock().now().nanoseconds
        if not self._stamps.passes(stamp):
            return
        self._velocities.publish(_velocity(motion, stamp))
        if self._frames is not None:
            frame = self._joystick.frame(motion, stamp, self._sequence)
            self._frames.publish(operator_messages.to_message(frame))
            self._sequence = (self._sequence + 1) % 2**32
        if motion.fresh:
            self._diagnostics.update(ros.Diagnostics.OK, "followed" if motion.held else "hold the dead-man")
        else:
            self._diagnostics.update(ros.Diagnostics.WARN, "no joystick: is its driver running?")


def _velocity(motion: Motion, stamp: int) -> TwistStamped:
    message = TwistStamped()
    message.header.stamp, message.header.frame_id = convert.to_stamp(stamp), "base_link"
    linear = message.twist.linear
    linear.x, linear.y, linear.z, message.twist.angular.z = motion.twist.tolist()
    return message


def _file(name: str) -> Path:
    """File of a gamepad by name or path."""
    folders = [folder / "config" / "gamepads" for folder in share_folders("humanoid_bringup")]
    return next((found for found in (folder / f"{name}.yaml" for folder in folders) if found.exists()), Path(name))


def main() -> None:
    """Run the node."""
    ros.run(JoystickNode)
