# SPDX-License-Identifier: Apache-2.0
"""From a device's clock to the host's."""

from __future__ import annotations

from collections import deque


class HostTime:
    """Host time of what a device stamped with a clock of its own.

    Every message takes at least some time from the device to the host, so the smallest difference of arrival and device
    stamp in a window is nearest to the clocks' offset; what is left is the least delay, which cannot be seen from here.
    humanoid_sync, which sees all samples, estimates drift and uncertainty from `<stream>/clock`.

    Args:
        window: Time that a difference counts for [s]; with 100 ppm of drift 10 s are 1 ms.
    """

    def __init__(self, window: float = 10.0) -> None:
        self._window = round(window * 1e9)
        self._least: deque[tuple[int, int]] = deque()  # (arrival, difference), differences rising

    def host(self, device_stamp: int, arrival: int) -> int:
        """Host time [ns] of a device stamp [ns] that arrived just now, at `arrival` [ns]."""
        difference = arrival - device_stamp
        while self._least and (self._least[-1][1] >= difference):
            self._least.pop()
        self._least.append((arrival, difference))
        while arrival - self._least[0][0] > self._window:
            self._least.popleft()
        return device_stamp + self._least[0][1]
