# SPDX-License-Identifier: Apache-2.0
"""A microphone through PortAudio (sounddevice), on Linux over ALSA.

Source: PortAudio, PaStreamCallbackTimeInfo: inputBufferAdcTime is when the first sample of a buffer was captured, on
the stream's clock, which also tells currentTime; paInputOverflow says that samples before the buffer were lost, not how
many.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

from humanoid_sensors.audio.chunk import Chunk, Format
from humanoid_sensors.errors import DeviceError, DeviceLost

_PATIENCE = 0.1  # [s]
_SILENCE = 1.0  # [s] without a buffer: it was unplugged
_QUEUE = 500  # buffers


def _open_portaudio(**settings: Any) -> Any:
    """A running stream of sounddevice; loaded only where a microphone is asked for: it needs the library PortAudio.

    Raises:
        OSError: no library, no such device, or not with these settings.
    """
    import sounddevice

    try:
        stream = sounddevice.RawInputStream(dtype="int16", **settings)
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise OSError(str(error)) from error
    return stream


class Microphone:
    """Chunks of one microphone, counted by samples.

    Args:
        name: For people.
        device: Of PortAudio: a name or part of one; "": the default.
        form: What is asked for.
        open_stream: Opens and starts a stream, or raises OSError; PortAudio's, or a test's.
    """

    def __init__(self, name: str, device: str, form: Format, open_stream: Callable[..., Any] = _open_portaudio) -> None:
        self.name = name
        self._device, self._form, self._open_stream = device, form, open_stream
        self._stream: Any = None
        self._buffers: queue.Queue[tuple[bytes, int, bool]] = queue.Queue(_QUEUE)
        self._index, self._last, self._overrun, self._begun = 0, 0.0, False, 0

    def open(self) -> None:
        form = self._form
        self._buffers = queue.Queue(_QUEUE)
        self._index, self._overrun, self._begun = 0, False, 0
        try:
            self._stream = self._open_stream(
                samplerate=form.rate,
                blocksize=form.block,
                device=self._device or None,
                channels=form.channels,
                callback=self._on_buffer,
            )
        except OSError as error:
            raise DeviceLost(self.name, error, f"{form.rate} Hz, {form.channels} channels") from error
        self._last = time.monotonic()

    def read(self) -> Iterable[Chunk]:
        try:
            data, captured, overflow = self._buffers.get(timeout=_PATIENCE)
        except queue.Empty:
            if time.monotonic() - self._last > _SILENCE:
                raise DeviceLost(self.name, f"silence for {_SILENCE:g} s", "buffers") from None
            return
        self._last = time.monotonic()
        count = len(data) // (2 * self._form.channels)
        if not count:
            raise DeviceError(self.name, "an empty buffer", f"{self._form.block} samples")
        self._begun = self._begun or captured
        lost = 0
        if overflow:  # how many is told by time: they were captured all the same
            expected = self._begun + self._index * 10**9 // self._form.rate
            lost = max(0, round(1e-9 * (captured - expected) * self._form.rate))
        first = self._index + lost
        self._index = first + count
        yield Chunk(first, captured, bytes(data), lost)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.abort()
            self._stream.close()
        self._stream = None

    def _on_buffer(self, data: Any, frames: int, times: Any, status: Any) -> None:
        """PortAudio's callback, in its own thread."""
        captured = time.time_ns() - round(1e9 * (times.currentTime - times.inputBufferAdcTime))
        overflow = bool(status and status.input_overflow) or self._overrun
        try:
            self._buffers.put_nowait((bytes(data), captured, overflow))
            self._overrun = False
        except queue.Full:
            self._overrun = True
