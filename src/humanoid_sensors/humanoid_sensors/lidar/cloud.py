# SPDX-License-Identifier: Apache-2.0
"""A sweep of a LiDAR, and what turns datagrams into sweeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

# As in PointCloud2: t is the time after the sweep's stamp [ns], ring the laser from 0, tag the maker's remarks.
POINT = np.dtype(
    {
        "names": ["x", "y", "z", "intensity", "t", "ring", "tag"],
        "formats": ["<f4", "<f4", "<f4", "<f4", "<u4", "<u2", "<u1"],
        "offsets": [0, 4, 8, 12, 16, 20, 22],
        "itemsize": 24,
    }
)
HOUR = 3600 * 10**9


@dataclass(frozen=True)
class Sweep:
    """Points of one turn, or of one period.

    Attributes:
        stamp: Device time of the first point [ns].
        last: Device time of the last point [ns].
        arrival: Host time at which the last datagram came [ns].
        points: (n,) of POINT; directions without an echo are left out.
        datagrams: How many there are in it.
        lost: Datagrams that are missing in it or before it.
    """

    stamp: int
    last: int
    arrival: int
    points: np.ndarray
    datagrams: int
    lost: int


class Decoder(ABC):
    """Collects datagrams until a sweep is complete, then decodes all of them at once.

    Args:
        device: Name of the device, for errors.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._datagrams: list[bytes] = []
        self._lost = 0
        self._arrival = 0

    def feed(self, datagram: bytes, arrival: int) -> Sweep | None:
        """Take a datagram; gives the sweep that it shows to be complete.

        Args:
            datagram: Payload.
            arrival: Host time [ns].

        Raises:
            DeviceError: it is no datagram of this device; nothing of it is used.
        """
        self.check(datagram)
        complete = self.flush() if self._datagrams and self.begins_sweep(datagram) else None
        self._lost += self.missing_before(datagram)
        self._datagrams.append(datagram)
        self._arrival = arrival
        return complete

    def flush(self) -> Sweep | None:
        """The sweep of what has come so far; None where nothing has."""
        if not self._datagrams:
            return None
        stamp, last, points = self.decode(b"".join(self._datagrams), self._arrival)
        sweep = Sweep(stamp, last, self._arrival, points, len(self._datagrams), self._lost)
        self._datagrams, self._lost = [], 0
        return sweep

    @abstractmethod
    def check(self, datagram: bytes) -> None:
        """Raise DeviceError unless it is one of this device's."""

    @abstractmethod
    def begins_sweep(self, datagram: bytes) -> bool:
        """Whether a sweep is complete before this datagram."""

    @abstractmethod
    def missing_before(self, datagram: bytes) -> int:
        """How many datagrams were lost just before this one."""

    @abstractmethod
    def decode(self, datagrams: bytes, arrival: int) -> tuple[int, int, np.ndarray]:
        """Datagrams one after the other into stamp and last time [ns] and points (n,) of POINT."""


def in_order(times: np.ndarray, points: np.ndarray) -> tuple[int, int, np.ndarray]:
    """What `decode` gives: times (n,) [ns] of the points become offsets from the earliest.

    A sweep without a point has stamp 0.
    """
    if not len(points):
        return 0, 0, points
    first, last = int(times.min()), int(times.max())
    points["t"] = times - first
    return first, last, points


def within_hour(time_in_hour: int, arrival: int) -> int:
    """Time since the epoch [ns] of a time after the full hour [ns], the nearest to `arrival` [ns]."""
    return time_in_hour + HOUR * round((arrival - time_in_hour) / HOUR)
