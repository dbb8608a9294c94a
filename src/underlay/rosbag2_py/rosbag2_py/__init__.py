# SPDX-License-Identifier: Apache-2.0
"""Bags as rosbag2 keeps them: writing, reading, recording, playing."""

from rosbag2_py._message_definitions import LocalMessageDefinitionSource
from rosbag2_py._metadata import MetadataIo
from rosbag2_py._options import PlayOptions, RecordOptions
from rosbag2_py._player import Player
from rosbag2_py._qos import convert_rclcpp_qos_to_rclpy_qos, to_rclcpp_qos_vector
from rosbag2_py._reader import *  # noqa: F403
from rosbag2_py._recorder import Recorder
from rosbag2_py._storage import *  # noqa: F403
from rosbag2_py._writer import (
    SequentialWriter,
    get_registered_compressors,
    get_registered_serializers,
    get_registered_writers,
)

__all__ = [
    "LocalMessageDefinitionSource",
    "MetadataIo",
    "PlayOptions",
    "Player",
    "RecordOptions",
    "Recorder",
    "SequentialWriter",
    "convert_rclcpp_qos_to_rclpy_qos",
    "get_registered_compressors",
    "get_registered_serializers",
    "get_registered_writers",
    "to_rclcpp_qos_vector",
]
_LEFT_OUT = ("CompressionOptions", "SequentialCompressionWriter", "ServiceRequestsSource", "bag_rewrite")


def __getattr__(name: str) -> object:
    if name in _LEFT_OUT:
        raise NotImplementedError(f"rosbag2_py.{name}")
    raise AttributeError(f"module 'rosbag2_py' has no attribute '{name}'")
