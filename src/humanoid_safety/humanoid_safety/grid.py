# SPDX-License-Identifier: Apache-2.0
"""When commands are due: a regular grid of times, however irregularly one asks."""

from __future__ import annotations


class StepGrid:
    """Times of the steps, a period apart.

    Positions are limited step by step, so each step must stand for the same time. A timer that comes early or late by
    less than half a period gets the grid's time, not its own; one that comes later gets the steps it missed as well;
    after a stall or a jump of the clock the grid starts anew at the present.

    Args:
        period_ns: Time between two steps.
        late_steps: Steps made up for at most.
    """

    def __init__(self, period_ns: int, late_steps: int) -> None:
        self._period = period_ns
        self._late_steps = late_steps
        self._last: int | None = None

    def due(self, now_ns: int) -> list[int]:
        """Times of the steps that are due now, oldest first; empty where none is."""
        if self._last is not None:
            steps = (now_ns - self._last + self._period // 2) // self._period
            if -self._late_steps <= steps <= 0:
                return []
            if 0 < steps <= self._late_steps:
                times = [self._last + (i + 1) * self._period for i in range(steps)]
                self._last = times[-1]
                return times
        self._last = now_ns
        return [now_ns]
