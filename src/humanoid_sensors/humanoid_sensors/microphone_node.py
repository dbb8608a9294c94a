# SPDX-License-Identifier: Apache-2.0
"""A microphone: PortAudio (ALSA), a WAV file, or simulated."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_interfaces.msg import AudioChunk
from humanoid_sensors.audio.chunk import Chunk, Format, WavFile, tone
from humanoid_sensors.audio.microphone import Microphone
from humanoid_sensors.device import Device
from humanoid_sensors.sensor_node import SensorNode, run
from humanoid_sensors.simulated import Simulated
from humanoid_sensors.timing import HostTime

_SOURCES = ("alsa", "wav", "simulated")


class MicrophoneNode(SensorNode):
    """Publishes audio and audio/clock: sample indices without a gap unless sound was lost, stamps from their clock."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("microphone", **arguments)
        self._source = ros.required(self, "source", f"One of {', '.join(_SOURCES)}", kind=str)
        if self._source not in _SOURCES:
            raise ConfigError(self.get_name(), "source", self._source, f"one of {', '.join(_SOURCES)}")
        self._port = ros.optional(self, "port", "", "Name of the sound device, empty: the default; of a WAV its file")
        rate = ros.optional(self, "rate", 16000, "Samples per second [Hz]", 4000, 384_000)
        channels = ros.optional(self, "channels", 1, "Channels", 1, 64)
        block = ros.optional(self, "block", 320, "Samples in a message", 16, 100_000)
        self._form = Format(rate, channels, block)
        self._message = AudioChunk(sample_rate=rate, channels=channels, encoding="pcm_s16le")
        self._message.header.frame_id = ros.required(self, "frame", "Frame of the microphone", kind=str)
        self._publisher = self.output(endpoints.AUDIO)
        self._clock_sample = self.clock_publisher(endpoints.AUDIO.name)
        self._time = HostTime()

    def make_device(self) -> Device[Chunk]:
        name = f"{self.device_name} ({self._source}{f' {self._port}' if self._port else ''})"
        if self._source == "simulated":
            return Simulated(name, tone(self._form), self._form.rate / self._form.block)
        if self._source == "wav":
            return WavFile(name, Path(self._port), self._form)
        return Microphone(name, self._port, self._form)

    def take(self, chunk: Chunk) -> None:
        if not chunk.first:
            self._time = HostTime()  # the device was opened: its count began anew
        on_device = chunk.first * 10**9 // self._form.rate
        stamp = self._time.host(on_device, chunk.captured)
        self._clock_sample(on_device, chunk.captured)
        message = self._message
        message.header.stamp, message.first_sample = convert.to_stamp(stamp), chunk.first
        message.data = array("B", chunk.data)
        self._publisher.publish(message)
        self.done(stamp, chunk.lost)


def main() -> None:
    """Run the node."""
    run(MicrophoneNode)
