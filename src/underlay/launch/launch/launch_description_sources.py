# SPDX-License-Identifier: Apache-2.0
"""Launch descriptions from Python launch files."""

import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType

from ._left_out import left_out
from .launch_description import LaunchDescription
from .launch_description_source import InvalidLaunchFileError, LaunchDescriptionSource
from .some_substitutions_type import SomeSubstitutionsType

__all__ = [
    "AnyLaunchDescriptionSource",
    "InvalidLaunchFileError",
    "InvalidPythonLaunchFileError",
    "PythonLaunchDescriptionSource",
    "get_launch_description_from_any_launch_file",
    "get_launch_description_from_python_launch_file",
    "load_python_launch_file_as_module",
]

__getattr__ = left_out(
    __name__,
    "FrontendLaunchDescriptionSource",
    "InvalidFrontendLaunchFileError",
    "get_launch_description_from_frontend_launch_file",
)


class InvalidPythonLaunchFileError(Exception):
    """A Python launch file lacks `generate_launch_description()`."""


def load_python_launch_file_as_module(python_launch_file_path: str) -> ModuleType:
    """Execute the file."""
    loader = SourceFileLoader("python_launch_file", python_launch_file_path)
    spec = spec_from_loader(loader.name, loader)
    if spec is None:
        raise RuntimeError("Failed to load module spec!")
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def get_launch_description_from_python_launch_file(python_launch_file_path: str) -> LaunchDescription:
    """Execute the file and call its `generate_launch_description()`."""
    module = load_python_launch_file_as_module(python_launch_file_path)
    if not hasattr(module, "generate_launch_description"):
        raise InvalidPythonLaunchFileError(
            f"launch file at '{python_launch_file_path}' does not contain the required function "
            "'generate_launch_description()'"
        )
    return module.generate_launch_description()


def get_launch_description_from_any_launch_file(launch_file_path: str) -> LaunchDescription:
    """As `get_launch_description_from_python_launch_file`; XML and YAML launch files are left out."""
    extension = os.path.splitext(launch_file_path)[1][1:]
    if extension in ("xml", "yaml", "yml"):
        raise NotImplementedError(f"launch_{extension} exists in ROS 2 but is left out of this stand-in")
    try:
        return get_launch_description_from_python_launch_file(launch_file_path)
    except Exception as exc:
        raise InvalidLaunchFileError(extension, likely_errors=[exc]) from exc


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path, "interpreted python launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file of any kind that is known here: a Python one."""

    def __init__(self, launch_file_path: SomeSubstitutionsType) -> None:
        super().__init__(None, launch_file_path, "interpreted launch file")

    def _get_launch_description(self, location: str) -> LaunchDescription:
        return get_launch_description_from_any_launch_file(location)
