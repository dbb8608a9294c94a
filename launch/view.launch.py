# SPDX-License-Identifier: Apache-2.0
"""Look at a robot: RViz where there is RViz, otherwise a WebSocket server that the Foxglove app connects to."""

from shutil import which

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from humanoid_bringup.launching import (
    flag,
    in_robot_namespace,
    include,
    prepared_transport,
    robot_arguments,
    robot_state_publisher,
    share,
    when,
)


def generate_launch_description() -> LaunchDescription:
    arguments = [
        *robot_arguments(),
        DeclareLaunchArgument(
            "viewer",
            default_value="auto",
            choices=["auto", "rviz", "foxglove", "none"],
            description="auto: RViz if it is installed",
        ),
        DeclareLaunchArgument("port", default_value="8765", description="Of the Foxglove WebSocket server"),
        flag("robot_state_publisher", False, "Start one, where none runs at the robot"),
    ]
    nodes = [robot_state_publisher(when("robot_state_publisher")), OpaqueFunction(function=_viewer)]
    return LaunchDescription([*arguments, *prepared_transport(), in_robot_namespace(nodes)])


def _viewer(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    chosen = LaunchConfiguration("viewer").perform(context)
    if chosen == "auto":
        chosen = "rviz" if which("rviz2") else "foxglove"
    if chosen == "rviz":
        return [
            Node(
                package="rviz2",
                executable="rviz2",
                name="rviz",
                arguments=["-d", share("config", "rviz", "humanoid.rviz")],
                output="screen",
            )
        ]
    if chosen == "foxglove":
        return [include("foxglove_view", "humanoid_console", port=LaunchConfiguration("port"))]
    return []
