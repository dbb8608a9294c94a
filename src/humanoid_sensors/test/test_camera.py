# SPDX-License-Identifier: Apache-2.0
"""Cameras as devices: pictures, their times, losses, the end of a stream, another firmware."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pyrealsense2 as rs
import pytest

from humanoid_core.errors import ConfigError
from humanoid_sensors.camera import realsense
from humanoid_sensors.camera.frame import Frame, load_calibration
from humanoid_sensors.camera.replayed import ReplayedCamera, moving_bar
from humanoid_sensors.camera.video import VideoCamera
from humanoid_sensors.device import Runner
from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.health import Health

RATE = 100


def write_video(
    path: str, codec: str, images: list[np.ndarray], kind: str | None = None, skip: int = -1, **options
) -> None:
    with av.open(path, "w", format=kind, options=options) as output:
        stream = output.add_stream(codec, rate=RATE)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i, image in enumerate(images):
            if i == skip:
                continue
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def pictures(camera) -> list[Frame]:
    camera.open()
    frames: list[Frame] = []
    try:
        while True:
            frames += camera.read()
    except EOFError:
        return frames
    finally:
        camera.close()


def test_motion_jpeg_is_handed_on_as_it_is(tmp_path):
    images = moving_bar(64, 48, 8)
    write_video(str(tmp_path / "clip.avi"), "mjpeg", images)
    frames = pictures(VideoCamera("head", str(tmp_path / "clip.avi"), "file", {}))
    assert len(frames) == 8
    assert all(frame.image is None and frame.compressed(50) is frame.jpeg for frame in frames)
    assert np.abs(frames[3].pixels("head").astype(int) - images[3]).mean() < 12
    periods = np.diff([frame.stamp for frame in frames])
    assert periods.tolist() == pytest.approx([1e9 / RATE] * 7, abs=2)


def test_other_codecs_are_decoded_and_a_missing_picture_is_counted(tmp_path):
    images = moving_bar(64, 48, 8)
    write_video(str(tmp_path / "clip.mkv"), "mpeg4", images, skip=4)
    frames = pictures(VideoCamera("head", str(tmp_path / "clip.mkv"), "file", {}))
    assert len(frames) == 7
    assert frames[0].image.shape == (48, 64, 3)
    assert sum(frame.lost for frame in frames) == 1
    assert np.abs(frames[0].image.astype(int) - images[0]).mean() < 12


@pytest.mark.parametrize(
    ("url", "kind"), [("/dev/video87", "v4l2"), ("rtsp://127.0.0.1:9/live", "rtsp"), ("no.avi", "file")]
)
def test_a_camera_that_is_not_there_is_lost(url, kind):
    with pytest.raises(DeviceLost, match=r"^wrist: found"):
        VideoCamera("wrist", url, kind, {}, timeout=1.0).open()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_rtsp_is_read_until_its_sender_leaves():
    url = f"rtsp://127.0.0.1:{free_port()}/live"
    sender = subprocess.Popen([sys.executable, str(Path(__file__).with_name("rtsp_sender.py")), url, "40"])
    camera = VideoCamera("dock", url, "rtsp", {"rtsp_flags": "listen", "listen_timeout": "20"}, timeout=20.0)
    camera.open()
    frames: list[Frame] = []
    with pytest.raises(DeviceLost, match=r"^dock: found"):
        read_on(camera, frames)
    camera.close()
    sender.wait(20.0)
    assert len(frames) >= 30
    assert frames[0].image.shape == (48, 64, 3)
    assert all(frame.stamp <= frame.arrival for frame in frames)


def read_on(camera, frames: list[Frame]) -> None:
    while True:
        frames += camera.read()


class ComesAndGoes:
    """A camera that is away, then shows two pictures around a broken one, and is unplugged; three times over."""

    name = "wrist"

    def __init__(self) -> None:
        self.opened = self.closed = self.shown = 0

    def open(self) -> None:
        self.opened += 1
        self.shown = 0
        if self.opened % 2:
            raise DeviceLost(self.name, "nothing", "a camera")

    def read(self) -> list[Frame]:
        self.shown += 1
        if self.opened > 6:
            raise EOFError
        if self.shown == 2:
            raise DeviceError(self.name, "half a picture", "a whole one")
        if self.shown == 4:
            raise DeviceLost(self.name, "nothing any more", "a camera")
        return [Frame(0, 0, 0)]

    def close(self) -> None:
        self.closed += 1


def test_a_camera_that_comes_and_goes_is_opened_again():
    camera, health, frames, said = ComesAndGoes(), Health("wrist"), [], []
    runner = Runner(camera, frames.append, health, said.append, retry=0.001)
    runner.start()
    end = time.monotonic() + 20.0
    while runner.alive and time.monotonic() < end:
        time.sleep(0.005)
    runner.stop()
    assert len(frames) == 6
    assert health.connections == 4
    assert camera.opened == camera.closed == 8
    assert "wrist: found half a picture, expected a whole one" in said


def test_replayed_pictures_come_at_their_rate():
    camera = ReplayedCamera("pattern", moving_bar(32, 24), 200.0)
    camera.open()
    stamps = [frame.stamp for _ in range(10) for frame in camera.read()]
    assert np.diff(stamps).tolist() == [5_000_000] * 9
    assert abs(time.time_ns() - stamps[-1]) < 1_000_000_000


def test_bytes_that_are_no_jpeg_name_the_camera():
    with pytest.raises(DeviceError, match="head: found 4 bytes that are no JPEG"):
        Frame(0, 0, 0, jpeg=b"oops").pixels("head")


def test_colours_survive_both_ways():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    jpeg = Frame(0, 0, 0, red).compressed(95)
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[8, 8, 2] > 240  # OpenCV: blue first
    assert Frame(0, 0, 0, jpeg=jpeg).pixels("head")[8, 8, 0] > 240


CALIBRATION = """image_width: 640
image_height: 480
camera_name: head
camera_matrix: {rows: 3, cols: 3, data: [600, 0, 320, 0, 601, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [590, 0, 320, 0, 0, 590, 240, 0, 0, 0, 1, 0]}
"""


def test_a_calibration_is_read_and_must_fit(tmp_path):
    file = tmp_path / "head.yaml"
    file.write_text(CALIBRATION)
    assert load_calibration(file, 640, 480).camera_matrix.data[4] == 601.0
    with pytest.raises(ConfigError, match=r"head.yaml: image_width.*640 x 480.*1280 x 720"):
        load_calibration(file, 1280, 720)
    file.write_text(CALIBRATION.replace("601, 240,", ""))
    with pytest.raises(ConfigError, match="7 numbers for 3 x 3"):
        load_calibration(file, 640, 480)


class SoftwareRealSense:
    """librealsense's software device with colour and depth of 64 x 48."""

    def __init__(self, firmware: str = "5.16.0.1") -> None:
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.firmware_version, firmware)
        self.sensor = self.device.add_sensor("both")
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = 64, 48
        intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = 60.0, 61.0, 32.0, 24.0
        self.profiles = {}
        for kind, form, bytes_, number in (
            (rs.stream.color, rs.format.rgb8, 3, 0),
            (rs.stream.depth, rs.format.z16, 2, 1),
        ):
            stream = rs.video_stream()
            stream.type, stream.fmt, stream.bpp, stream.uid, stream.index = kind, form, bytes_, number, 0
            stream.width, stream.height, stream.fps, stream.intrinsics = 64, 48, 30, intrinsics
            self.profiles[kind] = self.sensor.add_video_stream(stream)
        self.sensor.add_read_only_option(rs.option.depth_units, 0.0005)

    def send(self, kind: rs.stream, image: np.ndarray, milliseconds: float, number: int) -> None:
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = image, image.strides[0], image.strides[1]
        frame.timestamp, frame.domain, frame.frame_number = milliseconds, rs.timestamp_domain.hardware_clock, number
        frame.profile = self.profiles[kind].as_video_stream_profile()
        self.sensor.on_video_frame(frame)


