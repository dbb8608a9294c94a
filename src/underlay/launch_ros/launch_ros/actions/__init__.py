# SPDX-License-Identifier: Apache-2.0
"""Actions on nodes."""
# ruff: noqa: F401

from launch._left_out import left_out

from .node import LifecycleNode, Node
from .settings import PushROSNamespace, SetParameter, SetRemap

PushRosNamespace = PushROSNamespace
__getattr__ = left_out(__name__)
