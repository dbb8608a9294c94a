# SPDX-License-Identifier: Apache-2.0
"""What stands around the robot, and where its hands may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humanoid_core import config
from humanoid_core.errors import ConfigError

_BOX = ("position", "size", "height")


@dataclass(frozen=True)
class Table:
    """A box from the floor up.

    Attributes:
        name: For reports.
        position: Of its middle, (2,) [m].
        size: Along x and y, (2,) [m].
        height: Of its surface [m].
    """

    name: str
    position: tuple[float, float]
    size: tuple[float, float]
    height: float


@dataclass(frozen=True)
class Surroundings:
    """Floor, tables and the workspace of the hands, in a frame on the floor under the base, x forward, z up.

    Attributes:
        tables: Boxes.
        lower: Lowest corner of the workspace, (3,) [m].
        upper: Highest corner of it, (3,) [m].
    """

    tables: tuple[Table, ...]
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]

    def solids(self, ground: float) -> Iterator[tuple[str, tuple[float, float, float] | None, np.ndarray]]:
        """Name, half edges (None: everything below) and pose (4, 4) of what is solid, in the base frame.

        Args:
            ground: Height of the floor in the base frame [m].
        """
        yield "floor", None, _plane(np.array([0.0, 0.0, ground]), np.array([0.0, 0.0, 1.0]))
        for table in self.tables:
            pose = np.eye(4)
            pose[:3, 3] = *table.position, ground + 0.5 * table.height
            yield table.name, (0.5 * table.size[0], 0.5 * table.size[1], 0.5 * table.height), pose

    def bounds(self, ground: float) -> Iterator[tuple[str, np.ndarray]]:
        """Name and pose (4, 4) of the half-spaces that the workspace is made of; their z points inwards."""
        for i, letter in enumerate("xyz"):
            for word, corner, sign in (("least", self.lower, 1.0), ("greatest", self.upper, -1.0)):
                at, normal = np.zeros(3), np.zeros(3)
                at[i], normal[i] = corner[i] + (ground if i == 2 else 0.0), sign
                yield f"workspace, {word} {letter}", _plane(at, normal)


def tables_of(path: str | Path) -> tuple[Table, ...]:
    """The tables of a scene file (config/scenes); none where the path is empty.

    Raises:
        ConfigError: the file is missing, or a table in it is wrong.
    """
    if not path:
        return ()
    found: dict[str, Any] = config.read_yaml(Path(path)).get("tables") or {}
    tables = []
    for name, entry in found.items():
        missing = [key for key in _BOX if key not in entry]
        if missing:
            raise ConfigError(path, f"tables.{name}.{missing[0]}", "nothing", "position, size and height of a table")
        try:
            table = Table(name, _two(entry["position"]), _two(entry["size"]), float(entry["height"]))
        except (TypeError, ValueError) as error:
            raise ConfigError(path, f"tables.{name}", error, "numbers") from error
        if min(*table.size, table.height) <= 0.0:
            raise ConfigError(path, f"tables.{name}", entry, "edges above 0")
        tables.append(table)
    return tuple(tables)


def _two(values: list[float]) -> tuple[float, float]:
    x, y = values
    return float(x), float(y)


def _plane(at: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """A pose whose z is the normal."""
    side = np.array([1.0, 0.0, 0.0]) if abs(normal[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    y = np.cross(normal, side)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([np.cross(y, normal), y, normal])
    pose[:3, 3] = at
    return pose
