# SPDX-License-Identifier: Apache-2.0
"""Recorded operators: the frames of a bag's operator/frame, or those that a BVH clip makes when it is played."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import rosbag2_py
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints
from humanoid_core.errors import ConfigError, MessageError
from humanoid_interfaces.msg import OperatorFrame as OperatorFrameMessage
from humanoid_teleop import motion, operator_messages
from humanoid_teleop.bvh import read_bvh
from humanoid_teleop.operator import OperatorFrame
from humanoid_teleop.playback import Playback

_START = 1_000_000_000  # [ns] stamp of a clip's first frame
ENGAGE_AFTER = 0.5  # [s] from the first frame until a dead-man that the replay itself holds
JOIN = 2.5  # [s] in which an engaged arm joins the person's; errors count from then on


@dataclass(frozen=True)
class Source:
    """What is replayed, and how.

    Attributes:
        path: A bag (folder or file) or a BVH file.
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
        raise ConfigError(source.path, "", "no such file", "a bag with operator/frame, or a BVH file")
    if source.path.suffix.lower() == ".bvh":
        return _play(source)
    return _read_bag(source)


def _play(source: Source) -> list[OperatorFrame]:
    clip = read_bvh(str(source.path))
    skeletons = motion.load_skeletons(source.skeletons or motion.skeletons_folder())
    _, skeleton = motion.choose_skeleton(clip, skeletons, source.skeleton)
    person = motion.operator_motion(clip, skeleton, source.start, source.duration)
    course = Playback(person.duration, source.speed, loop=False, engage_after=ENGAGE_AFTER, join=JOIN)
    end = course.engage_after + course.join + person.duration / source.speed
    frames = []
    for sequence, elapsed in enumerate(range(0, int(end * 1e9), round(1e9 * person.frame_time / source.speed))):
        place = course.at(elapsed * 1e-9)
        frames.append(person.at(place.time, _START + elapsed, sequence, place.engaged))
    return frames


def _read_bag(source: Source) -> list[OperatorFrame]:
    reader = rosbag2_py.SequentialReader()
    try:
        reader.open_uri(str(source.path))
    except RuntimeError as error:
        raise ConfigError(source.path, "", error, "a bag with operator/frame, or a BVH file") from error
    types = {topic.name: topic.type for topic in reader.get_all_topics_and_types()}
    topic = _topic(source, types)
    reader.set_filter(rosbag2_py.StorageFilter(topics=[topic]))
    frames = []
    while reader.has_next():
        message = deserialize_message(reader.read_next()[1], OperatorFrameMessage)
        frames.append(operator_messages.from_message(message))
    frames.sort(key=lambda frame: frame.stamp)
    if frames:
        first = frames[0].stamp + round(source.start * 1e9)
        last = first + round(source.duration * 1e9) if source.duration > 0.0 else frames[-1].stamp
        frames = [frame for frame in frames if first <= frame.stamp <= last]
    if len(frames) < 2:
        raise MessageError(f"{source.path}: {topic}", f"{len(frames)} frames in the span asked for", "2 at least")
    if source.engage == "always":
        held = frames[0].stamp + round(ENGAGE_AFTER * 1e9)
        frames = [_engaged(frame, frame.stamp >= held) for frame in frames]
    elif not any(frame.left.engaged or frame.right.engaged for frame in frames):
        raise MessageError(
            f"{source.path}: {topic}", "a dead-man that nobody holds", "one that is held, or --engage always"
        )
    return frames


def _topic(source: Source, types: dict[str, str]) -> str:
    wanted = endpoints.OPERATOR_FRAME.type
    known = ", ".join(f"{name} ({kind})" for name, kind in sorted(types.items())) or "no topics"
    if source.topic:
        name = source.topic if source.topic.startswith("/") else f"/{source.topic}"
        if types.get(name) != wanted:
            raise ConfigError(source.path, name, known, f"a topic of type {wanted}")
        return name
    fitting = [name for name, kind in types.items() if kind == wanted]
    if len(fitting) != 1:
        expected = f"one topic of type {wanted}" + (" (choose it with --topic)" if fitting else "")
        raise ConfigError(source.path, endpoints.OPERATOR_FRAME.name, known, expected)
    return fitting[0]


def _engaged(frame: OperatorFrame, engaged: bool) -> OperatorFrame:
    return replace(frame, left=replace(frame.left, engaged=engaged), right=replace(frame.right, engaged=engaged))


def seconds(frames: list[OperatorFrame]) -> np.ndarray:
    """Times of frames since the first one (n,) [s]."""
    return np.array([frame.stamp - frames[0].stamp for frame in frames]) * 1e-9
