# SPDX-License-Identifier: Apache-2.0
"""Pictures of an episode into videos: one frame for each row, counted.

JPEGs are decoded to YUV planes and go into the encoder as they are: no way through RGB. Each camera has one decoder and
one encoder with one thread each, since episodes are what runs in parallel.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from mcap.reader import make_reader

from humanoid_dataset.contract import Video
from humanoid_dataset.errors import ExportError
from humanoid_dataset.rows import Rows, bag_of
from humanoid_dataset.statistics import Statistics

_FORMAT = "yuvj420p"  # as JPEGs have it: full range
_AVX_512F = 13  # of OpenCV, whose Python has no name for it
_SAMPLED = 30  # frames of each video that statistics look at ...
_SMALL = (64, 48)  # ... at this size
_RAW = {"rgb8": "rgb24", "bgr8": "bgr24", "mono8": "gray", "rgba8": "rgba", "bgra8": "bgra"}


class CameraVideo:
    """One camera's video of one episode."""

    def __init__(self, path: Path, stamps: np.ndarray, fps: int, video: Video) -> None:
        self.path = path
        self.statistics = Statistics(3)
        self.size = (0, 0)
        self._stamps, self._next, self._fps, self._video = stamps, 0, fps, video
        self._period = Fraction(1, fps)
        self._sampled: list[np.ndarray] = []
        self._every = max(1, len(stamps) // _SAMPLED)
        self._shrink = VideoReformatter()  # one for all frames: setting it up takes longer than a frame
        self._decoder: av.VideoCodecContext = av.CodecContext.create("mjpeg", "r")  # type: ignore[assignment]
        self._decoder.thread_count = 1
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        self._stream: av.VideoStream | None = None

    def add(self, payload: bytes, compressed: bool) -> None:
        """The next picture of the recording, serialized, in order of stamps; the rows that chose it get it."""
        seconds, nanoseconds = struct.unpack_from("<iI", payload, 4)
        stamp = seconds * 1_000_000_000 + nanoseconds
        if self._next >= len(self._stamps) or stamp != self._stamps[self._next]:
            return
        frame = self._decoded(payload, compressed)
        while self._next < len(self._stamps) and self._stamps[self._next] == stamp:
            self._encode(frame)
            self._next += 1

    def _decoded(self, payload: bytes, compressed: bool) -> VideoFrame:
        if compressed:
            at = payload.find(b"\xff\xd8", 0, 256)
            try:
                frames = self._decoder.decode(av.Packet(payload[at:])) if at >= 0 else []
            except av.FFmpegError as error:
                raise ExportError(f"{self.path.name}: found a picture that is no JPEG: {error}") from error
            if not frames:
                raise ExportError(f"{self.path.name}: found a picture that is no JPEG, expected JPEGs")
            frame = frames[0]
        else:
            frame = _raw(payload)
        return frame if frame.format.name == _FORMAT else frame.reformat(format=_FORMAT)

    def _encode(self, frame: VideoFrame) -> None:
        if self._stream is None:
            options = {"preset": self._video.preset, "qp": str(self._video.qp), "g": str(self._video.gop)}
            options["tune"] = "zerolatency"  # no delay to fill and empty: a tenth cheaper
            if self._video.codec == "libx264" and cv2.checkHardwareSupport(_AVX_512F):
                options["x264-params"] = "asm=avx2"  # the same bits for five sixths of what AVX-512 takes
            self._stream = cast(
                av.VideoStream, self._container.add_stream(self._video.codec, rate=self._fps, options=options)
            )
            self._stream.width, self._stream.height, self._stream.pix_fmt = frame.width, frame.height, _FORMAT
            self._stream.thread_count = 1
            self.size = (frame.height, frame.width)
        elif (frame.height, frame.width) != self.size:
            raise ExportError(
                f"{self.path.name}: found a picture of {frame.width}x{frame.height} after {self.size[::-1]}"
            )
        if self._next % self._every == 0:
            small = self._shrink.reformat(frame, *_SMALL, "rgb24", interpolation="FAST_BILINEAR", threads=1)
            self._sampled.append(small.to_ndarray().reshape(-1, 3))
        frame.pict_type = PictureType.NONE
        frame.time_base = self._period
        frame.pts = self._next
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file and count its frames.

        Raises:
            ExportError: there are not as many as rows.
        """
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
            self.statistics.add(np.concatenate(self._sampled) / 255.0)
        self._container.close()
        found = count_frames(self.path) if self._stream is not None else 0
        if found != len(self._stamps):
            raise ExportError(f"{self.path.name}: found {found} frames, expected {len(self._stamps)}, one for each row")


def write_videos(folder: Path, rows: Rows, into: Path, fps: int, video: Video) -> dict[str, CameraVideo]:
    """Encode all cameras of an episode, in one pass over its bag.

    Raises:
        ExportError: a picture cannot be decoded, or frames do not equal rows.
    """
    cameras = {name: CameraVideo(into / f"{name}.mp4", stamps, fps, video) for name, stamps in rows.pictures.items()}
    for name, payloads in rows.kept.items():
        for payload in payloads:
            cameras[name].add(payload, compressed=True)
    names = {full: name for name, full in rows.topics.items() if name not in rows.kept}
    if names:
        with bag_of(folder).open("rb") as file:
            for _, channel, message in make_reader(file).iter_messages(list(names)):
                cameras[names[channel.topic]].add(message.data, compressed=False)
    for camera in cameras.values():
        camera.close()
    return cameras


def count_frames(path: Path) -> int:
    """Frames in a video, by its packets, whose times must be 0, 1, 2 ... frames.

    Raises:
        ExportError: they are not.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        assert stream.average_rate is not None
        unit = stream.time_base * stream.average_rate  # of packets' times, in frames
        times = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
    if any(4 * abs(time * unit.numerator - i * unit.denominator) > unit.denominator for i, time in enumerate(times)):
        raise ExportError(f"{path.name}: found frames at uneven times, expected one for each row")
    return len(times)


def join(parts: list[Path], out: Path) -> None:
    """Videos one after the other in one file, without encoding them again."""
    with av.open(str(out), "w", options={"movflags": "faststart"}) as container:
        stream: av.VideoStream | None = None
        behind = 0
        for part in parts:
            with av.open(str(part)) as source:
                own = source.streams.video[0]
                if stream is None:
                    stream = container.add_stream_from_template(own)
                assert own.time_base is not None
                assert own.average_rate is not None
                frame = round(1 / (own.average_rate * own.time_base))
                count = 0
                for packet in source.demux(own):
                    if packet.pts is None:
                        continue
                    packet.pts += behind
                    packet.dts = (packet.dts if packet.dts is not None else packet.pts - behind) + behind
                    packet.stream = stream
                    container.mux(packet)
                    count += 1
                behind += count * frame


def _raw(payload: bytes) -> VideoFrame:
    """A sensor_msgs/Image as a frame."""
    (length,) = struct.unpack_from("<I", payload, 12)
    at = 16 + length
    at += (4 - at) % 4
    height, width, size = struct.unpack_from("<III", payload, at)
    encoding = payload[at + 12 : at + 11 + size].decode()
    at += 12 + size + 1
    at += (4 - at) % 4
    step, count = struct.unpack_from("<II", payload, at)
    if encoding not in _RAW:
        raise ExportError(f"found pictures in {encoding}, expected one of {', '.join(_RAW)}")
    data = np.frombuffer(payload, np.uint8, count, at + 8).reshape(height, step)
    channels = {"gray": 1, "rgba": 4, "bgra": 4}.get(_RAW[encoding], 3)
    data = np.ascontiguousarray(data[:, : width * channels])
    shape = (height, width) if channels == 1 else (height, width, channels)
    return VideoFrame.from_ndarray(data.reshape(shape), format=_RAW[encoding])
