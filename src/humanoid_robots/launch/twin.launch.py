# SPDX-License-Identifier: Apache-2.0
"""The MuJoCo twin alone."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from humanoid_core.launching import lifecycle_node


def generate_launch_description() -> LaunchDescription:
    ours = PathJoinSubstitution([FindPackageShare("humanoid_robots"), "config", "twin.yaml"])
    bringup = FindPackageShare("humanoid_bringup")
    robot = PathJoinSubstitution([bringup, "config", "robots", "unitree_g1.yaml"])
    scene = PathJoinSubstitution([bringup, "config", "scenes", "parcel_sorting.yaml"])
    arguments = [
        DeclareLaunchArgument("params", default_value=ours, description="Parameter file"),
        DeclareLaunchArgument("robot_config", default_value=robot, description="Robot configuration"),
        DeclareLaunchArgument("urdf", default_value="", description="URDF or xacro in place of the configuration's"),
        DeclareLaunchArgument("scene", default_value=scene, description="Scene file"),
        DeclareLaunchArgument("seed", default_value="0", description="Seed of the scene"),
        DeclareLaunchArgument("time_scale", default_value="1.0", description="Simulated seconds per second at most"),
        DeclareLaunchArgument("cameras", default_value="true", description="Draw the cameras"),
        DeclareLaunchArgument(
            "base",
            default_value="held",
            choices=["held", "standing", "free"],
            description="Of a biped: held at standing height, standing on its feet, or left to fall",
        ),
        DeclareLaunchArgument(
            "imperfections", default_value="true", description="Noise, delays and losses of sensors and links"
        ),
        DeclareLaunchArgument("autostart", default_value="true", description="Configure and activate the node"),
    ]
    kinds = {
        "robot_config": str,
        "urdf": str,
        "scene": str,
        "seed": int,
        "time_scale": float,
        "cameras": bool,
        "base": str,
        "imperfections": bool,
    }
    given = {name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name, kind in kinds.items()}
    twin = lifecycle_node(
        LaunchConfiguration("autostart"),
        package="humanoid_robots",
        executable="twin",
        name="twin",
        remappings=[("/tf", "tf"), ("/tf_static", "tf_static")],
        parameters=[LaunchConfiguration("params"), given],
    )
    return LaunchDescription([*arguments, *twin])
