# SPDX-License-Identifier: Apache-2.0
"""What every motion-capture protocol gives, and the person in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from humanoid_core import rotations
from humanoid_core.errors import HumanoidError
from humanoid_teleop.operator import LOST, TRACKED, Hand, OperatorFrame
from humanoid_teleop.recordings.motion import SkeletonMap, axes


class StreamError(HumanoidError):
    """A packet is none of the protocol's, or not whole."""


@dataclass(frozen=True)
class Segment:
    """A tracked body: position (3,) in the system's axes and unit, quaternion (4,) xyzw, whether it is tracked."""

    position: np.ndarray
    rotation: np.ndarray
    tracked: bool = True


@dataclass(frozen=True)
class Sample:
    """All bodies at one instant.

    Attributes:
        time: By the system's own clock [s].
        counter: Counts up by one per sample.
        segments: By name.
    """

    time: float
    counter: int
    segments: dict[str, Segment] = field(default_factory=dict)


class LivePerson:
    """The person in a stream of samples, in the tracking frame.

    The tracking frame is fixed by the first sample with pelvis and head: origin on the floor (height 0 of the
    system) under the head, x where the pelvis faces; `recentre` fixes it anew.

    Args:
        skeleton: Which segment is which body part.
        source: Name of the device in frames.
    """

    def __init__(self, skeleton: SkeletonMap, source: str) -> None:
        assert skeleton.metres_per_unit
        self._scale, self._source = skeleton.metres_per_unit, source
        self._tracking_from_system = axes(skeleton.forward, skeleton.up).T
        self._parts = {
            name: (part.joint, part.rotation_joint or part.joint, _axes_of(part.x, part.z, skeleton))
            for name, part in skeleton.parts.items()
        }
        self._origin: np.ndarray | None = None
        self._heading = np.eye(3)
        self._sequence = 0

    def recentre(self) -> None:
        """Fix the tracking frame anew with the next sample that can."""
        self._origin = None

    def frame(self, sample: Sample, stamp: int, engaged: bool) -> OperatorFrame | None:
        """The person of a sample measured at `stamp` [ns]; None before the tracking frame is fixed."""
        places: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}
        for name, (joint, rotation_joint, part_axes) in self._parts.items():
            at, turned = sample.segments.get(joint), sample.segments.get(rotation_joint)
            turn = rotations.normalised(turned.rotation) if turned else None
            if at is None or turned is None or turn is None or not np.isfinite(at.position).all():
                continue
            position = self._scale * self._tracking_from_system @ at.position
            rotation = self._tracking_from_system @ rotations.matrix(turn) @ part_axes
            places[name] = position, rotation, TRACKED if at.tracked and turned.tracked else LOST
        if self._origin is None and not self._fix_origin(places):
            return None
        frame = OperatorFrame(stamp, self._source, self._sequence)
        self._sequence = (self._sequence + 1) % 2**32
        frame.left, frame.right = Hand(engaged=engaged), Hand(engaged=engaged)
        for name, (position, rotation, validity) in places.items():
            turned_to = rotations.quaternion(self._heading @ rotation)
            frame.set(name, self._heading @ (position - self._origin), turned_to, validity)
        return frame

    def _fix_origin(self, places: dict[str, tuple[np.ndarray, np.ndarray, int]]) -> bool:
        if any(places.get(name, (0, 0, LOST))[2] == LOST for name in ("head", "pelvis")):
            return False
        x, y = places["pelvis"][1][:2, 0]
        size = np.hypot(x, y)
        if size < 0.3:  # lying down: where they face is not known
            return False
        self._heading = np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, size]]) / size
        self._origin = np.array([*places["head"][0][:2], 0.0])
        return True


def _axes_of(x: np.ndarray | None, z: np.ndarray | None, skeleton: SkeletonMap) -> np.ndarray:
    return axes(skeleton.forward, skeleton.up) if x is None or z is None else axes(x, z)
