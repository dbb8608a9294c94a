# SPDX-License-Identifier: Apache-2.0
"""Planned motions: the planner and what has its plans followed."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_planning"), "config", "planning.yaml"])
    config = {"robot_config": ParameterValue(LaunchConfiguration("robot_config"), value_type=str)}
    urdf = {"urdf": ParameterValue(LaunchConfiguration("urdf"), value_type=str)}
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_config", description="Robot configuration, a file of config/robots"),
            DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the robot's own"),
            DeclareLaunchArgument("params", default_value=ours, description="Times and tolerances"),
            Node(
                package="humanoid_planning",
                executable="planning",
                name="planning",
                output="screen",
                parameters=[LaunchConfiguration("params"), config, urdf],
            ),
            Node(
                package="humanoid_planning",
                executable="trajectory_follower",
                name="trajectory_follower",
                output="screen",
                parameters=[LaunchConfiguration("params"), config],
            ),
        ]
    )
