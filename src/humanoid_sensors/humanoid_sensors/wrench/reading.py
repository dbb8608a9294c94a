# SPDX-License-Identifier: Apache-2.0
"""What a six-axis force sensor tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wrench:
    """One reading.

    Attributes:
        device_stamp: On the sensor's own clock [ns].
        arrival: At the host [ns].
        force: (3,) [N].
        torque: (3,) [N m].
        lost: Readings before it that never came.
    """

    device_stamp: int
    arrival: int
    force: np.ndarray
    torque: np.ndarray
    lost: int = 0


def swinging(number: int, stamp: int) -> Wrench:
    """A simulated sensor that 1 kg swings under, once a second."""
    angle = 2.0 * np.pi * 1e-9 * (stamp % 10**9)
    return Wrench(stamp, stamp, 9.81 * np.array([0.3 * np.sin(angle), 0.0, -1.0]), np.zeros(3))
