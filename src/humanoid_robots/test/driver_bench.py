# SPDX-License-Identifier: Apache-2.0
"""A driver's node, launched as users do, between a fake robot in another process and a commander in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import rclpy
from fake_process import FakeRobot
from rclpy.node import Node

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import RobotStatus

ROBOTS = Path(__file__).resolve().parents[3] / "config" / "robots"
DEADLINE = 120.0


class Bench:
    """Fake robot, driver and the test's own node that commands."""

    def __init__(self, domain: int, robot: str, script: str, driver_file: Path) -> None:
        self.robot = FakeRobot(script, domain)
        self.context = rclpy.Context()
        self.context.init(domain_id=domain)
        self.node = Node("commander", context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.states, self.status = [], []
        ros.subscribe(self.node, endpoints.JOINT_STATES, self.states.append)
        ros.subscribe(self.node, endpoints.ROBOT_STATUS, self.status.append)
        self.publisher = ros.publisher(self.node, endpoints.JOINT_COMMANDS)
        words = ["ros2", "launch", "humanoid_robots", "driver.launch.py", f"robot_config:={ROBOTS / robot}.yaml"]
        self.driver = subprocess.Popen([*words, f"driver_config:={driver_file}"], start_new_session=True)

    def command(self, **joints: float) -> None:
        names = list(joints)
        message = convert.joint_state(self.node.get_clock().now().to_msg(), names, _Floats(joints.values()))
        self.publisher.publish(message)

    def until(self, condition, what: str, **joints: float):
        """Turn, commanding joints meanwhile, until the condition holds."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if joints:
                self.command(**joints)
            self.executor.spin_once(timeout_sec=0.01)
            answer = condition()
            if answer:
                return answer
        raise AssertionError(f"{what}; the driver says {[s.message for s in self.status[-1:]]}")

    def mode(self, wanted: int) -> bool:
        return bool(self.status) and self.status[-1].mode == wanted

    def faulty(self, words: str) -> bool:
        return self.mode(RobotStatus.FAULT) and words in self.status[-1].message

    def close(self) -> None:
        if self.driver.poll() is None:
            os.killpg(self.driver.pid, signal.SIGINT)
            self.driver.wait(30.0)
        self.executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()
        self.robot.stop()


class _Floats(list):
    def tolist(self) -> list[float]:
        return list(map(float, self))
