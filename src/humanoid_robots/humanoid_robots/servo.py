# SPDX-License-Identifier: Apache-2.0
"""Set-points of the joint servos: which joints follow, what the others hold, and how they stop when commands cease."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from humanoid_core.errors import MessageError


class Mode(IntEnum):
    """As RobotStatus numbers them."""

    OFF = 0
    IDLE = 1
    FOLLOWING = 2
    STOPPING = 3
    FAULT = 4


WORDS = {
    Mode.OFF: "off",
    Mode.IDLE: "holds its pose, no command yet",
    Mode.FOLLOWING: "follows joint_commands",
    Mode.STOPPING: "stopped: no joint_commands",
    Mode.FAULT: "simulation ended by an error",
}


class SetPoints:
    """Latest set-point of each joint, and a soft stop.

    Without commands for `timeout` the set-points coast on with their last velocity, which dies away exponentially,
    and hold: the joint neither jerks nor goes limp. The next command is followed at once; that it starts where the
    robot is, is up to the sender.

    Args:
        joints: Names of the n joints.
        home: Position held until a joint is first commanded (n,) [rad].
        lower: Lower ends of the ranges (n,) [rad].
        upper: Upper ends (n,) [rad].
        timeout: Silence that counts as the end of commands [s].
        decay: Time constant of the stop [s].
        delay: From a command's arrival to its effect [s].
    """

    def __init__(
        self,
        joints: Sequence[str],
        home: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        timeout: float,
        decay: float,
        delay: float = 0.0,
    ) -> None:
        self._index = {name: i for i, name in enumerate(joints)}
        self._lower, self._upper = lower, upper
        self._timeout_ns = round(timeout * 1e9)
        self._decay = decay
        self._delay_ns = round(delay * 1e9)
        self._underway: deque[tuple[int, np.ndarray, list[np.ndarray]]] = deque()
        self._received_ns: int | None = None
        self._names: list[str] = []
        self._which = np.empty(0, dtype=int)
        self.mode = Mode.IDLE
        self.position = home.copy()
        self.velocity = np.zeros_like(home)
        self.effort = np.zeros_like(home)

    def receive(
        self,
        now_ns: int,
        names: Sequence[str],
        position: np.ndarray,
        velocity: np.ndarray | None = None,
        effort: np.ndarray | None = None,
    ) -> None:
        """Take a command.

        Args:
            now_ns: Time of arrival [ns].
            names: m joints that it commands.
            position: Set-points (m,) [rad]; cut to the joint's range.
            velocity: Their velocities (m,) [rad/s]; None or empty: 0.
            effort: Added to the servo's torque (m,) [N m]; None or empty: 0.

        Raises:
            MessageError: an unknown joint, a joint twice, wrong sizes, or numbers that are not finite. Nothing of the
                command is used.
        """
        if list(names) != self._names:
            self._resolve(names)
        arrays = [position, velocity, effort]
        for i, values in enumerate(arrays):
            if values is None or len(values) == 0:
                arrays[i] = np.zeros(len(names))
                if i == 0 and len(names):
                    raise MessageError("joint_commands", "no positions", f"{len(names)}")
            elif len(values) != len(names) or not np.isfinite(values).all():
                raise MessageError(
                    "joint_commands", f"{len(values)} numbers or some not finite", f"{len(names)} finite"
                )
        which = self._which
        arrived = [np.array(values, dtype=float) for values in arrays]
        arrived[0] = np.minimum(np.maximum(arrived[0], self._lower[which]), self._upper[which])
        self._underway.append((now_ns + self._delay_ns, which, arrived))
        self._received_ns = now_ns
        self.mode = Mode.FOLLOWING
        self._apply(now_ns)

    def advance(self, now_ns: int, period: float) -> None:
        """Go on to `now_ns`: take commands whose delay is over, brake if they have ceased.

        Args:
            now_ns: Time [ns].
            period: Since the last call [s].
        """
        self._apply(now_ns)
        if self._received_ns is None or now_ns - self._received_ns <= self._timeout_ns:
            return
        self.mode = Mode.STOPPING
        self.velocity *= np.exp(-period / self._decay)
        self.effort *= np.exp(-period / self._decay)
        self.position = np.clip(self.position + period * self.velocity, self._lower, self._upper)

    def _apply(self, now_ns: int) -> None:
        while self._underway and self._underway[0][0] <= now_ns:
            _, which, (position, velocity, effort) = self._underway.popleft()
            self.position[which], self.velocity[which], self.effort[which] = position, velocity, effort

    def _resolve(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in self._index]
        if unknown:
            raise MessageError("joint_commands", f"unknown joints {', '.join(unknown)}", "joints of the robot")
        if len(set(names)) != len(names):
            raise MessageError("joint_commands", "a joint twice", "each joint once")
        self._names = list(names)
        self._which = np.array([self._index[name] for name in names], dtype=int)
