# SPDX-License-Identifier: Apache-2.0
"""A policy as a source of targets."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "policy.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Rate and blending"),
            Node(
                package="humanoid_teleop",
                executable="policy",
                name="policy",
                output="screen",
                parameters=[LaunchConfiguration("params")],
            ),
        ]
    )
