# SPDX-License-Identifier: Apache-2.0
"""When targets are due between operator frames."""

from __future__ import annotations


class Pacer:
    """Fills the time between frames with evenly spread targets, and leaves room for the frame that is about to come.

    Args:
        period: Longest wanted time between two targets [ns].
    """

    def __init__(self, period: int) -> None:
        self._period = period
        self._last: int | None = None  # of the newest targets [ns]
        self._frame: int | None = None  # of the newest frame [ns]
        self._frame_period = 0  # between frames, smoothed [ns]

    def frame(self, stamp: int) -> bool:
        """Take note of a frame's stamp [ns]; whether targets are due for it: it is newer than the last ones."""
        if self._frame is not None and stamp > self._frame:
            gap = stamp - self._frame
            self._frame_period = gap if not self._frame_period else (7 * self._frame_period + gap) // 8
        self._frame = stamp if self._frame is None else max(stamp, self._frame)
        if self._last is not None and stamp <= self._last:
            return False
        self._last = stamp
        return True

    def due(self, stamp: int) -> bool:
        """Whether targets are due at `stamp` [ns] although no frame has come."""
        if self._last is not None:
            if stamp - self._last < 0.75 * self._period:
                return False
            if self._frame is not None and 0 <= self._frame + self._frame_period - stamp < 0.5 * self._period:
                return False
        self._last = stamp
        return True
