# SPDX-License-Identifier: Apache-2.0
"""Everything that runs at the robot: driver or twin, limiter, robot_state_publisher, synchronisation, recorder."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction
from launch.conditions import IfCondition, UnlessCondition
from launch.substitutions import LaunchConfiguration

from humanoid_bringup.launching import (
    flag,
    in_robot_namespace,
    include,
    names_in,
    prepared_transport,
    recordings_argument,
    robot_arguments,
    robot_config,
    robot_state_publisher,
    share,
    simulated,
    when,
)


def generate_launch_description() -> LaunchDescription:
    robot = {"robot_config": robot_config(), "urdf": LaunchConfiguration("urdf")}
    arguments = [
        *robot_arguments(),
        DeclareLaunchArgument(
            "scene",
            default_value="parcel_sorting",
            choices=names_in("scenes"),
            description="Scene of the twin, a file in config/scenes",
        ),
        DeclareLaunchArgument(
            "seed", default_value="0", description="Seed of the scene's random poses, sizes and masses"
        ),
        DeclareLaunchArgument(
            "time_scale",
            default_value="1.0",
            description="Simulated seconds per second at most; the twin slows down by itself where it must",
        ),
        DeclareLaunchArgument(
            "recording",
            default_value="default",
            choices=names_in("recording"),
            description="What to record, a file in config/recording",
        ),
        recordings_argument(),
        DeclareLaunchArgument(
            "base",
            default_value="held",
            choices=["held", "standing", "free"],
            description="Of a biped in the twin: held at standing height, standing on its feet, or left to fall",
        ),
        DeclareLaunchArgument(
            "driver",
            default_value=LaunchConfiguration("robot"),
            description=f"Driver of the real robot, a file in config/drivers: {', '.join(names_in('drivers'))}",
        ),
        DeclareLaunchArgument(
            "driver_config",
            default_value=share("config", "drivers", [LaunchConfiguration("driver"), ".yaml"]),
            description="A site's own file in place of that",
        ),
        flag("cameras", True, "Simulate cameras (the most expensive part of the twin)"),
        flag("imperfections", True, "Sensors and links of the twin have noise, delays and losses; false: ideal"),
        flag("sensors", True, "Start the drivers of a real robot's sensors, as config/sensors says"),
        flag("safety", True, "Start the limiter"),
        flag("sync", True, "Start time synchronisation"),
        flag("recorder", True, "Start the recorder"),
        flag("planning", False, "Start planned motions (MoveIt): plan_and_move, go_home, reset_scene_pose"),
        flag("autostart", True, "Configure and activate lifecycle nodes"),
        flag("trace", False, "Publish when each operator frame passed each stage"),
    ]
    nodes = [
        robot_state_publisher(),
        include(
            "twin",
            "humanoid_robots",
            IfCondition(simulated()),
            scene=share("config", "scenes", [LaunchConfiguration("scene"), ".yaml"]),
            seed=LaunchConfiguration("seed"),
            time_scale=LaunchConfiguration("time_scale"),
            cameras=LaunchConfiguration("cameras"),
            base=LaunchConfiguration("base"),
            imperfections=LaunchConfiguration("imperfections"),
            autostart=LaunchConfiguration("autostart"),
            **robot,
        ),
        GroupAction(
            [
                include(
                    "driver",
                    "humanoid_robots",
                    driver_config=LaunchConfiguration("driver_config"),
                    autostart=LaunchConfiguration("autostart"),
                    **robot,
                ),
                include(
                    "sensors",
                    "humanoid_sensors",
                    when("sensors"),
                    sensors=share("config", "sensors", [LaunchConfiguration("robot"), ".yaml"]),
                    robot_name=LaunchConfiguration("robot_name"),
                    autostart=LaunchConfiguration("autostart"),
                ),
            ],
            condition=UnlessCondition(simulated()),
        ),
        include("safety", "humanoid_safety", when("safety"), trace=LaunchConfiguration("trace"), **robot),
        include("planning", "humanoid_planning", when("planning"), **robot),
        include("sync", "humanoid_sync", when("sync")),
        include(
            "recorder",
            "humanoid_recorder",
            when("recorder"),
            topics=share("config", "recording", [LaunchConfiguration("recording"), ".yaml"]),
            out=LaunchConfiguration("out"),
            robot_name=LaunchConfiguration("robot_name"),
            autostart=LaunchConfiguration("autostart"),
        ),
    ]
    return LaunchDescription([*arguments, *prepared_transport(), in_robot_namespace(nodes)])
