# SPDX-License-Identifier: Apache-2.0
"""What streams see of a motion: joint rates, turning rates of an IMU, velocities of a tracked pose, flow of images."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_core.rotations import inverse, log, multiply
from humanoid_sync.latency import Signal, rates
from humanoid_sync.readers import LAYOUTS
from humanoid_sync.recording import Samples
from humanoid_sync.streams import Stream

_WIDTH = 160  # [px] to which images are shrunk
_POSES = ("geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/TransformStamped")


class MotionError(HumanoidError):
    """A stream that sees no motion we can read."""


def seen_by(stream: Stream, samples: Samples) -> Signal:
    """The motion in a numeric stream.

    Raises:
        MotionError: a type that tells none.
    """
    layout = LAYOUTS.get(stream.type)
    if layout is None:
        known = ", ".join(sorted(LAYOUTS))
        raise MotionError(f"{stream.topic}: found {stream.type}, expected images (camera_info) or one of {known}")
    order = np.argsort(samples.stamps, kind="stable")
    order = order[np.concatenate([[True], np.diff(samples.stamps[order]) > 0])]
    times = samples.stamps[order] * 1e-9
    read = layout.reader()
    rows = [np.frombuffer(read(samples.payloads[i])) for i in order]
    if len({len(row) for row in rows}) != 1 or len(rows) < 3:
        raise MotionError(f"{stream.topic}: found {len(rows)} messages of unequal sizes, expected many of the same")
    values = np.stack(rows)
    if stream.type == "sensor_msgs/msg/JointState":
        return with_speeds(rates(times, values))
    if stream.type == "sensor_msgs/msg/Imu":
        return with_speeds(Signal(times, values[:, 4:7]))
    if stream.type in _POSES:
        turned = [log(multiply(inverse(a), b)) for a, b in zip(values[:-1, 3:7], values[1:, 3:7])]
        turning = rates(times, np.concatenate([np.zeros((1, 3)), np.cumsum(turned, axis=0)]))
        return with_speeds(turning)
    return with_speeds(rates(times, values))


def with_speeds(signal: Signal) -> Signal:
    """The channels and how large they are: an arm that moves in front of a camera makes flow in any direction."""
    size = np.linalg.norm(signal.values, axis=1, keepdims=True)
    return Signal(signal.times, np.concatenate([signal.values, size], axis=1))


def image_motion(images: Iterable[tuple[int, bytes]]) -> Signal:
    """Motion in coded images: mean flow, its affine part, and its mean size, per second.

    Each flow is stamped in the middle between its two images. Flow: Kroeger et al., Fast optical flow using dense
    inverse search, 2016, as OpenCV has it.

    Args:
        images: Stamp in host time [ns], and JPEG or PNG bytes, in order.

    Raises:
        MotionError: fewer than three images can be decoded.
    """
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    times: list[float] = []
    rows: list[np.ndarray] = []
    last: tuple[int, np.ndarray] | None = None
    for stamp, data in images:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
        if image is None or (last is not None and stamp <= last[0]):
            continue
        small = cv2.resize(image, (_WIDTH, max(16, round(_WIDTH * image.shape[0] / image.shape[1]))))
        if last is not None and small.shape == last[1].shape:
            flow = np.asarray(finder.calc(last[1], small, np.zeros((*small.shape, 2), dtype=np.float32)))
            seconds = (stamp - last[0]) * 1e-9
            times.append(0.5e-9 * (stamp + last[0]))
            rows.append(_flow_figures(flow) / seconds)
        last = (stamp, small)
    if len(rows) < 3:
        raise MotionError(f"found {len(rows) + (last is not None)} images that can be decoded, expected many")
    return Signal(np.array(times), np.array(rows))


def _flow_figures(flow: np.ndarray) -> np.ndarray:
    """Mean, expansion, rotation and mean size of a flow field (rows, columns, 2)."""
    height, width = flow.shape[:2]
    y, x = np.mgrid[-1.0 : 1.0 : height * 1j, -1.0 : 1.0 : width * 1j]
    u, v = flow[..., 0], flow[..., 1]
    expansion, rotation = (u * x + v * y).mean(), (v * x - u * y).mean()
    return np.array([u.mean(), v.mean(), expansion, rotation, float(np.hypot(u, v).mean())])
