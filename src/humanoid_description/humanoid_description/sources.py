# SPDX-License-Identifier: Apache-2.0
"""Where model and configuration files lie, and xacro to URDF text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from xml.parsers.expat import ExpatError

import xacro
from ament_index_python.packages import PackageNotFoundError, get_package_share_path

from humanoid_core.errors import ConfigError
from humanoid_description.errors import DescriptionError

PACKAGE_SCHEME = "package://"


def share_folders(package: str) -> list[Path]:
    """Folders that may hold a package's files: its share folder, then the workspace this package runs from."""
    folders: list[Path] = []
    with contextlib.suppress(PackageNotFoundError):
        folders.append(get_package_share_path(package))
    workspace = Path(__file__).resolve().parents[3]
    return [*folders, workspace]


def find_model(name: str, config_path: Path) -> Path:
    """A model file that a robot configuration names: absolute, or relative to the share folder of humanoid_description.

    Raises:
        ConfigError: there is no such file.
    """
    if Path(name).is_absolute():
        places = [Path(name)]
    else:
        places = [folder / name for folder in share_folders("humanoid_description")]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(config_path, "description", name, f"a file: looked for {', '.join(map(str, places))}")


def find_config(robot: str) -> Path:
    """The configuration of a robot: a path to a YAML file, or a name such as "unitree_g1".

    Raises:
        ConfigError: there is none; the message lists the robots that exist.
    """
    if robot.endswith((".yaml", ".yml")):
        return Path(robot)
    for folder in _config_folders():
        if (folder / f"{robot}.yaml").is_file():
            return folder / f"{robot}.yaml"
    known = ", ".join(known_robots())
    raise ConfigError("robot", "", robot, f"one of {known}, or the path of a robot configuration")


def known_robots() -> list[str]:
    """Names of all robots that have a configuration."""
    return sorted({path.stem for folder in _config_folders() for path in folder.glob("*.yaml")})


def _config_folders() -> list[Path]:
    return [folder / "config" / "robots" for folder in share_folders("humanoid_bringup")]


def find_file(name: str | Path) -> Path:
    """A file by its path, or by `package://<package>/<path>` in an installed package's share folder.

    Raises:
        DescriptionError: there is no such package.
    """
    text = str(name)
    if not text.startswith(PACKAGE_SCHEME):
        return Path(name)
    package, _, inside = text.removeprefix(PACKAGE_SCHEME).partition("/")
    try:
        return get_package_share_path(package) / inside
    except (PackageNotFoundError, ValueError) as error:
        raise DescriptionError(text, f"no package {package or 'named'}", "an installed package") from error


def expand(path: Path, arguments: dict[str, str] | None = None) -> str:
    """URDF text of a xacro or URDF file.

    Args:
        path: The file.
        arguments: xacro arguments.

    Raises:
        DescriptionError: the file is missing, or xacro refuses it.
    """
    if not path.is_file():
        raise DescriptionError(path, "no file", "a URDF or xacro file")
    if path.suffix != ".xacro":
        return path.read_text(encoding="utf-8")
    try:
        return str(xacro.process_file(str(path), mappings=arguments or {}).toprettyxml(indent="  "))
    except (xacro.XacroException, ExpatError) as error:
        raise DescriptionError(path, " ".join(str(error).split()), "a xacro file that expands") from error
