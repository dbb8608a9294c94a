# SPDX-License-Identifier: Apache-2.0
"""Text that is worked out when the launch runs."""


class Substitution:
    """Base of all substitutions."""

    def describe(self) -> str:
        """Text for people, as `--show-args` prints it."""
        return repr(self)

    def perform(self, context) -> str:
        raise NotImplementedError("perform not implemented for the base of all substitutions")


class TextSubstitution(Substitution):
    """A constant text."""

    def __init__(self, *, text: str):
        if not isinstance(text, str):
            raise TypeError(f"TextSubstitution expected Text object got '{type(text)}' instead.")
        self.text = text

    def describe(self) -> str:
        return f"'{self.text}'"

    def perform(self, context) -> str:
        return self.text
