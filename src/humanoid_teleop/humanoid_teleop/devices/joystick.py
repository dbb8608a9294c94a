# SPDX-License-Identifier: Apache-2.0
"""A joystick as an operator: base, lift and head, in SI units, while its dead-man is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from humanoid_core import config, rotations
from humanoid_core.errors import MessageError
from humanoid_teleop.operator import SIDES, OperatorFrame
from humanoid_teleop.person.calibration import EYE_HEIGHT, about_z

SOURCE = "joystick"
_EYES = np.array([0.0, 0.0, EYE_HEIGHT * 1.75])  # [m] of somebody: only how the head is turned is used


@dataclass(frozen=True)
class Control:
    """What moves one thing: an axis, or a button for each way.

    Attributes:
        scale: Speed at full deflection [m/s or rad/s]; negative turns the axis around.
        axis: Its number, -1: none.
        plus: Number of the button for the positive way, -1: none.
        minus: Of the button for the other way.
    """

    scale: float
    axis: int = -1
    plus: int = -1
    minus: int = -1

    def __post_init__(self) -> None:
        if (self.axis >= 0) == (self.plus >= 0) or (self.plus < 0) != (self.minus < 0):
            raise ValueError("must have either an axis, or both plus and minus")


@dataclass(frozen=True)
class Gamepad:
    """How a make of joysticks is read; what stands not there is not moved.

    Attributes:
        dead_man: Buttons, one of which is held for anything to move.
        dead_zone: Share of an axis around its middle that counts as the middle.
        forward: The base [m/s].
        left: The base, sideways [m/s].
        turn: The base, to the left [rad/s].
        lift: The torso, upwards [m/s].
        look_left: The head [rad/s].
        look_up: The head [rad/s].
        look_ahead: Button that brings the head back, -1: none.
        engage: Button that lets the limiter follow, -1: none.
        stop: Button of the emergency stop, -1: none. It needs no dead-man.
    """

    dead_man: tuple[int, ...]
    dead_zone: float
    forward: Control | None = None
    left: Control | None = None
    turn: Control | None = None
    lift: Control | None = None
    look_left: Control | None = None
    look_up: Control | None = None
    look_ahead: int = -1
    engage: int = -1
    stop: int = -1

    def __post_init__(self) -> None:
        if not self.dead_man:
            raise ValueError("dead_man: must name a button")
        if not 0.0 <= self.dead_zone < 1.0:
            raise ValueError(f"dead_zone {self.dead_zone}: must be from 0 to below 1")


@dataclass(frozen=True)
class Motion:
    """What the joystick asks for.

    Attributes:
        held: The dead-man is held, and was seen released before.
        fresh: The joystick is there.
        twist: Forward, left, up [m/s] and turn to the left [rad/s], (4,).
        head: Turned to the left and up from straight ahead [rad], (2,).
    """

    held: bool
    fresh: bool
    twist: np.ndarray
    head: np.ndarray


@dataclass
class _Reading:
    axes: Sequence[float] = field(default_factory=list)
    buttons: Sequence[int] = field(default_factory=list)


class Joystick:
    """Turns a joystick's readings into motion.

    A joystick that is silent is let go of, and one that is held when it appears counts once it was seen released.

    Args:
        pad: How it is read.
        stale: Silent for longer, it is gone [s].
        head_range: How far the head turns aside and nods [rad], (2,).
    """

    def __init__(self, pad: Gamepad, stale: float, head_range: tuple[float, float]) -> None:
        self._pad, self._stale, self._range = pad, stale, np.array(head_range)
        self._reading = _Reading()
        self._heard = self._stepped = -math.inf
        self._armed = False
        self._head = np.zeros(2)
        used = [pad.forward, pad.left, pad.turn, pad.lift, pad.look_left, pad.look_up]
        controls = [control for control in used if control]
        self._axes_needed = max((control.axis for control in controls), default=-1) + 1
        buttons = [number for control in controls for number in (control.plus, control.minus)]
        self._buttons_needed = max(*buttons, *pad.dead_man, pad.look_ahead, pad.engage, pad.stop) + 1

    def read(self, axes: Sequence[float], buttons: Sequence[int], now: float) -> set[str]:
        """Take a reading.

        Args:
            axes: -1 to 1; left and up are positive.
            buttons: 0 or 1.
            now: Steady time [s].

        Returns:
            "engage" and "stop" where their buttons were pressed since the last reading.

        Raises:
            MessageError: this is another joystick: it lacks what the configuration names, or says nonsense.
        """
        if len(axes) < self._axes_needed or len(buttons) < self._buttons_needed:
            found = f"{len(axes)} axes, {len(buttons)} buttons"
            raise MessageError("joystick", found, f"{self._axes_needed} and {self._buttons_needed} at least")
        if not np.isfinite(axes).all():
            raise MessageError("joystick", f"axes {list(axes)}", "finite numbers")
        before = self._reading if now - self._heard <= self._stale else _Reading(buttons=buttons)
        self._reading, self._heard = _Reading(axes, buttons), now
        return {
            name
            for name, number in (("engage", self._pad.engage), ("stop", self._pad.stop))
            if number >= 0 and buttons[number] and not before.buttons[number]
        }

    def motion(self, now: float) -> Motion:
        """What is asked for at a steady time [s]."""
        fresh = now - self._heard <= self._stale
        wanted = fresh and any(self._reading.buttons[number] for number in self._pad.dead_man)
        self._armed = fresh and (self._armed or not wanted)
        held = self._armed and wanted
        dt = min(now - self._stepped, self._stale)
        self._stepped = now
        if not held:
            return Motion(False, fresh, np.zeros(4), self._head.copy())
        pad = self._pad
        twist = np.array([self._rate(control) for control in (pad.forward, pad.left, pad.lift, pad.turn)])
        rates = np.array([self._rate(control) for control in (pad.look_left, pad.look_up)])
        if pad.look_ahead >= 0 and self._reading.buttons[pad.look_ahead]:
            scales = np.array([abs(control.scale) if control else 0.0 for control in (pad.look_left, pad.look_up)])
            rates = np.clip(-self._head / dt, -scales, scales) if dt > 0.0 else np.zeros(2)
        self._head = np.clip(self._head + rates * dt, -self._range, self._range)
        return Motion(True, True, twist, self._head.copy())

    def frame(self, motion: Motion, stamp: int, sequence: int) -> OperatorFrame:
        """The person behind the joystick at `stamp` [ns]: a head that looks where it is told, and the dead-man."""
        frame = OperatorFrame(stamp, SOURCE, sequence)
        aside, up = motion.head
        nod = np.array([0.0, math.sin(-0.5 * up), 0.0, math.cos(-0.5 * up)])
        frame.set("head", _EYES, rotations.multiply(about_z(aside), nod))
        for side in SIDES:
            frame.hand(side).engaged = motion.held
        frame.left.axes = [float(value) for value in self._reading.axes]
        frame.left.buttons = [bool(value) for value in self._reading.buttons]
        return frame

    def _rate(self, control: Control | None) -> float:
        if control is None:
            return 0.0
        reading = self._reading
        if control.axis < 0:
            return control.scale * (bool(reading.buttons[control.plus]) - bool(reading.buttons[control.minus]))
        value = min(max(reading.axes[control.axis], -1.0), 1.0)
        share = max(abs(value) - self._pad.dead_zone, 0.0) / (1.0 - self._pad.dead_zone)
        return math.copysign(control.scale * share, control.scale * value)


def load_gamepad(file: str | Path) -> Gamepad:
    """The joystick in a file.

    Raises:
        ConfigError: it is none.
    """
    return config.load(Gamepad, file)
