# SPDX-License-Identifier: Apache-2.0
"""Where a launch description comes from: a Python launch file."""

import os
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from . import logging
from ._left_out import left_out
from .launch_context import LaunchContext
from .utilities import normalize_to_list_of_substitutions, perform_substitutions

__getattr__ = left_out(__name__)


class InvalidLaunchFileError(Exception):
    """A launch file could not be loaded; the exception met is in the text and is the cause."""

    def __init__(self, extension: str = "", *, likely_errors: list | None = None):
        errors = likely_errors or []
        caught = "multiple exceptions" if len(errors) > 1 else "exception"
        lines = [f"Caught {caught} when trying to load file of format [{extension}]:"]
        super().__init__("\n - ".join(lines + [f"{type(error).__name__}: {error}" for error in errors]))
        self.__cause__ = errors[0] if errors else None


class InvalidPythonLaunchFileError(Exception):
    """A Python launch file lacks `generate_launch_description()`."""


def get_launch_description_from_python_launch_file(python_launch_file_path: str):
    loader = SourceFileLoader("python_launch_file", python_launch_file_path)
    module = module_from_spec(spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
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
        raise NotImplementedError(f"launch_{extension} is left out of this stand-in for ROS 2")
    try:
        return get_launch_description_from_python_launch_file(launch_file_path)
    except Exception as exc:
        raise InvalidLaunchFileError(extension, likely_errors=[exc]) from exc


class LaunchDescriptionSource:
    """Base of the sources, and itself the source of a description that is there already."""

    def __init__(self, launch_description=None, location=None, method: str = "unspecified mechanism from a script"):
        self.__launch_description = launch_description
        location = f"<script: {launch_description!r}>" if location is None else location
        self.__location = normalize_to_list_of_substitutions(location)
        self.location = " + ".join(str(sub) for sub in self.__location)  # the path, once it is known
        self.method = method

    def try_get_launch_description_without_context(self):
        """Load the description if that needs no running launch; None if it does."""
        if self.__launch_description is None:
            try:
                return self._get_launch_description(perform_substitutions(LaunchContext(), self.__location))
            except Exception:
                logging.get_logger(__name__).debug(f"No launch file without a context: {traceback.format_exc()}")
        return self.__launch_description

    def get_launch_description(self, context):
        """Load the description, once."""
        self.location = perform_substitutions(context, self.__location)
        if self.__launch_description is None:
            self.__launch_description = self._get_launch_description(self.location)
        return self.__launch_description

    def _get_launch_description(self, location: str):
        raise RuntimeError(
            "LaunchDescriptionSource.get_launch_description(): called without launch description being set"
        )


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def __init__(self, launch_file_path):
        super().__init__(None, launch_file_path, "interpreted python launch file")

    def _get_launch_description(self, location):
        return get_launch_description_from_python_launch_file(location)


class AnyLaunchDescriptionSource(LaunchDescriptionSource):
    """A launch file of any kind that is known here: a Python one."""

    def __init__(self, launch_file_path):
        super().__init__(None, launch_file_path, "any launch file")

    def _get_launch_description(self, location):
        return get_launch_description_from_any_launch_file(location)
