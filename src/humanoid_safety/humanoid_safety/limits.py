# SPDX-License-Identifier: Apache-2.0
"""Joint limits as arrays, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class JointLimits:
    """Limits of n joints, in the order of `names`.

    Attributes:
        names: Joint names.
        lower: Lowest position, (n,) [rad or m].
        upper: Highest position, (n,) [rad or m].
        velocity: Highest speed, (n,) [rad/s or m/s].
        acceleration: Highest acceleration and deceleration, (n,) [rad/s^2 or m/s^2].
        jerk: Highest jerk, (n,) [rad/s^3 or m/s^3].
        torque: Highest torque, (n,) [Nm or N].

    Raises:
        ValueError: a wrong size, a value that is not finite, an empty range, or a limit that is not positive.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    jerk: np.ndarray
    torque: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(set(self.names)) != n:
            raise ValueError(f"each joint once, found {self.names}")
        for word in ("lower", "upper", "velocity", "acceleration", "jerk", "torque"):
            values = np.array(getattr(self, word), dtype=float)
            if values.shape != (n,) or not np.isfinite(values).all():
                raise ValueError(f"{word}: {n} finite numbers, found {values}")
            values.setflags(write=False)
            object.__setattr__(self, word, values)
        for wrong, expected in (
            (self.upper < self.lower, "upper at or above lower"),
            (self.velocity <= 0, "a velocity limit above 0"),
            (self.acceleration <= 0, "an acceleration limit above 0"),
            (self.jerk <= 0, "a jerk limit above 0"),
            (self.torque <= 0, "a torque limit above 0"),
        ):
            if wrong.any():
                raise ValueError(f"{expected}, not so at {', '.join(np.array(self.names)[wrong])}")
