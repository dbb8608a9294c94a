# SPDX-License-Identifier: Apache-2.0
"""What config/robots/<robot>.yaml says of a robot's sensors, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Imager:
    """One imager of a camera: pinhole, square pixels, principal point in the middle.

    Attributes:
        frame: Optical frame (z forward, x right, y down).
        width: [px].
        height: [px].
        fov_y: Vertical field of view [rad].
        rate: [Hz].
        near: Shortest distance measured, depth imagers only [m].
        far: Longest distance measured, depth imagers only [m].
    """

    frame: str
    width: int
    height: int
    fov_y: float
    rate: float
    near: float = 0.0
    far: float = 0.0

    @property
    def focal_length(self) -> float:
        """[px]."""
        return float(0.5 * self.height / np.tan(0.5 * self.fov_y))


@dataclass(frozen=True)
class Camera:
    """A camera; without `depth` it sees colour only."""

    model: str
    color: Imager
    depth: Imager | None = None


@dataclass(frozen=True)
class Lidar:
    """A spinning or scanning LiDAR.

    Attributes:
        model: Maker's name of it.
        frame: Of the points.
        rate: Clouds per second [Hz].
        points_per_second: Over all directions.
        elevation: Lowest and highest ray in `frame` [rad].
        near: [m].
        far: [m].
        azimuth: Rightmost and leftmost ray about z of `frame` [rad].
        beams: Of one that spins, once per cloud: fired in turn from the lowest upwards; 0: it scans without repeating.
    """

    model: str
    frame: str
    rate: float
    points_per_second: int
    elevation: tuple[float, float]
    near: float
    far: float
    azimuth: tuple[float, float] = (-np.pi, np.pi)
    beams: int = 0


@dataclass(frozen=True)
class Imu:
    """An IMU: its frame and rate [Hz]."""

    frame: str
    rate: float


@dataclass(frozen=True)
class TactilePad:
    """A pressure pad: a regular grid of taxels, z of `frame` out of the pad, rows along x, columns along y.

    Attributes:
        frame: In the middle of the pad.
        rows: Taxels along x.
        columns: Taxels along y.
        size: Of the pad along x and y [m].
        rate: [Hz].
    """

    frame: str
    rows: int
    columns: int
    size: tuple[float, float]
    rate: float


@dataclass(frozen=True)
class Microphone:
    """A microphone of one channel: its frame, messages per second [Hz], and samples per second [Hz]."""

    frame: str
    rate: float
    samples_per_second: int


@dataclass(frozen=True)
class ForceTorque:
    """A wrench: the frame it is given in, and its rate [Hz]."""

    frame: str
    rate: float
