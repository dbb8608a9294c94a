# SPDX-License-Identifier: Apache-2.0
"""Actions."""
# ruff: noqa: F401, RUF100

from .._left_out import left_out
from .execute_local import ExecuteLocal, ExecuteProcess
from .flow import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
    UnregisterEventHandler,
)
from .state import (
    AppendEnvironmentVariable,
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    ResetEnvironment,
    ResetLaunchConfigurations,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    UnsetEnvironmentVariable,
    UnsetLaunchConfiguration,
)

__getattr__ = left_out(__name__, "OpaqueCoroutine")
