# SPDX-License-Identifier: Apache-2.0
"""Actions on nodes."""

from launch._left_out import left_out

from .lifecycle_node import LifecycleNode
from .node import Node
from .settings import (
    PushROSNamespace,
    SetParameter,
    SetParametersFromFile,
    SetRemap,
    SetROSLogDir,
    SetUseSimTime,
)

PushRosNamespace = PushROSNamespace

__all__ = [
    "LifecycleNode",
    "Node",
    "PushROSNamespace",
    "PushRosNamespace",
    "SetParameter",
    "SetParametersFromFile",
    "SetROSLogDir",
    "SetRemap",
    "SetUseSimTime",
]

__getattr__ = left_out(
    __name__, "ComposableNodeContainer", "LifecycleTransition", "LoadComposableNodes", "ROSTimer", "RosTimer"
)
