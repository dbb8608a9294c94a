# SPDX-License-Identifier: Apache-2.0
"""All sensors of a robot: a node for each entry of its file in config/sensors."""

from __future__ import annotations

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node
from humanoid_sensors.listing import sensors_in


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes; where the robot has no file, a word about it."""
    file = Path(LaunchConfiguration("sensors").perform(context))
    if not file.is_file():
        return [LogInfo(msg=f"warning: no sensors are started: there is no {file}")]
    robot = LaunchConfiguration("robot_name").perform(context)
    actions: list[LaunchDescriptionEntity] = []
    for name, sensor in sensors_in(file).items():
        actions += lifecycle_node(
            LaunchConfiguration("autostart"),
            package="humanoid_sensors",
            executable=sensor.node,
            name=name,
            parameters=[{"hardware_id": robot, **sensor.parameters}],
        )
    return actions


def generate_launch_description() -> LaunchDescription:
    bringup = FindPackageShare("humanoid_bringup")
    ours = PathJoinSubstitution([bringup, "config", "sensors", "unitree_g1.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("sensors", default_value=ours, description="File that lists the sensors"),
            DeclareLaunchArgument("robot_name", default_value="", description="Named in diagnostics"),
            DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the nodes"),
            OpaqueFunction(function=start),
        ]
    )
