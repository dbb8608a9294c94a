# SPDX-License-Identifier: Apache-2.0
"""A camera: V4L2, RTSP, RealSense, a recording or a test pattern, on image_transport's topics."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path
from typing import Any

import cv2
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_sensors.camera.frame import Calibration, Frame, load_calibration
from humanoid_sensors.camera.replayed import ReplayedCamera, moving_bar, moving_step
from humanoid_sensors.camera.video import VideoCamera
from humanoid_sensors.device import Device
from humanoid_sensors.errors import DeviceError
from humanoid_sensors.sensor_node import SensorNode, run

_SOURCES = ("v4l2", "rtsp", "file", "realsense", "pattern")
_COLOR = (endpoints.CAMERA_COLOR, endpoints.CAMERA_COLOR_COMPRESSED, endpoints.CAMERA_COLOR_INFO)
_DEPTH = (endpoints.CAMERA_DEPTH, endpoints.CAMERA_DEPTH_COMPRESSED, endpoints.CAMERA_DEPTH_INFO)
_DEPTH_HEADER = struct.pack("<iff", 0, 0.0, 0.0)  # compressed_depth_image_transport: nothing quantised
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]


class CameraNode(SensorNode):
    """Publishes camera/<camera>/color/... and, of a RealSense with depth, camera/<camera>/depth/..."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("camera", **arguments)
        self._camera = ros.required(self, "camera", "Name of the camera: camera/<camera>/...", kind=str)
        self._source = ros.required(self, "source", f"One of {', '.join(_SOURCES)}", kind=str)
        if self._source not in _SOURCES:
            raise ConfigError(self.get_name(), "source", self._source, f"one of {', '.join(_SOURCES)}")
        self._url = ros.optional(self, "url", "", "Device file, rtsp:// address, file, or serial number of a RealSense")
        self._width = ros.optional(self, "width", 640, "[px]", 16, 8192)
        self._height = ros.optional(self, "height", 480, "[px]", 16, 8192)
        self._rate = ros.optional(self, "rate", 30.0, "Pictures per second asked for [Hz]", 1.0, 240.0)
        self._form = ros.optional(self, "input_format", "mjpeg", "Of a V4L2 camera: mjpeg, yuyv422, ...")
        self._firmware = ros.optional(self, "firmware", "", "Lowest firmware of a RealSense")
        self._has_depth = ros.optional(self, "depth", False, "Depth too, of a RealSense or a pattern")
        self._repeat = ros.optional(self, "repeat", False, "Begin a file again at its end")
        self._calibration_file = ros.optional(self, "calibration", "", "File of camera_calibration; empty: unknown")
        self._quality = ros.optional(self, "jpeg_quality", 90, "1 to 100", 1, 100)
        self._late = round(
            1e9 * ros.optional(self, "stamp_offset", 0.0, "From the camera's stamp to mid-exposure [s]", -1.0, 1.0)
        )
        frames = {
            "color": ros.required(self, "frame", "Optical frame of the colour picture", kind=str),
            "depth": ros.optional(self, "depth_frame", "", "Optical frame of the depth picture"),
        }
        streams = {"color": _COLOR, **({"depth": _DEPTH} if self._has_depth else {})}
        self._outputs = {
            stream: tuple(self.output(one, camera=self._camera) for one in ends) for stream, ends in streams.items()
        }
        self._infos = {stream: CameraInfo() for stream in streams}
        for stream, info in self._infos.items():
            info.header.frame_id = frames[stream] or frames["color"]
            info.width, info.height = self._width, self._height
        self._clocks = {
            stream: self.clock_publisher(ends[2].at(camera=self._camera).name) for stream, ends in streams.items()
        }
        self._realsense: Any = None

    def make_device(self) -> Device[Any]:
        name = f"{self.device_name} ({' '.join(filter(None, (self._source, self._url)))})"
        if self._calibration_file:
            self._calibrate("color", load_calibration(Path(self._calibration_file), self._width, self._height))
        elif self._source != "realsense":
            self.get_logger().warning(f"{name}: no calibration file: camera_info says that it is not calibrated")
        if self._source == "pattern":
            depths = moving_step(self._width, self._height) if self._has_depth else []
            return ReplayedCamera(name, moving_bar(self._width, self._height), self._rate, depths)
        if self._source == "realsense":
            return self._make_realsense(name)
        options = {}
        if self._source == "v4l2":
            options = {"video_size": f"{self._width}x{self._height}", "framerate": f"{self._rate:g}"}
            options["input_format"] = self._form
        return VideoCamera(name, self._url, self._source, options, repeat=self._repeat)

    def _make_realsense(self, name: str) -> Device[Any]:
        # librealsense looks for devices as soon as it is loaded, so only where one is asked for.
        from humanoid_sensors.camera import realsense

        wanted = realsense.Wanted(self._width, self._height, round(self._rate))
        self._realsense = realsense.RealSense(
            name, lambda: realsense.find(self._url), wanted, wanted if self._has_depth else None, self._firmware
        )
        return self._realsense

    def take(self, frame: Frame) -> None:
        info = self._infos[frame.stream]
        if self._realsense is not None and not info.k[0]:
            self._calibrate(frame.stream, self._realsense.calibrations[frame.stream])
        stamp = frame.stamp + self._late
        info.header.stamp = convert.to_stamp(stamp)
        raw, compressed, infos = self._outputs[frame.stream]
        if compressed.get_subscription_count():
            compressed.publish(self._compressed(frame, info))
        if raw.get_subscription_count():
            raw.publish(raw_image(frame, info, self.device_name))
        infos.publish(info)
        self._clocks[frame.stream](frame.device_stamp, frame.arrival)
        self.done(stamp, frame.lost)

    def _compressed(self, frame: Frame, info: CameraInfo) -> CompressedImage:
        message = CompressedImage(header=info.header)
        if frame.stream == "color":
            message.format = "rgb8; jpeg compressed bgr8"
            message.data = array("B", frame.compressed(self._quality))
        else:
            message.format = "16UC1; compressedDepth png"
            png = cv2.imencode(".png", frame.pixels(self.device_name), _PNG)[1].tobytes()
            message.data = array("B", _DEPTH_HEADER + png)
        return message

    def _calibrate(self, stream: str, known: Calibration) -> None:
        info = self._infos[stream]
        info.width, info.height, info.distortion_model = known.image_width, known.image_height, known.distortion_model
        info.d, info.k = list(known.distortion_coefficients.data), list(known.camera_matrix.data)
        info.r, info.p = list(known.rectification_matrix.data), list(known.projection_matrix.data)


def raw_image(frame: Frame, info: CameraInfo, device: str) -> Image:
    """A picture as a message, its memory copied once."""
    pixels = frame.pixels(device)
    height, width = pixels.shape[:2]
    if (width, height) != (info.width, info.height):
        raise DeviceError(device, f"a picture of {width} x {height}", f"{info.width} x {info.height}, as it is set")
    encoding, size = ("rgb8", 3) if pixels.ndim == 3 else ("16UC1", 2)
    message = Image(header=info.header, height=height, width=width, encoding=encoding, step=width * size)
    message.data = array("B")
    message.data.frombytes(pixels.data.cast("B") if pixels.flags.c_contiguous else pixels.tobytes())
    return message


def main() -> None:
    """Run the node."""
    run(CameraNode)
