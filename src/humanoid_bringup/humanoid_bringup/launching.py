# SPDX-License-Identifier: Apache-2.0
"""What the top-level launch files share: their common arguments, the robot's namespace, the transport."""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescriptionEntity, Substitution
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.condition import Condition
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import (
    Command,
    EqualsSubstitution,
    LaunchConfiguration,
)
from launch_ros.actions import Node, PushRosNamespace, SetParameter, SetRemap
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from humanoid_bringup import transport


def share(*parts: SomeSubstitutionsType, package: str = "humanoid_bringup") -> list[SomeSubstitutionsType]:
    """A path in a package's share folder; a part may be a list of texts and substitutions, joined."""
    path: list[SomeSubstitutionsType] = [FindPackageShare(package)]
    for part in parts:
        path += ["/", *(part if isinstance(part, list) else [part])]
    return path


def names_in(folder: str, suffix: str = ".yaml") -> list[str]:
    """What there is in a folder of the configuration, without suffix: the choices of an argument."""
    place = Path(get_package_share_directory("humanoid_bringup")) / "config" / folder
    return sorted(path.name.removesuffix(suffix) for path in place.glob(f"*{suffix}"))


def flag(name: str, default: bool, description: str) -> DeclareLaunchArgument:
    """An argument that is true or false."""
    return DeclareLaunchArgument(
        name, default_value="true" if default else "false", choices=["true", "false"], description=description
    )


def robot_arguments() -> list[DeclareLaunchArgument]:
    """Which robot: the same in every launch file."""
    return [
        DeclareLaunchArgument(
            "robot",
            default_value="unitree_g1",
            choices=names_in("robots"),
            description="Robot model, a file in config/robots",
        ),
        DeclareLaunchArgument(
            "robot_name",
            default_value=LaunchConfiguration("robot"),
            description="Name of this very robot: the namespace of its topics and its folder of recordings",
        ),
        DeclareLaunchArgument(
            "urdf",
            default_value="",
            description="URDF or xacro file to use instead of ours, such as the maker's with meshes",
        ),
        DeclareLaunchArgument(
            "hardware", default_value="twin", choices=["twin", "real"], description="MuJoCo twin or the real robot"
        ),
    ]


def recordings_argument() -> DeclareLaunchArgument:
    """Where the recorder writes, and the console reads."""
    return DeclareLaunchArgument("out", default_value="out/episodes", description="Folder of the recordings")


def robot_config() -> list[SomeSubstitutionsType]:
    """Path of the chosen robot's configuration."""
    return share("config", "robots", [LaunchConfiguration("robot"), ".yaml"])


def simulated() -> Substitution:
    """ "True" with the twin, whose clock every node follows, "False" with a real robot."""
    return EqualsSubstitution(LaunchConfiguration("hardware"), "twin")


def in_robot_namespace(entities: list[LaunchDescriptionEntity]) -> GroupAction:
    """The entities in the robot's namespace, with its own tf, on simulated time with the twin."""
    return GroupAction(
        [
            PushRosNamespace(LaunchConfiguration("robot_name")),
            SetRemap("/tf", "tf"),
            SetRemap("/tf_static", "tf_static"),
            SetParameter("use_sim_time", simulated()),
            *entities,
        ]
    )


def include(
    name: str, package: str = "", condition: Condition | None = None, **arguments: SomeSubstitutionsType
) -> LaunchDescriptionEntity:
    """Another launch file, with its arguments.

    Our own top-level files share their arguments by name. A package's file gets a scope of its own, since several
    packages call their parameter file `params`.
    """
    file = share("launch", f"{name}.launch.py", package=package or "humanoid_bringup")
    source = PythonLaunchDescriptionSource(file)
    given = list(arguments.items())
    if not package:
        return IncludeLaunchDescription(source, launch_arguments=given, condition=condition)
    return GroupAction([IncludeLaunchDescription(source, launch_arguments=given)], condition=condition)


def robot_state_publisher(condition: Condition | None = None) -> Node:
    """robot_state_publisher with the chosen robot's description: ours, or the maker's completed by our frames."""
    description = Command(
        ["ros2 run humanoid_description urdf '", *robot_config(), "' --urdf '", LaunchConfiguration("urdf"), "'"]
    )
    return Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        output="screen",
        condition=condition,
        parameters=[{"robot_description": ParameterValue(description, value_type=str)}],
    )


def when(argument: str) -> IfCondition:
    """Only where the launch argument is true."""
    return IfCondition(LaunchConfiguration(argument))


def prepared_transport() -> list[LaunchDescriptionEntity]:
    """Our Fast DDS profile for every node, and shared memory that it fits in."""

    def check(_: LaunchContext) -> list[LaunchDescriptionEntity]:
        transport.remove_stale_segments()
        words = transport.shortage(transport.free_bytes())
        return [LogInfo(msg=f"warning: {words}")] if words else []

    profile = share("config", "transport", "fastdds.xml")
    return [
        OpaqueFunction(function=check),
        SetEnvironmentVariable("FASTRTPS_DEFAULT_PROFILES_FILE", profile),
        SetEnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", profile),
    ]
