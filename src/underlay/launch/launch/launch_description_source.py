# SPDX-License-Identifier: Apache-2.0
"""Where a launch description comes from."""

import traceback

from . import logging
from .launch_context import LaunchContext
from .utilities import normalize_to_list_of_substitutions, perform_substitutions


class InvalidLaunchFileError(Exception):
    """A launch file could not be loaded; the exceptions met are in the text, the first one is the cause."""

    def __init__(self, extension: str = "", *, likely_errors: list | None = None):
        if not extension or not likely_errors:
            super().__init__("The launch file may have a syntax error, or its format is unknown")
            return
        what = "multiple exceptions" if len(likely_errors) > 1 else "exception"
        text = f"Caught {what} when trying to load file of format [{extension}]:"
        super().__init__("\n - ".join([text, *(f"{type(error).__name__}: {error}" for error in likely_errors)]))
        self.__cause__ = likely_errors[0]


class LaunchDescriptionSource:
    """A launch description given directly; the sources of files derive from it."""

    def __init__(
        self, launch_description=None, location="<string>", method: str = "unspecified mechanism from a script"
    ):
        self.__launch_description = launch_description
        self.__location = normalize_to_list_of_substitutions(location)
        self.__expanded_location: str | None = None
        self.method = method

    def try_get_launch_description_without_context(self):
        """Load the description if that needs no running launch; None if it does."""
        if self.__launch_description is None:
            try:
                return self._get_launch_description(perform_substitutions(LaunchContext(), self.__location))
            except Exception as exc:
                logger = logging.get_logger(__name__)
                logger.debug(traceback.format_exc())
                logger.debug(f"Failed to load the launch file without a context: {exc}")
        return self.__launch_description

    def get_launch_description(self, context):
        """Load the description, once."""
        if self.__expanded_location is None:
            self.__expanded_location = perform_substitutions(context, self.__location)
        if self.__launch_description is None:
            self.__launch_description = self._get_launch_description(self.__expanded_location)
        return self.__launch_description

    def _get_launch_description(self, location: str):
        raise RuntimeError(
            "LaunchDescriptionSource.get_launch_description(): called without launch description being set"
        )

    @property
    def location(self) -> str:
        """Path of the file, or a description of it while that is unknown."""
        if self.__expanded_location is None:
            return " + ".join(str(sub) for sub in self.__location)
        return self.__expanded_location
