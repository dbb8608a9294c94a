# SPDX-License-Identifier: Apache-2.0
"""Judges a sequence of commands by positions, differences and limits alone. Shares no code with the limiter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Rounding of a difference of two positions near 3 rad, doubled; divided by dt, dt^2 or dt^3 below.
ROUNDING = 2e-15


@dataclass(frozen=True)
class Bounds:
    """What each joint may do, (joints,) each.

    Attributes:
        lower: [rad].
        upper: [rad].
        velocity: [rad/s].
        acceleration: [rad/s^2].
        jerk: [rad/s^3].
        dt: Time between commands [s].
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    dt: float


def violations(commands: np.ndarray, bounds: Bounds) -> dict[str, float]:
    """Worst excess over each limit that is broken, in the limit's unit, up to the rounding of the positions themselves.

    Args:
        commands: (steps, joints) [rad], from rest, dt apart.
        bounds: Of the joints.
    """
    excess = _excess(commands, bounds)
    return {name: float(value.max()) for name, value in excess.items() if value.max() > 0.0}


def over(commands: np.ndarray, bounds: Bounds) -> dict[str, np.ndarray]:
    """Per limit, which commands break it at some joint, (steps,) bool; arguments as of `violations`."""
    return {name: np.asarray((value > 0.0).any(axis=1)) for name, value in _excess(commands, bounds).items()}


def worst_share(commands: np.ndarray, bounds: Bounds) -> dict[str, float]:
    """Largest velocity, acceleration and jerk over their limits; 1.0 is the limit."""
    names = ("velocity", "acceleration", "jerk")
    return {
        name: float((np.abs(found) / getattr(bounds, name)).max())
        for name, found in zip(names, _differences(commands, bounds.dt))
    }


def _excess(commands: np.ndarray, bounds: Bounds) -> dict[str, np.ndarray]:
    assert np.isfinite(commands).all()
    dt = bounds.dt
    velocity, acceleration, jerk = _differences(commands, dt)
    return {
        "position": np.maximum(bounds.lower - commands, commands - bounds.upper),
        "velocity": np.abs(velocity) - bounds.velocity - ROUNDING / dt,
        "acceleration": np.abs(acceleration) - bounds.acceleration - 2 * ROUNDING / dt**2,
        "jerk": np.abs(jerk) - bounds.jerk - 4 * ROUNDING / dt**3,
    }


def _differences(commands: np.ndarray, dt: float) -> list[np.ndarray]:
    """Velocity, acceleration and jerk of commands that start at rest, each (steps, joints)."""
    found = [np.diff(commands, axis=0, prepend=commands[:1]) / dt]
    for _ in range(2):
        found.append(np.diff(found[-1], axis=0, prepend=np.zeros_like(found[-1][:1])) / dt)
    return found
