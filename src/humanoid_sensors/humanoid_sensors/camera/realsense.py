# SPDX-License-Identifier: Apache-2.0
"""Intel RealSense through librealsense: colour, depth and calibration of a camera, or of its software device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyrealsense2 as rs

from humanoid_sensors.camera.frame import Calibration, Frame, Matrix
from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.timing import HostTime

_QUEUE = 30
_PATIENCE_MS = 100
_MODELS = {
    rs.distortion.none: "plumb_bob",
    rs.distortion.brown_conrady: "plumb_bob",
    rs.distortion.inverse_brown_conrady: "plumb_bob",
}


@dataclass(frozen=True)
class Wanted:
    """A stream that is wanted: size [px] and rate [Hz]."""

    width: int
    height: int
    rate: int


def find(serial: str) -> Any:
    """The device of a serial number, or the first one; None where there is none."""
    for device in rs.context().query_devices():
        if serial in ("", device.get_info(rs.camera_info.serial_number)):
            return device
    return None


class RealSense:
    """Colour and, where wanted, depth of a RealSense.

    Args:
        name: Name and serial number, for people.
        device: Finds the device when the camera is opened.
        color: What is wanted in colour.
        depth: What is wanted in depth; None: none.
        firmware: Lowest firmware, such as "5.16.0.1"; "": any.
        timeout: For one picture [s].
    """

    def __init__(
        self,
        name: str,
        device: Callable[[], Any],
        color: Wanted,
        depth: Wanted | None = None,
        firmware: str = "",
        timeout: float = 2.0,
    ) -> None:
        self.name = name
        self._find, self._wanted, self._firmware, self._timeout = device, {"color": color}, firmware, timeout
        if depth is not None:
            self._wanted["depth"] = depth
        self._sensors: list[Any] = []
        self._queue: Any = None
        self._times = {stream: HostTime() for stream in self._wanted}
        self._numbers: dict[str, int] = {}
        self._last = 0.0
        self._unit = 0.001
        self.calibrations: dict[str, Calibration] = {}

    def open(self) -> None:
        device = self._find()
        if device is None:
            raise DeviceLost(self.name, "no such RealSense", "one that is plugged in")
        self._check_firmware(device)
        queue = rs.frame_queue(_QUEUE)
        chosen: dict[int, list[Any]] = {}
        sensors = list(device.query_sensors())
        for stream, wanted in self._wanted.items():
            number, profile = self._profile(sensors, stream, wanted)
            chosen.setdefault(number, []).append(profile)
            self.calibrations[stream] = calibration(self.name, profile.as_video_stream_profile().get_intrinsics())
        try:
            for number, profiles in chosen.items():
                sensors[number].open(profiles)
                sensors[number].start(queue)
                self._sensors.append(sensors[number])
                if sensors[number].supports(rs.option.depth_units):
                    self._unit = sensors[number].get_option(rs.option.depth_units)
        except RuntimeError as error:
            self.close()
            raise DeviceLost(self.name, error, "a RealSense that starts") from error
        self._queue, self._last = queue, time.monotonic()

    def read(self) -> Iterable[Frame]:
        found, frame = self._queue.try_wait_for_frame(_PATIENCE_MS)
        if not found:
            if time.monotonic() - self._last > self._timeout:
                raise DeviceLost(self.name, f"no picture for {self._timeout:g} s", "pictures")
            return []
        self._last, arrival = time.monotonic(), time.time_ns()
        stream = "color" if frame.get_profile().stream_type() == rs.stream.color else "depth"
        image = np.asanyarray(frame.as_video_frame().get_data()).copy()
        if stream == "depth" and self._unit != 0.001:
            image = np.rint(image * (1000.0 * self._unit)).astype(np.uint16)
        device_stamp = round(1e6 * frame.get_timestamp())
        own = frame.get_frame_timestamp_domain() == rs.timestamp_domain.hardware_clock
        stamp = self._times[stream].host(device_stamp, arrival) if own else device_stamp
        number = frame.get_frame_number()
        lost = max(0, number - self._numbers.get(stream, number - 1) - 1)
        self._numbers[stream] = number
        return [Frame(stamp, device_stamp, arrival, image, stream=stream, lost=lost)]  # type: ignore[arg-type]

    def close(self) -> None:
        for sensor in self._sensors:
            sensor.stop()
            sensor.close()
        self._sensors, self._queue = [], None
        self._numbers.clear()

    def _profile(self, sensors: list[Any], stream: str, wanted: Wanted) -> tuple[int, Any]:
        kind, form = (rs.stream.color, rs.format.rgb8) if stream == "color" else (rs.stream.depth, rs.format.z16)
        offered = []
        for number, sensor in enumerate(sensors):
            for profile in sensor.get_stream_profiles():
                if profile.stream_type() != kind or profile.format() != form:
                    continue
                video = profile.as_video_stream_profile()
                offer = Wanted(video.width(), video.height(), profile.fps())
                if offer == wanted:
                    return number, profile
                offered.append(f"{offer.width}x{offer.height} at {offer.rate}")
        found = f"{stream} of {', '.join(offered) or 'no kind'}"
        raise DeviceError(self.name, found, f"{wanted.width}x{wanted.height} at {wanted.rate}")

    def _check_firmware(self, device: Any) -> None:
        if not self._firmware or not device.supports(rs.camera_info.firmware_version):
            return
        found = device.get_info(rs.camera_info.firmware_version)
        if [int(part) for part in found.split(".")] < [int(part) for part in self._firmware.split(".")]:
            raise DeviceError(self.name, f"firmware {found}", f"{self._firmware} or newer")


def calibration(name: str, intrinsics: Any) -> Calibration:
    """A calibration of librealsense's intrinsics.

    Raises:
        DeviceError: a distortion that camera_info has no word for.
    """
    if intrinsics.model not in _MODELS and any(intrinsics.coeffs):
        raise DeviceError(name, f"distortion {intrinsics.model}", "one of Brown and Conrady")
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy
    return Calibration(
        intrinsics.width,
        intrinsics.height,
        name,
        Matrix(3, 3, (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)),
        "plumb_bob",
        Matrix(1, 5, tuple(intrinsics.coeffs)),
        Matrix(3, 3, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
        Matrix(3, 4, (fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0)),
    )
