# SPDX-License-Identifier: Apache-2.0
"""Bags as rosbag2 keeps them: writing, reading, recording, playing."""

from rosbag2_py._compression_options import (
    CompressionMode,
    compression_mode_from_string,
    compression_mode_to_string,
)
from rosbag2_py._info import Info, Reindexer
from rosbag2_py._message_definitions import LocalMessageDefinitionSource
from rosbag2_py._metadata import MetadataIo
from rosbag2_py._options import PlayOptions, RecordOptions, ServiceRequestsSource
from rosbag2_py._player import Player
from rosbag2_py._qos import convert_rclcpp_qos_to_rclpy_qos, to_rclcpp_qos_vector
from rosbag2_py._reader import SequentialCompressionReader, SequentialReader, get_registered_readers
from rosbag2_py._recorder import Recorder
from rosbag2_py._storage import (
    BagMetadata,
    ConverterOptions,
    FileInformation,
    MessageDefinition,
    ReadOrder,
    ReadOrderSortBy,
    StorageFilter,
    StorageOptions,
    TopicInformation,
    TopicMetadata,
    get_default_storage_id,
)
from rosbag2_py._writer import (
    SequentialWriter,
    get_registered_compressors,
    get_registered_serializers,
    get_registered_writers,
)

_LEFT_OUT = ("CompressionOptions", "SequentialCompressionWriter", "bag_rewrite")

__all__ = [
    "BagMetadata",
    "CompressionMode",
    "ConverterOptions",
    "FileInformation",
    "Info",
    "LocalMessageDefinitionSource",
    "MessageDefinition",
    "MetadataIo",
    "PlayOptions",
    "Player",
    "ReadOrder",
    "ReadOrderSortBy",
    "RecordOptions",
    "Recorder",
    "Reindexer",
    "SequentialCompressionReader",
    "SequentialReader",
    "SequentialWriter",
    "ServiceRequestsSource",
    "StorageFilter",
    "StorageOptions",
    "TopicInformation",
    "TopicMetadata",
    "compression_mode_from_string",
    "compression_mode_to_string",
    "convert_rclcpp_qos_to_rclpy_qos",
    "get_default_storage_id",
    "get_registered_compressors",
    "get_registered_readers",
    "get_registered_serializers",
    "get_registered_writers",
    "to_rclcpp_qos_vector",
]


def __getattr__(name: str) -> object:
    if name in _LEFT_OUT:
        raise NotImplementedError(f"rosbag2_py.{name}")
    raise AttributeError(f"module 'rosbag2_py' has no attribute '{name}'")
