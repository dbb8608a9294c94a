# SPDX-License-Identifier: Apache-2.0
"""Where the taxels of a device are: in its registers, and on the robot."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from humanoid_core import config


@dataclass(frozen=True)
class Pad:
    """A regular array of taxels.

    Attributes:
        frame: In its middle; rows along x, columns along y, z out of the pad.
        register: Address of the first taxel.
        rows: Taxels along x.
        columns: Taxels along y.
        pitch: Between taxels along x and y [m]; None: not published, and no positions are told.
        transposed: Whether the registers go down the columns.
        scale: Value per count, in the pad's unit.
        quantity: "pressure" [Pa], "force" [N] or "raw" counts.
    """

    frame: str
    register: int
    rows: int
    columns: int
    pitch: tuple[float, float] | None = None
    transposed: bool = False
    scale: float = 1.0
    quantity: Literal["pressure", "force", "raw"] = "raw"

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or not 0 <= self.register < 2**16:
            raise ValueError(f"{self.rows} x {self.columns} taxels from register {self.register}")

    @property
    def count(self) -> int:
        """Taxels."""
        return self.rows * self.columns

    def values(self, counts: np.ndarray) -> np.ndarray:
        """Counts (n,) in the order of registers as values (n,), row by row."""
        shape = (self.columns, self.rows) if self.transposed else (self.rows, self.columns)
        grid = counts.reshape(shape)
        return self.scale * (grid.T if self.transposed else grid).ravel()

    @property
    def positions(self) -> np.ndarray:
        """Of the taxels in `frame`, row by row (n, 3) [m]; (0, 3) where the pitch is unknown."""
        if self.pitch is None:
            return np.zeros((0, 3))
        x = (np.arange(self.rows) - 0.5 * (self.rows - 1)) * self.pitch[0]
        y = (np.arange(self.columns) - 0.5 * (self.columns - 1)) * self.pitch[1]
        return np.stack([np.repeat(x, self.columns), np.tile(y, self.rows), np.zeros(self.count)], axis=1)


@dataclass(frozen=True)
class Check:
    """A register that tells what the device is, and what it may say."""

    register: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """A tactile device's file.

    Attributes:
        pads: By place: `tactile/<place>`.
        device_id: Its number on the bus.
        table: Which registers hold the taxels.
        signed: Whether counts are int16, else uint16.
        stride: Addresses from one taxel to the next: 2 where a device counts bytes.
        check: A register and the values that are right in it, such as a hardware or firmware number; None: not asked.
    """

    pads: dict[str, Pad]
    device_id: int = 1
    table: Literal["holding", "input"] = "holding"
    signed: bool = True
    stride: int = 1
    check: Check | None = None

    def __post_init__(self) -> None:
        if not self.pads:
            raise ValueError("no pads")
        ends: list[tuple[int, int, str]] = sorted(
            (pad.register, pad.register + self.stride * pad.count, name) for name, pad in self.pads.items()
        )
        for (_, end, name), (begin, _, other) in itertools.pairwise(ends):
            if begin < end:
                raise ValueError(f"pads {name} and {other} share registers")


def load(file: str | Path) -> Layout:
    """Read a layout.

    Raises:
        ConfigError: it is wrong.
    """
    return config.load(Layout, file)
