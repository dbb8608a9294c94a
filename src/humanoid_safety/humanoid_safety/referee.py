# SPDX-License-Identifier: Apache-2.0
"""Judges a sequence of commands by positions, differences and limits alone. Shares no code with the limiter."""

from __future__ import annotations

import numpy as np

# Rounding of a difference of two positions near 3 rad, doubled; divided by dt or dt^2 below.
ROUNDING = 2e-15


def violations(
    commands: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    dt: float,
) -> dict[str, float]:
    """Worst excess over each limit that is broken, in the limit's unit, up to the rounding of the positions themselves.

    Args:
        commands: (steps, joints) [rad], from rest, dt apart.
        lower: (joints,) [rad].
        upper: (joints,) [rad].
        velocity: (joints,) [rad/s].
        acceleration: (joints,) [rad/s^2].
        dt: Time between commands [s].
    """
    position, speed, change = _excess(commands, lower, upper, velocity, acceleration, dt)
    excess = {"position": position.max(), "velocity": speed.max(), "acceleration": change.max()}
    return {name: float(value) for name, value in excess.items() if value > 0.0}


def over(
    commands: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    dt: float,
) -> np.ndarray:
    """Which commands break a limit at some joint, (steps,) bool; arguments as of `violations`."""
    position, speed, change = _excess(commands, lower, upper, velocity, acceleration, dt)
    broken: np.ndarray = (position > 0.0) | (speed > 0.0) | (change > 0.0)
    return np.asarray(broken.any(axis=1))


def worst_acceleration(commands: np.ndarray, acceleration: np.ndarray, dt: float) -> float:
    """Largest acceleration over its limit; 1.0 is the limit."""
    _, change = _differences(commands, dt)
    return float((np.abs(change) / acceleration).max())


def _excess(commands, lower, upper, velocity, acceleration, dt) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    assert np.isfinite(commands).all()
    speed, change = _differences(commands, dt)
    return (
        np.maximum(lower - commands, commands - upper),
        np.abs(speed) - velocity - ROUNDING / dt,
        np.abs(change) - acceleration - 2 * ROUNDING / dt**2,
    )


def _differences(commands: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and acceleration of commands that start at rest, each (steps, joints)."""
    speed = np.diff(commands, axis=0, prepend=commands[:1]) / dt
    return speed, np.diff(speed, axis=0, prepend=np.zeros_like(speed[:1])) / dt
