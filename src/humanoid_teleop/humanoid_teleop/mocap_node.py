# SPDX-License-Identifier: Apache-2.0
"""Operator device: a motion-capture suit or room over the network: operator/frame."""

from __future__ import annotations

import time
from dataclasses import replace

from rclpy.node import Node
from std_srvs.srv import Trigger

from humanoid_core import config, convert, endpoints, ros
from humanoid_interfaces.msg import ClockSample, StageTrace
from humanoid_teleop import operator_messages
from humanoid_teleop.mocap.receiver import Receiver, Source
from humanoid_teleop.mocap.segments import LivePerson, Sample
from humanoid_teleop.recordings.bvh import read_bvh
from humanoid_teleop.recordings.motion import SkeletonMap, choose_skeleton, load_skeletons, skeletons_folder, unit_of
from humanoid_teleop.recordings.recorded_operator import stream_mapping


class MocapNode(Node):
    """Turns samples of a motion-capture system into operator frames, engaged from operator/start to operator/stop."""

    def __init__(self) -> None:
        super().__init__("mocap")
        # Parameters
        source = Source(
            protocol=ros.required(self, "protocol", "natnet (OptiTrack), mvn (Xsens) or bvh (text)", kind=str),
            address=ros.required(self, "address", "Own address to listen on; empty: all", kind=str),
            port=ros.required(self, "port", "UDP port; 0: the protocol's own", 0, 65535, kind=int),
            multicast=ros.required(self, "multicast", "Group to join; empty: none", kind=str),
            server=ros.required(self, "server", "NatNet server asked for names and time; empty: nobody", kind=str),
            hierarchy=ros.required(self, "hierarchy", "BVH file with the skeleton of a BVH stream", kind=str),
            server_port=ros.required(self, "server_port", "Its command port", 1, 65535, kind=int),
        )
        skeleton = ros.required(
            self,
            "skeleton",
            "Mapping in config/motions/streams (bvh: skeletons), or a file",
            kind=str,
        )
        self._silent_after = ros.required(self, "silent_after", "Without samples [s]", 0.01, 60.0, kind=float)
        trace = ros.required(self, "trace", "Publish when each frame was sent", kind=bool)
        # State
        self._protocol = source.protocol
        self._person = LivePerson(_mapping(source, skeleton), source.protocol)
        self._engaged = False
        self._last_arrival = 0
        self._stamps = ros.Forward(self, self._begin_anew)
        # Outputs before inputs
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._clocks = ros.publisher(self, endpoints.CLOCK_SAMPLE.at(stream=endpoints.OPERATOR_FRAME.name))
        self._traces = ros.publisher(self, endpoints.TRACE) if trace else None
        self._diagnostics = ros.Diagnostics(self)
        ros.service(self, endpoints.OPERATOR_START, self._on_start)
        ros.service(self, endpoints.OPERATOR_STOP, self._on_stop)
        self._receiver = Receiver(source, self._take)
        self.get_logger().info(f"{source.protocol}: listening on UDP port {self._receiver.port}")
        self.create_timer(0.5, self._on_timer, clock=ros.steady_clock())

    def destroy_node(self) -> None:
        """End the receiver, then the node."""
        self._receiver.stop()
        super().destroy_node()

    def _begin_anew(self) -> None:
        self._engaged = False

    def _take(self, sample: Sample, measured: int, clock_known: bool) -> None:
        arrival = self._last_arrival = time.time_ns()
        stamp = self.get_clock().now().nanoseconds - (arrival - measured)
        frame = self._person.frame(sample, stamp, self._engaged)
        if frame is None or not self._stamps.passes(stamp):
            return
        self._frames.publish(operator_messages.to_message(frame))
        if not clock_known and self._protocol != "bvh":
            device = convert.to_stamp(round(sample.time * 1e9))
            message = ClockSample(clock=self._protocol, device_stamp=device)
            message.header.stamp = convert.to_stamp(stamp)
            self._clocks.publish(message)
        if self._traces is not None:
            traced = StageTrace(
                stage="device", source_stamp=convert.to_stamp(stamp), received=convert.to_stamp(arrival)
            )
            traced.header.stamp = convert.to_stamp(time.time_ns())
            self._traces.publish(traced)

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._person.recentre()
        self._engaged = response.success = True
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._engaged
        response.message = "" if response.success else "not engaged"
        self._engaged = False
        return response

    def _on_timer(self) -> None:
        receiver, clock = self._receiver, self._receiver.clock.estimate
        values = {"lost": receiver.lost, "refused": sum(receiver.refused.values()), "engaged": self._engaged}
        if clock:
            values |= {"clock_offset_ms": clock.offset // 10**6, "clock_uncertainty_us": clock.uncertainty // 1000}
        if time.time_ns() - self._last_arrival > self._silent_after * 1e9:
            self._engaged = False  # who comes back after silence has to ask for it
            why = max(receiver.refused, key=lambda text: receiver.refused[text], default="nothing comes")
            self._diagnostics.update(ros.Diagnostics.WARN, f"silent: {why}", **values)
        elif self._stamps.last == 0:
            self._diagnostics.update(ros.Diagnostics.WARN, "nobody with pelvis and head tracked", **values)
        else:
            self._diagnostics.update(ros.Diagnostics.OK, "streaming", **values)


def _mapping(source: Source, name: str) -> SkeletonMap:
    if source.protocol != "bvh":
        return config.load(SkeletonMap, stream_mapping(name))
    clip = read_bvh(source.hierarchy)
    mapping = choose_skeleton(clip, load_skeletons(skeletons_folder()), name)[1]
    return replace(mapping, metres_per_unit=unit_of(clip, mapping), stature=None)


def main() -> None:
    """Run the node."""
    ros.run(MocapNode)
