# SPDX-License-Identifier: Apache-2.0
"""A joystick as the operator, or for base and lift beside another device."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "joystick.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Rate, when it is gone, range of the head"),
            DeclareLaunchArgument(
                "gamepad", default_value="game_controller", description="A name in config/gamepads, or a file"
            ),
            DeclareLaunchArgument(
                "role",
                default_value="operator",
                choices=["operator", "beside", "sticks"],
                description="The only device; a second one for base and lift; the sticks of the device there is",
            ),
            Node(
                package="humanoid_teleop",
                executable="joystick",
                name="joystick",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "gamepad": ParameterValue(LaunchConfiguration("gamepad"), value_type=str),
                        "role": ParameterValue(LaunchConfiguration("role"), value_type=str),
                    },
                ],
            ),
        ]
    )
