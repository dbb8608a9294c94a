# SPDX-License-Identifier: Apache-2.0
"""Recorded operators: the frames of a bag's operator/frame, or those that a clip makes when it is played."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from humanoid_core.errors import ConfigError, MessageError
from humanoid_teleop.operator import OperatorFrame
from humanoid_teleop.recordings import recorded_operator
from humanoid_teleop.recordings.playback import Playback

_START = 1_000_000_000  # [ns] stamp of a clip's first frame
ENGAGE_AFTER = 0.5  # [s] from the first frame until a dead-man that the replay itself holds
JOIN = 2.5  # [s] in which an engaged arm joins the person's; errors count from then on


@dataclass(frozen=True)
class Source:
    """What is replayed, and how.

    Attributes:
        path: A bag (folder or file), a BVH file or a CSV export of Motive.
        topic: Of the operator frames in a bag; "": the only one of that type.
        engage: "recorded": as the person held the dead-man; "always": from ENGAGE_AFTER on. A clip has no dead-man.
        skeleton: Mapping of a clip; "": by its joint names.
        skeletons: Folder of mappings; "": those that ship.
        start: Where to begin [s].
        duration: How much of it [s]; 0: all that is left.
        speed: Seconds of a clip per second.
    """

    path: Path
    topic: str = ""
    engage: str = "recorded"
    skeleton: str = ""
    skeletons: str = ""
    start: float = 0.0
    duration: float = 0.0
    speed: float = 1.0


def read(source: Source) -> list[OperatorFrame]:
    """The operator's frames in order of their stamps.

    Raises:
        ConfigError, MessageError: it is neither a bag with operator frames nor a clip; found and expected are named.
    """
    if not source.path.exists():
        raise ConfigError(source.path, "", "no such file", "a bag with operator/frame, a BVH or a CSV file")
    if source.path.suffix.lower() in recorded_operator.CLIPS:
        return _play(source)
    return _read_bag(source)


def _play(source: Source) -> list[OperatorFrame]:
    person = recorded_operator.load(source.path, source.skeleton, source.skeletons, source.start, source.duration)
    course = Playback(person.duration, source.speed, loop=False, engage_after=ENGAGE_AFTER, join=JOIN)
    end = course.engage_after + course.join + person.duration / source.speed
    frames = []
    for sequence, elapsed in enumerate(range(0, int(end * 1e9), round(1e9 * person.frame_time / source.speed))):
        place = course.at(elapsed * 1e-9)
        frames.append(person.at(place.time, _START + elapsed, sequence, place.engaged))
    return frames


def _read_bag(source: Source) -> list[OperatorFrame]:
    frames = recorded_operator.bag_frames(source.path, source.topic, source.start, source.duration)
    if source.engage == "always":
        held = frames[0].stamp + round(ENGAGE_AFTER * 1e9)
        frames = [_engaged(frame, frame.stamp >= held) for frame in frames]
    elif not any(frame.left.engaged or frame.right.engaged for frame in frames):
        raise MessageError(str(source.path), "a dead-man that nobody holds", "one that is held, or --engage always")
    return frames


def _engaged(frame: OperatorFrame, engaged: bool) -> OperatorFrame:
    return replace(frame, left=replace(frame.left, engaged=engaged), right=replace(frame.right, engaged=engaged))


def seconds(frames: list[OperatorFrame]) -> np.ndarray:
    """Times of frames since the first one (n,) [s]."""
    return np.array([frame.stamp - frames[0].stamp for frame in frames]) * 1e-9
