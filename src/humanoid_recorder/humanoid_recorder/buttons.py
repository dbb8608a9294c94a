# SPDX-License-Identifier: Apache-2.0
"""Episodes by the buttons in the operator's hands: who wears a headset has no keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from humanoid_core import config
from humanoid_core.errors import ConfigError

ACTIONS = ("start", "success", "failure", "discard", "next")
_LABEL = "label "


@dataclass(frozen=True)
class Bindings:
    """The file of the bindings, as config/buttons.yaml of this package.

    Attributes:
        left: By number of the button (as in OperatorHand, from 0): "start", "success", "failure" (both stop),
            "discard", "next" (label the next step of the task), or "label <text>".
        right: Likewise.
        hold: A button that ends an episode has to be held that long [s].
    """

    left: dict[str, str] = field(default_factory=dict)
    right: dict[str, str] = field(default_factory=dict)
    hold: float = 0.0

    def __post_init__(self) -> None:
        for side, bound in (("left", self.left), ("right", self.right)):
            for button, action in bound.items():
                if not button.isdigit():
                    raise ValueError(f"{side}.{button}: expected the number of a button")
                if action not in ACTIONS and not action.startswith(_LABEL):
                    raise ValueError(f"{side}.{button}: found {action!r}, expected one of {ACTIONS} or 'label <text>'")
        if self.hold < 0:
            raise ValueError("hold must not be negative")


def load_bindings(path: str | Path) -> Bindings:
    """Read the bindings.

    Raises:
        ConfigError: naming file and key.
    """
    data = config.read_yaml(path)
    for side in ("left", "right"):
        bound = data.get(side, {})
        if not isinstance(bound, dict):
            raise ConfigError(path, side, bound, "a mapping from button numbers to actions")
        data[side] = {str(button): action for button, action in bound.items()}
    return config.build(Bindings, data, path)


class Buttons:
    """Turns button states into actions: each press counts once, however long it lasts.

    Args:
        bindings: What each button does.
        steps: Labels of the task's steps, in order; after the last comes the first again.
    """

    def __init__(self, bindings: Bindings, steps: Sequence[str]) -> None:
        self._bindings = bindings
        self._steps = tuple(steps)
        self._step = 0
        self._pressed: dict[tuple[str, int], float] = {}  # since when [s]
        self._done: set[tuple[str, int]] = set()

    def update(self, now: float, left: Sequence[bool], right: Sequence[bool]) -> list[str]:
        """Take one operator frame.

        Args:
            now: Steady time [s].
            left: Buttons of the left hand.
            right: Buttons of the right hand.

        Returns:
            What was asked for: one of "start", "success", "failure", "discard", or "label <text>".
        """
        actions = []
        for side, states, bound in (("left", left, self._bindings.left), ("right", right, self._bindings.right)):
            for number, action in bound.items():
                key = side, int(number)
                if key[1] >= len(states) or not states[key[1]]:
                    self._pressed.pop(key, None)
                    self._done.discard(key)
                    continue
                held = now - self._pressed.setdefault(key, now)
                ends = action in ("success", "failure", "discard")
                if key not in self._done and held >= (self._bindings.hold if ends else 0.0):
                    self._done.add(key)
                    actions.append(self._resolved(action))
        return [action for action in actions if action]

    def _resolved(self, action: str) -> str:
        if action == "start":
            self._step = 0
        if action != "next":
            return action
        if not self._steps:
            return ""
        label = self._steps[self._step % len(self._steps)]
        self._step += 1
        return f"{_LABEL}{label}"


def label_of(action: str) -> str:
    """The text of a label action; empty for any other."""
    return action[len(_LABEL) :].strip() if action.startswith(_LABEL) else ""
