# SPDX-License-Identifier: Apache-2.0
"""Look at a robot: RViz where there is RViz, otherwise a WebSocket server that the Foxglove app connects to.

With sliders there is no robot to listen to: its joints stand as the sliders do, and a robot_state_publisher is started.
"""

from shutil import which

from ament_index_python.packages import get_packages_with_prefixes
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, SetParameter

from humanoid_bringup.launching import (
    flag,
    in_robot_namespace,
    include,
    prepared_transport,
    robot_arguments,
    robot_config,
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
        DeclareLaunchArgument(
            "sliders",
            default_value="none",
            choices=["none", "auto", "gui", "page"],
            description="Move the joints by hand, where no robot runs. gui: joint_state_publisher_gui; page: our own, "
            "in the browser; auto: the first of these that is installed",
        ),
        DeclareLaunchArgument("sliders_port", default_value="8766", description="Of the page of sliders"),
    ]
    nodes = [OpaqueFunction(function=_states), OpaqueFunction(function=_viewer)]
    return LaunchDescription([*arguments, *prepared_transport(), in_robot_namespace(nodes)])


def _states(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Who says where the joints are: the robot, or sliders."""
    chosen = LaunchConfiguration("sliders").perform(context)
    if chosen == "none":
        return [robot_state_publisher(when("robot_state_publisher"))]
    if chosen == "auto":
        chosen = "gui" if "joint_state_publisher_gui" in get_packages_with_prefixes() else "page"
    if chosen == "gui":
        sliders = Node(package="joint_state_publisher_gui", executable="joint_state_publisher_gui", output="screen")
    else:
        sliders = include(
            "joint_sliders",
            "humanoid_console",
            robot_config=robot_config(),
            urdf=LaunchConfiguration("urdf"),
            port=LaunchConfiguration("sliders_port"),
        )
    return [SetParameter("use_sim_time", False), robot_state_publisher(), sliders]


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
