# SPDX-License-Identifier: Apache-2.0
"""A person recorded in a file: BVH clips, CSV exports of Motive, bags with operator/frame."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import rosbag2_py
from rclpy.serialization import deserialize_message

from humanoid_core import config, endpoints
from humanoid_core.errors import ConfigError, MessageError
from humanoid_description.sources import share_folders
from humanoid_interfaces.msg import OperatorFrame as OperatorFrameMessage
from humanoid_teleop import operator_messages
from humanoid_teleop.mocap.segments import LivePerson
from humanoid_teleop.operator import OperatorFrame
from humanoid_teleop.recordings import motion
from humanoid_teleop.recordings.bvh import read_bvh
from humanoid_teleop.recordings.motive_csv import read_motive_csv

CLIPS = (".bvh", ".csv")  # files without a dead-man
MOTIVE = "motive"  # mapping of CSV exports where none is named


class Recorded(Protocol):
    """What a player needs of a recording."""

    @property
    def source(self) -> str:
        """Name of the recording."""

    @property
    def frame_time(self) -> float:
        """Between two frames [s]."""

    @property
    def duration(self) -> float:
        """From the first to the last frame [s]."""

    def at(self, time: float, stamp: int, sequence: int, engaged: bool) -> OperatorFrame:
        """The person at `time` [s] of the recording, held at both ends."""


class RecordedOperator:
    """Frames as they were, the newest one at any time.

    Args:
        source: Name of the recording.
        frames: At least two, in order of their stamps.
        dead_man: Whether the recording says when the person held the dead-man: that counts then, too.
    """

    def __init__(self, source: str, frames: list[OperatorFrame], dead_man: bool) -> None:
        self.source = source
        self._frames, self._dead_man = frames, dead_man
        self._times = [1e-9 * (frame.stamp - frames[0].stamp) for frame in frames]
        self.frame_time = float(np.median(np.diff(self._times)))

    @property
    def duration(self) -> float:
        """From the first to the last frame [s]."""
        return self._times[-1]

    def at(self, time: float, stamp: int, sequence: int, engaged: bool) -> OperatorFrame:
        """The newest frame at `time` [s], with a stamp [ns] and sequence of its own."""
        frame = self._frames[max(bisect_right(self._times, time + 1e-9) - 1, 0)]
        left, right = (
            replace(hand, engaged=engaged and (hand.engaged or not self._dead_man))
            for hand in (frame.left, frame.right)
        )
        return replace(frame, stamp=stamp, sequence=sequence, left=left, right=right)


def load(path: Path, skeleton: str = "", skeletons: str = "", start: float = 0.0, duration: float = 0.0) -> Recorded:
    """Read a recording.

    Args:
        path: BVH or CSV file, else a bag.
        skeleton: Mapping of a clip: a name, for CSV a file too; "": by its joint names, for CSV `MOTIVE`.
        skeletons: Folder of mappings for BVH; "": those that ship.
        start: Where to begin [s].
        duration: How much of it [s]; 0: all that is left.

    Raises:
        ConfigError, BvhError, MessageError: it is none of these, or lacks what is needed.
    """
    if not path.exists():
        raise ConfigError(path, "", "no such file", "a bag with operator/frame, a BVH or a CSV file")
    if path.suffix.lower() == ".bvh":
        clip = read_bvh(path)
        known = motion.load_skeletons(skeletons or motion.skeletons_folder())
        return motion.operator_motion(clip, motion.choose_skeleton(clip, known, skeleton)[1], start, duration)
    if path.suffix.lower() == ".csv":
        frames = _csv_frames(path, skeleton or MOTIVE)
    else:
        frames = bag_frames(path)
    frames = _span(path, frames, start, duration)
    return RecordedOperator(path.name, frames, any(frame.left.engaged or frame.right.engaged for frame in frames))


def stream_mapping(name: str) -> Path:
    """File of a skeleton mapping of streams and their exports, by name or path."""
    folders = [folder / "config" / "motions" / "streams" for folder in share_folders("humanoid_bringup")]
    return next((found for found in (folder / f"{name}.yaml" for folder in folders) if found.exists()), Path(name))


def _csv_frames(path: Path, skeleton: str) -> list[OperatorFrame]:
    samples = read_motive_csv(path)
    person = LivePerson(config.load(motion.SkeletonMap, stream_mapping(skeleton)), path.name)
    made = (person.frame(sample, round(1e9 * sample.time), engaged=False) for sample in samples)
    frames = [frame for frame in made if frame is not None]
    if not frames:
        names = ", ".join(sorted(samples[0].segments))
        raise ConfigError(path, "skeleton", f"bones {names}", f"pelvis and head of {skeleton}, tracked at once")
    return frames


def bag_frames(path: Path, topic: str = "", start: float = 0.0, duration: float = 0.0) -> list[OperatorFrame]:
    """The frames of a bag's operator/frame, in order of their stamps.

    Args:
        path: Folder or file.
        topic: "": the only one of that type.
        start: Where to begin [s].
        duration: How much of it [s]; 0: all that is left.

    Raises:
        ConfigError: it is no bag, or the topic is not there.
        MessageError: fewer than two frames.
    """
    reader = rosbag2_py.SequentialReader()
    try:
        reader.open_uri(str(path))
    except RuntimeError as error:
        raise ConfigError(path, "", error, "a bag with operator/frame, a BVH or a CSV file") from error
    name = _topic(path, topic, {found.name: found.type for found in reader.get_all_topics_and_types()})
    reader.set_filter(rosbag2_py.StorageFilter(topics=[name]))
    frames = []
    while reader.has_next():
        message = deserialize_message(reader.read_next()[1], OperatorFrameMessage)
        frames.append(operator_messages.from_message(message))
    return _span(path, sorted(frames, key=lambda frame: frame.stamp), start, duration)


def _span(path: Path, frames: list[OperatorFrame], start: float, duration: float) -> list[OperatorFrame]:
    if frames:
        first = frames[0].stamp + round(start * 1e9)
        last = first + round(duration * 1e9) if duration > 0.0 else frames[-1].stamp
        frames = [frame for frame in frames if first <= frame.stamp <= last]
    if len(frames) < 2:
        raise MessageError(f"{path}", f"{len(frames)} operator frames in the span asked for", "2 at least")
    return frames


def _topic(path: Path, topic: str, types: dict[str, str]) -> str:
    wanted = endpoints.OPERATOR_FRAME.type
    known = ", ".join(f"{name} ({kind})" for name, kind in sorted(types.items())) or "no topics"
    if topic:
        name = topic if topic.startswith("/") else f"/{topic}"
        if types.get(name) != wanted:
            raise ConfigError(path, name, known, f"a topic of type {wanted}")
        return name
    fitting = [name for name, kind in types.items() if kind == wanted]
    if len(fitting) != 1:
        expected = f"one topic of type {wanted}" + (" (choose it with --topic)" if fitting else "")
        raise ConfigError(path, endpoints.OPERATOR_FRAME.name, known, expected)
    return fitting[0]
