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
        self._wall: float | None = None
        self._history: deque[tuple[float, float]] = deque()

    def wait(self, simulated: float, wall: float) -> float:
        """How long to sleep before going on [s].

        Lost time is made up for only if it is little: after a long wait for the cameras the simulation goes on at its
        usual speed instead of racing.

        Args:
            simulated: Simulated time reached [s].
            wall: Monotonic wall time now [s].
        """
        if self._wall is None:
            self._simulated, self._wall = simulated, wall
        due = self._wall + (simulated - self._simulated) / self._scale
        if wall - due > _CATCH_UP:
            self._simulated, self._wall = simulated, wall - _CATCH_UP
        self._history.append((simulated, wall))
        while wall - self._history[0][1] > _WINDOW:
            self._history.popleft()
        return max(0.0, due - wall)

    @property
    def measured(self) -> float:
        """Simulated seconds per wall second over the last second; 0 before there are two measurements."""
        if len(self._history) < 2:
            return 0.0
        (first_simulated, first_wall), (simulated, wall) = self._history[0], self._history[-1]
        return (simulated - first_simulated) / max(wall - first_wall, 1e-9)
