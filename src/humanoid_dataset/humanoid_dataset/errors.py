# SPDX-License-Identifier: Apache-2.0
"""What can go wrong while reading episodes."""

from humanoid_core.errors import HumanoidError


class EpisodeError(HumanoidError):
    """A folder is no episode, or nothing in it can be read."""


class CatalogueError(HumanoidError):
    """The catalogue cannot be read or written, or has nothing of the kind."""
