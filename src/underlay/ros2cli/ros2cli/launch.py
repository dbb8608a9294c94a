# SPDX-License-Identifier: Apache-2.0
"""`ros2 launch`."""

import os
import sys

import launch
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    AnyLaunchDescriptionSource,
    get_launch_description_from_any_launch_file,
)


def _file_of_package(package: str, file_name: str) -> str:
    """Path of the one file of this name in the package's share folder.

    Raises:
        RuntimeError: No such package, no such file or several.
    """
    try:
        share = get_package_share_directory(package)
    except PackageNotFoundError as exc:
        raise RuntimeError(f"Package '{package}' not found: {exc}") from exc
    paths = [
        os.path.join(folder, file_name) for folder, _, names in os.walk(share, followlinks=False) if file_name in names
    ]
    if not paths:
        raise RuntimeError(
            f"file '{file_name}' was not found in the share directory of package '{package}' which is at '{share}'"
        )
    if len(paths) > 1:
        found = ", ".join(f"'{path}'" for path in paths)
        raise RuntimeError(
            f"file '{file_name}' was found more than once in the share directory of package '{package}': [{found}]"
        )
    return paths[0]


def parse_launch_arguments(arguments: list[str]) -> list[tuple[str, str]]:
    """Names and values from name:=value; the last value of a name counts.

    Raises:
        RuntimeError: An argument is not of that form.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        name, separator, value = argument.partition(":=")
        if not separator or not name or not value:
            raise RuntimeError(f"malformed launch argument '{argument}', expected format '<name>:=<value>'")
        values[name] = value
    return list(values.items())


def _show_arguments(path: str):
    arguments = get_launch_description_from_any_launch_file(path).get_launch_arguments()
    print("Arguments (pass arguments as '<name>:=<value>'):")
    for argument in arguments:
        print(f"\n    '{argument.name}':{'*' if argument._conditionally_included else ''}")
        print(f"        {argument.description}")
        if argument.default_value is not None:
            print(f"        (default: {' + '.join(sub.describe() for sub in argument.default_value)})")
    if not arguments:
        print("\n  No arguments.")
    elif any(argument._conditionally_included for argument in arguments):
        print("\n* argument(s) which are only used if specific conditions occur")


def _launch(args) -> int | str | None:
    arguments = list(args.launch_arguments)
    if os.path.isfile(args.package_name):
        path = args.package_name
        if args.launch_file_name is not None:
            arguments.insert(0, args.launch_file_name)
    elif args.launch_file_name is None:
        raise RuntimeError(f"'{args.package_name}' is no file; a package's launch file needs its name as well")
    else:
        path = _file_of_package(args.package_name, args.launch_file_name)
    if args.show_args:
        _show_arguments(path)
        return None
    service = launch.LaunchService(argv=arguments, noninteractive=args.noninteractive, debug=args.debug)
    include = IncludeLaunchDescription(
        AnyLaunchDescriptionSource(path), launch_arguments=parse_launch_arguments(arguments)
    )
    service.include_launch_description(launch.LaunchDescription([include]))
    return service.run()


def add_arguments(parser):
    """Declare the arguments."""
    add = parser.add_argument
    interactive = sys.stdin.isatty()
    add("-n", "--noninteractive", default=not interactive, action="store_true", help="Assume that there is no terminal")
    add("-d", "--debug", action="store_true", help="Provide more verbose output")
    add("-s", "--show-args", "--show-arguments", action="store_true", help="Show the file's arguments")
    add("package_name", help="Name of the ROS package which contains the launch file, or path of the file")
    add("launch_file_name", nargs="?", help="Name of the launch file")
    add("launch_arguments", nargs="*", help="Arguments: '<name>:=<value>' (for duplicates, last one wins)")
    parser.set_defaults(main=_launch)
