# SPDX-License-Identifier: Apache-2.0
"""Stand-in for ROS 2's `rosbag2_py`: bags as rosbag2 keeps them, written, read, recorded and played."""
# ruff: noqa: F401

from rosbag2_py._options import PlayOptions, RecordOptions
from rosbag2_py._player import Player
from rosbag2_py._qos import to_rclcpp_qos_vector
from rosbag2_py._reader import Info, SequentialCompressionReader, SequentialReader
from rosbag2_py._recorder import Recorder
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    FileInformation,
    MessageDefinition,
    StorageFilter,
    StorageOptions,
    TopicInformation,
    TopicMetadata,
)
from rosbag2_py._writer import SequentialWriter


def __getattr__(name: str) -> object:
    if name[0].isupper() or name.startswith(("get_", "bag_", "convert_")):
        raise NotImplementedError(f"rosbag2_py.{name} is left out of this stand-in for ROS 2")
    raise AttributeError(f"module 'rosbag2_py' has no attribute '{name}'")
