# SPDX-License-Identifier: Apache-2.0
"""Checks of camera pictures: frozen, black, without depth."""

from __future__ import annotations

import math

import numpy as np

from humanoid_dataset import pictures
from humanoid_dataset.episode import Episode, Stream
from humanoid_dataset.motion_checks import STATES
from humanoid_dataset.results import CheckLimits, CheckResult, at_least, at_most
from humanoid_dataset.robot import RobotFacts


def color_topics(episode: Episode) -> list[str]:
    """Colour pictures, one topic per camera: the compressed one where both were recorded."""
    compressed = episode.matching(prefix="camera/", suffix="/color/image_raw/compressed")
    cameras = {topic.split("/")[1] for topic in compressed}
    raw = episode.matching(prefix="camera/", suffix="/color/image_raw")
    return sorted(compressed + [topic for topic in raw if topic.split("/")[1] not in cameras])


def depth_topics(episode: Episode) -> list[str]:
    """Depth pictures, one topic per camera: the compressed one where both were recorded."""
    compressed = episode.matching(prefix="camera/", suffix="/compressedDepth")
    cameras = {topic.split("/")[1] for topic in compressed}
    raw = episode.matching(prefix="camera/", suffix="/depth/image_rect_raw")
    return sorted(compressed + [topic for topic in raw if topic.split("/")[1] not in cameras])


def black_pictures(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No camera is covered or dead: brightness of pictures spread over the episode."""
    wanted = {topic: spread(len(episode.streams[topic]), limits.pictures.samples) for topic in color_topics(episode)}
    if not wanted:
        return CheckResult("black_pictures", "not_assessed", detail="no colour pictures")
    darkest, detail = math.inf, ""
    for topic, messages in episode.heavy(wanted).items():
        for index, message in zip(wanted[topic], messages):
            mean = float(pictures.color(message).mean())
            if mean < darkest:
                darkest, detail = mean, f"darkest: {topic} at {_at(episode, topic, index):.2f} s"
    return at_least("black_pictures", darkest, limits.pictures.black, "of 255", detail)


def depth_valid(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Depth pictures measure something."""
    wanted = {topic: spread(len(episode.streams[topic]), limits.pictures.samples) for topic in depth_topics(episode)}
    if not wanted:
        return CheckResult("depth_valid", "not_assessed", detail="no depth pictures")
    least, detail = math.inf, ""
    for topic, messages in episode.heavy(wanted).items():
        for index, message in zip(wanted[topic], messages):
            share = float((pictures.depth(message) > 0).mean())
            if share < least:
                least, detail = share, f"emptiest: {topic} at {_at(episode, topic, index):.2f} s"
    return at_least("depth_valid", 100 * least, 100 * limits.pictures.depth_valid, "% of pixels", detail)


def frozen_pictures(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No camera repeats one picture, bit by bit, while the joints that carry it move."""
    if robot.kinematics is None or not len(episode.joints(STATES).stamps):
        return CheckResult("frozen_pictures", "not_assessed", detail="needs robot_description and joint states")
    longest, detail, assessed = 0.0, "", 0
    for topic in color_topics(episode) + depth_topics(episode):
        stream = episode.streams[topic]
        if len(stream) < 2:
            continue
        moving = _carrier_motion(episode, topic, robot)
        if moving is None:
            continue
        assessed += 1
        for first, last in repeats(stream):
            start, end = int(stream.stamps[first]), int(stream.stamps[last])
            seconds = (end - start) * 1e-9
            if seconds > longest and _range(moving, start, end) > limits.pictures.frozen_motion:
                longest, detail = seconds, f"{topic} at {_at(episode, topic, first):.2f} s"
    if not assessed:
        return CheckResult("frozen_pictures", "not_assessed", detail="no camera that a measured joint carries")
    return at_most("frozen_pictures", longest, limits.pictures.frozen, "s", detail or f"{assessed} streams")


def repeats(stream: Stream) -> list[tuple[int, int]]:
    """First and last index of each run of identical pictures, runs of one left out."""
    same = np.concatenate(([False], stream.fingerprints[1:] == stream.fingerprints[:-1], [False]))
    edges = np.flatnonzero(np.diff(same.astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def spread(count: int, samples: int) -> list[int]:
    """At most `samples` different indices spread evenly over `count` items."""
    return sorted(set(np.linspace(0, count - 1, min(samples, count)).round().astype(int).tolist())) if count else []


def _carrier_motion(episode: Episode, topic: str, robot: RobotFacts) -> tuple[np.ndarray, np.ndarray] | None:
    """Stamps and positions of the measured joints that carry a camera; None where nothing moves it."""
    assert robot.kinematics is not None
    table = episode.joints(STATES)
    carriers = [j.name for j in robot.kinematics.chain(episode.frame_id(topic)) if j.moves and j.name in table.names]
    return (table.stamps, table.position[:, [table.column(name) for name in carriers]]) if carriers else None


def _range(moving: tuple[np.ndarray, np.ndarray], start: int, end: int) -> float:
    """Largest range of any joint between two stamps [rad]."""
    stamps, position = moving
    inside = position[(stamps >= start) & (stamps <= end)]
    return float(np.ptp(inside, axis=0).max()) if len(inside) else 0.0


def _at(episode: Episode, topic: str, index: int) -> float:
    return (int(episode.streams[topic].stamps[index]) - episode.span[0]) * 1e-9
