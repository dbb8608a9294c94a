# SPDX-License-Identifier: Apache-2.0
"""How real sensors differ from ideal ones: noise, bias, steps, losses. Each stream has a random sequence of its own, so
that a seed gives the same readings whatever else is measured."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import get_package_share_directory

from humanoid_core import config
from humanoid_robots.readings import (
    CloudReading,
    ImuReading,
    JointReading,
    Reading,
    SoundReading,
    TactileReading,
    WrenchReading,
)


@dataclass(frozen=True)
class Encoders:
    """Step of positions [rad], standard deviations of velocity [rad/s] and torque [share of the effort limit]."""

    step: float
    velocity: float
    torque: float


@dataclass(frozen=True)
class Inertial:
    """Standard deviations and biases of rates [rad/s] and specific force [m/s2]."""

    rate: float
    rate_bias: float
    force: float
    force_bias: float


@dataclass(frozen=True)
class Force:
    """Standard deviations and biases of force [N] and torque [N m]."""

    force: float
    torque: float
    force_bias: float
    torque_bias: float


@dataclass(frozen=True)
class Touch:
    """Standard deviation of a pressed taxel and step of its converter [Pa]."""

    pressure: float
    step: float


@dataclass(frozen=True)
class Hiss:
    """Standard deviation of a sample, of full scale: the room's noise and the microphone's own."""

    noise: float


@dataclass(frozen=True)
class Ranging:
    """Standard deviation [m], share of rays lost at full brightness, intensity at which half are lost."""

    range: float
    lost: float
    dark: float


@dataclass(frozen=True)
class Shutter:
    """Exposure [s], instants of it that a picture is the mean of, latency from its middle to the message [s]."""

    exposure: float
    blur: int
    latency: float


@dataclass(frozen=True)
class ColorNoise:
    """Read noise, standard deviation of black [of 255], and shot noise, variance of a value over the value."""

    read: float
    shot: float


@dataclass(frozen=True)
class Stereo:
    """Baseline [m], noise and step of a match [px], and share of pixels without one."""

    baseline: float
    disparity: float
    step: float
    speckle: float


@dataclass(frozen=True)
class Imperfections:
    """A file of them, config/imperfections.yaml; `command_delay` [s] is from a command's arrival to the servos."""

    command_delay: float
    encoders: Encoders
    imu: Inertial
    wrench: Force
    touch: Touch
    microphone: Hiss
    lidar: Ranging
    camera: Shutter
    color: ColorNoise
    depth: Stereo


def load(file: str | Path = "") -> Imperfections:
    """Read a file of imperfections; "": the one that ships with this package.

    Raises:
        ConfigError: the file does not fit.
    """
    ours = Path(get_package_share_directory("humanoid_robots")) / "config" / "imperfections.yaml"
    return config.load(Imperfections, file or ours)


class Spoiler:
    """Makes ideal readings into what devices would say.

    Args:
        figures: How far from ideal.
        effort: Effort limit of each joint (n,) [N m].
        seed: Of all that is random.
    """

    def __init__(self, figures: Imperfections, effort: np.ndarray, seed: int) -> None:
        self._figures = figures
        self._effort = effort
        self._seed = seed
        self._random: dict[str, np.random.Generator] = {}
        self._biases: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._by_kind: dict[type, Callable[[Any], Reading]] = {
            JointReading: self._joints,
            ImuReading: self._imu,
            WrenchReading: self._wrench,
            TactileReading: self._touch,
            CloudReading: self._cloud,
            SoundReading: self._sound,
        }

    def spoil(self, reading: Reading) -> Reading:
        """What a device says in place of an ideal reading; what no device measures stays as it is."""
        change = self._by_kind.get(type(reading))
        return change(reading) if change is not None else reading

    def _of(self, stream: str) -> np.random.Generator:
        if stream not in self._random:
            self._random[stream] = np.random.default_rng((self._seed, zlib.crc32(stream.encode())))
        return self._random[stream]

    def _bias(self, stream: str, first: float, second: float) -> tuple[np.ndarray, np.ndarray]:
        """Constant errors of a device's two vectors, up to these sizes per axis, (3,) each."""
        if stream not in self._biases:
            random = self._of(f"{stream}/bias")
            self._biases[stream] = random.uniform(-first, first, 3), random.uniform(-second, second, 3)
        return self._biases[stream]

    def _joints(self, reading: JointReading) -> JointReading:
        figures, random = self._figures.encoders, self._of("joints")
        noise = random.standard_normal((2, len(reading.position)))
        return dataclasses.replace(
            reading,
            position=_steps(reading.position, figures.step),
            velocity=reading.velocity + figures.velocity * noise[0],
            effort=reading.effort + figures.torque * self._effort * noise[1],
        )

    def _imu(self, reading: ImuReading) -> ImuReading:
        figures, stream = self._figures.imu, f"imu/{reading.place}"
        rate, force = self._bias(stream, figures.rate_bias, figures.force_bias)
        noise = self._of(stream).standard_normal((2, 3))
        return dataclasses.replace(
            reading,
            angular_velocity=reading.angular_velocity + rate + figures.rate * noise[0],
            linear_acceleration=reading.linear_acceleration + force + figures.force * noise[1],
        )

    def _wrench(self, reading: WrenchReading) -> WrenchReading:
        figures, stream = self._figures.wrench, f"wrench/{reading.place}"
        force, torque = self._bias(stream, figures.force_bias, figures.torque_bias)
        noise = self._of(stream).standard_normal((2, 3))
        return dataclasses.replace(
            reading,
            force=reading.force + force + figures.force * noise[0],
            torque=reading.torque + torque + figures.torque * noise[1],
        )

    def _touch(self, reading: TactileReading) -> TactileReading:
        figures = self._figures.touch
        noise = self._of(f"tactile/{reading.place}").standard_normal(reading.pressure.shape)
        pressure = reading.pressure + np.where(reading.pressure > 0.0, figures.pressure * noise, 0.0)
        return dataclasses.replace(reading, pressure=np.maximum(_steps(pressure, figures.step), 0.0))

    def _sound(self, reading: SoundReading) -> Reading:
        hiss = self._figures.microphone.noise * self._of("sound").standard_normal(len(reading.samples))
        return dataclasses.replace(reading, samples=reading.samples + hiss)

    def _cloud(self, reading: CloudReading) -> CloudReading:
        figures, random = self._figures.lidar, self._of("lidar")
        answers = (1.0 - figures.lost) * (1.0 - np.exp2(-reading.intensity / figures.dark))
        kept = random.random(len(reading.points)) < answers
        points = reading.points[kept]
        distance = np.linalg.norm(points, axis=1, keepdims=True)
        longer = 1.0 + figures.range * random.standard_normal(distance.shape) / np.maximum(distance, 1e-3)
        return dataclasses.replace(
            reading,
            points=(points * longer).astype(np.float32),
            offsets=reading.offsets[kept],
            intensity=reading.intensity[kept],
        )


