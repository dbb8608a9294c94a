# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while reading episodes."""

from humanoid_core.errors import HumanoidError


class EpisodeError(HumanoidError):
    """A folder is no episode, or nothing in it can be read."""


class CatalogueError(HumanoidError):
    """The catalogue cannot be read or written, or has nothing of the kind."""


class ExportError(HumanoidError):
    """An episode cannot become part of a data set, or a data set is not what was asked for."""


class StaleLabels(HumanoidError):
    """Labels were changed by somebody else since they were read.

    Args:
        folder: Of the episode.
        found: The revision that was changed.
        expected: The one that the episode has now.
    """

    def __init__(self, folder: object, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"{folder}: labels: found a change to revision {found!r}, expected {expected!r}: read them again"
        )
