# SPDX-License-Identifier: Apache-2.0
"""A running system under test: the launch files that users run, and a node of the test's own to talk to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import rclpy
from rclpy.node import Node

from humanoid_core import ros
from humanoid_core.endpoints import Endpoint

DEADLINE = 120.0  # [s] for anything to happen on a slow, busy machine


class Cell:
    """A launch file, running.

    Attributes:
        output: Lines that the launch has printed so far.
        node: The test's own node, in the robot's namespace.
    """

    def __init__(self, launch_file: str, arguments: dict[str, Any], namespace: str) -> None:
        words = [f"{name}:={value}" for name, value in arguments.items()]
        self.output: list[str] = []
        self._process = subprocess.Popen(
            ["ros2", "launch", "humanoid_bringup", launch_file, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._context = rclpy.Context()
        self._context.init(domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        self.node = Node("observer", namespace=namespace, context=self._context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.output.append(line.rstrip())

    def until(self, condition: Callable[[], Any], what: str, deadline: float = DEADLINE) -> Any:
        """Turn the test's node until the condition gives something true; that is returned."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.05)
            answer = condition()
            if answer:
                return answer
            if self._process.poll() is not None:
                break
        tail = "\n".join(self.output[-60:])
        raise AssertionError(f"{what}: not within {deadline} s (launch {self._process.poll()}). Its output:\n{tail}")

    def collect(self, endpoint: Endpoint) -> list[Any]:
        """Messages of a topic from now on; the list grows."""
        messages: list[Any] = []
        ros.subscribe(self.node, endpoint, messages.append)
        return messages

    def message(self, endpoint: Endpoint, fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first message that fits."""
        fitting: list[Any] = []
        subscription = ros.subscribe(self.node, endpoint, lambda m: fitting.append(m) if fits(m) else None)
        try:
            return self.until(lambda: fitting, f"a fitting message on {endpoint.name}")[0]
        finally:
            self.node.destroy_subscription(subscription)

    def call(self, endpoint: Endpoint, **fields: Any) -> Any:
        """Call a service and give its answer."""
        client = ros.client(self.node, endpoint)
        self.until(client.service_is_ready, f"service {endpoint.name}")
        future = client.call_async(ros.message_type(endpoint.type).Request(**fields))
        self.until(future.done, f"answer of {endpoint.name}")
        return future.result()

    def printed(self, pattern: str) -> str:
        """The first line of output that the pattern is found in."""
        return self.until(
            lambda: next((x for x in list(self.output) if re.search(pattern, x)), None), f"output {pattern}"
        )

    def wait(self, deadline: float) -> int:
        """Until the launch ends by itself."""
        end = time.monotonic() + deadline
        while self._process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError("the launch does not end. Its output:\n" + "\n".join(self.output[-60:]))
            self._executor.spin_once(timeout_sec=0.1)
        self._reader.join(5.0)
        return self._process.returncode

    def stop(self) -> int:
        """SIGINT as from a terminal, then wait for the end.

        Returns:
            The launch's exit status.
        """
        try:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGINT)
            return self._process.wait(30.0)
        except subprocess.TimeoutExpired:
            raise AssertionError("the launch ignores SIGINT. Its output:\n" + "\n".join(self.output[-60:])) from None
        finally:
            # Nothing of the session may live on, whatever went wrong.
            subprocess.run(["pkill", "-KILL", "-s", str(self._process.pid)], check=False)
            self._reader.join(5.0)
            self._executor.shutdown()
            self.node.destroy_node()
            self._context.try_shutdown()

    def deaths(self) -> list[str]:
        """Processes that ended with an error before anybody told them to."""
        return [line for line in self.output if "process has died" in line]


@pytest.fixture(scope="module")
def cell(ros_domain: int) -> Callable[..., Any]:
    """`with cell("robot.launch.py", robot_name="g1", ...) as running:`"""

    @contextmanager
    def start(launch_file: str, namespace: str = "/unitree_g1", **arguments: Any) -> Iterator[Cell]:
        running = Cell(launch_file, arguments, namespace)
        try:
            yield running
        finally:
            running.stop()

    return start
