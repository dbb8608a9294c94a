# SPDX-License-Identifier: Apache-2.0
"""The operator's buttons for the recorder, alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    buttons = PathJoinSubstitution([FindPackageShare("humanoid_recorder"), "config", "buttons.yaml"])
    task = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config", "tasks", "parcel_sorting.yaml"])
    texts = ("buttons", "task", "operator_name")
    return LaunchDescription(
        [
            DeclareLaunchArgument("buttons", default_value=buttons, description="What each button does"),
            DeclareLaunchArgument("task", default_value=task, description="What is being done, as config/tasks"),
            DeclareLaunchArgument("operator_name", default_value="operator", description="Who has the buttons"),
            Node(
                package="humanoid_recorder",
                executable="episode_buttons",
                name="episode_buttons",
                namespace="",
                output="screen",
                parameters=[{text: ParameterValue(LaunchConfiguration(text), value_type=str) for text in texts}],
            ),
        ]
    )
