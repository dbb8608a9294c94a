# SPDX-License-Identifier: Apache-2.0
"""A terminal's keyboard as a joystick: a key is held for as long as the terminal repeats it."""

from __future__ import annotations

import contextlib
import math
import os
import re
import select
import termios
from typing import Any

from humanoid_core.errors import HumanoidError

AXES = ("forward", "left", "turn", "up", "look left", "look up")
BUTTONS = ("any key", "look ahead", "engage", "stop")
HELD, LOOK_AHEAD, ENGAGE, STOP = range(4)

# Key -> what it moves, (6,) in the order of AXES.
MOVES: dict[str, tuple[float, ...]] = {
    "w": (1, 0, 0, 0, 0, 0),
    "s": (-1, 0, 0, 0, 0, 0),
    "a": (0, 1, 0, 0, 0, 0),
    "d": (0, -1, 0, 0, 0, 0),
    "q": (0, 0, 1, 0, 0, 0),
    "e": (0, 0, -1, 0, 0, 0),
    "u": (1, 0, 1, 0, 0, 0),
    "o": (1, 0, -1, 0, 0, 0),
    "r": (0, 0, 0, 1, 0, 0),
    "f": (0, 0, 0, -1, 0, 0),
    "left": (0, 0, 0, 0, 1, 0),
    "right": (0, 0, 0, 0, -1, 0),
    "up": (0, 0, 0, 0, 0, 1),
    "down": (0, 0, 0, 0, 0, -1),
}
PRESSES = {"c": LOOK_AHEAD, "\r": ENGAGE, "x": STOP}
HELP = """\
w s  forward, back       q e  turn          r f      torso up, down
a d  sideways            u o  bend ahead    arrows   head; c: ahead again
1..9 share of the speed  Enter  engage      x        EMERGENCY STOP
Hold a key to move, let go to stop: a tap moves for as long as the terminal takes to repeat a key. Ctrl-C ends.
"""

_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_SEQUENCE = re.compile(r"\x1b[\[O]([0-9;]*)([A-Za-z~])|(.)", re.DOTALL)


class KeyboardError(HumanoidError):
    """There is no terminal to read keys from."""


def keys(text: str) -> list[str]:
    """The keys behind what a terminal sent: characters, and left, right, up and down; what else there is, is ''."""
    return [
        character.lower().replace("\n", "\r") if character else ("" if parameters else _ARROWS.get(final, ""))
        for parameters, final, character in _SEQUENCE.findall(text)
    ]


class Keyboard:
    """Which key is held. A terminal does not say when a key is released: it only stops to repeat it.

    One key counts at a time, the newest, as a terminal repeats no other. Any other key lets go of it.

    Args:
        first: A key is held for so long after it was pressed: longer than until the terminal first repeats it [s].
        again: And for so long after it was repeated [s].
    """

    def __init__(self, first: float, again: float) -> None:
        self._first, self._again = first, again
        self._key, self._pressed, self._until = "", -math.inf, -math.inf
        self.speed = 0.5  # share

    def press(self, key: str, now: float) -> None:
        """Take a key that the terminal sent at a steady time [s]."""
        repeated = key == self._key and now - self._pressed <= self._first
        self._pressed = now
        if key.isdigit() and key != "0":
            self.speed = int(key) / 9.0
        self._key = key if key in MOVES or key in PRESSES else ""
        self._until = now + (self._again if repeated else self._first)

    def held(self, now: float) -> str:
        """The key that is held; empty: none."""
        return self._key if now <= self._until else ""

    def joy(self, now: float) -> tuple[list[float], list[int]]:
        """Axes (6) and buttons (4), in the order of AXES and BUTTONS."""
        key = self.held(now)
        buttons = [0] * len(BUTTONS)
        buttons[HELD] = int(key in MOVES or key == "c")
        if key in PRESSES:
            buttons[PRESSES[key]] = 1
        return [self.speed * share for share in MOVES.get(key, (0.0,) * len(AXES))], buttons


class Terminal:
    """A terminal whose keys come one by one and unseen, until it is closed.

    Args:
        descriptor: Of the terminal.

    Raises:
        KeyboardError: it is none.
    """

    def __init__(self, descriptor: int) -> None:
        if not os.isatty(descriptor):
            raise KeyboardError("there is no terminal to read keys from: start it in one, not by a launch file")
        self._descriptor = descriptor
        self._before: list[Any] = termios.tcgetattr(descriptor)
        settings: list[Any] = termios.tcgetattr(descriptor)
        settings[3] &= ~(termios.ICANON | termios.ECHO)
        settings[6] = list(settings[6])
        settings[6][termios.VSUSP] = b"\0"  # suspended, nobody would restore the terminal
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 0, 0
        termios.tcsetattr(descriptor, termios.TCSADRAIN, settings)

    def read(self) -> str:
        """What was typed since the last time.

        Raises:
            KeyboardError: the terminal is gone.
        """
        if not select.select([self._descriptor], [], [], 0.0)[0]:
            return ""
        try:
            typed = os.read(self._descriptor, 1024)
        except OSError as error:
            raise KeyboardError(f"the terminal is gone: {error.strerror}") from error
        if not typed:
            raise KeyboardError("the terminal is gone")
        return typed.decode(errors="replace")

    def close(self) -> None:
        """Leave the terminal as it was."""
        with contextlib.suppress(termios.error):  # it is gone
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)
