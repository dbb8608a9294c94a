# SPDX-License-Identifier: Apache-2.0
"""Tracked handheld devices as the operator."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "handheld.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="When a device is lost"),
            DeclareLaunchArgument(
                "device",
                default_value="openxr_controllers",
                description="A name in config/devices, or a file like those",
            ),
            Node(
                package="humanoid_teleop",
                executable="handheld",
                name="handheld",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {"device": ParameterValue(LaunchConfiguration("device"), value_type=str)},
                ],
            ),
        ]
    )
