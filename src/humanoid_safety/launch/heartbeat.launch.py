# SPDX-License-Identifier: Apache-2.0
"""The station's heartbeat alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_safety"), "config", "heartbeat.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Rate"),
            Node(
                package="humanoid_safety",
                executable="heartbeat",
                name="heartbeat",
                output="screen",
                parameters=[LaunchConfiguration("params")],
            ),
        ]
    )
