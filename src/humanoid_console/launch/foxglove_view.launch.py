# SPDX-License-Identifier: Apache-2.0
"""The Foxglove view server alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_console"), "config", "foxglove_view.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameter file"),
        DeclareLaunchArgument("port", default_value="8765", description="Port to listen on"),
    ]
    view = Node(
        package="humanoid_console",
        executable="foxglove_view",
        name="foxglove_view",
        output="screen",
        parameters=[
            LaunchConfiguration("params"),
            {"port": ParameterValue(LaunchConfiguration("port"), value_type=int)},
        ],
    )
    return LaunchDescription([*arguments, view])
