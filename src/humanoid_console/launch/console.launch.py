# SPDX-License-Identifier: Apache-2.0
"""The collector's page, the labels, and the workload screen."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

ARGUMENTS = {
    "robot": "Model of the robot",
    "tasks": "Folder of the task files",
    "task": "Task to begin with",
    "recordings": "Folder of the recordings",
    "preflight": "Program that prints the pre-flight table as JSON; empty: none",
}


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_console"), "config", "console.yaml"])
    texts = {name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in ARGUMENTS}
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Address, camera, catalogue, limits"),
            DeclareLaunchArgument("port", default_value="8444", description="Port of the page; 0 takes a free one"),
            *(
                DeclareLaunchArgument(name, description=text, **({"default_value": ""} if name == "preflight" else {}))
                for name, text in ARGUMENTS.items()
            ),
            Node(
                package="humanoid_console",
                executable="console",
                name="console",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {"port": ParameterValue(LaunchConfiguration("port"), value_type=int), **texts},
                ],
            ),
        ]
    )
