# SPDX-License-Identifier: Apache-2.0
"""The episode recorder alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_recorder"), "config", "recorder.yaml"])
    topics = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config", "recording", "default.yaml"])
    tasks = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config", "tasks"])
    texts = ("topics", "tasks", "out", "robot_name")
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Backend, queue, pre-roll, disk guard"),
            DeclareLaunchArgument("topics", default_value=topics, description="What to record, as config/recording"),
            DeclareLaunchArgument("tasks", default_value=tasks, description="Folder of tasks with their target counts"),
            DeclareLaunchArgument("out", default_value="out/episodes", description="Folder of the recordings"),
            DeclareLaunchArgument("robot_name", default_value="unitree_g1", description="Folder of this robot in it"),
            DeclareLaunchArgument(
                "autostart", default_value="true", choices=["true", "false"], description="Configure and activate"
            ),
            *lifecycle_node(
                LaunchConfiguration("autostart"),
                package="humanoid_recorder",
                executable="recorder",
                name="recorder",
                parameters=[
                    LaunchConfiguration("params"),
                    {text: ParameterValue(LaunchConfiguration(text), value_type=str) for text in texts},
                ],
            ),
        ]
    )
