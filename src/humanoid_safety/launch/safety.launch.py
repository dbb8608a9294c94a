# SPDX-License-Identifier: Apache-2.0
"""The limiter and arbiter alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_safety"), "config", "safety.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_config", description="Robot configuration, a file of config/robots"),
            DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the robot's own"),
            DeclareLaunchArgument("params", default_value=ours, description="Rates, deadlines and sources"),
            # Not `scene`: that is the twin's, by name, and fitted to the robot.
            DeclareLaunchArgument(
                "surroundings",
                default_value="",
                description="Scene file with tables to keep away from; empty: none",
            ),
            DeclareLaunchArgument(
                "trace",
                default_value="false",
                choices=["true", "false"],
                description="Publish when each target was first used",
            ),
            Node(
                package="humanoid_safety",
                executable="safety",
                name="safety",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "robot_config": ParameterValue(LaunchConfiguration("robot_config"), value_type=str),
                        "urdf": ParameterValue(LaunchConfiguration("urdf"), value_type=str),
                        "scene": ParameterValue(LaunchConfiguration("surroundings"), value_type=str),
                        "trace": ParameterValue(LaunchConfiguration("trace"), value_type=bool),
                    },
                ],
            ),
        ]
    )