WANTED = realsense.Wanted(64, 48, 30)


def test_realsense_gives_colour_depth_calibration_and_losses():
    fake = SoftwareRealSense()
    camera = realsense.RealSense("D435", lambda: fake.device, WANTED, WANTED, "5.13.0.0")
    camera.open()
    color, depth = np.full((48, 64, 3), 7, np.uint8), np.full((48, 64), 2000, np.uint16)
    for number, at in ((1, 1000.0), (2, 1033.0), (4, 1100.0)):
        fake.send(rs.stream.color, color, at, number)
        fake.send(rs.stream.depth, depth, at, number)
    frames = [frame for _ in range(6) for frame in camera.read()]
    colors = [frame for frame in frames if frame.stream == "color"]
    depths = [frame for frame in frames if frame.stream == "depth"]
    assert [frame.lost for frame in colors] == [0, 0, 1]
    assert [frame.device_stamp for frame in depths] == [1_000_000_000, 1_033_000_000, 1_100_000_000]
    assert all(frame.stamp <= frame.arrival for frame in frames)
    assert colors[0].image.tolist() == color.tolist()
    assert set(depths[0].image.ravel().tolist()) == {1000}  # half a millimetre per step
    assert camera.calibrations["color"].camera_matrix.data[:5] == (60.0, 0.0, 32.0, 0.0, 61.0)
    camera.close()


def test_realsense_names_what_is_missing_or_old():
    with pytest.raises(DeviceLost, match="D435: found no such RealSense"):
        realsense.RealSense("D435", lambda: None, WANTED).open()
    with pytest.raises(DeviceError, match=r"firmware 5.1.0.0, expected 5.13.0.0"):
        realsense.RealSense("D435", lambda: SoftwareRealSense("5.1.0.0").device, WANTED, firmware="5.13.0.0").open()
    fake = SoftwareRealSense()
    with pytest.raises(DeviceError, match=r"color of 64x48 at 30, expected 640x480 at 30"):
        realsense.RealSense("D435", lambda: fake.device, realsense.Wanted(640, 480, 30)).open()


def test_realsense_without_pictures_is_lost():
    fake = SoftwareRealSense()
    camera = realsense.RealSense("D435", lambda: fake.device, WANTED, timeout=0.05)
    camera.open()
    with pytest.raises(DeviceLost, match="no picture"):
        camera.read()
    camera.close()
