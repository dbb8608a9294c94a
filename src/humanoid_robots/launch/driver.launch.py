# SPDX-License-Identifier: Apache-2.0
"""A real robot's driver alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node


def generate_launch_description() -> LaunchDescription:
    bringup = FindPackageShare("humanoid_bringup")
    robot = PathJoinSubstitution([bringup, "config", "robots", "unitree_g1.yaml"])
    driver = PathJoinSubstitution([bringup, "config", "drivers", "unitree_g1.yaml"])
    arguments = [
        DeclareLaunchArgument("robot_config", default_value=robot, description="Robot configuration"),
        DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the configuration's"),
        DeclareLaunchArgument("driver_config", default_value=driver, description="Driver of the robot"),
        DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the node"),
    ]
    given = {
        name: ParameterValue(LaunchConfiguration(name), value_type=str)
        for name in ("robot_config", "urdf", "driver_config")
    }
    node = lifecycle_node(
        LaunchConfiguration("autostart"),
        package="humanoid_robots",
        executable="driver",
        name="driver",
        parameters=[given],
    )
    return LaunchDescription([*arguments, *node])
