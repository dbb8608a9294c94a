# SPDX-License-Identifier: Apache-2.0
"""Everything that runs at the person: operator device, retargeting, heartbeat, view."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.conditions import IfCondition
from launch.substitutions import EqualsSubstitution, LaunchConfiguration, NotEqualsSubstitution

from humanoid_bringup.launching import (
    flag,
    in_robot_namespace,
    include,
    names_in,
    prepared_transport,
    recordings_argument,
    robot_arguments,
    robot_config,
    share,
    when,
)


def generate_launch_description() -> LaunchDescription:
    robot = {"robot_config": robot_config(), "urdf": LaunchConfiguration("urdf")}
    operator = LaunchConfiguration("operator")
    arguments = [
        *robot_arguments(),
        DeclareLaunchArgument(
            "operator",
            default_value="scripted",
            choices=[
                *("scripted", "motion", "natnet", "mvn", "bvh_stream"),
                *("webxr", "handheld", "leader", "joystick", "none"),
            ],
            description="Scripted, recorded, OptiTrack, Xsens, BVH lines, headset, controllers, leader arm, joystick",
        ),
        DeclareLaunchArgument(
            "motion",
            default_value="",
            description="Recording of operator:=motion: BVH, CSV of Motive, bag; skeleton of operator:=bvh_stream",
        ),
        DeclareLaunchArgument(
            "task",
            default_value="parcel_sorting",
            choices=names_in("tasks"),
            description="Task of operator:=scripted, the headset and the console, a file in config/tasks",
        ),
        DeclareLaunchArgument(
            "device",
            default_value="openxr_controllers",
            choices=names_in("devices"),
            description="Make of the devices of operator:=handheld, a file in config/devices",
        ),
        DeclareLaunchArgument(
            "leader",
            default_value="unitree_g1_dynamixel",
            choices=names_in("leaders"),
            description="Which joint of operator:=leader the robot's follow, a file in config/leaders",
        ),
        flag("leader_bus", True, "Read the leader's Dynamixel motors; else its own driver publishes its joint states"),
        DeclareLaunchArgument(
            "drive",
            default_value="none",
            choices=["none", "beside", "sticks"],
            description="What drives base and torso lift: a joystick beside the operator's device, or its own sticks",
        ),
        DeclareLaunchArgument(
            "gamepad",
            default_value="game_controller",
            choices=names_in("gamepads"),
            description="Make of the joystick, a file in config/gamepads",
        ),
        DeclareLaunchArgument("page_port", default_value="8443", description="Port of the page for operator:=webxr"),
        flag("console", False, "Serve the console page: plan, trials, labels, workload"),
        DeclareLaunchArgument("console_port", default_value="8444", description="Port of the page for console:=true"),
        recordings_argument(),
        flag("operator_autostart", True, "Start moving at once instead of waiting for the operator/start service"),
        flag("retargeting", True, "Turn operator frames into joint targets"),
        flag("heartbeat", True, "Publish safety/heartbeat; the robot stops without one"),
        DeclareLaunchArgument(
            "viewer",
            default_value="none",
            choices=["none", "auto", "rviz", "foxglove"],
            description="See view.launch.py",
        ),
        flag("trace", False, "Publish when each operator frame passed each stage"),
    ]
    nodes = [
        include(
            "scripted_operator",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "scripted")),
            task=share("config", "tasks", [LaunchConfiguration("task"), ".yaml"]),
            autostart=LaunchConfiguration("operator_autostart"),
            **robot,
        ),
        include(
            "motion_player",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "motion")),
            file=LaunchConfiguration("motion"),
            autostart=LaunchConfiguration("operator_autostart"),
        ),
        *(
            include(
                "mocap",
                "humanoid_teleop",
                IfCondition(EqualsSubstitution(operator, protocol)),
                protocol=protocol,
                skeleton=skeleton,
                trace=LaunchConfiguration("trace"),
            )
            for protocol, skeleton in (("natnet", "motive"), ("mvn", "mvn"))
        ),
        include(
            "mocap",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "bvh_stream")),
            protocol="bvh",
            hierarchy=LaunchConfiguration("motion"),
            trace=LaunchConfiguration("trace"),
        ),
        include(
            "handheld",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "handheld")),
            device=LaunchConfiguration("device"),
        ),
        include(
            "joystick",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "joystick")),
            gamepad=LaunchConfiguration("gamepad"),
            role="operator",
        ),
        include(
            "joystick",
            "humanoid_teleop",
            IfCondition(NotEqualsSubstitution(LaunchConfiguration("drive"), "none")),
            gamepad=LaunchConfiguration("gamepad"),
            role=LaunchConfiguration("drive"),
        ),
        include(
            "webxr",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "webxr")),
            task=LaunchConfiguration("task"),
            port=LaunchConfiguration("page_port"),
            trace=LaunchConfiguration("trace"),
        ),
        include(
            "leader",
            "humanoid_teleop",
            IfCondition(EqualsSubstitution(operator, "leader")),
            mapping=share("config", "leaders", [LaunchConfiguration("leader"), ".yaml"]),
            bus=LaunchConfiguration("leader_bus"),
            **robot,
        ),
        GroupAction(  # a leader gives joint targets itself
            [
                include(
                    "retargeting", "humanoid_teleop", when("retargeting"), trace=LaunchConfiguration("trace"), **robot
                )
            ],
            scoped=False,
            condition=IfCondition(NotEqualsSubstitution(operator, "leader")),
        ),
        include("heartbeat", "humanoid_safety", when("heartbeat")),
        include(
            "console",
            "humanoid_console",
            when("console"),
            robot=LaunchConfiguration("robot"),
            tasks=share("config", "tasks"),
            task=LaunchConfiguration("task"),
            recordings=LaunchConfiguration("out"),
            port=LaunchConfiguration("console_port"),
            preflight=[
                "ros2 run humanoid_bringup preflight --json --robot ",
                LaunchConfiguration("robot"),
                " --robot-name ",
                LaunchConfiguration("robot_name"),
                " --urdf '",
                LaunchConfiguration("urdf"),
                "'",
            ],
        ),
    ]
    viewer = LaunchConfiguration("viewer")
    return LaunchDescription(
        [
            *arguments,
            *prepared_transport(),
            in_robot_namespace(nodes),
            include(
                "view",
                condition=IfCondition(NotEqualsSubstitution(viewer, "none")),
                viewer=viewer,
                robot=LaunchConfiguration("robot"),
                robot_name=LaunchConfiguration("robot_name"),
                urdf=LaunchConfiguration("urdf"),
                hardware=LaunchConfiguration("hardware"),
                robot_state_publisher="false",
            ),
        ]
    )
