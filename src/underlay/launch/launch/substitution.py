# SPDX-License-Identifier: Apache-2.0
"""Text that is worked out when the launch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .launch_context import LaunchContext


class Substitution:
    """Base of all substitutions."""

    def describe(self) -> str:
        """Text for people, as `--show-args` prints it."""
        return repr(self)

    def perform(self, context: LaunchContext) -> str:
        """Work out the text."""
        raise NotImplementedError("perform not implemented for the base of all substitutions")


class TextSubstitution(Substitution):
    """A constant text."""

    def __init__(self, *, text: str) -> None:
        super().__init__()
        if not isinstance(text, str):
            raise TypeError(f"TextSubstitution expected Text object got '{type(text)}' instead.")
        self.text = text

    def describe(self) -> str:
        return f"'{self.text}'"

    def perform(self, context: LaunchContext) -> str:
        return self.text
