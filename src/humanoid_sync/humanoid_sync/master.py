# SPDX-License-Identifier: Apache-2.0
"""Instants of a timeline that follows one stream, such as the lead camera."""

from __future__ import annotations


class MasterTimeline:
    """Each sample of the master is an instant; where it fails to come, the timeline goes on at its usual period.

    Args:
        period: Usual time between samples [ns].
        deadline: So long after its time a sample is waited for [ns].
    """

    def __init__(self, period: int, deadline: int) -> None:
        self._period, self._deadline = period, deadline
        self._newest: int | None = None

    def heard(self, stamp: int, arrival: int) -> list[int]:
        """The instants that a sample gives: those of lost ones before it, and its own.

        A sample from the future gives none, nor one that is closer than half a period to the instant before.
        """
        if stamp > arrival + self._deadline:
            return []
        instants = []
        if self._newest is not None:
            if stamp - self._newest <= self._period // 2:
                return []
            missed = (stamp - self._newest + self._period // 2) // self._period - 1
            instants = [self._newest + (i + 1) * self._period for i in range(missed)]
        self._newest = stamp
        return [*instants, stamp]

    def due(self, now: int) -> list[int]:
        """The instants whose sample has not come by `now` [ns], and is not waited for any more."""
        instants: list[int] = []
        while self._newest is not None and now >= self._newest + self._period + self._deadline:
            self._newest += self._period
            instants.append(self._newest)
        return instants

    def forget(self) -> None:
        """Begin anew, after a jump of time."""
        self._newest = None
