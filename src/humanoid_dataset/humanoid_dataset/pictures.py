# SPDX-License-Identifier: Apache-2.0
"""Pictures and point clouds from messages to arrays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from humanoid_dataset.errors import EpisodeError

# compressed_depth_image_transport: a ConfigHeader of one 32-bit enumeration and two floats stands before the PNG.
_DEPTH_HEADER = 12
_MILLIMETRE = 1e-3


def color(message: Any) -> np.ndarray:
    """Picture of a sensor_msgs Image or CompressedImage, (h, w, 3) uint8, BGR.

    Raises:
        EpisodeError: the bytes are no picture, or an encoding that is not understood.
    """
    if hasattr(message, "format"):
        image = cv2.imdecode(np.asarray(message.data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise EpisodeError(f"a picture of {len(message.data)} bytes does not decode (format {message.format!r})")
        return image
    channels = {"rgb8": 3, "bgr8": 3, "mono8": 1}.get(message.encoding)
    if channels is None:
        raise EpisodeError(f"picture encoding {message.encoding!r}, expected rgb8, bgr8 or mono8")
    rows = np.asarray(message.data, np.uint8).reshape(message.height, message.step)
    image = rows[:, : message.width * channels].reshape(message.height, message.width, channels)
    if channels == 1:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return image[:, :, ::-1] if message.encoding == "rgb8" else image


def depth(message: Any) -> np.ndarray:
    """Depth of an Image or a compressedDepth CompressedImage, (h, w) float32 [m]; 0 where nothing was measured.

    Raises:
        EpisodeError: the bytes are no depth picture.
    """
    if hasattr(message, "format"):
        data = np.asarray(message.data, np.uint8)[_DEPTH_HEADER:]
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
        if image is None or image.dtype != np.uint16:
            size = len(message.data)
            raise EpisodeError(f"a depth picture of {size} bytes does not decode (format {message.format!r})")
        return image.astype(np.float32) * np.float32(_MILLIMETRE)
    if message.encoding not in {"16UC1", "32FC1"}:
        raise EpisodeError(f"depth encoding {message.encoding!r}, expected 16UC1 or 32FC1")
    kind = np.uint16 if message.encoding == "16UC1" else np.float32
    rows = np.asarray(message.data, np.uint8).reshape(message.height, message.step)
    image = rows[:, : message.width * np.dtype(kind).itemsize].copy().view(kind)
    return np.nan_to_num(image.astype(np.float32) * np.float32(_MILLIMETRE if kind is np.uint16 else 1.0))


def points(message: Any) -> np.ndarray:
    """Finite points of a PointCloud2, (n, 3) [m]."""
    offsets = {field.name: field.offset for field in message.fields if field.name in "xyz"}
    if set(offsets) != set("xyz"):
        raise EpisodeError(f"point cloud without x, y and z: {[field.name for field in message.fields]}")
    data = np.asarray(message.data, np.uint8)
    rows = data[: message.width * message.height * message.point_step].reshape(-1, message.point_step)
    columns = [rows[:, offsets[axis] : offsets[axis] + 4].copy().view(np.float32)[:, 0] for axis in "xyz"]
    cloud = np.stack(columns, axis=1)
    return cloud[np.isfinite(cloud).all(axis=1)]


def small(payload: bytes) -> np.ndarray | None:
    """A serialized colour picture in grey and an eighth of its size, (h, w) float32; None where it does not decode.

    A JPEG is found by its first bytes and decoded at that size, which costs a tenth of decoding it whole.
    """
    begin = payload.find(b"\xff\xd8\xff")
    if begin < 0:
        return None
    image = cv2.imdecode(np.frombuffer(payload, np.uint8, offset=begin), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return None if image is None else image.astype(np.float32)
