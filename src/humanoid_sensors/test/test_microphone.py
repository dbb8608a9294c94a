# SPDX-License-Identifier: Apache-2.0
"""Audio: sample indices without gaps, lost samples counted by time, recordings at their pace, absence named."""

from __future__ import annotations

import time
import wave
from types import SimpleNamespace

import numpy as np
import pytest

from humanoid_sensors.audio import microphone
from humanoid_sensors.audio.chunk import Format, WavFile, tone
from humanoid_sensors.audio.microphone import Microphone
from humanoid_sensors.errors import DeviceError, DeviceLost

FORM = Format(rate=16000, channels=2, block=160)


class Stream:
    """What PortAudio does, by hand: `hear` is its thread."""

    def __init__(self, **settings) -> None:
        self.settings, self.closed = settings, False

    def hear(self, block: int, overflow: bool = False, ago: float = 0.02) -> None:
        data = np.full((160, 2), block, "<i2").tobytes()
        times = SimpleNamespace(inputBufferAdcTime=100.0 - ago, currentTime=100.0)
        self.settings["callback"](data, 160, times, SimpleNamespace(input_overflow=overflow))

    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        assert self.closed


@pytest.fixture
def opened():
    streams: list[Stream] = []

    def open_stream(**settings) -> Stream:
        streams.append(Stream(**settings))
        return streams[-1]

    made = Microphone("head microphone", "USB", FORM, open_stream)
    made.open()
    yield made, streams[0]
    made.close()


def test_samples_are_counted_and_stamped_when_they_were_captured(opened):
    made, stream = opened
    assert (stream.settings["samplerate"], stream.settings["device"], stream.settings["channels"]) == (16000, "USB", 2)
    before = time.time_ns()
    for block in range(3):
        stream.hear(block)
    chunks = [chunk for _ in range(3) for chunk in made.read()]
    assert [chunk.first for chunk in chunks] == [0, 160, 320]
    assert [chunk.data[0] for chunk in chunks] == [0, 1, 2]
    assert before - 21_000_000 <= chunks[0].captured <= time.time_ns() - 20_000_000
    assert [chunk.lost for chunk in chunks] == [0, 0, 0]


def test_an_overflow_is_a_gap_as_long_as_the_time_it_took(opened, monkeypatch):
    made, stream = opened
    clock = SimpleNamespace(time_ns=lambda: 10**18, monotonic=time.monotonic)
    monkeypatch.setattr(microphone, "time", clock)
    stream.hear(0)
    clock.time_ns = lambda: 10**18 + 50_000_000  # 800 samples after the first, 640 after its end
    stream.hear(1, overflow=True)
    clock.time_ns = lambda: 10**18 + 60_000_000
    stream.hear(2)
    chunks = [chunk for _ in range(3) for chunk in made.read()]
    assert [(chunk.first, chunk.lost) for chunk in chunks] == [(0, 0), (800, 640), (960, 0)]


def test_a_reader_that_is_too_slow_loses_sound_and_says_so(opened, monkeypatch):
    made, stream = opened
    for block in range(501):
        stream.hear(block)
    taken = [chunk for _ in range(500) for chunk in made.read()]
    assert taken[-1].first == 499 * 160
    stream.hear(501)
    (chunk,) = made.read()
    assert chunk.first >= 500 * 160


def test_silence_and_absence_are_named(opened, monkeypatch):
    made, _ = opened
    monkeypatch.setattr(microphone, "_SILENCE", 0.0)
    with pytest.raises(DeviceLost, match="head microphone: found silence"):
        list(made.read())

    def absent(**settings):
        raise OSError("No input device matching 'USB'")

    with pytest.raises(DeviceLost, match="No input device"):
        Microphone("head microphone", "USB", FORM, absent).open()


def test_portaudio_itself_names_a_device_that_is_not_there():
    """With the library or without it."""
    with pytest.raises(DeviceLost, match=r"head microphone: found .*(no such sound card|PortAudio)"):
        Microphone("head microphone", "no such sound card", FORM).open()


def test_a_recording_comes_at_its_own_pace(tmp_path):
    file = tmp_path / "voice.wav"
    samples = np.arange(2 * 400, dtype="<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(samples.tobytes())
    made = WavFile("recording", file, FORM)
    made.open()
    chunks: list = []
    begun = time.monotonic()
    while len(chunks) < 3:
        chunks += made.read()
    assert time.monotonic() - begun > 0.02
    assert [chunk.first for chunk in chunks] == [0, 160, 320]
    assert np.diff([chunk.captured for chunk in chunks]).tolist() == [10_000_000] * 2
    with pytest.raises(EOFError):
        list(made.read())
    np.testing.assert_array_equal(np.frombuffer(b"".join(chunk.data for chunk in chunks), "<i2"), samples)
    with pytest.raises(DeviceError, match=r"recording: found 16000 Hz, 2 channels"):
        WavFile("recording", file, Format(48000, 2, 160)).open()
    file.write_bytes(b"no sound")
    with pytest.raises(DeviceError, match="recording"):
        made.open()
    with pytest.raises(DeviceLost, match="a WAV file"):
        WavFile("recording", tmp_path / "absent.wav", FORM).open()


def test_a_tone_goes_on_over_its_chunks():
    make = tone(Format(16000, 1, 160), 440.0)
    heard = np.frombuffer(make(0, 0).data + make(1, 0).data, "<i2").astype(float)
    index = np.arange(320)
    np.testing.assert_allclose(heard, 8000 * np.sin(2 * np.pi * 440 * index / 16000), atol=1.0)
