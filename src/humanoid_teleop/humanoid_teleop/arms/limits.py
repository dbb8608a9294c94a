# SPDX-License-Identifier: Apache-2.0
"""Joint limits that hold together: position, velocity and acceleration, from any viable state, for ticks of any length.

A state (position q, velocity v) is viable where the joint can still stop before its limit: v^2 <= 2 a D, D the distance
left. A tick of length dt moves by v' dt and leaves D - v' dt, so v' stays viable exactly while v'^2 + 2 a v' dt <= 2 a
D. Braking fully, v' = v - a dt, always satisfies that, since v'^2 + 2 a v' dt = v^2 - (a dt)^2 <= 2 a D: the box below
is never empty, whatever the lengths of this tick and of those to come. (Where all ticks have one known length, the
exact discrete set is larger by the last half step of braking, a dt / 2 in speed; ticks here follow operator frames and
have no one length.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from humanoid_teleop.compiled import compiled


@dataclass(frozen=True)
class JointLimits:
    """Limits of n joints.

    Attributes:
        lower: (n,) [rad].
        upper: (n,) [rad].
        velocity: (n,) [rad/s].
        acceleration: (n,) [rad/s2].
    """

    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray

    def __post_init__(self) -> None:
        if not (self.lower <= self.upper).all():
            raise ValueError("a lower limit above its upper limit")
        if not ((self.velocity > 0).all() and (self.acceleration > 0).all()):
            raise ValueError("a velocity or acceleration limit that is not above 0")

    def part(self, index: np.ndarray) -> JointLimits:
        """The limits of some of the joints."""
        return JointLimits(self.lower[index], self.upper[index], self.velocity[index], self.acceleration[index])


def velocity_box(q: np.ndarray, v: np.ndarray, dt: float, limits: JointLimits) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest velocity (n,), (n,) [rad/s] of a tick of length dt that keep every limit now and ever after.

    Args:
        q: Position (n,) [rad].
        v: Velocity of the tick before (n,) [rad/s].
        dt: Length of the tick [s].
        limits: Of the n joints.
    """
    low, high, brake = np.empty(len(q)), np.empty(len(q)), np.empty(len(q))
    braking_box(q, v, dt, limits.lower, limits.upper, limits.velocity, limits.acceleration, low, high, brake)
    return low, high


def braking_velocity(v: np.ndarray, dt: float, acceleration: np.ndarray) -> np.ndarray:
    """Velocity (n,) [rad/s] of a tick that brakes each joint towards rest as hard as it may."""
    step = acceleration * dt
    return v - np.minimum(np.maximum(v, -step), step)


@compiled
def braking_box(
    q: np.ndarray,
    v: np.ndarray,
    dt: float,
    lower: np.ndarray,
    upper: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    brake: np.ndarray,
) -> None:
    """Fill the box of `velocity_box`, and the velocities inside it that brake as hard as they may."""
    for j in range(q.shape[0]):
        step = acceleration[j] * dt
        room = max(upper[j] - q[j], 0.0)
        fastest = min(velocity[j], math.sqrt(step * step + 2.0 * acceleration[j] * room) - step)
        room = max(q[j] - lower[j], 0.0)
        slowest = max(-velocity[j], step - math.sqrt(step * step + 2.0 * acceleration[j] * room))
        # A state that is not viable (a robot found outside its limits) brakes as hard as it may and does not go
        # further out.
        high[j] = min(max(fastest, v[j] - step), v[j] + step)
        low[j] = min(max(slowest, v[j] - step), v[j] + step)
        brake[j] = min(max(v[j] - min(max(v[j], -step), step), low[j]), high[j])
