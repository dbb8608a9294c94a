# SPDX-License-Identifier: Apache-2.0
"""Simulated time against the wall clock, and against whoever commands the robot."""

from __future__ import annotations

import threading
from collections import deque

_CATCH_UP = 0.02  # how far the simulation may lag and still hurry to make up for it [s]
_WINDOW = 1.0  # over which the speed is measured [s]
_COMMANDS = 20  # that a commander's period is known from


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


class Patience:
    """Lets simulated time wait for the commander where a busy machine gives it too little time to think.

    A commander counts as following once a command's stamp came as near to simulated time as allowed; from then on no
    step begins before its newest command is that near. One that stays silent through a whole wait is not waited for
    again until it has caught up, so that a dead commander, or one whose stamps are on another clock, stops nothing.

    Args:
        limit: Longest wait before one step [s, wall].
        behind: How far commands may lie behind simulated time [s]. Twice the commander's own period is always allowed:
            a timer of simulated time needs that time to pass.

    Attributes:
        exhausted: Waits in vain so far.
        lost: Whether the last wait was in vain and the commander has not caught up since.
    """

    def __init__(self, limit: float, behind: float) -> None:
        self._limit = limit
        self._least_ns = round(1e9 * behind)
        self._changed = threading.Condition()
        self._newest_ns: int | None = None
        self._apart_ns: deque[int] = deque(maxlen=_COMMANDS)
        self._following = False
        self.lost = False
        self.exhausted = 0

    def command(self, stamp_ns: int, now_ns: int) -> None:
        """Take a command's stamp; from any thread.

        Args:
            stamp_ns: The time it is meant for [ns]; 0: unknown.
            now_ns: Simulated time [ns].
        """
        with self._changed:
            if self._newest_ns is not None and stamp_ns > self._newest_ns:
                self._apart_ns.append(stamp_ns - self._newest_ns)
            self._newest_ns = stamp_ns
            if self._near(now_ns):
                self._following, self.lost = True, False
                self._changed.notify()

    def wait(self, now_ns: int) -> bool:
        """Wait until the commander is near enough to simulated time [ns]; at once where nobody follows.

        Returns:
            Whether it is; False after a wait in vain.
        """
        with self._changed:
            if not self._following or self._changed.wait_for(lambda: self._near(now_ns), self._limit):
                return True
            self._following, self.lost = False, True
            self.exhausted += 1
            return False

    def _near(self, now_ns: int) -> bool:
        # The least distance is the period: of commands that come in a bunch only the last may be seen.
        allowed_ns = max(self._least_ns, 2 * min(self._apart_ns, default=0))
        return self._newest_ns is not None and now_ns - self._newest_ns <= allowed_ns