class ImageSpoiler:
    """The same for pictures. An image's noise depends on seed, camera and stamp alone: any thread may ask.

    Args:
        figures: How far from ideal.
        seed: Of all that is random.
    """

    _TILE = 2048  # normal numbers along each side, of which each picture gets a part [1]

    def __init__(self, figures: Imperfections, seed: int) -> None:
        self._figures = figures
        self._seed = seed
        self._normal = np.random.default_rng(seed).standard_normal((self._TILE, self._TILE)).astype(np.float32)
        values = np.arange(256, dtype=np.float32)
        self._deviation = np.sqrt(figures.color.read**2 + figures.color.shot * values)

    def color(self, camera: str, stamp: int, image: np.ndarray) -> np.ndarray:
        """Read and shot noise on an image (height, width, 3) uint8."""
        height, width = image.shape[:2]
        noise = np.stack([self._part(self._for(camera, stamp, i), height, width) for i in range(3)], axis=-1)
        return np.clip(image + self._deviation[image] * noise + 0.5, 0.0, 255.0).astype(np.uint8)

    def depth(self, camera: str, stamp: int, image: np.ndarray, focal_length: float) -> np.ndarray:
        """Depth as a stereo camera finds it: in steps of disparity, with noise, blind where one eye sees nothing.

        Args:
            camera: Its name.
            stamp: Of the image [ns].
            image: Ideal depth (height, width) uint16 [mm]; 0: none.
            focal_length: [px].

        Returns:
            Of the same form. A point that something nearer hides from the right eye, or that lies outside its picture,
            is not measured: the shadow at the left of everything that stands in front of something else.
        """
        figures = self._figures.depth
        height, width = image.shape
        random = self._for(camera, stamp, 3)
        seen = image > 0
        per_disparity = np.float32(1000.0 * focal_length * figures.baseline)  # depth [mm] times disparity [px]
        disparity = np.divide(per_disparity, image, where=seen, out=np.zeros(image.shape, np.float32))
        right = np.arange(width, dtype=np.float32) - disparity  # column in the right eye
        # The nearest of those that fall on one column of the right eye is the one farthest right in the left eye.
        hidden = np.full(image.shape, np.inf, np.float32)
        hidden[:, :-1] = np.minimum.accumulate(np.where(seen, right, np.inf)[:, :0:-1], axis=1)[:, ::-1]
        seen &= (right >= 0.0) & (right < hidden + 0.5)
        disparity += figures.disparity * self._part(random, height, width)
        disparity = np.maximum(_steps(disparity, figures.step), figures.step)
        seen &= np.abs(self._part(random, height, width)) > _quantile(figures.speckle)
        found = np.rint(per_disparity / disparity)
        return np.where(seen & (found < 65536.0), found, 0.0).astype(np.uint16)

    def _for(self, camera: str, stamp: int, part: int) -> np.random.Generator:
        return np.random.default_rng((self._seed, zlib.crc32(camera.encode()), stamp, part))

    def _part(self, random: np.random.Generator, height: int, width: int) -> np.ndarray:
        y, x = random.integers(0, (self._TILE - height, self._TILE - width))
        return self._normal[y : y + height, x : x + width]


def _quantile(share: float) -> float:
    """Size below which this share of normal numbers lies, for small shares: the density is flat there."""
    return 0.5 * share * float(np.sqrt(2.0 * np.pi))


def _steps(values: np.ndarray, step: float) -> np.ndarray:
    """Rounded to whole steps."""
    return np.rint(values / step) * step
