# SPDX-License-Identifier: Apache-2.0
"""A VR headset as the operator, through its browser."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "webxr.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Address, cameras, labels and timing"),
            DeclareLaunchArgument(
                "task", default_value="teleoperation", description="Task of episodes that the headset starts"
            ),
            DeclareLaunchArgument("port", default_value="8443", description="Port of the page; 0 takes a free one"),
            DeclareLaunchArgument("instruction", default_value="", description="What the robot is told in them"),
            DeclareLaunchArgument(
                "trace",
                default_value="false",
                choices=["true", "false"],
                description="Publish when each frame was sent",
            ),
            Node(
                package="humanoid_teleop",
                executable="webxr",
                name="webxr",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "task": ParameterValue(LaunchConfiguration("task"), value_type=str),
                        "instruction": ParameterValue(LaunchConfiguration("instruction"), value_type=str),
                        "port": ParameterValue(LaunchConfiguration("port"), value_type=int),
                        "trace": ParameterValue(LaunchConfiguration("trace"), value_type=bool),
                    },
                ],
            ),
        ]
    )
