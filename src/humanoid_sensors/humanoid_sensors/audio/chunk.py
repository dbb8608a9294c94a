# SPDX-License-Identifier: Apache-2.0
"""Runs of audio samples, and what makes them without a microphone."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humanoid_sensors.errors import DeviceError, DeviceLost

_PATIENCE = 0.1  # [s]


@dataclass(frozen=True)
class Format:
    """Samples per second [Hz], channels, and samples per chunk."""

    rate: int
    channels: int
    block: int


@dataclass(frozen=True)
class Chunk:
    """A run of samples.

    Attributes:
        first: Index of the first since the device was opened, lost samples counted.
        captured: Host time at which the first was captured, as the device tells [ns]; it jitters.
        data: Interleaved little-endian int16.
        lost: Samples before it that never came.
    """

    first: int
    captured: int
    data: bytes
    lost: int = 0


def tone(form: Format, frequency: float = 440.0) -> Callable[[int, int], Chunk]:
    """A simulated microphone that hears one tone; the sample index alone decides its phase."""

    def make(number: int, stamp: int) -> Chunk:
        index = number * form.block + np.arange(form.block)
        wave_form = (8000.0 * np.sin(2.0 * np.pi * frequency * index / form.rate)).astype("<i2")
        return Chunk(number * form.block, stamp, np.repeat(wave_form, form.channels).tobytes())

    return make


class WavFile:
    """A recording at its own pace.

    Args:
        name: For people.
        file: A WAV of 16 bit.
        form: What it must be.
    """

    def __init__(self, name: str, file: Path, form: Format) -> None:
        self.name = name
        self._file, self._form = file, form
        self._wave: wave.Wave_read | None = None
        self._begin, self._index = 0, 0

    def open(self) -> None:
        try:
            self._wave = wave.open(str(self._file), "rb")  # noqa: SIM115  (closed in close)
        except OSError as error:
            raise DeviceLost(self.name, error.strerror or error, "a WAV file") from error
        except (wave.Error, EOFError) as error:
            raise DeviceError(self.name, error, "a WAV file") from error
        found = (self._wave.getframerate(), self._wave.getnchannels(), 8 * self._wave.getsampwidth())
        if found != (self._form.rate, self._form.channels, 16):
            raise DeviceError(
                self.name,
                f"{found[0]} Hz, {found[1]} channels, {found[2]} bit",
                f"{self._form.rate} Hz, {self._form.channels} channels, 16 bit",
            )
        self._begin, self._index = time.time_ns(), 0

    def read(self) -> Iterable[Chunk]:
        assert self._wave is not None
        # As from a microphone, a chunk comes when its last sample is there.
        stamp = self._begin + self._index * 10**9 // self._form.rate
        wait = 1e-9 * (stamp - time.time_ns()) + self._form.block / self._form.rate
        if wait > 0.0:
            time.sleep(min(wait, _PATIENCE))
        if wait > _PATIENCE:
            return
        data = self._wave.readframes(self._form.block)
        if not data:
            raise EOFError
        first, self._index = self._index, self._index + len(data) // (2 * self._form.channels)
        yield Chunk(first, stamp, data)

    def close(self) -> None:
        if self._wave is not None:
            self._wave.close()
        self._wave = None
