# SPDX-License-Identifier: Apache-2.0
"""Every limit at once, on every command: joints, distances, speeds of hands, torques."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag

import numpy as np

from humanoid_safety.body_model import BodyModel
from humanoid_safety.limits import JointLimits
from humanoid_safety.native import Native

_MOVED = 1e-3  # [rad or m] by which joints that are not commanded may move before pairs are measured anew


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

    From every command on there is a stop: all joints together as fast as acceleration and jerk limits allow
    (csrc/stopping.h, exact for the command rate). A command is sent only if the stop that follows it keeps every
    position limit, every distance and the speed of every hand. If it does not, joints that matter go as far towards it
    as does, and at least the next step of the stop that was found good before. So there is always something to send,
    and by induction no limit is ever broken, from rest in a permitted pose on.

    A request that was followed exactly and keeps the limits leaves unchanged, to the bit. One that was lost is
    approached so that the distance to it can be braked. A request that comes too near to something has its part along
    the nearest direction taken out; the rest of the motion goes on.

    Args:
        limits: Limits of n joints.
        period: Time between two commands [s]. Time is counted in steps: a late step is repeated, never stretched.
        catch_up: Share of the acceleration and jerk limits used to catch up with a request, in (0, 1].
        body: The robot's bodies; None: joint limits only.
    """

    def __init__(self, limits: JointLimits, period: float, catch_up: float, body: BodyModel | None = None) -> None:
        self.limits = limits
        self.period = period
        self.body = body
        n = len(limits.names)
        self._native = native = Native(limits, period, catch_up, body)
        native["position"][:] = np.minimum(np.maximum(np.zeros(n), limits.lower), limits.upper)
        self._outside = False  # whether a joint is outside its limits, because it started there
        self._nobody, self._asked = np.zeros(n, dtype=np.uint8), np.ones(n, dtype=np.uint8)
        self._began = False
        self._names: list[str] = []
        self._nodes = self._measured = np.zeros(0, dtype=int)
        native.look(anew=True)

    @property
    def position(self) -> np.ndarray:
        """Last command, (n,) [rad]."""
        return self._native["position"].copy()

    @property
    def moved(self) -> np.ndarray:
        """Last step, (n,) [rad]."""
        return self._native["moved"].copy()

    @property
    def velocity(self) -> np.ndarray:
        """Velocity of the last command, (n,) [rad/s]."""
        return np.asarray(self._native["moved"] / self.period)

    @property
    def torque(self) -> np.ndarray:
        """Torque that the last command needs by the model, (n,) [Nm]; 0 without bodies."""
        return self._native["torque"].copy()

    @property
    def still(self) -> bool:
        """Whether every joint stands."""
        return not (self._native["moved"].any() or self._native["change"].any())

    @property
    def reasons(self) -> np.ndarray:
        """Collected since `forget`, bits of Reason, (n,)."""
        return self._native["reasons"].copy()

    @property
    def taken(self) -> np.ndarray:
        """Most taken from a request since `forget`, (n,) [rad]."""
        return self._native["taken"].copy()

    def place(self, position: np.ndarray, where: np.ndarray) -> None:
        """Set joints to a position, at rest: where the robot is, before they are commanded.

        Args:
            position: Measured position, (n,) [rad], finite where it is used.
            where: Which joints, (n,) bool.
        """
        native = self._native
        native["position"][where] = position[where]
        native["moved"][where] = native["change"][where] = 0.0
        self._narrow(native["position"], native["position"])
        native.look(anew=True)

    def track(self, position: np.ndarray, where: np.ndarray) -> None:
        """Follow joints that nobody commands yet to where they are measured, at rest; arguments as of `place`."""
        native = self._native
        if np.abs(position[where] - native["position"][where]).max(initial=0.0) > _MOVED:
            native["position"][where] = position[where]
            native["moved"][where] = native["change"][where] = 0.0
            self._narrow(native["position"], native["position"])
            native.look(anew=False)

    def others(self, names: Sequence[str], positions: np.ndarray) -> None:
        """Tell where the robot's joints are measured: those that may not be commanded carry bodies, too.

        Args:
            names: Joint names; unknown and commanded ones are left out.
            positions: (len(names),) [rad].
        """
        if self.body is None:
            return
        if names != self._names:
            self._names = list(names)
            found = {name: i for i, name in enumerate(names)}
            own = [j for j, name in enumerate(self.body.leaders) if self.body.column[j] < 0 and name in found]
            self._nodes = np.array(own, dtype=int)
            self._measured = np.array([found[self.body.leaders[j]] for j in own], dtype=int)
        other, nodes = self._native["other"], self._nodes
        now = self.body.multiplier[nodes] * positions[self._measured] + self.body.offset[nodes]
        if nodes.size and np.abs(now - other[nodes]).max() > _MOVED:
            other[nodes] = now
            self._native.look(anew=False)

    def begin(self, asked: np.ndarray) -> None:
        """Start to follow another request: all joints have to catch up with it first.

        Args:
            asked: Which joints are requested from now on, (n,) bool; the others come to rest.
        """
        self._asked = asked.astype(np.uint8)
        self._native["caught"][:] = 0
        self._began = False

    def forget(self) -> None:
        """Start to collect `reasons` and `taken` anew."""
        self._native["reasons"][:] = 0
        self._native["taken"][:] = 0.0

    def follow(self, request: np.ndarray, speed: float = np.inf) -> np.ndarray:
        """One step towards a request.

        Args:
            request: Requested position, (n,) [rad], finite where asked.
            speed: Joints that have not caught up with the request since `begin` move no faster than this [rad/s].

        Returns:
            The command, (n,) [rad].
        """
        request = np.ascontiguousarray(request, dtype=float)
        if not self._began:
            self._began = True
            self._native["request"][:] = np.clip(request, self._native["lower"], self._native["upper"])
            for name in ("request_moved", "request_change", "smooth_moved", "smooth_change"):
                self._native[name][:] = 0.0
        return self._step(request, self._asked, speed * self.period)

    def stop(self) -> np.ndarray:
        """One step towards rest, at the limits.

        Returns:
            The command, (n,) [rad].
        """
        self._began = False
        return self._step(self._native["position"], self._nobody, 0.0)

    def _step(self, request: np.ndarray, follows: np.ndarray, cap: float) -> np.ndarray:
        self._native.step(request, follows, cap)
        if self._outside:
            self._narrow(self._native["lower"], self._native["upper"])
        return self._native["position"].copy()

    def _narrow(self, lower: np.ndarray, upper: np.ndarray) -> None:
        """Let joints outside their limits be there, but not go further out than they are."""
        native, limits = self._native, self.limits
        position = native["position"]
        native["lower"][:] = np.minimum(limits.lower, np.maximum(lower, position))
        native["upper"][:] = np.maximum(limits.upper, np.minimum(upper, position))
        self._outside = not (
            np.array_equal(native["lower"], limits.lower) and np.array_equal(native["upper"], limits.upper)
        )
