# SPDX-License-Identifier: Apache-2.0
"""Launch descriptions from Python launch files."""

import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from ._left_out import left_out
from .launch_description_source import InvalidLaunchFileError, LaunchDescriptionSource

__getattr__ = left_out(__name__, "FrontendLaunchDescriptionSource", "get_launch_description_from_frontend_launch_file")


class InvalidPythonLaunchFileError(Exception):
    """A Python launch file lacks `generate_launch_description()`."""


def load_python_launch_file_as_module(python_launch_file_path: str):
    loader = SourceFileLoader("python_launch_file", python_launch_file_path)
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


def get_launch_description_from_python_launch_file(python_launch_file_path: str):
    module = load_python_launch_file_as_module(python_launch_file_path)
    if not hasattr(module, "generate_launch_description"):
        raise InvalidPythonLaunchFileError(
            f"launch file at '{python_launch_file_path}' does not contain the required function "
            "'generate_launch_description()'"
        )
    return module.generate_launch_description()


def get_launch_description_from_any_launch_file(launch_file_path: str):
    """As for Python launch files; XML and YAML ones are left out."""
    extension = os.path.splitext(launch_file_path)[1][1:]
    if extension in ("xml", "yaml", "yml"):
        raise NotImplementedError(f"launch_{extension} exists in ROS 2 but is left out of this stand-in")
    try:
        return get_launch_description_from_python_launch_file(launch_file_path)
    except Exception as exc:
        raise InvalidLaunchFileError(extension, likely_errors=[exc]) from exc


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def __init__(self, launch_file_path):
        super().__init__(None, launch_file_path, "interpreted python launch file")

    def _get_launch_description(self, location):
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file of any kind that is known here: a Python one."""

    def __init__(self, launch_file_path):
        super().__init__(None, launch_file_path, "interpreted launch file")

    def _get_launch_description(self, location):
        return get_launch_description_from_any_launch_file(location)
