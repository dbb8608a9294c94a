# SPDX-License-Identifier: Apache-2.0
"""A simulated device of any kind: readings of a function of time, at a rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

ReadingT = TypeVar("ReadingT")
_PATIENCE = 0.1  # [s]


class Simulated(Generic[ReadingT]):
    """Readings at their due times, none left out.

    Args:
        name: For people.
        make: Called with a reading's number and its stamp [ns].
        rate: [Hz].
    """

    def __init__(self, name: str, make: Callable[[int, int], ReadingT], rate: float) -> None:
        self.name = name
        self._make, self._period = make, 1e9 / rate
        self._begin, self._count = 0, 0

    def open(self) -> None:
        self._begin, self._count = time.time_ns(), 0

    def read(self) -> Iterable[ReadingT]:
        due = self._begin + round(self._count * self._period)
        wait = 1e-9 * (due - time.time_ns())
        if wait > 0.0:
            time.sleep(min(wait, _PATIENCE))
        if wait <= _PATIENCE:
            self._count += 1
            yield self._make(self._count - 1, due)

    def close(self) -> None:
        pass
