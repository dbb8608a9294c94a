# SPDX-License-Identifier: Apache-2.0
"""A device's clock against the host's, from questions and answers: for devices that can be asked (headset, NatNet)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

EXCHANGES = 16  # kept: 8 s at two a second
STEP = 50_000_000  # [ns] a clock that is off by more than this, beyond the exchange's own doubt, was set


@dataclass(frozen=True)
class Estimate:
    """Device clock minus host clock, and half of the round trip it was found by, which bounds its error [ns]."""

    offset: int
    uncertainty: int


class TwoWayClock:
    """Offset by the fastest of the last exchanges, after the clock filter of NTP (RFC 5905, section 10).

    The host asks at one time, the device answers with its own, the host receives at another: whatever the two ways
    took, the offset lies within half a round trip of the middle. A clock that is set is noticed by the first
    exchange after it, which then stands alone.
    """

    def __init__(self) -> None:
        self._exchanges: deque[Estimate] = deque(maxlen=EXCHANGES)

    def add(self, asked: int, answered: int, received: int) -> None:
        """Take one exchange in: host, device and host time [ns]; one that cannot be is ignored."""
        if received < asked:
            return
        fresh = Estimate(answered - (asked + received) // 2, (received - asked) // 2)
        best = self.estimate
        if best and abs(fresh.offset - best.offset) > STEP + fresh.uncertainty + best.uncertainty:
            self._exchanges.clear()
        self._exchanges.append(fresh)

    @property
    def estimate(self) -> Estimate | None:
        """The best known; None before the first exchange."""
        return min(self._exchanges, key=lambda exchange: exchange.uncertainty, default=None)
