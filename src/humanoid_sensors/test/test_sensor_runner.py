# SPDX-License-Identifier: Apache-2.0
"""A device that does not come back from a read keeps nobody waiting, and nothing it brings later is taken."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor

from humanoid_sensors.device import Runner
from humanoid_sensors.health import Health


class Stuck:
    """Waits inside `read` until it is released, as a camera's driver waits for a picture."""

    name = "stuck camera"

    def __init__(self) -> None:
        self.inside, self.release = threading.Event(), threading.Event()
        self.opened = self.closed = 0

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Iterable[int]:
        self.inside.set()
        assert self.release.wait(60.0)
        return [self.opened]

    def close(self) -> None:
        self.closed += 1


def until(condition) -> None:
    end = time.monotonic() + 90.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_stop_returns_while_the_device_waits_and_a_new_start_takes_turns():
    device, taken, said = Stuck(), [], []
    runner = Runner(device, taken.append, Health("x"), said.append, patience=0.05)
    runner.start()
    assert device.inside.wait(30.0)
    runner.stop()
    assert not device.release.is_set()
    assert not runner.alive
    assert "left behind" in said[-1]
    device.inside.clear()
    runner.start()
    assert runner.alive
    assert device.opened == 1  # the first has it still
    device.release.set()
    until(lambda: taken)
    assert taken[0] == 2  # what the first brought late was left out
    assert device.closed >= 1
    runner.stop()
    assert not runner.alive


def test_a_node_whose_camera_is_silent_ends_when_it_is_told_to(ros_domain):
    """A network camera that takes the connection and says nothing: FFmpeg waits 5 s for it, the node does not."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        url = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x"
        words = {"device": "silent camera", "camera": "head", "source": "rtsp", "url": url, "frame": "head_optical"}
        given = [word for name, value in words.items() for word in ("-p", f"{name}:={value}")]
        code = "from humanoid_sensors.camera_node import main; main()"
        command = [sys.executable, "-c", code, "--ros-args", "-r", "__node:=camera", *given]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            activate(ros_domain)
            connection, _ = listener.accept()  # its thread waits now
            with connection:
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=60.0)
            assert process.returncode == 0
            assert "still waits for the device; its thread is left behind" in said  # and it did not wait for that
        finally:
            process.kill()


def activate(domain: int) -> None:
    """Configure and activate the node `camera`."""
    context = rclpy.Context()
    context.init(domain_id=domain)
    executor = SingleThreadedExecutor(context=context)
    node = rclpy.create_node("starter", context=context)
    executor.add_node(node)
    client = node.create_client(ChangeState, "/camera/change_state")
    until(lambda: (executor.spin_once(timeout_sec=0.05), client.service_is_ready())[1])
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        request = ChangeState.Request()
        request.transition.id = transition
        answer = client.call_async(request)
        until(lambda answer=answer: (executor.spin_once(timeout_sec=0.05), answer.done())[1])
        assert answer.result().success
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
