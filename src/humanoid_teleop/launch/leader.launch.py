# SPDX-License-Identifier: Apache-2.0
"""A leader arm or exoskeleton as the operator; with `bus:=true` its Dynamixel motors are read here too."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    share = FindPackageShare("humanoid_teleop")
    parameters = {
        name: ParameterValue(LaunchConfiguration(name), value_type=str) for name in ("robot_config", "urdf", "mapping")
    }
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_config", description="Robot configuration file"),
            DeclareLaunchArgument("urdf", default_value="", description="URDF in place of the robot's own"),
            DeclareLaunchArgument("mapping", description="Which joint follows which: a file as in config/leaders"),
            DeclareLaunchArgument(
                "params",
                default_value=PathJoinSubstitution([share, "config", "leader.yaml"]),
                description="Calibration file and tolerance",
            ),
            DeclareLaunchArgument(
                "bus",
                default_value="false",
                choices=["true", "false"],
                description="Read the leader's Dynamixel motors; else its driver publishes their joint states",
            ),
            DeclareLaunchArgument(
                "bus_params",
                default_value=PathJoinSubstitution([share, "config", "dynamixel.yaml"]),
                description="Serial port, baud rate and motors",
            ),
            Node(
                package="humanoid_teleop",
                executable="leader",
                name="leader",
                output="screen",
                parameters=[LaunchConfiguration("params"), parameters],
            ),
            Node(
                package="humanoid_teleop",
                executable="dynamixel",
                name="dynamixel",
                output="screen",
                parameters=[LaunchConfiguration("bus_params")],
                condition=IfCondition(LaunchConfiguration("bus")),
            ),
        ]
    )
