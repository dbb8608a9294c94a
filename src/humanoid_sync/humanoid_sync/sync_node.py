# SPDX-License-Identifier: Apache-2.0
"""Node `sync`: puts the robot's streams on one timeline."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints, ros
from humanoid_core.convert import stamp_ns
from humanoid_core.errors import HumanoidError
from humanoid_core.taps import Taken, Taps
from humanoid_interfaces.msg import ClockSample
from humanoid_sync import messages
from humanoid_sync.aligner import Aligner, Frame
from humanoid_sync.streams import load_plan


class SyncNode(Node):
    """Takes serialized messages, hands them to the aligner in order of arrival, publishes what it gives."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("sync", **arguments)
        plan = load_plan(ros.required(self, "streams", "What is aligned: a file of config/sync", kind=str))
        poll = ros.required(self, "poll_period", "Between two bursts of messages [s]", 0.001, 0.1, float)
        robot = ros.required(self, "robot_name", "Robot, for diagnostics", kind=str)
        # State
        self._aligner = Aligner(plan)
        self._names: dict[str, str] = {}  # stream by full topic
        self._clocks: dict[str, str] = {}  # clock by full topic
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.SYNC_FRAME)
        self._status = ros.publisher(self, endpoints.SYNC_STATUS)
        self._diagnostics = ros.Diagnostics(self, hardware_id=robot)
        self._taps = Taps(self, self._on_taken, poll)
        for stream in plan.streams:
            qos = ros.qos_profile(
                endpoints.Endpoint(stream.topic, stream.type, endpoints.Qos(depth=500)), reliable=False
            )
            self._taps.add(stream.topic, stream.type, qos)
            self._names[self.resolve_topic_name(stream.topic)] = stream.name
            if stream.clock:
                samples = endpoints.CLOCK_SAMPLE.at(stream=stream.topic)
                self._taps.add(samples.name, samples.type, ros.qos_profile(samples))
                self._clocks[self.resolve_topic_name(samples.name)] = stream.clock
        self._taps.start()
        self.create_timer(1.0, self._on_tick, clock=ros.steady_clock())

    def _on_taken(self, burst: list[Taken], complete_until: int) -> None:
        for taken in burst:
            name = self._names.get(taken.topic)
            try:
                if name is None:
                    sample = deserialize_message(taken.payload, ClockSample)
                    self._aligner.push_clock(self._clocks[taken.topic], stamp_ns(sample.device_stamp), taken.ros_ns)
                else:
                    self._publish(self._aligner.push(name, taken.payload, taken.ros_ns))
            except HumanoidError as reason:
                self.get_logger().error(f"{taken.topic}: {reason}", throttle_duration_sec=1.0)
        self._publish(self._aligner.advance(complete_until))

    def _publish(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._frames.publish(messages.frame(frame))

    def _on_tick(self) -> None:
        if self._taps.error is not None:
            raise HumanoidError(f"messages cannot be taken any more: {self._taps.error!r}")
        status = messages.status(self._aligner, self.get_clock().now())
        self._status.publish(status)
        level = ros.Diagnostics.WARN if status.warnings else ros.Diagnostics.OK
        self._diagnostics.update(level, "; ".join(status.warnings) or "all streams on time", frames=status.frames)

    def destroy_node(self) -> None:
        """Stop taking messages first."""
        self._taps.destroy()
        super().destroy_node()


def main() -> None:
    ros.run(SyncNode)
