# SPDX-License-Identifier: Apache-2.0
"""What a tactile device tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from humanoid_sensors.tactile.layout import Layout


@dataclass(frozen=True)
class Touch:
    """One reading.

    Attributes:
        stamp: Middle of the time in which it was read [ns].
        values: Of each pad (n,), row by row, in the pad's unit.
        lost: Readings before it that were due and not made.
    """

    stamp: int
    values: dict[str, np.ndarray]
    lost: int = 0


def stroked(layout: Layout) -> Callable[[int, int], Touch]:
    """A simulated device that something presses on, wandering over each pad once in 4 s."""

    def make(number: int, stamp: int) -> Touch:
        values = {}
        for name, pad in layout.pads.items():
            place = (1e-9 * stamp / 4.0 % 1.0) * pad.count
            values[name] = 100.0 * pad.scale * np.exp(-0.5 * (np.arange(pad.count) - place) ** 2)
        return Touch(stamp, values)

    return make
