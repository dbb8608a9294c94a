# SPDX-License-Identifier: Apache-2.0
"""Joint positions that a person sets by hand, inside the ranges of the robot's URDF."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_description.robot import MANY_TURNS


class SliderError(HumanoidError):
    """A position that no slider can take."""


@dataclass(frozen=True)
class Slider:
    """One joint.

    Attributes:
        name: Of the joint.
        group: Of the configuration, for the page.
        lower: End of the URDF's range [rad or m].
        upper: [rad or m].
        home: Position in the home pose [rad or m].
        unit: "rad" or "m".
    """

    name: str
    group: str
    lower: float
    upper: float
    home: float
    unit: str


def sliders_of(robot: Robot) -> list[Slider]:
    """One slider per movable joint, in the order of the groups; a joint without end turns half a turn either way."""
    model, home = robot.pinocchio(), robot.home()
    groups = {joint: group for group, joints in robot.config.groups.items() for joint in joints}
    order = {group: place for place, group in enumerate(robot.config.groups)}
    sliders = []
    for joint in robot.joints:
        place = int(robot.index([joint])[0])
        kind = model.joints[model.getJointId(joint)].shortname()
        lower, upper = model.lowerPositionLimit[place], model.upperPositionLimit[place]
        if upper >= MANY_TURNS:
            lower, upper = -math.pi, math.pi
        sliders.append(
            Slider(
                name=joint,
                group=groups.get(joint, "others"),
                lower=float(lower),
                upper=float(upper),
                home=float(np.clip(home[place], lower, upper)),
                unit="m" if kind.startswith("JointModelP") else "rad",
            )
        )
    return sorted(sliders, key=lambda slider: order.get(slider.group, len(order)))


class Positions:
    """Where the sliders stand; any thread may ask or set.

    Args:
        sliders: All of them.
    """

    def __init__(self, sliders: list[Slider]) -> None:
        self.sliders = {slider.name: slider for slider in sliders}
        self._lock = threading.Lock()
        self._positions = {slider.name: slider.home for slider in sliders}

    def now(self) -> dict[str, float]:
        """Position of every joint [rad or m]."""
        with self._lock:
            return dict(self._positions)

    def home(self) -> None:
        """Everything to the home pose."""
        with self._lock:
            self._positions = {name: slider.home for name, slider in self.sliders.items()}

    def move(self, wanted: Mapping[str, Any]) -> None:
        """Set some joints, each cut back to its range.

        Raises:
            SliderError: an unknown joint, or something that is no finite number; then nothing moves.
        """
        moved = {}
        for name, value in wanted.items():
            slider = self.sliders.get(name)
            if slider is None:
                raise SliderError(f"no joint {name}; there are {', '.join(self.sliders)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise SliderError(f"{name}: {value!r} is no finite number")
            moved[name] = min(max(float(value), slider.lower), slider.upper)
        with self._lock:
            self._positions.update(moved)

    def described(self) -> list[dict[str, Any]]:
        """All sliders for the page, in order."""
        return [asdict(slider) for slider in self.sliders.values()]
