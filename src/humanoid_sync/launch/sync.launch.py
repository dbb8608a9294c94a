# SPDX-License-Identifier: Apache-2.0
"""Time synchronisation alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_sync"), "config", "sync.yaml"])
    config = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config", ""])
    robot = [config, "robots/", LaunchConfiguration("robot", default="unitree_g1"), ".yaml"]
    texts = ("streams", "robot_config", "latencies", "robot_name")
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="How often messages are taken"),
            DeclareLaunchArgument(
                "streams", default_value=[config, "sync/default.yaml"], description="How kinds of streams are aligned"
            ),
            DeclareLaunchArgument("robot_config", default_value=robot, description="Which streams the robot has"),
            DeclareLaunchArgument(
                "latencies", default_value=[config, "sync/latencies.yaml"], description="Measured latencies"
            ),
            DeclareLaunchArgument("robot_name", default_value="unitree_g1", description="This very robot"),
            Node(
                package="humanoid_sync",
                executable="sync",
                name="sync",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {text: ParameterValue(LaunchConfiguration(text), value_type=str) for text in texts},
                ],
            ),
        ]
    )
