# SPDX-License-Identifier: Apache-2.0
"""Judges a sequence of commands by its numbers alone. Knows nothing of the limiter: positions, differences, limits."""

from __future__ import annotations

import numpy as np

# Rounding of a difference of two positions near 3 rad, doubled; divided by dt or dt^2 below.
ROUNDING = 2e-15


def violations(commands: np.ndarray, lower, upper, velocity, acceleration, dt: float) -> dict[str, float]:
    """Worst excess over each limit, in the limit's unit, of commands (steps, joints) [rad] that start at rest.

    0.0 where the limit is kept (up to the rounding of the positions themselves).
    """
    q = np.vstack([commands[:1], commands])  # at rest before the first
    v = (q[1:] - q[:-1]) / dt
    v = np.vstack([np.zeros_like(v[:1]), v])
    a = (v[1:] - v[:-1]) / dt
    assert np.isfinite(commands).all()
    excess = {
        "position": max((lower - commands).max(), (commands - upper).max()),
        "velocity": (np.abs(v) - velocity).max() - ROUNDING / dt,
        "acceleration": (np.abs(a) - acceleration).max() - 2 * ROUNDING / dt**2,
    }
    return {name: float(value) for name, value in excess.items() if value > 0.0}
