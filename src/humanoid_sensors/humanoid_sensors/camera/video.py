# SPDX-License-Identifier: Apache-2.0
"""Cameras that FFmpeg reads: V4L2 and UVC devices, RTSP streams, recorded files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import av

from humanoid_sensors.camera.frame import Frame
from humanoid_sensors.errors import DeviceError, DeviceLost
from humanoid_sensors.timing import HostTime

_FAR = 10 * 10**9  # [ns] stamps farther from their arrival are of another clock


class VideoCamera:
    """A camera read through FFmpeg. What is compressed as motion JPEG is handed on without being decoded.

    Args:
        name: Name and address, for people.
        url: Device file, rtsp:// address or file.
        kind: "v4l2", "rtsp" or "file".
        options: Of FFmpeg, such as video_size, framerate, input_format.
        timeout: For opening, and for one picture [s].
        repeat: Begin a file again at its end.
    """

    def __init__(
        self, name: str, url: str, kind: str, options: dict[str, str], timeout: float = 5.0, repeat: bool = False
    ) -> None:
        self.name = name
        self._url, self._kind, self._timeout, self._repeat = url, kind, timeout, repeat
        self._options = dict(options)
        if kind == "v4l2":
            self._options["timestamps"] = "abs"  # the kernel's, as time since the epoch
        if kind == "rtsp":
            self._options = {"rtsp_transport": "tcp", "fflags": "nobuffer", **self._options}
        self._container: Any = None
        self._packets: Iterator[Any] = iter(())
        self._time = HostTime()
        self._period = 0
        self._last: int | None = None
        self._start: int | None = None

    def open(self) -> None:
        try:
            self._container = av.open(
                self._url, format={"v4l2": "v4l2"}.get(self._kind), options=self._options, timeout=self._timeout
            )
            stream = self._container.streams.video[0]
        except (OSError, av.FFmpegError, IndexError) as error:
            self.close()
            raise DeviceLost(self.name, error, "a camera with a picture") from error
        rate = stream.average_rate or stream.guessed_rate
        self._period = round(1e9 / rate) if rate else 0
        self._packets = self._container.demux(stream)
        self._time, self._last, self._start = HostTime(), None, None

    def read(self) -> Iterable[Frame]:
        try:
            packet = next(self._packets, None)
            arrival = time.time_ns()
            if packet is None or packet.size == 0:
                return self._ended()
            if packet.stream.codec_context.name == "mjpeg":
                return [self._frame(packet, arrival, jpeg=bytes(packet))]
            return [self._frame(f, arrival, image=f.to_ndarray(format="rgb24")) for f in packet.decode()]
        except av.InvalidDataError as error:
            raise DeviceError(self.name, error, "a picture") from error
        except (OSError, av.FFmpegError) as error:
            raise DeviceLost(self.name, error, f"a picture within {self._timeout:g} s") from error

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, self._packets = None, iter(())

    def _ended(self) -> list[Frame]:
        if self._kind != "file":
            raise DeviceLost(self.name, "the end of the stream", "a camera that goes on")
        if not self._repeat:
            raise EOFError
        self.close()
        self.open()
        return []

    def _frame(self, timed: Any, arrival: int, image: Any = None, jpeg: bytes | None = None) -> Frame:
        device = arrival if timed.pts is None else round(timed.pts * timed.time_base * 10**9)
        if self._kind == "file":
            arrival = stamp = self._paced(device)
        else:
            stamp = device if abs(arrival - device) < _FAR else self._time.host(device, arrival)
        lost = 0
        if self._last is not None and self._period and device > self._last:
            lost = max(0, round((device - self._last) / self._period) - 1)
        self._last = device
        return Frame(stamp, device, arrival, image, jpeg, lost=lost)

    def _paced(self, device: int) -> int:
        """Wait until a recorded picture is due; gives that time."""
        now = time.time_ns()
        self._start = now - device if self._start is None else self._start
        due = self._start + device
        time.sleep(max(0.0, 1e-9 * (due - now)))
        return due
