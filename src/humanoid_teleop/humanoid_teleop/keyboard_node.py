# SPDX-License-Identifier: Apache-2.0
"""A terminal's keyboard as a joystick: operator/joy, as the driver of a joystick would publish it."""

from __future__ import annotations

import sys
import time

from rclpy.node import Node
from sensor_msgs.msg import Joy

from humanoid_core import endpoints, ros
from humanoid_teleop.devices.keyboard import HELP, Keyboard, Terminal, keys


class KeyboardNode(Node):
    """Publishes what is held at a steady rate, and shows it."""

    def __init__(self) -> None:
        super().__init__("keyboard")
        # Parameters
        first = ros.optional(self, "first", 0.7, "Longer than until the terminal repeats a key [s]", 0.05, 2.0)
        again = ros.optional(self, "again", 0.15, "Longer than between two repetitions [s]", 0.02, 1.0)
        rate = ros.optional(self, "rate", 50.0, "Messages per second [Hz]", 10.0, 200.0)
        # State
        self._keyboard = Keyboard(first, again)
        self._terminal = Terminal(sys.stdin.fileno())
        self._shown = ""
        # Outputs
        self._joy = ros.publisher(self, endpoints.OPERATOR_JOY)
        self.create_timer(1.0 / rate, self._on_timer, clock=ros.steady_clock())
        print(HELP, flush=True)

    def destroy_node(self) -> None:
        """Give the terminal back, then the node."""
        self._terminal.close()
        super().destroy_node()

    def _on_timer(self) -> None:
        now = time.monotonic()
        for key in keys(self._terminal.read()):
            self._keyboard.press(key, now)
        message = Joy()
        message.header.stamp = self.get_clock().now().to_msg()
        message.axes, message.buttons = self._keyboard.joy(now)
        self._joy.publish(message)
        line = f"{self._keyboard.speed:4.0%} of the speed   {self._keyboard.held(now).strip() or '-':8}"
        if line != self._shown:
            self._shown = line
            print(f"\r{line}", end="", flush=True)


def main() -> None:
    """Run the node."""
    ros.run(KeyboardNode)
