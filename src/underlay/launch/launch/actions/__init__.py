# SPDX-License-Identifier: Apache-2.0
"""Actions."""
# ruff: noqa: F401

from .._left_out import left_out
from .execute_process import ExecuteProcess
from .flow import (
    DeclareLaunchArgument,
    EmitEvent,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    PopEnvironment,
    PopLaunchConfigurations,
    PushEnvironment,
    PushLaunchConfigurations,
    RegisterEventHandler,
    ResetEnvironment,
    ResetLaunchConfigurations,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
    Shutdown,
)

__getattr__ = left_out(__name__)
