# SPDX-License-Identifier: Apache-2.0
"""What an IMU tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """One reading.

    Attributes:
        stamp: Of measurement, in host time [ns].
        angular_velocity: (3,) [rad/s].
        linear_acceleration: (3,) [m/s2]; at rest it points up (REP-145).
        orientation: Quaternion xyzw, or None where the device does not give one.
        lost: Readings before it that never came.
    """

    stamp: int
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray
    orientation: np.ndarray | None = None
    lost: int = 0


def standing(number: int, stamp: int) -> Sample:
    """A simulated IMU that stands upright and still."""
    return Sample(stamp, np.zeros(3), np.array([0.0, 0.0, 9.80665]), np.array([0.0, 0.0, 0.0, 1.0]))
