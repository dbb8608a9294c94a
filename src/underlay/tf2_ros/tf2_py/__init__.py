# SPDX-License-Identifier: Apache-2.0
"""The buffer of transforms, ROS-free but for the messages."""
# ruff: noqa: F401

from tf2_py.buffer_core import BufferCore
from tf2_py.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TimeoutException,
    TransformException,
)
