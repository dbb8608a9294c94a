# SPDX-License-Identifier: Apache-2.0
"""Operator device: a VR headset through its browser: serves the page, publishes operator/frame, shows the camera."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from humanoid_core import convert, endpoints, ros
from humanoid_core.config import build
from humanoid_core.page_server import invite
from humanoid_core.pairing import Pairing
from humanoid_core.two_way import Estimate
from humanoid_interfaces.msg import EpisodeStatus, SafetyStatus, StageTrace, TeleopStatus
from humanoid_teleop import operator_messages
from humanoid_teleop.webxr.server import HeadsetServer
from humanoid_teleop.webxr.session import HeadsetSession, SessionSettings

OUTCOMES = {"success": EpisodeStatus.SUCCESS, "failure": EpisodeStatus.FAILURE, "unsure": EpisodeStatus.UNSURE}
SAFETY_STATES = ("hold", "active", "soft stop", "emergency stop")
TELEOP_STATES = ("waiting", "calibrating", "ready", "engaged", "holding")
RECORDER_STATES = ("idle", "recording", "finalising", "error")


class WebxrNode(Node):
    """Turns what a paired headset sends into operator frames, and its buttons into service calls."""

    def __init__(self) -> None:
        super().__init__("webxr")
        # Parameters
        host = ros.required(self, "host", "Address to listen on; 0.0.0.0 lets headsets in", kind=str)
        self._port = ros.required(self, "port", "Port to listen on; 0 takes a free one", 0, 65535, kind=int)
        folder = ros.required(self, "folder", "Of certificate and pairings; empty: webxr in ROS_HOME", kind=str)
        cameras = ros.required(self, "cameras", "Cameras shown: one for both eyes, or left and right", kind=list)
        self._task = ros.required(self, "task", "Task of episodes that the headset starts", kind=str)
        self._instruction = ros.required(self, "instruction", "What the robot is told in them", kind=str)
        labels = ros.required(self, "labels", "Labels on offer as buttons", kind=list)
        grip = ros.required(
            self, "grip_to_wrist", "From a controller's grip back to the wrist [m]", 0.0, 0.3, kind=float
        )
        oldest = ros.required(self, "oldest", "Packets on their way for longer are dropped [s]", 0.01, 10.0, kind=float)
        trace = ros.required(self, "trace", "Publish when each frame was sent", kind=bool)
        # State
        self._session = HeadsetSession(build(SessionSettings, {"grip_to_wrist": grip, "oldest": oldest}, "webxr"))
        self._stamps = ros.Forward(self)
        self._last_arrival = 0
        self._frames_before = self._count = 0
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._traces = ros.publisher(self, endpoints.TRACE) if trace else None
        self._diagnostics = ros.Diagnostics(self)
        names = ("RECORDER_START", "RECORDER_STOP", "RECORDER_ANNOTATE", "SAFETY_ENGAGE", "SAFETY_STOP", "SAFETY_RESET")
        self._callable = {name: ros.client(self, getattr(endpoints, name)) for name in names}
        home = Path(folder) if folder else Path(os.environ.get("ROS_HOME", Path.home() / ".ros")) / "webxr"
        self._server = None
        pairing = Pairing(home / "pairings.json", self._announce)
        self._server = HeadsetServer(host, self._port, home, pairing, self)
        self._port = self._server.port
        self._announce(pairing.code)
        self._server.set_status(cameras=list(cameras), labels=list(labels))
        # Inputs
        for eye, camera in enumerate(cameras[:2]):
            topic = endpoints.CAMERA_COLOR_COMPRESSED.at(camera=camera)
            ros.subscribe(self, topic, self._picture_taker(eye), depth=1, reliable=False)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        ros.subscribe(self, endpoints.TELEOP_STATUS, self._on_teleop, depth=1)
        ros.subscribe(self, endpoints.RECORDER_STATUS, self._on_recorder)
        self.create_timer(0.5, self._on_timer, clock=ros.steady_clock())

    def destroy_node(self) -> None:
        """Close the connections, then the node."""
        if self._server:
            self._server.stop()
        super().destroy_node()

    def _announce(self, code: str) -> None:
        if not self._server:
            return  # not listening yet
        self.get_logger().info(f"headset: open {invite(self._port, code)} and type {code}, or scan this")

    # --- what the server tells, in its thread ---

    def connected(self) -> None:
        """An operator takes the controls."""
        self._session.connect()
        self.get_logger().info("an operator takes the controls")

    def packet(self, data: bytes, arrival: int, clock: Estimate | None) -> None:
        """Publish the frame of a packet."""
        self._last_arrival = arrival
        frame = self._session.feed(data, arrival, clock)
        if frame is None:
            return
        frame.stamp = self.get_clock().now().nanoseconds - (time.time_ns() - frame.stamp)
        if not self._stamps.passes(frame.stamp):  # simulated time runs slower than the headset
            return
        self._frames.publish(operator_messages.to_message(frame))
        self._count += 1
        if self._traces is not None:
            message = StageTrace(stage="device", source_stamp=convert.to_stamp(frame.stamp))
            message.received, message.header.stamp = convert.to_stamp(arrival), convert.to_stamp(time.time_ns())
            self._traces.publish(message)

    def disconnected(self, reason: str) -> None:
        """Say at once that nobody holds the dead-man."""
        frame = self._session.farewell(max(self._stamps.last + 1, self.get_clock().now().nanoseconds))
        self._stamps.passes(frame.stamp)
        self._frames.publish(operator_messages.to_message(frame))
        self.get_logger().warning(f"the operator is gone: {reason}")

    def command(self, name: str, arguments: dict[str, Any], answer: Callable[[bool, str], None]) -> None:
        """Do what a button asks for."""
        if name == "recentre":
            self._session.recentre()
            answer(True, "")
        elif name == "engage":
            self._call("SAFETY_ENGAGE", answer, data=True)
        elif name in ("stop", "reset"):
            self._call(f"SAFETY_{name.upper()}", answer)
        elif name == "record":
            self._call("RECORDER_START", answer, task=self._task, instruction=self._instruction)
        elif name in OUTCOMES:
            self._call("RECORDER_STOP", answer, outcome=OUTCOMES[name])
        elif name == "annotate":
            client = self._callable["RECORDER_ANNOTATE"]
            request = client.srv_type.Request()
            request.annotation.header.stamp = self.get_clock().now().to_msg()
            request.annotation.label = str(arguments["label"])[:200]
            request.annotation.tool = "webxr"
            self._send("RECORDER_ANNOTATE", request, answer)
        else:
            answer(False, f"there is no command {name[:40]}")

    def _call(self, name: str, answer: Callable[[bool, str], None], **fields: Any) -> None:
        self._send(name, self._callable[name].srv_type.Request(**fields), answer)

    def _send(self, name: str, request: Any, answer: Callable[[bool, str], None]) -> None:
        client, endpoint = self._callable[name], getattr(endpoints, name)
        if not client.service_is_ready():
            answer(False, f"nobody offers {endpoint.name}")
            return
        client.call_async(request).add_done_callback(
            lambda future: answer(future.result().success, future.result().message)
        )

    # --- what the robot tells ---

    def _picture_taker(self, eye: int) -> Callable[[CompressedImage], None]:
        def take(message: CompressedImage) -> None:
            if self._server and self._server.clients and "jpeg" in message.format:
                self._server.set_picture(eye, bytes(message.data))

        return take

    def _tell(self, **values: Any) -> None:
        if self._server:
            self._server.set_status(**values)

    def _on_safety(self, status: SafetyStatus) -> None:
        self._tell(safety=SAFETY_STATES[status.state], reasons=list(status.reasons)[:3])

    def _on_teleop(self, status: TeleopStatus) -> None:
        errors = {error.name: round(error.position * 1e3) for error in status.errors if math.isfinite(error.position)}
        self._tell(teleop=TELEOP_STATES[status.state], teleop_message=status.message, errors=errors)

    def _on_recorder(self, status: EpisodeStatus) -> None:
        self._tell(
            recorder=RECORDER_STATES[status.state], duration=round(status.duration, 1), episode=status.episode_id
        )

    def _on_timer(self) -> None:
        assert self._server
        clock, rate = self._server.clock, (self._count - self._frames_before) / 0.5
        self._frames_before = self._count
        clock_ms = {} if clock is None else {"offset": clock.offset * 1e-6, "uncertainty": clock.uncertainty * 1e-6}
        self._tell(rate=rate, dropped=self._session.dropped, clock=clock_ms)
        asleep = clock is not None and time.time_ns() - self._last_arrival > 500_000_000
        level = ros.Diagnostics.WARN if asleep else ros.Diagnostics.OK
        message = "nobody drives" if clock is None else "the headset is silent" if asleep else "driving"
        self._diagnostics.update(
            level,
            message,
            clients=self._server.clients,
            rate=rate,
            dropped=self._session.dropped,
            **{f"clock_{key}_ms": f"{value:.3f}" for key, value in clock_ms.items()},
        )


def main() -> None:
    """Run the node."""
    ros.run(WebxrNode)
