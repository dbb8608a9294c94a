# SPDX-License-Identifier: Apache-2.0
"""Node robot_state_publisher: joint states in, tf, tf_static and robot_description out."""

import signal
import threading

import rclpy
from builtin_interfaces.msg import Time
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

from robot_state_publisher.kinematics import Kinematics, Link


def _transform(link: Link, pose: list[float], stamp: Time) -> TransformStamped:
    message = TransformStamped(child_frame_id=link.name)
    message.header.stamp = stamp
    message.header.frame_id = link.parent
    move, turn = message.transform.translation, message.transform.rotation
    move.x, move.y, move.z, turn.x, turn.y, turn.z, turn.w = pose
    return message


class RobotStatePublisherNode(Node):
    """Publishes the robot's transforms, moving ones at most `publish_frequency` times a second."""

    def __init__(self, **options) -> None:
        super().__init__("robot_state_publisher", **options)
        # Parameters
        fixed = ParameterDescriptor(read_only=True)
        urdf = self.declare_parameter("robot_description", "", fixed).value
        frequency = self.declare_parameter("publish_frequency", 20.0, fixed).value
        if not urdf:
            raise RuntimeError("robot_description parameter must not be empty")
        if not 0 <= frequency <= 1000:
            raise RuntimeError("publish_frequency must be between 0.0 and 1000.0")
        # State
        self._kinematics = Kinematics(urdf)
        self._interval = int(1000 / frequency) * 1_000_000 if frequency else 0  # whole milliseconds, as upstream
        self._last_callback = 0  # [ns]
        self._last_published: dict[str, int] = {}  # stamp by joint [ns]
        # Endpoints
        self._tf = TransformBroadcaster(self)
        self._tf_static = StaticTransformBroadcaster(self)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._description = self.create_publisher(String, "robot_description", latched)
        self._description.publish(String(data=urdf))
        stamp = self.get_clock().now().to_msg()
        self._tf_static.sendTransform([_transform(*one, stamp) for one in self._kinematics.fixed()])
        self.get_logger().info("Robot initialized")
        self.create_subscription(
            JointState,
            "joint_states",
            self._on_joint_states,
            qos_profile_sensor_data,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _is_due(self, names: list[str], stamp: int) -> bool:
        """Whether joints are published again for a message of that stamp [ns]."""
        now = self.get_clock().now().nanoseconds
        if now < self._last_callback:
            self.get_logger().warning("Moved backwards in time, re-publishing joint transforms!")
            self._last_published.clear()
        self._last_callback = now
        last = min((self._last_published.get(name, 0) for name in names), default=now)
        return stamp >= min(last, now) + self._interval

    def _on_joint_states(self, message: JointState) -> None:
        names, positions = message.name, message.position
        if len(names) != len(positions):
            self.get_logger().error(
                f"ignored a JointState message with {len(positions)} positions for {names}", throttle_duration_sec=1.0
            )
            return
        stamp = message.header.stamp
        nanoseconds = stamp.sec * 1_000_000_000 + stamp.nanosec
        if not self._is_due(names, nanoseconds):
            return
        moved = self._kinematics.moving(dict(zip(names, positions)))
        self._tf.sendTransform([_transform(*one, stamp) for one in moved])
        self._last_published.update(dict.fromkeys(names, nanoseconds))


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
