# SPDX-License-Identifier: Apache-2.0
"""Errors of this package."""

from __future__ import annotations

from humanoid_core.errors import HumanoidError


class NotBuilt(HumanoidError):
    """The compiled part is missing.

    Args:
        where: Package.
        found: What is there.
        expected: What should be.
    """

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where}: {found}; expected {expected}")
