# SPDX-License-Identifier: Apache-2.0
"""The exact discrete braking law.

Commands leave once per period dt. A joint that moves u in one period and then brakes at its limit moves u - A, u - 2A
and so on in the following ones, where A = acceleration * dt^2, until less than A is left. The largest first step whose
sum stays within a distance is what `braking_step` gives. The continuous law sqrt(2 a D) overshoots or asks for up to
twice the deceleration when it is applied once per period; this one needs exactly the limit, at any rate.

Everything here is in units of displacement per period (steps), so that no division by dt adds rounding.
"""

from __future__ import annotations

import numpy as np


def braking_step(distance: np.ndarray, brake: np.ndarray) -> np.ndarray:
    """The largest step towards a wall that can still be braked before it.

    Args:
        distance: Way left to the wall, (n,) [rad], not negative.
        brake: By how much a step may be smaller than the one before, acceleration * dt^2, (n,) [rad].

    Returns:
        Largest step, (n,) [rad], never more than `distance`.

    Source: with n full braking steps after it, a step u covers (n + 1) u - A n (n + 1) / 2; n is the largest whole
    number with A n (n + 1) / 2 <= distance.
    """
    steps = np.floor(0.5 * (np.sqrt(1.0 + 8.0 * (distance / brake)) - 1.0))
    return (distance + 0.5 * brake * steps * (steps + 1.0)) / (steps + 1.0)


def braking_distance(step: np.ndarray, brake: np.ndarray) -> np.ndarray:
    """How far a joint still moves after a step when it then brakes at its limit, (n,) [rad], signed like `step`."""
    size = np.abs(step)
    steps = np.floor(size / brake)
    return np.sign(step) * (steps * size - 0.5 * brake * steps * (steps + 1.0))
