# SPDX-License-Identifier: Apache-2.0
"""Publishes moving transforms on /tf and fixed ones on /tf_static."""

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage


def _as_list(transform: TransformStamped | Iterable[TransformStamped]) -> list[TransformStamped]:
    """One transform or several, as a list."""
    return list(transform) if isinstance(transform, Iterable) else [transform]


class TransformBroadcaster:
    """Sends transforms that change with time."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf", QoSProfile(depth=100) if qos is None else qos)

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Publish one transform or several in one message."""
        self.pub_tf.publish(TFMessage(transforms=_as_list(transform)))


class StaticTransformBroadcaster:
    """Sends transforms that hold for ever; a late listener gets all that were ever sent."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        if qos is None:
            qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", qos)
        self.net_message = TFMessage()
        self._sent: dict[str, TransformStamped] = {}

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:
        """Add the transforms to those sent before (a later one of the same child replaces it) and publish all."""
        self._sent.update((one.child_frame_id, one) for one in _as_list(transform))
        self.net_message.transforms = list(self._sent.values())
        self.pub_tf.publish(self.net_message)
