# SPDX-License-Identifier: Apache-2.0
"""Temperatures of the motors, from the torque that they give."""

from __future__ import annotations

import numpy as np

AMBIENT = 25.0  # [deg C]
# A motor that gives its full torque all the time would end so much over the room's temperature, 63 % of it after the
# time constant. Assumed, of the order of what housed servo motors do; makers publish neither.
_RISE = 120.0  # [K]
_TIME = 600.0  # [s]


class Windings:
    """One thermal mass per motor: losses grow with the square of the torque, and the room takes them away.

    Args:
        effort: Effort limit of each joint (n,) [N m].

    Attributes:
        temperature: (n,) [deg C].
    """

    def __init__(self, effort: np.ndarray) -> None:
        self._effort = effort
        self.temperature = np.full(len(effort), AMBIENT)

    def heat(self, torque: np.ndarray, seconds: float) -> None:
        """Let a torque (n,) [N m] work for some time [s], much shorter than the time constant."""
        end = AMBIENT + _RISE * (torque / self._effort) ** 2
        self.temperature += seconds / _TIME * (end - self.temperature)
