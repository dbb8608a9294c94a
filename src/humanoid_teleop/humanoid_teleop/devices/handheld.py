# SPDX-License-Identifier: Apache-2.0
"""Tracked handheld devices as an operator: a pose and a joystick message for each hand, a pose for the head."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from humanoid_core import config, rotations
from humanoid_teleop.operator import LOST, SIDES, TRACKED, OperatorFrame
from humanoid_teleop.recordings.motion import axes

SOURCE = "handheld"


@dataclass(frozen=True)
class Grip:
    """How a device is held.

    Attributes:
        fingers: Along the straight fingers, in the device's axes.
        back: Out of the back of the hand, in the device's axes.
        wrist: Of the wrist, in the device's axes [m].
    """

    fingers: np.ndarray
    back: np.ndarray
    wrist: np.ndarray

    def __post_init__(self) -> None:
        axes(self.fingers, self.back)


@dataclass(frozen=True)
class HandheldMap:
    """How a make of devices is read.

    Attributes:
        up: Vertical axis of the tracking system.
        grips: By side.
        head_forward: Where the face looks, in the head device's axes; without it the head is not used.
        head_up: Up, in the head device's axes.
        dead_man: Button that is held to be followed; -1: none, an analogue trigger is (`dead_man_axis`).
        dead_man_axis: Axis that is pulled beyond one half to be followed; -1: none.
        grip_axis: Axis of the trigger that closes the hand; -1: none.
        grip_released: What that axis says when released; 1 and -1 are common.
        grip_pressed: And when pressed.
    """

    up: np.ndarray
    grips: dict[str, Grip]
    head_forward: np.ndarray | None = None
    head_up: np.ndarray | None = None
    dead_man: int = -1
    dead_man_axis: int = -1
    grip_axis: int = -1
    grip_released: float = 0.0
    grip_pressed: float = 1.0

    def __post_init__(self) -> None:
        if set(self.grips) != set(SIDES):
            raise ValueError(f"grips of {', '.join(self.grips) or 'nobody'}: must be of left and right")
        if (self.head_forward is None) != (self.head_up is None):
            raise ValueError("only one of head_forward and head_up")
        if (self.dead_man < 0) == (self.dead_man_axis < 0):
            raise ValueError("both or neither of dead_man and dead_man_axis")
        if self.grip_released == self.grip_pressed:
            raise ValueError(f"grip_pressed {self.grip_pressed}: must differ from grip_released")


@dataclass
class _Device:
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))
    rotation: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))
    stamp: int | None = None  # [ns]
    axes: list[float] = field(default_factory=list)
    buttons: list[int] = field(default_factory=list)
    armed: bool = False  # the dead-man was seen released since the device was last lost


class HandheldPerson:
    """Puts what the devices say together.

    The tracking frame is fixed when both hands are known and apart: y from the right hand to the left, x ahead, origin
    on the floor (height 0 of the system) under the head, or under the hands' middle where no head is tracked.

    Args:
        mapping: How the devices are read.
        stale: A device that was silent for longer is lost [s].
    """

    def __init__(self, mapping: HandheldMap, stale: float) -> None:
        self._map, self._stale = mapping, stale
        self._devices = {name: _Device() for name in ("head", *SIDES)}
        self._level = _upright(mapping.up)
        self._heading: np.ndarray | None = None
        self._origin = np.zeros(3)
        self._sequence = 0

    def pose(self, name: str, position: np.ndarray, rotation: np.ndarray, stamp: int) -> None:
        """A device's pose: position (3,) [m], quaternion (4,) xyzw, measured at `stamp` [ns]; nonsense is ignored."""
        turn = rotations.normalised(np.asarray(rotation, dtype=float))
        if turn is None or not np.isfinite(position).all():
            return
        device = self._devices[name]
        device.position, device.rotation, device.stamp = np.asarray(position, dtype=float), turn, stamp

    def joy(self, side: str, joy_axes: list[float], buttons: list[int]) -> None:
        """A device's controls."""
        self._devices[side].axes, self._devices[side].buttons = joy_axes, buttons

    def recentre(self) -> None:
        """Fix the tracking frame anew."""
        self._heading = None

    def frame(self, stamp: int) -> OperatorFrame | None:
        """The person at `stamp` [ns]; None before the tracking frame is fixed."""
        seen = {name: self._is_seen(device, stamp) for name, device in self._devices.items()}
        if self._heading is None and not self._fix(seen):
            return None
        assert self._heading is not None
        frame = OperatorFrame(stamp, SOURCE, self._sequence)
        self._sequence = (self._sequence + 1) % 2**32
        turn = self._heading @ self._level
        for side in SIDES:
            device, grip, hand = self._devices[side], self._map.grips[side], frame.hand(side)
            hand.axes, hand.buttons = [float(value) for value in device.axes], [bool(value) for value in device.buttons]
            hand.grip = self._closed(device)
            wanted = self._wants(device)
            device.armed = seen[side] and (device.armed or not wanted)
            hand.engaged = device.armed and wanted
            if device.stamp is None:
                continue
            rotation = rotations.matrix(device.rotation)
            place = turn @ (device.position + rotation @ grip.wrist) - self._origin
            validity = TRACKED if seen[side] else LOST
            frame.set(
                f"{side}_wrist", place, rotations.quaternion(turn @ rotation @ axes(grip.fingers, grip.back)), validity
            )
        if seen["head"] and self._map.head_forward is not None and self._map.head_up is not None:
            head = self._devices["head"]
            facing = turn @ rotations.matrix(head.rotation) @ axes(self._map.head_forward, self._map.head_up)
            frame.set("head", turn @ head.position - self._origin, rotations.quaternion(facing))
        return frame

    def _is_seen(self, device: _Device, stamp: int) -> bool:
        return device.stamp is not None and abs(stamp - device.stamp) <= self._stale * 1e9

    def _wants(self, device: _Device) -> bool:
        if self._map.dead_man >= 0:
            return self._map.dead_man < len(device.buttons) and bool(device.buttons[self._map.dead_man])
        axis = self._map.dead_man_axis
        return axis < len(device.axes) and device.axes[axis] > 0.5

    def _closed(self, device: _Device) -> float:
        axis = self._map.grip_axis
        if not 0 <= axis < len(device.axes) or not np.isfinite(device.axes[axis]):
            return float("nan")
        share = (device.axes[axis] - self._map.grip_released) / (self._map.grip_pressed - self._map.grip_released)
        return float(np.clip(share, 0.0, 1.0))

    def _fix(self, seen: dict[str, bool]) -> bool:
        if not (seen["left"] and seen["right"]):
            return False
        left, right = (self._level @ self._devices[side].position for side in SIDES)
        across = (left - right)[:2]
        width = np.hypot(*across)
        if width < 0.05:  # hands together: which way they face is not known
            return False
        y = across / width
        self._heading = np.array([[y[1], -y[0], 0.0], [y[0], y[1], 0.0], [0.0, 0.0, 1.0]])
        under = self._level @ self._devices["head"].position if seen["head"] else (left + right) / 2
        self._origin = self._heading @ np.array([under[0], under[1], 0.0])
        return True


def load_map(file: str | Path) -> HandheldMap:
    """The mapping in a file.

    Raises:
        ConfigError: it is none.
    """
    return config.load(HandheldMap, file)


def _upright(up: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that turns `up` into z."""
    up = up / np.linalg.norm(up)
    other = np.array([1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.array([0.0, 0.0, 1.0])
    x = other - (other @ up) * up
    return axes(x, up).T
