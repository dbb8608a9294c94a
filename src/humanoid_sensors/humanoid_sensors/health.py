# SPDX-License-Identifier: Apache-2.0
"""How a device fares: rate, latency, losses and faults since the last report."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What one period was like.

    Attributes:
        healthy: Readings came at the rate wanted, without a fault.
        message: A sentence for people.
        values: Named figures.
    """

    healthy: bool
    message: str
    values: dict[str, str]


class Health:
    """Counts readings from the device's thread; the reporting thread asks for a report.

    Args:
        device: Name of the device.
        rate: Readings per second wanted [Hz]; 0: whatever comes.
        clock: Steady time [s].
    """

    SLOW = 0.8  # of the rate wanted

    def __init__(self, device: str, rate: float = 0.0, clock: object = time.monotonic) -> None:
        self._device, self._wanted, self._clock = device, rate, clock
        self._lock = threading.Lock()
        self._since = clock()  # type: ignore[operator]
        self._readings = self._latency_sum = self._latency_most = 0.0
        self._fault: str | None = None
        self._faults = 0
        self.total = 0
        self.lost = 0
        self.connections = 0

    def connected(self) -> None:
        """The device was opened."""
        with self._lock:
            self.connections += 1

    def reading(self, latency: float, lost: int = 0) -> None:
        """A reading was handed on `latency` [s] after it was measured; `lost` parts before or in it never came."""
        with self._lock:
            self._readings += 1
            self.total += 1
            self.lost += lost
            self._latency_sum += latency
            self._latency_most = max(self._latency_most, latency)

    def fault(self, error: Exception) -> None:
        """Something was wrong."""
        with self._lock:
            self._fault = str(error)
            self._faults += 1

    def report(self) -> Report:
        """What happened since the last report."""
        with self._lock:
            now = self._clock()  # type: ignore[operator]
            period, self._since = max(now - self._since, 1e-9), now
            count, rate = self._readings, self._readings / period
            mean = 1e3 * self._latency_sum / count if count else float("nan")
            values = {
                "device": self._device,
                "rate_hz": f"{rate:.1f}",
                "latency_mean_ms": f"{mean:.2f}",
                "latency_max_ms": f"{1e3 * self._latency_most:.2f}",
                "readings": str(self.total),
                "lost": str(self.lost),
                "faults": str(self._faults),
                "connections": str(self.connections),
            }
            fault, self._fault = self._fault, None
            self._readings = self._latency_sum = self._latency_most = 0.0
        if fault:
            return Report(False, fault, values)
        if not count:
            return Report(False, f"{self._device}: silent", values)
        if rate < self.SLOW * self._wanted:
            return Report(False, f"{self._device}: {rate:.1f} Hz, {self._wanted:g} wanted", values)
        return Report(True, f"{rate:.1f} Hz", values)
