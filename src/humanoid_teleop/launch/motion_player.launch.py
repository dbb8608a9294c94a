# SPDX-License-Identifier: Apache-2.0
"""A recorded person as the operator."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "motion_player.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("file", description="BVH file, CSV export of Motive, or bag"),
            DeclareLaunchArgument("params", default_value=ours, description="Speed, span and timing"),
            DeclareLaunchArgument(
                "autostart",
                default_value="true",
                choices=["true", "false"],
                description="Start at once, not when operator/start is called",
            ),
            DeclareLaunchArgument(
                "trace",
                default_value="false",
                choices=["true", "false"],
                description="Publish when each frame was sent",
            ),
            Node(
                package="humanoid_teleop",
                executable="motion_player",
                name="motion_player",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "file": ParameterValue(LaunchConfiguration("file"), value_type=str),
                        "autostart": ParameterValue(LaunchConfiguration("autostart"), value_type=bool),
                        "trace": ParameterValue(LaunchConfiguration("trace"), value_type=bool),
                    },
                ],
            ),
        ]
    )
