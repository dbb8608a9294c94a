# SPDX-License-Identifier: Apache-2.0
"""Node `sync`: puts the robot's streams on one timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints, ros
from humanoid_core.convert import stamp_ns
from humanoid_core.errors import HumanoidError
from humanoid_core.taps import Taken, Taps
from humanoid_interfaces.msg import ClockSample
from humanoid_sync import clock_store, messages
from humanoid_sync.aligner import Aligner
from humanoid_sync.checks import check_types
from humanoid_sync.frames import Frame
from humanoid_sync.plans import make_plan, read_latencies, robot_topics
from humanoid_sync.remarks import Remarks

_SAVE_EVERY = 10  # [s] clock models are written to disk


class SyncNode(Node):
    """Takes serialized messages, hands them to the aligner in order of arrival, publishes what it gives."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("sync", **arguments)
        rules = ros.required(self, "streams", "How kinds of streams are aligned: a file of config/sync", kind=str)
        robot_config = ros.required(self, "robot_config", "Which streams there are: robot configuration", kind=str)
        latencies = ros.required(self, "latencies", "Measured latencies, a file of config/sync", kind=str)
        poll = ros.required(self, "poll_period", "Between two bursts of messages [s]", 0.001, 0.1, float)
        robot = ros.required(self, "robot_name", "This very robot, for diagnostics and latencies", kind=str)
        state = ros.required(self, "state_folder", "Where clock models survive a restart; empty: nowhere", kind=str)
        plan = make_plan(rules, robot_topics(robot_config), read_latencies(latencies, robot))
        check_types(plan)
        # State
        self._aligner = Aligner(plan)
        self._remarks = Remarks()
        self._names: dict[str, str] = {}  # stream by full topic
        self._clocks: dict[str, str] = {}  # clock by full topic
        self._store: Path | None = None
        self._ticks = 0
        if state and plan.clocks and not self.get_parameter("use_sim_time").value:
            self._store = Path(state).expanduser() / f"{robot}.json"
            self._restore(self._store)
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.SYNC_FRAME)
        self._status = ros.publisher(self, endpoints.SYNC_STATUS)
        self._annotations = ros.publisher(self, endpoints.ANNOTATIONS)
        self._diagnostics = ros.Diagnostics(self, hardware_id=robot)
        self._taps = Taps(self, self._on_taken, poll)
        for stream in plan.streams:
            endpoint = endpoints.Endpoint(stream.topic, stream.type, endpoints.Qos(depth=500))
            self._taps.add(stream.topic, stream.type, ros.qos_profile(endpoint, reliable=False))
            self._names[self.resolve_topic_name(stream.topic)] = stream.name
            if stream.clock and plan.clocks[stream.clock].pairs == "topic":
                samples = endpoints.CLOCK_SAMPLE.at(stream=stream.topic)
                self._taps.add(samples.name, samples.type, ros.qos_profile(samples))
                self._clocks[self.resolve_topic_name(samples.name)] = stream.clock
        self._taps.start()
        self.create_timer(1.0, self._on_tick, clock=ros.steady_clock())

    def _restore(self, path: Path) -> None:
        try:
            known = clock_store.restore(path, self._aligner.clocks)
        except HumanoidError as reason:
            self.get_logger().error(str(reason))
        else:
            self.get_logger().info(f"clocks known from before: {', '.join(known) or 'none'}")

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
        now = self.get_clock().now()
        warnings = self._aligner.warnings()
        status = messages.status(self._aligner, warnings, now)
        self._status.publish(status)
        level = ros.Diagnostics.WARN if status.warnings else ros.Diagnostics.OK
        values = messages.key_values(status)
        self._diagnostics.update(level, "; ".join(status.warnings) or "all streams on time", **values)
        if now.nanoseconds:  # else simulated time has not begun
            for remark in self._remarks.update(warnings, now.nanoseconds):
                self._annotations.publish(messages.annotation(remark))
        self._ticks += 1
        if self._ticks % _SAVE_EVERY == 0:
            self._save()

    def _save(self) -> None:
        if self._store is not None:
            try:
                clock_store.save(self._store, self._aligner.clocks)
            except HumanoidError as reason:
                self.get_logger().error(str(reason), throttle_duration_sec=60.0)

    def destroy_node(self) -> None:
        """Stop taking messages first."""
        self._taps.destroy()
        self._save()
        super().destroy_node()


def main() -> None:
    ros.run(SyncNode)
