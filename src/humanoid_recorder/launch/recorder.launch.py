# SPDX-License-Identifier: Apache-2.0
"""The episode recorder, configured and activated."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.conditions import IfCondition
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_recorder"), "config", "recorder.yaml"])
    topics = PathJoinSubstitution([FindPackageShare("humanoid_bringup"), "config", "recording", "default.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameters of the recorder"),
        DeclareLaunchArgument("topics", default_value=topics, description="What is recorded: config/recording/*.yaml"),
        DeclareLaunchArgument("out", default_value="episodes", description="Root folder of all episodes"),
        DeclareLaunchArgument(
            "robot_name", default_value="unitree_g1", description="Namespace of the robot, and its folder"
        ),
        DeclareLaunchArgument("use_sim_time", default_value="false", description="Time from /clock: true or false"),
        DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate: true or false"),
    ]
    recorder = LifecycleNode(
        package="humanoid_recorder",
        executable="recorder",
        name="recorder",
        namespace=LaunchConfiguration("robot_name"),
        remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
        parameters=[
            LaunchConfiguration("params"),
            {
                "topics": ParameterValue(LaunchConfiguration("topics"), value_type=str),
                "out": ParameterValue(LaunchConfiguration("out"), value_type=str),
                "robot_name": ParameterValue(LaunchConfiguration("robot_name"), value_type=str),
                "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool),
            },
        ],
    )

    def change(transition: int) -> EmitEvent:
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(recorder), transition_id=transition))

    autostart = IfCondition(LaunchConfiguration("autostart"))
    configured = OnStateTransition(
        target_lifecycle_node=recorder,
        start_state="configuring",
        goal_state="inactive",
        entities=[change(Transition.TRANSITION_ACTIVATE)],
    )
    configure = EmitEvent(
        event=ChangeState(
            lifecycle_node_matcher=matches_action(recorder), transition_id=Transition.TRANSITION_CONFIGURE
        ),
        condition=autostart,
    )
    return LaunchDescription([*arguments, RegisterEventHandler(configured, condition=autostart), recorder, configure])
