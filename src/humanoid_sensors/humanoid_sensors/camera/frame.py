# SPDX-License-Identifier: Apache-2.0
"""A picture and its calibration, whatever camera took it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from humanoid_core import config
from humanoid_core.errors import ConfigError
from humanoid_sensors.errors import DeviceError


@dataclass(frozen=True)
class Frame:
    """A picture: as an array, as the JPEG that the camera sent, or both.

    Attributes:
        stamp: Host time of exposure [ns].
        device_stamp: By the camera's own clock [ns].
        arrival: Host time [ns].
        image: (h, w, 3) uint8 red, green, blue; (h, w) uint16 depth [mm]; None: only `jpeg`.
        jpeg: What the camera compressed; None: nothing.
        stream: What it shows.
        lost: Pictures missing just before it.
    """

    stamp: int
    device_stamp: int
    arrival: int
    image: np.ndarray | None = None
    jpeg: bytes | None = None
    stream: Literal["color", "depth"] = "color"
    lost: int = 0

    def pixels(self, device: str) -> np.ndarray:
        """The picture as an array.

        Raises:
            DeviceError: what the camera sent is no JPEG.
        """
        if self.image is not None:
            return self.image
        assert self.jpeg is not None
        decoded = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            raise DeviceError(device, f"{len(self.jpeg)} bytes that are no JPEG", "a JPEG picture")
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)

    def compressed(self, quality: int) -> bytes:
        """As JPEG; what the camera compressed already stays as it is."""
        if self.jpeg is not None:
            return self.jpeg
        assert self.image is not None
        bgr = cv2.cvtColor(self.image, cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@dataclass(frozen=True)
class Matrix:
    """A matrix as camera_calibration writes it."""

    rows: int
    cols: int
    data: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.data) != self.rows * self.cols:
            raise ValueError(f"{len(self.data)} numbers for {self.rows} x {self.cols}")


@dataclass(frozen=True)
class Calibration:
    """A camera's calibration, in the form of the files of camera_calibration and camera_info_manager.

    Attributes:
        image_width: [px].
        image_height: [px].
        camera_name: For people.
        camera_matrix: K, 3 x 3 [px].
        distortion_model: Such as plumb_bob.
        distortion_coefficients: D.
        rectification_matrix: R, 3 x 3.
        projection_matrix: P, 3 x 4 [px].
    """

    image_width: int
    image_height: int
    camera_name: str
    camera_matrix: Matrix
    distortion_model: str
    distortion_coefficients: Matrix
    rectification_matrix: Matrix
    projection_matrix: Matrix

    def __post_init__(self) -> None:
        for name, size in (("camera_matrix", 9), ("rectification_matrix", 9), ("projection_matrix", 12)):
            if len(getattr(self, name).data) != size:
                raise ValueError(f"{name} has {len(getattr(self, name).data)} numbers, not {size}")


def load_calibration(path: Path, width: int, height: int) -> Calibration:
    """Read a calibration file.

    Raises:
        ConfigError: it is wrong, or for pictures of another size.
    """
    read = config.load(Calibration, path)
    if (read.image_width, read.image_height) != (width, height):
        found = f"a calibration for {read.image_width} x {read.image_height}"
        raise ConfigError(path, "image_width", found, f"{width} x {height}, as the camera is set")
    return read
