# SPDX-License-Identifier: Apache-2.0
"""What the twin's sensors measure. Every reading carries the time of its measurement [ns]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_core.task import ObjectState


@dataclass(frozen=True)
class JointReading:
    """All movable joints: position (n,) [rad], velocity (n,) [rad/s], torque of the motor (n,) [N m]."""

    stamp: int
    position: np.ndarray
    velocity: np.ndarray
    effort: np.ndarray


@dataclass(frozen=True)
class ImuReading:
    """An IMU (REP-145): orientation of its frame in odom, xyzw (4,), rates (3,) [rad/s] and specific force (3,)
    [m/s2] in its frame."""

    stamp: int
    place: str
    orientation: np.ndarray
    angular_velocity: np.ndarray
    linear_acceleration: np.ndarray


@dataclass(frozen=True)
class WrenchReading:
    """What the hand side exerts on the arm side: force (3,) [N] and torque (3,) [N m] about the frame's origin, in
    the frame's axes."""

    stamp: int
    place: str
    force: np.ndarray
    torque: np.ndarray


@dataclass(frozen=True)
class TactileReading:
    """Pressure on each taxel of a pad (rows, columns) [Pa]."""

    stamp: int
    place: str
    pressure: np.ndarray


@dataclass(frozen=True)
class CloudReading:
    """A LiDAR scan.

    Attributes:
        stamp: Of the first ray.
        points: (n, 3) float32 [m], in the LiDAR's frame.
        offsets: Time of each point after `stamp` (n,) uint32 [ns].
        intensity: (n,) float32, 0..255.
    """

    stamp: int
    points: np.ndarray
    offsets: np.ndarray
    intensity: np.ndarray


@dataclass(frozen=True)
class SoundReading:
    """A run of sound.

    Attributes:
        stamp: Of the first sample.
        first: Index of the first sample.
        samples: (n,), full scale is 1.
    """

    stamp: int
    first: int
    samples: np.ndarray


@dataclass(frozen=True)
class ObjectsReading:
    """All objects of the scene in odom."""

    stamp: int
    objects: tuple[ObjectState, ...]


@dataclass(frozen=True)
class BaseReading:
    """The base: position (3,) [m] and orientation xyzw (4,) in odom, linear (3,) [m/s] and angular velocity (3,)
    [rad/s] in the base."""

    stamp: int
    position: np.ndarray
    orientation: np.ndarray
    linear: np.ndarray
    angular: np.ndarray


@dataclass(frozen=True)
class EventReading:
    """Something that happened in the scene: kind, object, target and detail as in humanoid_interfaces/SceneEvent."""

    stamp: int
    kind: str
    object: str = ""
    target: str = ""
    detail: str = ""


@dataclass(frozen=True)
class ImageReading:
    """One image.

    Attributes:
        stamp: Time of exposure; the simulated shutter is instantaneous.
        camera: Name of the camera.
        stream: "color" or "depth".
        image: Colour: (height, width, 3) uint8, red first. Depth: (height, width) uint16 [mm], 0 where nothing is
            measured.
    """

    stamp: int
    camera: str
    stream: str
    image: np.ndarray


Reading = (
    JointReading
    | ImuReading
    | WrenchReading
    | TactileReading
    | CloudReading
    | SoundReading
    | ObjectsReading
    | BaseReading
    | EventReading
    | ImageReading
)
