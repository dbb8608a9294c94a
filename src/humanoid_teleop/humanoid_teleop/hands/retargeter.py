# SPDX-License-Identifier: Apache-2.0
"""One robot hand in time: its goal from WebXR's 25 joints or from a grip value, and the way there inside the limits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from humanoid_description import Robot
from humanoid_teleop.arms.limits import JointLimits, braking_velocity, velocity_box
from humanoid_teleop.hands.model import HandModel
from humanoid_teleop.hands.person import measure
from humanoid_teleop.hands.solver import FingerSolver, Gripper
from humanoid_teleop.operator import LOST, Hand
from humanoid_teleop.settings import Settings

ARRIVED = 1e-4  # [rad or m] from its goal a finger joint rests


class HandRetargeter:
    """Moves one hand. A hand without joints has none to move; everything else is the same.

    Args:
        robot: The robot.
        side: "left" or "right".
        settings: Shares of the joint limits, and how fast errors are closed.

    Attributes:
        model: The hand by itself.
        joints: n names, in the configuration's order.
        goal: Where to, as the person's hand was seen last (n,) [rad or m].
        position: (n,) [rad or m].
        velocity: (n,) [rad/s or m/s].
    """

    def __init__(self, robot: Robot, side: str, settings: Settings) -> None:
        config = robot.config.hands[side]
        self.model = HandModel(robot, side)
        self.joints = self.model.joints
        limits = robot.limits(self.joints)
        self._limits = JointLimits(
            limits.lower,
            limits.upper,
            settings.velocity_share * limits.velocity,
            settings.acceleration_share * limits.acceleration,
        )
        self._rate = settings.error_rate
        self._open = self._within(np.array([config.open[joint] for joint in self.joints]))
        self._closed = self._within(np.array([config.closed[joint] for joint in self.joints]))
        self.position = self._open.copy()
        self.velocity = np.zeros(len(self.joints))
        self.goal = self._open.copy()
        self._seen = False  # the person's fingers, newest frame
        self._solver: FingerSolver | Gripper
        if len(self.joints) > 1 and config.fingers:
            ends = self._limits.lower, self._limits.upper, self._open, self._closed
            self._solver = FingerSolver(self.model, side, config.fingers, *ends)
        else:
            self._solver = Gripper(self.model, self._open, self._closed)

    def start(self, positions: Mapping[str, float]) -> None:
        """Begin where the hand is: positions by joint name [rad or m]; a missing joint is taken to be open."""
        measured = np.array([positions.get(joint, value) for joint, value in zip(self.joints, self._open)], dtype=float)
        self.position = self._within(measured)
        self.velocity = np.zeros(len(self.joints))
        self.goal = self.position.copy()

    def update(self, hand: Hand) -> None:
        """Take in what the person's hand does; what is not known leaves the goal as it was."""
        if not self.joints:
            return
        if hand.joint_positions is not None and hand.joint_rotations is not None and hand.validity != LOST:
            person = measure(hand.joint_positions, hand.joint_rotations[0])
            self._seen = person is not None
            if person is not None:
                self.goal = self._solver.solve(person, self.goal)
        elif math.isfinite(hand.grip):
            self._seen = False
            grip = min(max(hand.grip, 0.0), 1.0)
            self.goal = self._open + grip * (self._closed - self._open)

    def step(self, dt: float, follow: bool) -> None:
        """Move towards the goal for dt [s], or brake."""
        if not self.joints:
            return
        limits = self._limits
        error = self.goal - self.position
        if not self.velocity.any() and (not follow or np.abs(error).max() < ARRIVED):
            return
        low, high = velocity_box(self.position, self.velocity, dt, limits)
        if follow:
            # In proportion to the error, and never so fast that one could not stop at its end.
            step = limits.acceleration * dt
            fastest = np.sqrt(step * step + 2.0 * limits.acceleration * np.abs(error)) - step
            wanted = np.minimum(np.maximum(self._rate * error, -fastest), fastest)
            wanted[np.abs(error) < ARRIVED] = 0.0
        else:
            wanted = braking_velocity(self.velocity, dt, limits.acceleration)
        self.velocity = np.minimum(np.maximum(wanted, low), high)
        self.position = self._within(self.position + self.velocity * dt)

    def tip_errors(self) -> dict[str, float]:
        """By finger, how far its tip is from where the person's is [m]; none where posture or a grip value leads."""
        return self._solver.tip_errors(self.position) if self._seen else {}

    def _within(self, joints: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(joints, self._limits.lower), self._limits.upper)
