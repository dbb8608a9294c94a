# SPDX-License-Identifier: Apache-2.0
"""How a bag is compressed."""

from enum import Enum


class CompressionMode(Enum):
    """What is compressed."""

    NONE = 0
    FILE = 1
    MESSAGE = 2


def compression_mode_from_string(mode: str) -> CompressionMode:
    """The mode of a name, in any letter case; empty is none."""
    return CompressionMode[mode.upper() or "NONE"]


def compression_mode_to_string(mode: CompressionMode) -> str:
    """The name of a mode."""
    return mode.name
