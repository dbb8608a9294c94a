# SPDX-License-Identifier: Apache-2.0
"""What a driver sends each period: what the newest commands ask, while they and the robot's states keep coming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from humanoid_core.errors import MessageError
from humanoid_robots.drivers.errors import CommandRefused
from humanoid_robots.servo import Mode

_LONGEST_STEP = 0.02  # [s] after a pause the share must not jump


@dataclass(frozen=True)
class Settings:
    """Of a follower.

    Attributes:
        state_timeout: Age of the robot's state beyond which it is not commanded [s].
        command_timeout: Silence of commands that starts a soft stop [s].
        stop_decay: Time constant of the soft stop [s].
        take_over: Time in which the share rises from 0 to 1 [s].
        hand_back: Time in which it falls to 0 again [s].
        start_gap: How far the first command may be from where a joint is [rad or m].
    """

    state_timeout: float = 0.1
    command_timeout: float = 0.1
    stop_decay: float = 0.05
    take_over: float = 1.0
    hand_back: float = 2.0
    start_gap: float = 0.2

    def __post_init__(self) -> None:
        for name in self.__annotations__:
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} {getattr(self, name)}: must be above 0")


@dataclass(frozen=True)
class Output:
    """What to send.

    Attributes:
        position: (n,) [rad or m].
        velocity: (n,) [rad/s or m/s].
        effort: Feed-forward (n,) [N m or N].
        share: From 0, the robot's own controller, to 1, only this.
        eased: For robots without a controller of their own beside: from where the joints were when commands began to
            `position`, as the share first rises (n,) [rad or m]. It does not go back when the share falls.
    """

    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray
    share: float
    eased: np.ndarray


class Follower:
    """Set-points of n joints between joint_commands and a robot.

    IDLE until a command comes close to where the joints are; then the share rises and it is FOLLOWING. Commands that
    cease start a soft stop (STOPPING): the set-points coast with a velocity that dies away, then hold; the next command
    must again be close to them. A state that is missing, too old or not to be trusted is a FAULT: nothing is sent, and
    the share begins at 0 again. Joints that the command leaves out are held where they were when it began. Times are of
    a steady clock.

    Args:
        joints: Names of the n joints.
        lower: Lower ends of their ranges (n,) [rad or m].
        upper: Upper ends (n,).
        settings: Times and the largest start gap.
    """

    def __init__(self, joints: Sequence[str], lower: np.ndarray, upper: np.ndarray, settings: Settings) -> None:
        self.joints = tuple(joints)
        self._index = {name: i for i, name in enumerate(joints)}
        self._lower, self._upper, self._settings = lower, upper, settings
        count = len(self.joints)
        self._measured = np.zeros(count)
        self._state_ns: int | None = None
        self._distrust = ""
        self._position, self._velocity, self._effort = np.zeros(count), np.zeros(count), np.zeros(count)
        self._commanded = np.zeros(count, dtype=bool)
        self._command_ns: int | None = None
        self._step_ns: int | None = None
        self._releasing = self._unseen = False
        self._anchor, self._ease = np.zeros(count), 0.0
        self.share = 0.0
        self.mode = Mode.IDLE
        self.reason = "no state of the robot yet"

    # --- what comes in ---

    def state(self, now: int, position: np.ndarray) -> None:
        """A state to be trusted: measured positions (n,) that came at `now` [ns]."""
        self._measured, self._state_ns, self._distrust = position, now, ""

    def distrust(self, reason: str) -> None:
        """What came from the robot cannot be used, or says that it must not be commanded."""
        self._distrust = reason

    def command(
        self,
        now: int,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float] = (),
        effort: Sequence[float] = (),
    ) -> None:
        """Take a command that came at `now` [ns]; names must be of `joints`.

        Raises:
            MessageError: wrong sizes, a joint that is unknown or named twice, or a number that is not finite.
            CommandRefused: the robot may not be commanded now, or not from so far away. Nothing of it is used.
        """
        which, values = self._checked(names, position, velocity, effort)
        fault = self._fault(now)
        if fault or self._releasing:
            raise CommandRefused(fault or "control is being handed back")
        wanted = np.clip(values[0], self._lower[which], self._upper[which])
        fresh = np.ones(len(which), bool) if self.mode is not Mode.FOLLOWING else ~self._commanded[which]
        here = np.where(self._commanded[which] & (self.share > 0.0), self._position[which], self._measured[which])
        gap = np.where(fresh, np.abs(wanted - here), 0.0)
        if gap.size and gap.max() > self._settings.start_gap:
            worst = int(gap.argmax())
            raise CommandRefused(
                f"{names[worst]} is at {here[worst]:.3f}, commanded to {wanted[worst]:.3f}: "
                f"farther than {self._settings.start_gap:g} at the start"
            )
        if self._command_ns is None:
            self._position[:], self._velocity[:], self._effort[:] = self._measured, 0.0, 0.0
            self._anchor = self._position.copy()
        self._position[which], self._velocity[which], self._effort[which] = wanted, values[1], values[2]
        self._commanded[which] = True
        self._command_ns = now
        self.mode = Mode.FOLLOWING

    def release(self) -> None:
        """Hand control back: the share falls to 0, no command is taken until `resume`."""
        self._releasing = True

    def release_unseen(self) -> None:
        """Hand control back although no state will be read any more: the program ends."""
        self._unseen = not self._fault(self._step_ns or 0)
        self.release()

    def resume(self) -> None:
        """Commands may be taken again."""
        self._releasing = False

    # --- what goes out ---

    def step(self, now: int) -> Output | None:
        """What to send at `now` [ns]; None: nothing."""
        period = 0.0 if self._step_ns is None else min(1e-9 * (now - self._step_ns), _LONGEST_STEP)
        self._step_ns = now
        fault = self._fault(now)
        if fault:
            self._let_go()
            self.mode, self.reason = Mode.FAULT, fault
            return None
        if self.mode is Mode.FAULT or self._command_ns is None:
            self.mode, self.reason = Mode.IDLE, "holds its pose, no command yet"
            return None
        if now - self._command_ns > 1e9 * self._settings.command_timeout or self._releasing:
            fade = np.exp(-period / self._settings.stop_decay)
            self._velocity *= fade
            self._effort *= fade
            self._position = np.clip(self._position + period * self._velocity, self._lower, self._upper)
            self.mode = Mode.STOPPING
            self.reason = "hands control back" if self._releasing else "stopped: no joint_commands"
        else:
            self.mode, self.reason = Mode.FOLLOWING, "follows joint_commands"
        if self._releasing:
            self.share = max(0.0, self.share - period / self._settings.hand_back)
        else:
            self.share = min(1.0, self.share + period / self._settings.take_over)
        self._ease = max(self._ease, self.share)
        eased = self._anchor + self._ease * (self._position - self._anchor)
        output = Output(self._position.copy(), self._velocity.copy(), self._effort.copy(), self.share, eased)
        if self._releasing and self.share == 0.0:
            self._let_go()
            self.mode, self.reason = Mode.IDLE, "handed back"
        return output

    def _let_go(self) -> None:
        self.share = self._ease = 0.0
        self._command_ns = None
        self._commanded[:] = False

    def _fault(self, now: int) -> str:
        if self._unseen:
            return ""
        if self._distrust:
            return self._distrust
        if self._state_ns is None:
            return "no state of the robot yet"
        age = 1e-9 * (now - self._state_ns)
        if age > self._settings.state_timeout:
            return f"the robot's state is {age:.3f} s old, at most {self._settings.state_timeout:g} s is allowed"
        return ""

    def _checked(self, names: Sequence[str], *parts: Sequence[float]) -> tuple[np.ndarray, list[np.ndarray]]:
        unknown = [name for name in names if name not in self._index]
        if unknown or len(set(names)) != len(names):
            raise MessageError(
                "joint_commands", f"unknown or doubled joints {', '.join(unknown or names)}", "each once"
            )
        values = []
        for part in parts:
            array = np.asarray(part, dtype=float) if len(part) else np.zeros(len(names))
            if array.shape != (len(names),) or not np.isfinite(array).all():
                raise MessageError("joint_commands", f"{array.size} numbers or some not finite", f"{len(names)} finite")
            values.append(array)
        if not len(parts[0]) and len(names):
            raise MessageError("joint_commands", "no positions", f"{len(names)}")
        return np.array([self._index[name] for name in names], dtype=int), values
