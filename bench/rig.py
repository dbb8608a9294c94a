# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes of their own, on a ROS domain of their own, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool

from bench.report import BenchError
from humanoid_core import endpoints, ros
from humanoid_interfaces.msg import CommandStatus, SafetyStatus

REPOSITORY = Path(__file__).parents[1]
ROBOT_CONFIG = REPOSITORY / "config" / "robots" / "unitree_g1.yaml"


class Rig:
    """Starts processes, engages the limiter, watches, and stops everything at the end.

    Args:
        commands: By name: arguments after `python`, without those of ROS; and further parameters.
        domain: ROS domain.
    """

    def __init__(self, commands: dict[str, list[str]], domain: int) -> None:
        self._environment = {
            **os.environ,
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        os.environ.update(self._environment)
        self._commands = commands
        self.processes: dict[str, psutil.Popen] = {}

    def __enter__(self) -> Rig:
        rclpy.init()
        self.node = Node("bench")
        self.commanding = ""
        self._stopped: list[str] = []  # why the limiter stopped last
        ros.subscribe(self.node, endpoints.COMMAND_STATUS, self._on_command_status)
        ros.subscribe(self.node, endpoints.SAFETY_STATUS, self._on_safety_status)
        self._engage = ros.client(self.node, endpoints.SAFETY_ENGAGE)
        self._executor = EventsExecutor()
        self._executor.add_node(self.node)
        for name in self._commands:
            self.start(name)
        return self

    def start(self, name: str) -> None:
        """Start a process; again, if it was killed."""
        command = [sys.executable, *self._commands[name]]
        self.processes[name] = psutil.Popen(
            command, env=self._environment, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
        )

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.processes.pop(name)
        process.kill()
        process.communicate()

    def _on_command_status(self, message: CommandStatus) -> None:
        self.commanding = message.active

    def _on_safety_status(self, message: SafetyStatus) -> None:
        if message.state != SafetyStatus.ACTIVE:
            self._stopped = list(message.reasons)

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 60.0) -> None:
        """Take messages until something is so.

        Raises:
            BenchError: it was not so in time, or a process ended.
        """
        end = time.monotonic() + seconds
        while not condition():
            self.spin(0.02)
            if time.monotonic() > end:
                raise BenchError(f"{what}: not after {seconds:.0f} s")

    def check_commanding(self, source: str) -> None:
        """Make sure that a source still commands.

        Raises:
            BenchError: it does not, and why.
        """
        if self.commanding != source:
            load = os.getloadavg()[0]
            raise BenchError(f"the limiter stopped meanwhile ({'; '.join(self._stopped)}); the load is {load:.1f}")

    def engage(self, source: str, seconds: float = 90.0) -> None:
        """Engage the limiter, and wait until a source commands.

        Raises:
            BenchError: it did not happen in time, or a process ended.
        """
        end, asked, answer = time.monotonic() + seconds, 0.0, "safety/engage is not there"
        while self.commanding != source:
            self.spin(0.1)
            if time.monotonic() > end:
                raise BenchError(f"{source} does not command after {seconds:.0f} s: {answer}")
            if self._engage.service_is_ready() and time.monotonic() - asked > 1.0:
                asked = time.monotonic()
                future = self._engage.call_async(SetBool.Request(data=True))
                self.spin(0.3)
                answer = future.result().message if future.done() else "no answer"

    def spin(self, seconds: float) -> None:
        """Take messages for a while.

        Raises:
            BenchError: a process ended.
        """
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=min(left, 0.1))
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise BenchError(f"{name} ended with {process.returncode}: {process.stderr.read()[-500:]}")

    def until_heard(self, topic: str, seconds: float = 60.0) -> None:
        """Wait until somebody publishes a topic and somebody else listens to it.

        Raises:
            BenchError: it did not happen in time, or a process ended.
        """
        self.until(
            lambda: self.node.count_publishers(topic) and self.node.count_subscribers(topic),
            f"{topic} with somebody who publishes and somebody who hears it",
            seconds,
        )

    def cpu(self) -> dict[str, float]:
        """CPU time so far by process [s]."""
        times = {name: process.cpu_times() for name, process in self.processes.items()}
        return {name: value.user + value.system for name, value in times.items()}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(2)
        for process in self.processes.values():
            try:
                process.communicate(timeout=5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self.node.destroy_node()
        rclpy.try_shutdown()


def node(module: str, *parameters: str, config: str = "") -> list[str]:
    """Arguments after `python` that run a package's node as its executable would."""
    arguments = ["--ros-args", *(["--params-file", config] if config else [])]
    for parameter in parameters:
        arguments += ["-p", parameter]
    return ["-c", f"from {module} import main; main()", *arguments]
