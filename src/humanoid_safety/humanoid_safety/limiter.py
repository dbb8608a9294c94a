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

    A request that was followed exactly and is inside the box leaves unchanged, to the bit. One that was lost is
    approached so that the distance to it can be braked: it is caught without overshoot and without hunting.

    Args:
        limits: Limits of n joints.
        period: Time between two commands [s]. Time is counted in steps: a late step is repeated, never stretched.
        catch_up: Share of the acceleration limit used to catch up with a request, in (0, 1].
    """

    def __init__(self, limits: JointLimits, period: float, catch_up: float) -> None:
        n = len(limits.names)
        self.limits = limits
        self.period = period
        self.position = np.minimum(np.maximum(np.zeros(n), limits.lower), limits.upper)  # last command (n,) [rad]
        self.moved = np.zeros(n)  # last step (n,) [rad]
        self.reasons = np.zeros(n, dtype=np.uint32)  # collected since `forget`, bits of Reason
        self.taken = np.zeros(n)  # most taken from a request since `forget`, (n,) [rad]
        self._fastest = limits.velocity * period
        self._slowest = -self._fastest
        self._brake = limits.acceleration * period**2
        self._catch = catch_up * self._brake
        self._lower, self._upper = limits.lower, limits.upper
        self._outside = False  # whether a joint is outside its limits, because it started there
        self._asked: np.ndarray | None = None  # joints that are requested; None: all
        self._request: np.ndarray | None = None  # the last one, inside the limits
        self._followed = False  # whether the last command was the last request, to the bit
        self._catching: np.ndarray | None = np.ones(n, dtype=bool)  # joints that have not caught up; None: no joint

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
        self._narrow(self.position, self.position)

    def begin(self, asked: np.ndarray) -> None:
        """Start to follow another request: all joints have to catch up with it first.

        Args:
            asked: Which joints are requested from now on, (n,) bool; the others come to rest.
        """
        self._asked = None if asked.all() else asked
        self._request = None
        self._followed = False
        self._catching = np.ones(len(asked), dtype=bool)

    def forget(self) -> None:
        """Start to collect `reasons` and `taken` anew."""
        self.reasons[:] = 0
        self.taken[:] = 0.0

    def follow(self, request: np.ndarray, speed: float = np.inf) -> np.ndarray:
        """One step towards a request.

        Args:
            request: Requested position, (n,) [rad], finite where asked.
            speed: Joints that have not caught up with the request since `begin` move no faster than this [rad/s].

        Returns:
            The command, (n,) [rad].
        """
        if self._asked is not None:
            request = np.where(self._asked, request, self.position)
        inside = np.minimum(np.maximum(request, self._lower), self._upper)
        wanted = inside if self._followed else self._approach(inside)
        if self._catching is not None:
            cap = np.where(self._catching, speed * self.period, np.inf)
            wanted = np.minimum(np.maximum(wanted, self.position - cap), self.position + cap)
        position = self._step(wanted)
        self._request = inside
        reached = position == inside
        self._followed = bool(reached.all())
        if self._catching is not None:
            self._catching = None if self._followed else self._catching & ~reached
        if not (self._followed and np.array_equal(inside, request)):
            self._collect(request, position)
        return position

    def stop(self) -> np.ndarray:
        """One step towards rest, at the deceleration limit.

        Returns:
            The command, (n,) [rad].
        """
        self._request, self._followed = None, False
        return self._step(self.position)

    def _approach(self, request: np.ndarray) -> np.ndarray:
        """Where to go when the last request was not met: along with it, and nearer as fast as can be braked."""
        last = request if self._request is None else self._request
        if self._asked is not None:
            last = np.where(self._asked, last, request)
        behind = last - self.position
        distance = np.abs(behind)
        reach = braking_step(distance, self._catch)
        nearer = self.position + (request - last) + np.minimum(np.maximum(behind, -reach), reach)
        # So near that one step makes up for it: exactly the request.
        return np.where(reach >= distance, request, nearer)

    def _step(self, wanted: np.ndarray) -> np.ndarray:
        """Move to `wanted`, or as far towards it as the limits allow now."""
        step = wanted - self.position
        allowed = np.minimum(np.maximum(step, self.moved - self._brake), self.moved + self._brake)
        allowed = np.minimum(np.maximum(allowed, self._slowest), self._fastest)
        # Only the wall ahead counts: the step must be one that can be braked before it.
        up = allowed > 0.0
        ahead = np.where(up, self._upper - self.position, self.position - self._lower)
        reach = braking_step(ahead, self._brake)
        self._reach = reach
        allowed = np.where(up, np.minimum(allowed, reach), np.maximum(allowed, -reach))
        position = np.where(allowed == step, wanted, self.position + allowed)
        position = np.minimum(np.maximum(position, self._lower), self._upper)  # rounding
        self._before, self.moved, self.position = self.moved, position - self.position, position
        if self._outside:
            self._narrow(self._lower, self._upper)
        return position

    def _narrow(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Let joints outside their limits be there, but not go further out than they are."""
        self._lower = np.minimum(self.limits.lower, np.maximum(lower, self.position))
        self._upper = np.maximum(self.limits.upper, np.minimum(upper, self.position))
        self._outside = not (
            np.array_equal(self._lower, self.limits.lower) and np.array_equal(self._upper, self.limits.upper)
        )

    def _collect(self, request: np.ndarray, position: np.ndarray) -> None:
        """Remember what was taken from the request and why."""
        taken = np.abs(request - position)
        np.maximum(self.taken, taken, out=self.taken)
        cut = taken > 0.0
        slack = 1e-12  # [rad] rounding
        moved = np.abs(self.moved)
        hit = {
            Reason.POSITION: (moved >= self._reach - slack) | (request < self._lower) | (request > self._upper),
            Reason.VELOCITY: moved >= self._fastest - slack,
            Reason.ACCELERATION: np.abs(self.moved - self._before) >= self._brake - slack,
        }
        for reason, where in hit.items():
            self.reasons |= np.where(cut & where, np.uint32(reason), np.uint32(0))
