# SPDX-License-Identifier: Apache-2.0
"""Transforms on topics: broadcasters, listener and buffer."""
# ruff: noqa: F401

from tf2_py import (
    BufferCore,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)

from tf2_ros.buffer import Buffer
from tf2_ros.transform_broadcaster import StaticTransformBroadcaster, TransformBroadcaster
from tf2_ros.transform_listener import TransformListener


def __getattr__(name: str) -> object:
    if name[0].isupper():
        raise NotImplementedError(f"tf2_ros.{name} is left out of this stand-in for ROS 2")
    raise AttributeError(f"module 'tf2_ros' has no attribute '{name}'")
