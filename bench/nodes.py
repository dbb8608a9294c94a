# SPDX-License-Identifier: Apache-2.0
"""What stands around the measured nodes: an operator, a source of joint targets, a robot without dynamics.

`python -m bench.nodes operator|targets|robot --ros-args -p robot_config:=...`
"""

from __future__ import annotations

import sys
import time

import numpy as np
from rclpy.node import Node

from bench import motion
from humanoid_core import convert, endpoints, ros
from humanoid_core.taps import Inbox
from humanoid_description import load
from humanoid_interfaces.msg import OperatorFrame, OperatorHand, StageTrace
from humanoid_safety.command_message import CommandSerializer
from humanoid_safety.gate import Command
from humanoid_safety.joint_state_reader import JointStateReader
from humanoid_teleop import operator_messages


class OperatorNode(Node):
    """Publishes the synthetic person at a rate; frames are made beforehand, so that only sending costs."""

    def __init__(self) -> None:
        super().__init__("operator")
        rate = ros.optional(self, "rate", 250.0, "Frames per second [Hz]", 1.0, 1000.0)
        count = round(motion.CYCLE * rate)
        self._frames = [operator_messages.to_message(motion.person(i / rate)) for i in range(count)]
        self._sequence = 0
        self._publisher = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._trace = ros.publisher(self, endpoints.TRACE)
        self.create_timer(1.0 / rate, self._on_timer, clock=ros.steady_clock())

    def _on_timer(self) -> None:
        taken = time.time_ns()
        frame = self._frames[self._sequence % len(self._frames)]
        frame.header.stamp = convert.to_stamp(taken)
        frame.sequence = self._sequence
        self._sequence += 1
        self._publisher.publish(frame)
        trace = StageTrace(stage="device", source_stamp=frame.header.stamp, received=frame.header.stamp)
        trace.header.stamp = convert.to_stamp(time.time_ns())
        self._trace.publish(trace)


class TargetsNode(Node):
    """Publishes slow sines of all joints that may be commanded, and frames that hold the dead-man."""

    def __init__(self) -> None:
        super().__init__("targets")
        robot = load(ros.required(self, "robot_config", "Robot configuration", kind=str))
        rate = ros.optional(self, "rate", 250.0, "Targets per second [Hz]", 1.0, 1000.0)
        joints = robot.group(*robot.config.commanded)
        limits = robot.limits(joints)
        self._middle = np.clip(robot.home()[robot.index(joints)], limits.lower + 0.1, limits.upper - 0.1)
        self._frame = OperatorFrame(left_hand=OperatorHand(engaged=True))
        self._joints, self._serializer = list(joints), CommandSerializer()
        self._targets = ros.publisher(self, endpoints.JOINT_TARGETS.at(source="teleop"))
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self.create_timer(1.0 / rate, self._on_timer, clock=ros.steady_clock())

    def _on_timer(self) -> None:
        now = time.time_ns()
        position = self._middle + 0.1 * np.sin(2.0 * (now % 10**12) * 1e-9 + np.arange(len(self._middle)))
        self._frame.header.stamp = convert.to_stamp(now)
        self._frames.publish(self._frame)
        command = Command(now, self._joints, position, np.zeros_like(position), "", ())
        self._targets.publish(self._serializer.serialize(command))


class RobotNode(Node):
    """Is at once where it is commanded to be, and says so."""

    def __init__(self) -> None:
        super().__init__("robot")
        robot = load(ros.required(self, "robot_config", "Robot configuration", kind=str))
        joints = robot.group(*robot.config.commanded)
        limits = robot.limits(joints)
        self._q = robot.home()
        self._q[robot.index(joints)] = np.clip(self._q[robot.index(joints)], limits.lower + 0.1, limits.upper - 0.1)
        self._robot, self._index = robot, np.zeros(0, dtype=int)
        self._names: list[str] = []
        self._joints, self._serializer = list(robot.joints), CommandSerializer()
        self._states = ros.publisher(self, endpoints.JOINT_STATES)
        self._take_commands = Inbox(self).add(endpoints.JOINT_COMMANDS, depth=1)
        self._commands = JointStateReader("joint_commands")
        self.create_timer(1.0 / robot.config.joint_state_rate, self._on_timer, clock=ros.steady_clock())

    def _on_timer(self) -> None:
        for message in self._take_commands():
            _, names, position = self._commands.read(message)
            if names != self._names:
                self._names, self._index = names, self._robot.index(names)
            self._q[self._index] = position
        states = Command(time.time_ns(), self._joints, self._q, np.zeros_like(self._q), "", ())
        self._states.publish(self._serializer.serialize(states))


NODES = {"operator": OperatorNode, "targets": TargetsNode, "robot": RobotNode}

if __name__ == "__main__":
    ros.run(NODES[sys.argv[1]], sys.argv)
