# SPDX-License-Identifier: Apache-2.0
"""The retargeting alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "retargeting.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_config", description="Robot configuration, a file of config/robots"),
            DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the robot's own"),
            DeclareLaunchArgument("params", default_value=ours, description="Scaling, filter, weights and limits"),
            DeclareLaunchArgument(
                "trace", default_value="false", choices=["true", "false"], description="Publish when each frame passed"
            ),
            Node(
                package="humanoid_teleop",
                executable="retargeting",
                name="retargeting",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "robot_config": ParameterValue(LaunchConfiguration("robot_config"), value_type=str),
                        "urdf": ParameterValue(LaunchConfiguration("urdf"), value_type=str),
                        "trace": ParameterValue(LaunchConfiguration("trace"), value_type=bool),
                    },
                ],
            ),
        ]
    )
