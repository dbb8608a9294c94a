# SPDX-License-Identifier: Apache-2.0
"""Checks of camera pictures: frozen, black, without depth."""

from __future__ import annotations

import math

import numpy as np

from humanoid_dataset import pictures
from humanoid_dataset.camera_motion import CameraMotion, look, swapped
from humanoid_dataset.episode import Episode
from humanoid_dataset.motion_checks import STATES
from humanoid_dataset.results import CheckLimits, CheckResult, at_least, at_most
from humanoid_dataset.robot import RobotFacts

COMPRESSED = "sensor_msgs/msg/CompressedImage"
_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xae\x42\x60\x82"
_FILL = 3  # bytes that may stand behind a picture, to make a message a multiple of four
_NO_MOTION = "needs compressed pictures, robot_description and joint states"


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
    for topic, messages in _sampled(episode, wanted).items():
        for index, image in zip(wanted[topic], messages):
            mean = float(image.mean())
            if mean < darkest:
                darkest, detail = mean, f"darkest: {topic} at {_at(episode, topic, index):.2f} s"
    return at_least("black_pictures", darkest, limits.pictures.black, "of 255", detail)


def blank_pictures(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Pictures show something: brightness differs within each of those that are looked at."""
    wanted = {topic: spread(len(episode.streams[topic]), limits.pictures.samples) for topic in color_topics(episode)}
    if not wanted:
        return CheckResult("blank_pictures", "not_assessed", detail="no colour pictures")
    flattest, detail = math.inf, ""
    for topic, messages in _sampled(episode, wanted).items():
        for index, image in zip(wanted[topic], messages):
            found = float(image.std())
            if found < flattest:
                flattest, detail = found, f"flattest: {topic} at {_at(episode, topic, index):.2f} s"
    return at_least("blank_pictures", flattest, limits.pictures.flat, "of 255", detail)


def picture_size(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Pictures are as large as their camera's calibration says."""
    wanted = {topic: spread(len(episode.streams[topic]), limits.pictures.samples) for topic in color_topics(episode)}
    wrong, compared = [], 0
    for topic, images in _sampled(episode, wanted).items() if wanted else ():
        said = episode.last(topic.split("/color/")[0] + "/color/camera_info")
        if said is not None and images:
            compared += 1
            sizes = {image.shape[1::-1] for image in images}
            if sizes != {(said.width, said.height)}:
                wrong.append(f"{topic}: {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}")
                wrong[-1] += f", camera_info says {said.width}x{said.height}"
    if not compared:
        return CheckResult("picture_size", "not_assessed", detail="no pictures with camera_info")
    return at_most("picture_size", len(wrong), 0, "cameras", "; ".join(wrong) or f"{compared} cameras")


def torn_pictures(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Every compressed picture is there from its first to its last byte."""
    torn, counted = {}, 0
    for topic in color_topics(episode) + depth_topics(episode):
        if episode.streams[topic].type == COMPRESSED:
            ends = episode.ends(topic, len(_PNG_END) + _FILL)
            counted += len(ends)
            bad = [i for i, end in enumerate(ends) if not _whole(end)]
            if bad:
                torn[topic] = (len(bad), _at(episode, topic, bad[0]))
    if not counted:
        return CheckResult("torn_pictures", "not_assessed", detail="no compressed pictures")
    detail = ", ".join(f"{topic} {count}, first at {at:.2f} s" for topic, (count, at) in torn.items())
    total = sum(count for count, _ in torn.values())
    return at_most("torn_pictures", total, 0, "pictures", detail or f"{counted} pictures end as they should")


def camera_lag(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Pictures were taken when their stamps say: they change when joints move, not before or after."""
    motion = _camera_motion(episode, limits, robot)
    if motion is None:
        return CheckResult("camera_lag", "not_assessed", detail=_NO_MOTION)
    known = {t: lag for t, lag in motion.lag.items() if motion.fit[t] >= limits.cameras.fit}
    known = {
        t: lag for t, lag in known.items() if abs(lag) <= limits.cameras.lag or motion.gain[t] >= limits.cameras.clear
    }
    unclear = ", ".join(sorted(t.split("/")[1] for t in motion.lag if t not in known))
    if not known:
        return CheckResult("camera_lag", "not_assessed", detail=f"too little moves before {unclear}")
    worst = max(known, key=lambda topic: abs(known[topic]))
    detail = f"{worst}: {1e3 * known[worst]:.0f} ms (fit {motion.fit[worst]:.2f})"
    detail += f"; not assessed: {unclear}" if unclear else f", worst of {len(known)}"
    return at_most("camera_lag", 1e3 * abs(known[worst]), 1e3 * limits.cameras.lag, "ms", detail)


def camera_order(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Each camera's pictures move as that camera does, not as another one."""
    motion = _camera_motion(episode, limits, robot)
    if motion is None:
        return CheckResult("camera_order", "not_assessed", detail=_NO_MOTION)
    pairs = swapped(motion.ways)
    clear = {p: v for p, v in pairs.items() if max(motion.ways[p[0], p[0]], motion.ways[p]) >= limits.cameras.fit}
    if not clear:
        return CheckResult("camera_order", "not_assessed", detail="too little moves to tell cameras apart")
    worst = min(clear, key=lambda pair: clear[pair])
    a, b = (topic.split("/")[1] for topic in worst)
    return at_least("camera_order", clear[worst], limits.cameras.swap, "correlation", f"{a} and {b}")


def depth_valid(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """Depth pictures measure something."""
    wanted = {topic: spread(len(episode.streams[topic]), limits.pictures.samples) for topic in depth_topics(episode)}
    if not wanted:
        return CheckResult("depth_valid", "not_assessed", detail="no depth pictures")
    least, detail = math.inf, ""

    def shares() -> dict[str, list[float]]:
        found = episode.heavy(wanted)
        return {topic: [float((pictures.depth(m) > 0).mean()) for m in messages] for topic, messages in found.items()}

    for topic, valid in episode.once(f"depth {sorted(wanted.items())}", shares).items():
        for index, share in zip(wanted[topic], valid):
            if share < least:
                least, detail = share, f"emptiest: {topic} at {_at(episode, topic, index):.2f} s"
    return at_least("depth_valid", 100 * least, 100 * limits.pictures.depth_valid, "% of pixels", detail)


def frozen_pictures(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    """No camera repeats one picture, bit by bit, while what carries it moves, or the robot in front of it does."""
    if robot.kinematics is None or not len(episode.joints(STATES).stamps):
        return CheckResult("frozen_pictures", "not_assessed", detail="needs robot_description and joint states")
    everything = episode.joints(STATES).stamps, episode.joints(STATES).position
    longest, detail, assessed = 0.0, "", 0
    for topic in color_topics(episode) + depth_topics(episode):
        stream = episode.streams[topic]
        if len(stream) < 2:
            continue
        moving = _carrier_motion(episode, topic, robot)
        assessed += 1
        for first, last in episode.repeats(topic):
            start, end = int(stream.stamps[first]), int(stream.stamps[last])
            seconds = (end - start) * 1e-9
            if seconds > longest and (
                _range(moving, start, end) > limits.pictures.frozen_motion
                or _range(everything, start, end) > limits.pictures.frozen_around
            ):
                longest, detail = seconds, f"{topic} at {_at(episode, topic, first):.2f} s"
    if not assessed:
        return CheckResult("frozen_pictures", "not_assessed", detail="no pictures")
    return at_most("frozen_pictures", longest, limits.pictures.frozen, "s", detail or f"{assessed} streams")


def spread(count: int, samples: int) -> list[int]:
    """At most `samples` different indices spread evenly over `count` items."""
    return sorted(set(np.linspace(0, count - 1, min(samples, count)).round().astype(int).tolist())) if count else []


def _camera_motion(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CameraMotion | None:
    """See `camera_motion.look`; None where joints or cameras are missing."""
    topics = [
        t for t in color_topics(episode) if episode.streams[t].type == COMPRESSED and len(episode.streams[t]) > 30
    ]
    if robot.kinematics is None or len(episode.joints(STATES).stamps) < 100 or not topics:
        return None
    if not np.isfinite(episode.joints(STATES).position).all():
        return None
    return episode.once("camera motion", lambda: look(episode, topics, limits.cameras, robot))


def _whole(end: bytes) -> bool:
    """Whether bytes are the end of a JPEG or PNG; a serializer may have put a few behind it."""
    return _PNG_END in end or _JPEG_END in end[-len(_JPEG_END) - _FILL :]


def _sampled(episode: Episode, wanted: dict[str, list[int]]) -> dict[str, list[np.ndarray]]:
    """Decoded colour pictures, shared by the checks that look at the same ones."""
    key = f"pictures {sorted(wanted.items())}"
    return episode.once(key, lambda: {t: [pictures.color(m) for m in ms] for t, ms in episode.heavy(wanted).items()})


def _carrier_motion(episode: Episode, topic: str, robot: RobotFacts) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and positions of the measured joints that carry a camera, which may be none."""
    assert robot.kinematics is not None
    table = episode.joints(STATES)
    carriers = [j.name for j in robot.kinematics.chain(episode.frame_id(topic)) if j.moves and j.name in table.names]
    return table.stamps, table.position[:, [table.column(name) for name in carriers]]


def _range(moving: tuple[np.ndarray, np.ndarray], start: int, end: int) -> float:
    """Largest range of any joint between two stamps [rad]."""
    stamps, position = moving
    inside = position[(stamps >= start) & (stamps <= end)]
    return float(np.ptp(inside, axis=0).max()) if inside.size else 0.0


def _at(episode: Episode, topic: str, index: int) -> float:
    return (int(episode.streams[topic].stamps[index]) - episode.span[0]) * 1e-9
