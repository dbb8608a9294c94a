# SPDX-License-Identifier: Apache-2.0
"""A camera without hardware: pictures from memory at their rate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from humanoid_sensors.camera.frame import Frame


class ReplayedCamera:
    """Shows pictures again and again.

    Args:
        name: For people.
        images: (h, w, 3) uint8 each.
        rate: Pictures per second [Hz].
        depths: (h, w) uint16 [mm] each, shown at the same instants; empty: no depth.
    """

    def __init__(self, name: str, images: Sequence[np.ndarray], rate: float, depths: Sequence[np.ndarray] = ()) -> None:
        self.name = name
        self._images, self._depths, self._period = images, depths, round(1e9 / rate)
        self._count = 0
        self._start = 0

    def open(self) -> None:
        self._start, self._count = time.time_ns(), 0

    def read(self) -> Iterable[Frame]:
        due = self._start + self._count * self._period
        wait = due - time.time_ns()
        if wait > 0:
            time.sleep(1e-9 * wait)
        frames = [Frame(due, due, due, self._images[self._count % len(self._images)])]
        if self._depths:
            frames.append(Frame(due, due, due, self._depths[self._count % len(self._depths)], stream="depth"))
        self._count += 1
        return frames

    def close(self) -> None:
        """Nothing to close."""


def moving_step(width: int, height: int, count: int = 16) -> list[np.ndarray]:
    """Depths of a step that moves over a slope, with a hole [mm]."""
    slope = np.repeat(np.linspace(800, 3000, height).astype(np.uint16)[:, None], width, axis=1)
    slope[: height // 8, : width // 8] = 0
    pictures = []
    for i in range(count):
        picture = slope.copy()
        left = i * width // count
        picture[:, left : left + width // count] = 600
        pictures.append(picture)
    return pictures


def moving_bar(width: int, height: int, count: int = 16) -> list[np.ndarray]:
    """Pictures of a bar that moves over a coloured ground."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ground = np.stack([255 * x // width, 255 * y // height, 64 + 0 * x], axis=-1).astype(np.uint8)
    pictures = []
    for i in range(count):
        picture = ground.copy()
        left = i * width // count
        picture[:, left : left + width // count] = 255 - picture[:, left : left + width // count]
        pictures.append(picture)
    return pictures
