# SPDX-License-Identifier: Apache-2.0
"""Errors of recording."""

from __future__ import annotations

from humanoid_core.errors import HumanoidError


class EpisodeError(HumanoidError):
    """A request does not fit the state of the recorder, or its texts cannot be used."""


class StorageError(HumanoidError):
    """The disk or folder cannot take what has to be written.

    Args:
        path: Folder or file.
        found: What the system said or measured.
        expected: What is needed.
    """

    def __init__(self, path: object, found: object, expected: str) -> None:
        self.path = str(path)
        self.found = found
        self.expected = expected
        super().__init__(f"{path}: found {found}, expected {expected}")


class BagError(HumanoidError):
    """A bag, or the episode around it, cannot be read.

    Args:
        path: The file.
        found: What is there.
        expected: What should be there.
    """

    def __init__(self, path: object, found: object, expected: str) -> None:
        self.path = str(path)
        self.found = found
        self.expected = expected
        super().__init__(f"{path}: found {found}, expected {expected}")
