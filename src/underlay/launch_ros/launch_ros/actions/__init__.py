# SPDX-License-Identifier: Apache-2.0
"""Actions on nodes."""
# ruff: noqa: F401

from launch._left_out import left_out

from .node import LifecycleNode, Node
from .settings import PushROSNamespace, SetParameter, SetParametersFromFile, SetRemap, SetROSLogDir, SetUseSimTime

PushRosNamespace = PushROSNamespace
_LEFT_OUT = ("ComposableNodeContainer", "LifecycleTransition", "LoadComposableNodes", "ROSTimer", "RosTimer")
__getattr__ = left_out(__name__, *_LEFT_OUT)
