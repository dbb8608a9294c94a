# SPDX-License-Identifier: Apache-2.0
"""A recorded episode through the pipeline again: its operator frames into retargeting and limiter, no robot, no device.

The bag's joint states and scene come along, so that what the pipeline answers now can be compared with its answer then.
"""

from launch import LaunchDescription, Substitution
from launch.actions import DeclareLaunchArgument, ExecuteProcess, RegisterEventHandler, Shutdown
from launch.condition import Condition
from launch.conditions import IfCondition, UnlessCondition
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from humanoid_bringup.launching import (
    flag,
    in_robot_namespace,
    include,
    names_in,
    prepared_transport,
    robot_arguments,
    robot_config,
    robot_state_publisher,
    share,
    when,
)

# Inputs of the pipeline, relative to the namespace; everything else in the bag was an answer.
PLAYED = ["operator/frame", "joint_states", "robot/status", "scene/objects", "time_scale"]


def generate_launch_description() -> LaunchDescription:
    robot = {"robot_config": robot_config(), "urdf": LaunchConfiguration("urdf")}
    name = LaunchConfiguration("robot_name")
    arguments = [
        *robot_arguments(),
        DeclareLaunchArgument("bag", description="Folder of the episode"),
        DeclareLaunchArgument("rate", default_value="1.0", description="Recorded seconds per second"),
        DeclareLaunchArgument("start_offset", default_value="0.0", description="Where in the bag to start [s]"),
        flag("safety", True, "Start the limiter"),
        flag("heartbeat", True, "Publish safety/heartbeat"),
        flag("recorder", False, "Start the recorder"),
        DeclareLaunchArgument(
            "recording",
            default_value="default",
            choices=names_in("recording"),
            description="What to record, a file in config/recording",
        ),
        DeclareLaunchArgument("out", default_value="out/replays", description="Folder of the recordings"),
        flag("stop_at_end", True, "Shut down when the bag has been played"),
    ]
    play = ExecuteProcess(
        cmd=[
            "ros2", "bag", "play", LaunchConfiguration("bag"),
            "--clock", "500",
            "--rate", LaunchConfiguration("rate"),
            "--start-offset", LaunchConfiguration("start_offset"),
            "--delay", "0.5",  # in which the player and those that listen find each other
            "--disable-keyboard-controls",
            "--topics", *(["/", name, f"/{topic}"] for topic in PLAYED),
        ],
        name="bag_play",
        output="screen",
    )  # fmt: skip
    nodes = [
        robot_state_publisher(),
        include("retargeting", "humanoid_teleop", **robot),
        include("safety", "humanoid_safety", when("safety"), **robot),
        include("heartbeat", "humanoid_safety", when("heartbeat")),
        include(
            "recorder",
            "humanoid_recorder",
            when("recorder"),
            topics=share("config", "recording", [LaunchConfiguration("recording"), ".yaml"]),
            out=LaunchConfiguration("out"),
            robot_name=name,
            autostart="true",
        ),
    ]
    limited = LaunchConfiguration("safety")
    waits = [
        _await(IfCondition(limited), name, "retargeting", "safety"),
        _await(UnlessCondition(limited), name, "retargeting"),
    ]
    start = RegisterEventHandler(
        OnProcessExit(
            target_action=waits.__contains__,
            on_exit=lambda event, _: [play] if event.returncode == 0 else [Shutdown(reason="somebody does not listen")],
        )
    )
    done = RegisterEventHandler(
        OnProcessExit(target_action=play, on_exit=[Shutdown(reason="the bag has been played")]),
        condition=IfCondition(LaunchConfiguration("stop_at_end")),
    )
    return LaunchDescription([*arguments, *prepared_transport(), in_robot_namespace(nodes), start, done, *waits])


def _await(condition: Condition, namespace: Substitution, *nodes: str) -> Node:
    """Ends once the nodes listen to the operator's frames."""
    return Node(
        package="humanoid_bringup",
        executable="await_listeners",
        namespace=namespace,
        output="screen",
        condition=condition,
        arguments=["operator/frame", *nodes],
    )
