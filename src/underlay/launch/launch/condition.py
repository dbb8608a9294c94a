# SPDX-License-Identifier: Apache-2.0
"""Base of all conditions."""


class Condition:
    """A predicate on the launch context; without one it is never met."""

    def __init__(self, *, predicate=None):
        self._predicate = predicate

    def describe(self) -> str:
        """Text for people."""
        return repr(self)

    def evaluate(self, context) -> bool:
        return self._predicate is not None and self._predicate(context)
