# SPDX-License-Identifier: Apache-2.0
"""Simulated time against the wall clock."""

from __future__ import annotations

from collections import deque

_CATCH_UP = 0.02  # how far the simulation may lag and still hurry to make up for it [s]
_WINDOW = 1.0  # over which the speed is measured [s]


class Pace:
    """Holds a simulation to a speed, and measures the speed it reaches. Times are handed in.

    Args:
        scale: Simulated seconds per wall second at most.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._simulated = 0.0
        self._due: float | None = None
        self._history: deque[tuple[float, float]] = deque()

    def wait(self, simulated: float, wall: float, attainable: float = float("inf")) -> float:
        """How long to sleep before going on [s].

        Where the simulation cannot keep up, time should pass evenly at the speed it can reach: a dash at full speed,
        then a stop until the cameras are drawn, would leave other nodes neither time to think nor signs of life.
        Lost time is made up for only if it is little.

        Args:
            simulated: Simulated time reached [s].
            wall: Monotonic wall time now [s].
            attainable: Simulated seconds per wall second that are possible now.
        """
        if self._due is None:
            self._simulated, self._due = simulated, wall
        step = (simulated - self._simulated) / min(self._scale, attainable)
        self._simulated, self._due = simulated, max(self._due + step, wall - _CATCH_UP)
        self._history.append((simulated, wall))
        while wall - self._history[0][1] > _WINDOW:
            self._history.popleft()
        return max(0.0, self._due - wall)

    @property
    def measured(self) -> float:
        """Simulated seconds per wall second over the last second; 0 before there are two measurements."""
        if len(self._history) < 2:
            return 0.0
        (first_simulated, first_wall), (simulated, wall) = self._history[0], self._history[-1]
        return (simulated - first_simulated) / max(wall - first_wall, 1e-9)
