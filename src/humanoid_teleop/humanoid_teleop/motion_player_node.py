# SPDX-License-Identifier: Apache-2.0
"""Operator device that plays a recorded person, BVH, CSV or a bag: operator/frame."""

from __future__ import annotations

import time
from pathlib import Path

from rclpy.node import Node
from std_srvs.srv import Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import StageTrace
from humanoid_teleop import operator_messages
from humanoid_teleop.recordings import recorded_operator
from humanoid_teleop.recordings.playback import Place, Playback


class MotionPlayerNode(Node):
    """Plays a recording when started, and streams the person standing in its first pose until then."""

    def __init__(self) -> None:
        super().__init__("motion_player")
        # Parameters
        file = ros.required(self, "file", "BVH file, CSV export of Motive, or bag with operator/frame", kind=str)
        skeleton = ros.required(
            self, "skeleton", "Skeleton mapping; empty: the one that fits the file's joints", kind=str
        )
        folder = ros.optional(self, "skeletons", "", "Folder of skeleton mappings; empty: those of humanoid_bringup")
        rate = ros.required(self, "rate", "Frames per second; 0: as the file [Hz]", 0.0, 1000.0, kind=float)
        speed = ros.required(self, "speed", "Seconds of the clip per second", 0.01, 10.0, kind=float)
        start = ros.required(self, "start", "Where in the clip to begin [s]", 0.0, kind=float)
        duration = ros.required(self, "duration", "How much of the clip to play; 0: all [s]", 0.0, kind=float)
        loop = ros.required(self, "loop", "Begin again at the end", kind=bool)
        engage_after = ros.required(
            self, "engage_after", "From the start until the dead-man is held [s]", 0.0, kind=float
        )
        join = ros.required(
            self, "join", "From then until the person moves: the robot joins meanwhile [s]", 0.0, kind=float
        )
        autostart = ros.required(self, "autostart", "Start at once, not when operator/start is called", kind=bool)
        trace = ros.required(self, "trace", "Publish when each frame was sent", kind=bool)
        # State
        self._motion = recorded_operator.load(Path(file), skeleton, folder, start, duration)
        self._playback = Playback(self._motion.duration, speed, loop, engage_after, join)
        self._started: int | None = None  # ROS time [ns]
        self._waiting = autostart
        self._idle = Place(0.0, False, "ready")
        self._sequence = 0
        self._stamps = ros.Forward(self, self._begin_anew)
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._traces = ros.publisher(self, endpoints.TRACE) if trace else None
        self._diagnostics = ros.Diagnostics(self)
        ros.service(self, endpoints.OPERATOR_START, self._on_start)
        ros.service(self, endpoints.OPERATOR_STOP, self._on_stop)
        self.create_timer(1.0 / (rate or speed / self._motion.frame_time), self._on_timer)
        self.get_logger().info(f"{file}: {self._motion.duration:.2f} s at {1.0 / self._motion.frame_time:.1f} Hz")

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._waiting, self._started = True, None
        response.success = True
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._started is not None or self._waiting
        response.message = "" if response.success else "not playing"
        self._waiting, self._started = False, None
        return response

    def _begin_anew(self) -> None:
        self._started = None

    def _on_timer(self) -> None:
        stamp = self.get_clock().now().nanoseconds
        if not self._stamps.passes(stamp):
            return
        if self._waiting and self._frames.get_subscription_count():  # a start that nobody sees engages nobody
            self._waiting, self._started = False, stamp
        place = self._idle
        if self._started is not None:
            place = self._playback.at((stamp - self._started) * 1e-9)
            self._idle = Place(place.time, False, place.phase)
            if place.phase == "finished":
                self._started = None
                self.get_logger().info("finished")
        received = time.time_ns()
        frame = self._motion.at(place.time, stamp, self._sequence, place.engaged)
        self._sequence = (self._sequence + 1) % 2**32
        self._frames.publish(operator_messages.to_message(frame))
        self._diagnostics.update(ros.Diagnostics.OK, place.phase, clip=self._motion.source, time=f"{place.time:.2f}")
        if self._traces is not None:
            message = StageTrace(
                stage="device", source_stamp=convert.to_stamp(stamp), received=convert.to_stamp(received)
            )
            message.header.stamp = convert.to_stamp(time.time_ns())
            self._traces.publish(message)


def main() -> None:
    """Run the node."""
    ros.run(MotionPlayerNode)
