# SPDX-License-Identifier: Apache-2.0
"""A scripted person as the operator."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "scripted_operator.yaml"])
    bringup = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config"])
    robot = PathJoinSubstitution([bringup, "robots", "unitree_g1.yaml"])
    task = PathJoinSubstitution([bringup, "tasks", "parcel_sorting.yaml"])
    switch = {"choices": ["true", "false"]}
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="How the person moves"),
        DeclareLaunchArgument(
            "robot_config", default_value=robot, description="Configuration of the robot that follows"
        ),
        DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the configuration's"),
        DeclareLaunchArgument("task", default_value=task, description="Task file"),
        DeclareLaunchArgument("seed", default_value="0", description="Seed of the person's pace and tremor"),
        DeclareLaunchArgument(
            "autostart", default_value="true", description="Begin at once, not when operator/start is called", **switch
        ),
        DeclareLaunchArgument("trace", default_value="false", description="Publish when each frame was sent", **switch),
    ]
    kinds = {"robot_config": str, "urdf": str, "task": str, "seed": int, "autostart": bool, "trace": bool}
    given = {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name, kind in kinds.items()}
    operator = Node(
        package="humanoid_teleop",
        executable="scripted_operator",
        name="scripted_operator",
        output="screen",
        parameters=[LaunchConfiguration("params"), given],
    )
    return LaunchDescription([*arguments, operator])
