# SPDX-License-Identifier: Apache-2.0
"""The page of joint sliders alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_console"), "config", "joint_sliders.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameter file"),
        DeclareLaunchArgument("robot_config", description="Robot configuration (YAML)"),
        DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the configuration's"),
        DeclareLaunchArgument("port", default_value="8766", description="Port to listen on"),
    ]
    sliders = Node(
        package="humanoid_console",
        executable="joint_sliders",
        name="joint_sliders",
        output="screen",
        parameters=[
            LaunchConfiguration("params"),
            {
                "robot_config": ParameterValue(LaunchConfiguration("robot_config"), value_type=str),
                "urdf": ParameterValue(LaunchConfiguration("urdf"), value_type=str),
                "port": ParameterValue(LaunchConfiguration("port"), value_type=int),
            },
        ],
    )
    return LaunchDescription([*arguments, sliders])
