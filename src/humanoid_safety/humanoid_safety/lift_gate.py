# SPDX-License-Identifier: Apache-2.0
"""A torso lift, moved by a wanted speed: where its joints should be, all in proportion, between its two ends."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pinocchio as pin

from humanoid_description import Robot
from humanoid_description.config import Lift
from humanoid_safety.limiter import Limiter
from humanoid_safety.limits import JointLimits

_PLACES = 33  # of the lift's way, at which its height is measured
_GENTLY = 0.5  # share of the acceleration limit
_BEHIND = 0.02  # share of the way: a lift that is so far behind (held back by a body, a torque) is waited for


class LiftGate:
    """Integrates a speed to positions of the lift's joints.

    The joints move in proportion, so that the torso stays upright: the slowest of them is everybody's limit. The way
    between the ends is an axis of its own, kept inside those limits by the limiter's kernel; what comes out is a
    request like any other and goes through the limiter with all the robot's bodies.

    Args:
        robot: The robot; it has a lift.
        limits: Of the joints that may be commanded.
        rate: Commands per second [Hz].
        deadline: Silence of the commanding source after which the lift comes to rest [s].

    Attributes:
        joints: Numbers of the lift's joints in `limits`, k of them.
    """

    def __init__(self, robot: Robot, limits: JointLimits, rate: float, deadline: float) -> None:
        lift = cast(Lift, robot.config.operator.lift)
        self.joints = np.array([limits.names.index(joint) for joint in lift.joints])
        self._low = np.array(list(lift.low.values()))
        self._way = np.array([lift.high[joint] for joint in lift.joints]) - self._low
        fastest, acceleration, jerk = (
            (values[self.joints] / np.abs(self._way)).min(keepdims=True)
            for values in (limits.velocity, limits.acceleration, limits.jerk)
        )
        one = np.ones(1)
        self._axis = Limiter(
            JointLimits(("lift",), 0.0 * one, one, fastest, acceleration, jerk, one), 1.0 / rate, catch_up=1.0
        )
        self._fastest, self._period = float(fastest[0]), 1.0 / rate
        self._shares = np.linspace(0.0, 1.0, _PLACES)
        self._slopes = np.gradient(_heights(robot, lift, self._shares), self._shares)  # [m] per share
        self._deadline = deadline
        self._wanted: dict[str, tuple[float, float]] = {}  # source -> when it came, what it wants [m/s]
        self._gain = _GENTLY * float(acceleration[0]) / rate  # of the rate in one step
        self._used, self._share, self._rate = False, 0.0, 0.0

    def target(self, source: str, speed: float, now: float) -> None:
        """Take a wanted speed upwards [m/s], a finite number, at the robot's steady time [s]."""
        self._wanted[source] = now, speed

    def rest(self) -> None:
        """Forget where the lift was brought to: somebody else commands."""
        self._used = False

    def step(self, active: str, now: float, position: np.ndarray) -> np.ndarray | None:
        """Where the lift's joints should be now.

        Args:
            active: Source that is let through.
            now: Robot's steady time [s].
            position: Of all joints, commanded or else measured (n,) [rad].

        Returns:
            (k,) [rad]; None where this source has not moved the lift yet: it stays as it is.
        """
        came, speed = self._wanted.get(active, (-math.inf, 0.0))
        if now - came > self._deadline:
            speed = 0.0
        at = float(np.clip((position[self.joints] - self._low) @ self._way / (self._way @ self._way), 0.0, 1.0))
        if not self._used:
            if speed == 0.0 or not math.isfinite(at):
                return None
            self._used, self._share, self._rate = True, at, 0.0
            self._axis.place(np.array([at]), np.ones(1, dtype=bool))
            self._axis.begin(np.ones(1, dtype=bool))
        share = float(self._axis.position[0])
        if speed == 0.0 or abs(share - at) > _BEHIND:
            share = self._share = float(self._axis.stop()[0])
            self._rate = 0.0
        else:
            slope = float(np.interp(share, self._shares, self._slopes))
            rate = math.copysign(min(abs(speed / slope), self._fastest), speed / slope)
            # Gently enough for the axis to be there, too: what it is behind it would make up for by going faster.
            self._rate += min(max(rate - self._rate, -self._gain), self._gain)
            self._share = min(max(self._share + self._rate * self._period, 0.0), 1.0)
            share = float(self._axis.follow(np.array([self._share]))[0])
        return np.asarray(self._low + share * self._way)


def _heights(robot: Robot, lift: Lift, shares: np.ndarray) -> np.ndarray:
    """How high the torso is at each share of the lift's way [m]."""
    model = robot.pinocchio()
    data, frame = model.createData(), model.getFrameId(robot.config.operator.torso_frame)
    joints = robot.index(lift.joints)
    low, high = (np.array([end[joint] for joint in lift.joints]) for end in (lift.low, lift.high))
    heights, q = np.empty(len(shares)), robot.home()
    for i, share in enumerate(shares):
        q[joints] = low + share * (high - low)
        pin.framesForwardKinematics(model, data, q)
        heights[i] = data.oMf[frame].translation[2]
    return heights
