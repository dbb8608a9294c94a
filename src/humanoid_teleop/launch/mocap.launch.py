# SPDX-License-Identifier: Apache-2.0
"""A motion-capture suit or room as the operator, over the network."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_teleop"), "config", "mocap.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("params", default_value=ours, description="Addresses and ports"),
            DeclareLaunchArgument(
                "protocol", choices=["natnet", "mvn", "bvh"], description="OptiTrack NatNet, Xsens MVN, lines of BVH"
            ),
            DeclareLaunchArgument(
                "hierarchy", default_value="", description="BVH file with the skeleton of protocol:=bvh"
            ),
            DeclareLaunchArgument(
                "skeleton",
                default_value="",
                description="Which segment is which body part: motive, mvn, a file like theirs; empty for bvh",
            ),
            DeclareLaunchArgument(
                "trace",
                default_value="false",
                choices=["true", "false"],
                description="Publish when each frame was sent",
            ),
            Node(
                package="humanoid_teleop",
                executable="mocap",
                name="mocap",
                output="screen",
                parameters=[
                    LaunchConfiguration("params"),
                    {
                        "protocol": ParameterValue(LaunchConfiguration("protocol"), value_type=str),
                        "hierarchy": ParameterValue(LaunchConfiguration("hierarchy"), value_type=str),
                        "skeleton": ParameterValue(LaunchConfiguration("skeleton"), value_type=str),
                        "trace": ParameterValue(LaunchConfiguration("trace"), value_type=bool),
                    },
                ],
            ),
        ]
    )
