# SPDX-License-Identifier: Apache-2.0
"""The main job end to end: a whole cell with the twin collects some episodes by itself, then shuts down."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from humanoid_bringup.launching import in_robot_namespace, include, share


def generate_launch_description() -> LaunchDescription:
    demo = Node(
        package="humanoid_bringup",
        executable="demo",
        name="demo",
        output="screen",
        parameters=[
            {
                "episodes": LaunchConfiguration("episodes"),
                "operator": LaunchConfiguration("operator"),
                "motion": ParameterValue(LaunchConfiguration("motion"), value_type=str),
                "scene": LaunchConfiguration("scene"),
                "task": share("config", "tasks", [LaunchConfiguration("task"), ".yaml"]),
                "seed": LaunchConfiguration("seed"),
            }
        ],
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("episodes", default_value="3", description="How many episodes to collect"),
            include("collect", out=LaunchConfiguration("out"), operator_autostart="false", planning="true"),
            RegisterEventHandler(
                OnProcessExit(target_action=demo, on_exit=[Shutdown(reason="the demonstration is over")])
            ),
            in_robot_namespace([demo]),
        ]
    )
