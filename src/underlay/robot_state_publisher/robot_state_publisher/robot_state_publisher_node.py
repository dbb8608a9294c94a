# SPDX-License-Identifier: Apache-2.0
"""Node robot_state_publisher: joint states in, tf, tf_static and robot_description out."""

import signal
import threading
from dataclasses import dataclass

import numpy as np
import rclpy
from geometry_msgs.msg import TransformStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from robot_state_publisher.kinematics import MOVING, Joint, Motion, read_joints
from robot_state_publisher.wire import JointStateLayout, TransformWriter


@dataclass(frozen=True)
class Stream:
    """What to do with the messages of one layout."""

    layout: JointStateLayout
    index: np.ndarray  # (n,) where each published joint's position (or its leader's) stands in the message
    scale: np.ndarray  # (n,) multiplier, 1 unless the joint mimics another
    offset: np.ndarray  # (n,) [rad or m]
    motion: Motion
    writer: TransformWriter


class RobotStatePublisherNode(Node):
    """Publishes the robot's transforms, moving ones at most `publish_frequency` times a second."""

    def __init__(self, **options) -> None:
        super().__init__("robot_state_publisher", **options)
        fixed = ParameterDescriptor(read_only=True)
        urdf = self.declare_parameter("robot_description", "", fixed).value
        frequency = self.declare_parameter("publish_frequency", 20.0, fixed).value
        if not urdf:
            raise RuntimeError("robot_description parameter must not be empty")
        if not 0 <= frequency <= 1000:
            raise RuntimeError("publish_frequency must be between 0.0 and 1000.0")
        self._interval = int(1000 / frequency) * 1_000_000 if frequency else 0  # whole milliseconds, as upstream
        joints = read_joints(urdf)
        self._moving = [joint for joint in joints if joint.type in MOVING]

        self._last_callback = 0
        self._last_published: dict[str, int] = {}
        self._streams: list[Stream] = []

        self._tf = TransformBroadcaster(self)
        self._tf_static = StaticTransformBroadcaster(self)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.create_publisher(String, "robot_description", latched)
        self._description.publish(String(data=urdf))
        # A planar joint counts as fixed and a floating one is left out, as upstream does.
        self._tf_static.sendTransform(
            [self._fixed_transform(joint) for joint in joints if joint.type not in (*MOVING, "floating")]
        )
        self.get_logger().info("Robot initialized")
        self.create_subscription(
            JointState,
            "joint_states",
            self._on_joint_states,
            qos_profile_sensor_data,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            raw=True,
        )

    def _fixed_transform(self, joint: Joint) -> TransformStamped:
        transform = TransformStamped(child_frame_id=joint.child)
        transform.header.stamp = self.get_clock().now().to_msg()
        transform.header.frame_id = joint.parent
        move, turn = transform.transform.translation, transform.transform.rotation
        move.x, move.y, move.z = joint.position.tolist()
        turn.x, turn.y, turn.z, turn.w = joint.rotation.tolist()
        return transform

    def _stream(self, raw: bytes) -> Stream:
        for stream in self._streams:
            if stream.layout.matches(raw):
                return stream
        layout = JointStateLayout(raw)
        place = {name: index for index, name in reversed(list(enumerate(layout.names)))}
        joints, terms = [], []
        for joint in self._moving:
            leader, scale, offset = (joint.name, 1.0, 0.0) if joint.name in place else joint.mimic or ("", 0.0, 0.0)
            if leader in place:
                joints.append(joint)
                terms.append((place[leader], scale, offset))
        index, scales, offsets = np.array(terms).reshape(-1, 3).T
        frames = [(joint.parent, joint.child) for joint in joints]
        stream = Stream(layout, index.astype(int), scales, offsets, Motion(joints), TransformWriter(frames))
        self._streams = [stream, *self._streams[:7]]
        return stream

    def _on_joint_states(self, raw: bytes) -> None:
        stream = self._stream(raw)
        layout = stream.layout
        if layout.count != len(layout.names):
            self.get_logger().error(
                f"ignored a JointState message with {layout.count} positions for {layout.names}",
                throttle_duration_sec=1.0,
            )
            return
        now = self.get_clock().now().nanoseconds
        if now < self._last_callback:
            self.get_logger().warning("Moved backwards in time, re-publishing joint transforms!")
            self._last_published.clear()
        self._last_callback = now
        sec, nanosec = layout.stamp(raw)
        stamp = sec * 1_000_000_000 + nanosec
        last = min((self._last_published.get(name, 0) for name in layout.names), default=now)
        if stamp < min(last, now) + self._interval:
            return
        q = layout.positions(raw)[stream.index] * stream.scale + stream.offset
        self._tf.pub_tf.publish(stream.writer.write(sec, nanosec, stream.motion(q)))
        self._last_published.update(dict.fromkeys(layout.names, stamp))


def main() -> None:
    """Run the node until SIGINT or SIGTERM, however often it comes."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = RobotStatePublisherNode()
    executor = EventsExecutor()
    executor.add_node(node)
    while rclpy.ok() and not stop.is_set():
        executor.spin_once(timeout_sec=0.1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    rclpy.try_shutdown()
