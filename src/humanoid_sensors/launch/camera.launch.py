# SPDX-License-Identifier: Apache-2.0
"""One camera alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_sensors"), "config", "camera.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameter file"),
        DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the node"),
    ]
    camera = lifecycle_node(
        LaunchConfiguration("autostart"),
        package="humanoid_sensors",
        executable="camera",
        name="camera",
        parameters=[LaunchConfiguration("params")],
    )
    return LaunchDescription([*arguments, *camera])
