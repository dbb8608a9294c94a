# SPDX-License-Identifier: Apache-2.0
"""Simulated truth for time synchronisation: devices with clocks of their own, one-sided delays, losses, silences."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

SECOND = 1_000_000_000
START = 1_000 * SECOND  # host time
WRENCH = "geometry_msgs/msg/WrenchStamped"


@dataclass(frozen=True)
class Device:
    """One stream's source.

    Attributes:
        name: Of the stream.
        rate: [Hz].
        phase: Of its samples [s].
        least: Least delay from sample to arrival [s]: constant.
        jitter: Further delay, standard deviation of a normal whose size counts [s].
        ppm: Drift of its clock.
        offset: Its clock minus the host's at the start [s]; None: it stamps in host time.
        wraps: Its counter begins anew after this [s].
        silent: From when to when nothing comes [s].
        loss: Share of messages lost.
    """

    name: str
    rate: float
    phase: float = 0.0
    least: float = 0.0
    jitter: float = 0.0
    ppm: float = 0.0
    offset: float | None = None
    wraps: float = 0.0
    silent: tuple[float, float] = (0.0, 0.0)
    loss: float = 0.01

    @property
    def numeric(self) -> bool:
        """Whether its messages carry a value, which is the true time of the sample [s]."""
        return not self.name.startswith("cam")


DEVICES = (  # the loads of the published comparison; cameras run freely, 14.5 ms apart
    Device("cam0", 30.0, 0.0, 0.020, 0.003, 20.0, 3.2),
    Device("cam1", 30.0, 0.0090, 0.040, 0.003, -35.0, -812.5, silent=(30.0, 34.5)),
    Device("cam2", 30.0, -0.0055, 0.060, 0.003, 48.0, 7.7),
    Device("joints", 1000.0, 0.0, 0.0002, 0.0005),
    Device("imu", 200.0, 0.0, 0.0005, 0.0003, 20.0, 0.9),
    Device("tactile", 150.0, 0.0, 0.0010, 0.0008, -30.0, 4294.0 - START * 1e-9, wraps=4294.967296),
)


@dataclass(frozen=True)
class Message:
    """What a synchroniser gets, and behind it the truth [ns]."""

    arrival: int
    stream: str
    stamp: int
    payload: bytes
    true: int


@dataclass
class World:
    """All messages in order of arrival; the truth by stream and stamp; and what was lost on the way."""

    seconds: float
    messages: list[Message] = field(default_factory=list)
    truth: dict[tuple[str, int], int] = field(default_factory=dict)
    captured: dict[str, np.ndarray] = field(default_factory=dict)  # true times of what was not lost, ascending


def simulate(seconds: float, seed: int = 1, devices: tuple[Device, ...] = DEVICES) -> World:
    """One run."""
    rng = np.random.default_rng(seed)
    world = World(seconds)
    for device in devices:
        true = device.phase + np.arange(0.0, seconds, 1.0 / device.rate) / (1.0 + device.ppm * 1e-6)
        kept = (rng.random(len(true)) >= device.loss) & ~((true > device.silent[0]) & (true < device.silent[1]))
        delay = device.least + np.abs(rng.normal(0.0, device.jitter, len(true)))
        arrival = np.maximum.accumulate(true + delay)
        stamp = true.copy()
        if device.offset is not None:
            stamp = true * (1.0 + device.ppm * 1e-6) + device.offset
        for t, a, s in zip(true[kept].tolist(), arrival[kept].tolist(), stamp[kept].tolist()):
            ns = START + round(s * 1e9)
            if device.wraps:
                ns %= round(device.wraps * 1e9)
            when = START + round(t * 1e9)
            world.messages.append(Message(START + round(a * 1e9), device.name, ns, _cdr(ns, when * 1e-9), when))
            world.truth[device.name, ns] = when
        world.captured[device.name] = START + np.rint(true[kept] * 1e9).astype(np.int64)
    world.messages.sort(key=lambda message: message.arrival)
    return world


def _cdr(stamp: int, value: float) -> bytes:
    """A WrenchStamped whose first number is the true time of the sample [s]: interpolated, it tells the skew."""
    head = b"\x00\x01\x00\x00" + struct.pack("<iI", *divmod(stamp, SECOND)) + struct.pack("<I", 1) + b"\0\0\0\0"
    return head + struct.pack("<6d", value, 0.0, 0.0, 0.0, 0.0, 0.0)


def clock_pairs(
    rate: float, jitter: float, spikes: float, ppm: float, seconds: float, seed: int, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True times, device stamps, arrivals [ns]: one-sided jitter, spikes that hold up what follows."""
    rng = np.random.default_rng(seed)
    true = np.arange(0.0, seconds, 1.0 / rate)
    delay = least + np.abs(rng.normal(0.0, jitter, len(true)))
    delay += (rng.random(len(true)) < spikes) * rng.exponential(0.05, len(true))
    arrivals = np.maximum.accumulate(true + delay)
    columns = (true, true * (1.0 + ppm * 1e-6) + 3.2, arrivals)
    true_ns, device, arrived = ((column * 1e9).astype(np.int64) for column in columns)
    return true_ns, device, arrived
