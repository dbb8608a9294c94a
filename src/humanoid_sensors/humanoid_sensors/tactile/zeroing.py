# SPDX-License-Identifier: Apache-2.0
"""What a tactile array reads while nothing touches it, and how that drifts."""

from __future__ import annotations

import numpy as np


class Zero:
    """The zero of each taxel: first the mean of some readings at rest, then followed slowly while the taxel is at rest.

    A taxel is at rest while it is within `threshold` of its zero, so a touch is kept, however long it lasts, and warmth
    that creeps in is not. What creeps faster than threshold / `time_constant` is taken for a touch.

    Args:
        count: Taxels.
        threshold: What counts as touched, in the readings' unit.
        time_constant: In which the zero follows [s]; 0: it stays.
        first: Readings that make the first zero.
    """

    def __init__(self, count: int, threshold: float, time_constant: float, first: int = 50) -> None:
        self._threshold, self._time_constant, self._first = threshold, time_constant, first
        self._sum, self._count = np.zeros(count), 0
        self._zero = np.zeros(count)
        self._stamp = 0

    def restart(self) -> None:
        """Find the zero anew: nothing touches the array now."""
        self._sum[:], self._count = 0.0, 0

    @property
    def ready(self) -> bool:
        """Whether the first zero is known."""
        return self._count >= self._first

    def apply(self, values: np.ndarray, stamp: int) -> np.ndarray:
        """Readings (n,) at `stamp` [ns] less their zeros; all 0 until the first zero is known."""
        period, self._stamp = 1e-9 * (stamp - self._stamp), stamp
        if not self.ready:
            self._sum += values
            self._count += 1
            self._zero = self._sum / self._count
            return np.zeros_like(values)
        touch = values - self._zero
        if self._time_constant > 0.0 and period > 0.0:
            at_rest = np.abs(touch) < self._threshold
            self._zero[at_rest] += touch[at_rest] * -np.expm1(-period / self._time_constant)
        return touch
