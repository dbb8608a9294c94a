# SPDX-License-Identifier: Apache-2.0
"""One LiDAR alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_sensors"), "config", "lidar.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameter file"),
        DeclareLaunchArgument("capture", default_value="", description="A pcap to play in place of the network"),
        DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the node"),
    ]
    lidar = lifecycle_node(
        LaunchConfiguration("autostart"),
        package="humanoid_sensors",
        executable="lidar",
        name="lidar",
        parameters=[LaunchConfiguration("params"), {"capture": LaunchConfiguration("capture")}],
    )
    return LaunchDescription([*arguments, *lidar])
