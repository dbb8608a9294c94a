# SPDX-License-Identifier: Apache-2.0
"""Joint position, velocity and acceleration limits, all at once, on every command."""

from __future__ import annotations

from enum import IntFlag

import numpy as np

from humanoid_safety.braking import braking_step
from humanoid_safety.limits import JointLimits


class Reason(IntFlag):
    """Why a joint's request was cut; the bits of SafetyStatus.joint_reasons."""

    POSITION = 1
    VELOCITY = 2
    ACCELERATION = 4
    JERK = 8
    COLLISION = 16
    TORQUE = 32
    WORKSPACE = 64
    STALE = 128
    INVALID = 256


class Limiter:
    """Moves a command towards a request without ever breaking a limit.

    Each step is clipped to a box that holds the limits and the room to brake (`braking`). From rest inside the position
    limits the box is never empty, and every state inside it leads to a non-empty box again: by induction no state is
    reached from which a limit must be broken. A joint that starts outside its position limits may only come back.

    A request that was followed exactly and is inside the box leaves unchanged, to the bit. One that was lost is approached
    so that the distance to it can be braked: it is caught without overshoot and without hunting.

    Args:
        limits: Limits of n joints.
        period: Time between two commands [s]. Time is counted in steps: a late step is repeated, never stretched.
        catch_up: Share of the acceleration limit used to catch up with a request, in (0, 1].
    """

    def __init__(self, limits: JointLimits, period: float, catch_up: float) -> None:
        n = len(limits.names)
        self.limits = limits
        self.period = period
        self.position = np.clip(np.zeros(n), limits.lower, limits.upper)  # last command (n,) [rad]
        self.moved = np.zeros(n)  # last step (n,) [rad]
        self.reasons = np.zeros(n, dtype=np.uint32)  # collected since `forget`, bits of Reason
        self.taken = np.zeros(n)  # most taken from a request since `forget`, (n,) [rad]
        self._fastest = limits.velocity * period
        self._brake = limits.acceleration * period**2
        self._catch = catch_up * self._brake
        self._lower, self._upper = limits.lower.copy(), limits.upper.copy()
        self._request: np.ndarray | None = None
        self._catching = np.zeros(n, dtype=bool)

    @property
    def velocity(self) -> np.ndarray:
        """Velocity of the last command, (n,) [rad/s]."""
        return self.moved / self.period

    @property
    def still(self) -> bool:
        """Whether every joint stands."""
        return not self.moved.any()

    def place(self, position: np.ndarray, where: np.ndarray) -> None:
        """Set joints to a position, at rest: where the robot is, before they are commanded.

        Args:
            position: Measured position, (n,) [rad], finite where it is used.
            where: Which joints, (n,) bool.
        """
        self.position = np.where(where, position, self.position)
        self.moved = np.where(where, 0.0, self.moved)
        self._lower = np.minimum(self.limits.lower, self.position)
        self._upper = np.maximum(self.limits.upper, self.position)

    def begin(self) -> None:
        """Start to follow another request: all joints have to catch up with it first."""
        self._request = None
        self._catching[:] = True

    def forget(self) -> None:
        """Start to collect `reasons` and `taken` anew."""
        self.reasons[:] = 0
        self.taken[:] = 0.0

    def follow(self, request: np.ndarray, asked: np.ndarray, speed: float = np.inf) -> np.ndarray:
        """One step towards a request.

        Args:
            request: Requested position, (n,) [rad], finite where asked.
            asked: Which joints are requested, (n,) bool; the others come to rest.
            speed: Joints that have not caught up with the request since `begin` move no faster than this [rad/s].

        Returns:
            The command, (n,) [rad].
        """
        request = np.where(asked, request, self.position)
        inside = np.clip(request, self._lower, self._upper)
        last = inside if self._request is None else np.where(asked, self._request, inside)
        self._request = inside
        behind = last - self.position
        distance = np.abs(behind)
        # Not behind, or so little that it can be made up for in one step: exactly the request.
        wanted = inside
        if (distance > self._catch).any():
            reach = braking_step(distance, self._catch)
            towards = self.position + (inside - last) + np.clip(behind, -reach, reach)
            wanted = np.where(reach >= distance, inside, towards)
        if self._catching.any():
            cap = np.where(self._catching, speed * self.period, np.inf)
            wanted = np.clip(wanted, self.position - cap, self.position + cap)
        position = self._step(wanted)
        self._catching &= position != inside
        self._collect(request, position)
        return position

    def stop(self) -> np.ndarray:
        """One step towards rest, at the deceleration limit.

        Returns:
            The command, (n,) [rad].
        """
        self._request = None
        return self._step(self.position)

    def _step(self, wanted: np.ndarray) -> np.ndarray:
        """Clip to the box of steps allowed now, and move."""
        up = np.minimum(self._fastest, self.moved + self._brake)
        down = np.minimum(self._fastest, self._brake - self.moved)
        self._high = np.minimum(up, braking_step(self._upper - self.position, self._brake))
        self._low = -np.minimum(down, braking_step(self.position - self._lower, self._brake))
        # Rounding may leave `low` a few 1e-16 above `high`; minimum last lets the one with the wall ahead win.
        low, high = self.position + self._low, self.position + self._high
        low = np.where(self.moved > 0.0, np.minimum(low, high), low)
        high = np.maximum(low, high)
        position = np.minimum(np.maximum(wanted, low), high)
        position = np.minimum(np.maximum(position, self._lower), self._upper)
        self._before, self.moved = self.moved, position - self.position
        self.position = position
        self._lower = np.minimum(self.limits.lower, np.maximum(self._lower, position))
        self._upper = np.maximum(self.limits.upper, np.minimum(self._upper, position))
        return position

    def _collect(self, request: np.ndarray, position: np.ndarray) -> None:
        """Remember what was taken from the request and why."""
        taken = np.abs(request - position)
        if not taken.any():
            return
        np.maximum(self.taken, taken, out=self.taken)
        cut = taken > 0.0
        slack = 1e-12
        outside = cut & ((request < self._lower) | (request > self._upper))
        at_speed = cut & (np.abs(self.moved) >= self._fastest - slack)
        at_acceleration = cut & (np.abs(self.moved - self._before) >= self._brake - slack)
        at_wall = cut & ((self.moved >= self._high - slack) | (self.moved <= self._low + slack))
        at_wall &= ~at_speed & ~at_acceleration
        self.reasons |= np.where(outside | at_wall, np.uint32(Reason.POSITION), np.uint32(0))
        self.reasons |= np.where(at_speed, np.uint32(Reason.VELOCITY), np.uint32(0))
        self.reasons |= np.where(at_acceleration, np.uint32(Reason.ACCELERATION), np.uint32(0))
