# SPDX-License-Identifier: Apache-2.0
"""The defect suite: episodes of the twin are given defects, one at a time, and judged. How many are found, and how many
episodes that are whole are rejected.

Each defect comes in magnitudes for tuning (limits and checks were chosen while looking at these) and in others, on
other episodes, for the figures. Where in an episode, to which joint or sensor it happens is drawn by a seed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.dataset_injection import Spoilt, contents, copied_labels, picture
from bench.report import BenchError
from humanoid_dataset.checks import CHECKS, judge
from humanoid_dataset.episode import Episode, find_episodes
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.motion_checks import COMMANDS, STATES
from humanoid_dataset.picture_checks import color_topics, depth_topics
from humanoid_dataset.results import CheckLimits, load_limits
from humanoid_dataset.robot import RobotFacts, robot_facts

ROBOTS = ("unitree_g1", "agibot_g2", "agibot_x2_ultra", "tiangong2_dex", "ubtech_walker_s2")
EPISODES = Path("build/bench/episodes")  # recorded here where $HUMANOID_EPISODES names no folders
_TIMEOUT = 1800  # [s] for one robot's episodes


@dataclass(frozen=True)
class Scene:
    """What a defect may ask of the episode it is put into."""

    robot: RobotFacts
    rng: np.random.Generator

    def joints(self, episode: Episode, count: int, moved: float = 0.2) -> list[str]:
        """Different joints, no fingers, that are commanded over more than so much [rad]."""
        table = episode.joints(COMMANDS)
        moving = np.ptp(table.position, axis=0) > moved
        names = [n for n, m in zip(table.names, moving) if m and n not in self.robot.fingers]
        return list(self.rng.choice(names, count, replace=False))

    def one(self, names: Sequence[str]) -> str:
        """Any of some."""
        return str(self.rng.choice(sorted(names)))

    def begin(self, episode: Episode, seconds: float) -> float:
        """Where a stretch may begin [s since the first command]: while the robot is driven, 0.5 s from both ends."""
        stamps = episode.streams[COMMANDS].stamps
        return float(self.rng.uniform(0.5, max(0.6, (int(stamps[-1]) - int(stamps[0])) * 1e-9 - seconds - 0.5)))


Inject = Callable[[Spoilt, Scene, float], None]


@dataclass(frozen=True)
class Defect:
    """A kind of defect.

    Attributes:
        name: For people; with the unit of its magnitudes.
        inject: Puts it in.
        tuning: Magnitudes that were looked at while checks were made.
        figures: Magnitudes that figures are made with.
    """

    name: str
    inject: Inject
    tuning: tuple[float, ...]
    figures: tuple[float, ...]


def _seconds(episode: Episode, topic: str) -> np.ndarray:
    """Of each message since the first command."""
    zero = int(episode.streams[COMMANDS].stamps[0]) if COMMANDS in episode.streams else 0
    return (episode.topics[topic].stamps() - zero) * 1e-9


def _stretch(episode: Spoilt, scene: Scene, topic: str, seconds: float) -> np.ndarray:
    begin, at = scene.begin(episode, seconds), _seconds(episode, topic)
    return (at >= begin) & (at < begin + seconds)


def _offset(topics: Callable[[Episode], Sequence[str]]) -> Inject:
    def inject(episode: Spoilt, scene: Scene, seconds: float) -> None:
        episode.restamp(scene.one(topics(episode)), lambda stamps: stamps + round(seconds * 1e9))

    return inject


def _drift(topics: Callable[[Episode], Sequence[str]]) -> Inject:
    def inject(episode: Spoilt, scene: Scene, ppm: float) -> None:
        episode.restamp(
            scene.one(topics(episode)),
            lambda stamps: stamps + ((stamps - stamps[0]) * ppm * 1e-6).astype(np.int64),
        )

    return inject


def _drops(topics: Callable[[Episode], Sequence[str]]) -> Inject:
    def inject(episode: Spoilt, scene: Scene, percent: float) -> None:
        topic = scene.one(topics(episode))
        episode.keep(topic, scene.rng.random(len(episode.topics[topic].starts)) >= percent / 100)

    return inject


def _gap(topics: Callable[[Episode], Sequence[str]]) -> Inject:
    def inject(episode: Spoilt, scene: Scene, seconds: float) -> None:
        topic = scene.one(topics(episode))
        episode.keep(topic, ~_stretch(episode, scene, topic, seconds))

    return inject


def _lost_topic(episode: Spoilt, scene: Scene, which: float) -> None:
    topics = sorted([STATES, COMMANDS, "sync/frame", *_cameras(episode), *_numbers(episode)])
    episode.keep(topics[int(which * len(topics))], np.zeros(0, np.int64))


def _freeze_camera(episode: Spoilt, scene: Scene, seconds: float) -> None:
    topic = scene.one(_pictures(episode))
    rows = np.flatnonzero(_stretch(episode, scene, topic, seconds))
    episode.touched.add(topic)
    found = episode.topics[topic]
    for field in ("sizes", "chunks", "offsets"):
        values = getattr(found, field).copy()
        values[rows] = values[rows[0]]
        setattr(found, field, values)


def _freeze_joints(count: int) -> Inject:
    def inject(episode: Spoilt, scene: Scene, seconds: float) -> None:
        joints = scene.joints(episode, count) if count else list(episode.joints(STATES).names)
        begin = scene.begin(episode, seconds)
        skip = float(_seconds(episode, STATES)[0])

        def hold(at: np.ndarray, values: np.ndarray) -> np.ndarray:
            rows = (at + skip >= begin) & (at + skip < begin + seconds)
            values[rows] = values[np.argmax(rows)]
            return values

        episode.joint(STATES, joints, hold)

    return inject


def _swap_cameras(episode: Spoilt, scene: Scene, which: float) -> None:
    pairs = [(a, b) for i, a in enumerate(color_topics(episode)) for b in color_topics(episode)[i + 1 :]]
    episode.swap(*pairs[int(which * len(pairs))])


def _swap_joints(topic: str) -> Inject:
    def inject(episode: Spoilt, scene: Scene, share: float) -> None:
        joints = scene.joints(episode, 2)
        until = share * episode.duration

        def swap(at: np.ndarray, values: np.ndarray) -> np.ndarray:
            return np.where((at < until)[:, None], values[:, ::-1], values)

        episode.joint(topic, joints, swap)

    return inject


def _mirror(episode: Spoilt, scene: Scene, which: float) -> None:
    """A joint and its twin on the other side, exchanged."""
    commanded = episode.joints(COMMANDS).names
    twins = [pair for pair in zip(*scene.robot.arms.values()) if set(pair) <= set(commanded)]
    episode.joint(STATES, list(twins[int(which * len(twins))]), lambda at, values: values[:, ::-1])


def _flip(topic: str) -> Inject:
    def inject(episode: Spoilt, scene: Scene, moved: float) -> None:
        episode.joint(topic, scene.joints(episode, 1, moved), lambda at, values: -values)

    return inject


def _zero(episode: Spoilt, scene: Scene, offset: float) -> None:
    episode.joint(STATES, scene.joints(episode, 1), lambda at, values: values + offset)


def _degrees(episode: Spoilt, scene: Scene, share: float) -> None:
    names = episode.joints(STATES).names
    episode.joint(STATES, list(names), lambda at, values: values if share == 0 else np.rad2deg(values))


def _spikes(episode: Spoilt, scene: Scene, size: float) -> None:
    row = int(scene.rng.integers(100, len(episode.topics[STATES].starts) - 100))

    def spike(at: np.ndarray, values: np.ndarray) -> np.ndarray:
        values[row] += size
        return values

    episode.joint(STATES, scene.joints(episode, 1), spike)


def _nan(episode: Spoilt, scene: Scene, share: float) -> None:
    def spoil(at: np.ndarray, values: np.ndarray) -> np.ndarray:
        values[int(share * len(values))] = np.nan
        return values

    episode.joint(scene.one([STATES, COMMANDS]), scene.joints(episode, 1), spoil)


def _slow(episode: Spoilt, scene: Scene, seconds: float) -> None:
    """The robot follows later: what was measured is what was so much earlier; stamps and arrivals are true."""
    table = episode.joints(STATES)
    times = (table.stamps - table.stamps[0]) * 1e-9

    def late(at: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(times - seconds, times, column) for column in values.T], axis=1)

    episode.joint(STATES, list(table.names), late)


def _back(episode: Spoilt, scene: Scene, seconds: float) -> None:
    topic = scene.one(_numbers(episode))
    row = int(scene.rng.integers(10, len(episode.topics[topic].starts) - 10))

    def back(stamps: np.ndarray) -> np.ndarray:
        stamps = stamps.copy()
        stamps[row] -= round(seconds * 1e9)
        return stamps

    episode.restamp(topic, back)


def _show(make: Callable[[bytes, float], bytes], topics: Callable[[Episode], Sequence[str]]) -> Inject:
    """Other pictures for a stretch of a camera: the magnitude is its length [s]."""

    def inject(episode: Spoilt, scene: Scene, seconds: float) -> None:
        topic = scene.one(topics(episode))
        rows = np.flatnonzero(_stretch(episode, scene, topic, seconds))
        episode.show(topic, rows, lambda message: picture(message, make(contents(message), seconds)))

    return inject


def _decoded(data: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def _dark(data: bytes, _seconds: float) -> bytes:
    noise = np.random.default_rng(len(data)).integers(0, 5, _decoded(data).shape, np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def _grey(data: bytes, _seconds: float) -> bytes:
    noise = 128 + np.random.default_rng(len(data)).integers(-2, 3, _decoded(data).shape)
    return bytes(cv2.imencode(".jpg", noise.astype(np.uint8))[1])


def _no_depth(data: bytes, _seconds: float) -> bytes:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return bytes(cv2.imencode(".png", np.zeros_like(image))[1])


def _tear(episode: Spoilt, scene: Scene, share: float) -> None:
    """A few pictures lack their end."""
    topic = scene.one(_pictures(episode))
    rows = scene.rng.choice(len(episode.topics[topic].starts), 3, replace=False)

    def cut(message: bytes) -> bytes:
        whole = contents(message)
        return picture(message, whole[: max(100, int(share * len(whole)))])

    episode.show(topic, rows, cut)


def _gravity(episode: Spoilt, scene: Scene, factor: float) -> None:
    topic = scene.one(episode.matching(type_name="sensor_msgs/msg/Imu"))
    for axis in "xyz":
        episode.edit(topic, f"linear_acceleration.{axis}", lambda index, values: values * factor)


def _name(episode: Spoilt, scene: Scene, which: float) -> None:
    """One letter of a joint's name is another, in all messages of states or commands."""
    topic = episode.own(scene.one([STATES, COMMANDS]))
    name = scene.joints(episode, 1)[0].encode()
    first = topic.payload(0)
    at = first.find(name) + int(which * len(name))
    topic.data[topic.starts + at] = ord("#")


def _beyond(episode: Spoilt, scene: Scene, excess: float) -> None:
    """A command goes beyond its limit, and back, without haste."""
    [joint] = scene.joints(episode, 1)
    begin, seconds = scene.begin(episode, 4.0), 4.0
    high = scene.robot.upper[joint] + excess

    def push(at: np.ndarray, values: np.ndarray) -> np.ndarray:
        share = np.clip((at - begin) / seconds, 0, 1)
        bump = np.sin(np.pi * share) ** 2
        return values + bump[:, None] * (high - values)

    episode.joint(COMMANDS, [joint], push)


def _jump(episode: Spoilt, scene: Scene, size: float) -> None:
    begin = scene.begin(episode, 1.0)
    episode.joint(
        COMMANDS, scene.joints(episode, 1), lambda at, values: np.where((at >= begin)[:, None], values + size, values)
    )


def _not_done(episode: Spoilt, scene: Scene, share: float) -> None:
    """It is said to be a success, and the scene shows that it is not: it was stopped before the end."""
    seconds = _seconds(episode, "scene/objects")
    episode.keep("scene/objects", seconds < share * seconds[-1])


def _label_outside(episode: Spoilt, scene: Scene, seconds: float) -> None:
    for label in copied_labels(episode):
        label["start_ns"] += round(seconds * 1e9)
        label["end_ns"] += round(seconds * 1e9)


def _label_word(episode: Spoilt, scene: Scene, which: float) -> None:
    labels = [one for one in copied_labels(episode) if one["label"] in ("reach", "grasp", "lift", "carry", "place")]
    labels[int(which * len(labels))]["label"] = "dance"


def _label_over(episode: Spoilt, scene: Scene, seconds: float) -> None:
    labels = [one for one in copied_labels(episode) if one["label"] in ("grasp", "lift", "carry")]
    labels[int(scene.rng.integers(len(labels)))]["end_ns"] += round(seconds * 1e9)


def _cameras(episode: Episode) -> list[str]:
    return list(color_topics(episode))


def _pictures(episode: Episode) -> list[str]:
    return color_topics(episode) + depth_topics(episode)


def _joints(_episode: Episode) -> list[str]:
    return [STATES]


def _commands(_episode: Episode) -> list[str]:
    return [COMMANDS]


def _numbers(episode: Episode) -> list[str]:
    return [topic for prefix in ("imu/", "wrench/", "tactile/") for topic in episode.matching(prefix=prefix)]


def _any(episode: Episode) -> list[str]:
    return [STATES, *episode.matching(prefix="lidar/points"), *_pictures(episode), *_numbers(episode)]


DEFECTS = (
    Defect("offset of joint states [s]", _offset(_joints), (-0.1, 0.1), (-0.2, -0.07, -0.03, 0.06, 0.15)),
    Defect("offset of commands [s]", _offset(_commands), (-0.1, 0.1), (-0.2, -0.07, 0.03, 0.06, 0.15)),
    Defect("offset of a camera [s]", _offset(_cameras), (-0.1, 0.1), (-0.25, -0.12, -0.07, 0.07, 0.12, 0.25)),
    Defect("offset of IMU, force or touch [s]", _offset(_numbers), (-0.1, 0.1), (-0.2, -0.07, 0.03, 0.06, 0.15)),
    Defect("drift of joint states [ppm]", _drift(_joints), (3000.0,), (-10000.0, -2000.0, 2000.0, 10000.0)),
    Defect("drift of IMU, force or touch [ppm]", _drift(_numbers), (3000.0,), (-10000.0, -2000.0, 2000.0, 10000.0)),
    Defect("drift of a camera [ppm]", _drift(_cameras), (8000.0,), (-20000.0, -10000.0, 10000.0, 20000.0)),
    Defect("drops, any sensor [%]", _drops(_any), (3.0,), (2.0, 4.0, 8.0, 20.0)),
    Defect("gap, any sensor [s]", _gap(_any), (0.5,), (0.4, 0.8, 1.5, 3.0)),
    Defect("topic that is missing", _lost_topic, (0.5,), (0.05, 0.35, 0.65, 0.95)),
    Defect("camera that freezes [s]", _freeze_camera, (1.0,), (0.7, 1.5, 2.5, 5.0)),
    Defect("joint that freezes [s]", _freeze_joints(1), (0.5,), (0.7, 1.5, 2.5, 5.0)),
    Defect("all joints freeze [s]", _freeze_joints(0), (0.5,), (0.3, 0.7, 1.5, 2.5)),
    Defect("cameras exchanged", _swap_cameras, (0.5,), (0.0, 0.34, 0.67, 0.99)),
    Defect("measured joints exchanged [1 of the time]", _swap_joints(STATES), (1.0,), (0.5, 0.7, 0.9, 1.0)),
    Defect("commanded joints exchanged [1 of the time]", _swap_joints(COMMANDS), (1.0,), (0.5, 0.7, 0.9, 1.0)),
    Defect("left joint as right, right as left", _mirror, (0.5,), (0.0, 0.3, 0.6, 0.9)),
    Defect("sign of a measured joint [rad it moves]", _flip(STATES), (0.3,), (0.2, 0.25, 0.4, 0.6)),
    Defect("sign of a commanded joint [rad it moves]", _flip(COMMANDS), (0.3,), (0.2, 0.25, 0.4, 0.6)),
    Defect("joint's zero is off [rad]", _zero, (0.3,), (-0.4, -0.2, 0.2, 0.4)),
    Defect("degrees for radians", _degrees, (1.0,), (1.0,)),
    Defect("spike of a measured joint [rad]", _spikes, (0.3,), (-0.5, -0.15, 0.15, 0.5)),
    Defect("a number that is none", _nan, (0.5,), (0.1, 0.4, 0.7, 0.95)),
    Defect("robot follows late [s]", _slow, (0.25,), (0.18, 0.22, 0.3, 0.4)),
    Defect("a stamp goes back [s]", _back, (0.05,), (0.011, 0.03, 0.1, 1.0)),
    Defect("camera in the dark [s]", _show(_dark, _cameras), (4.0,), (3.0, 6.0, 12.0)),
    Defect("camera shows grey [s]", _show(_grey, _cameras), (4.0,), (3.0, 6.0, 12.0)),
    Defect("depth that is none [s]", _show(_no_depth, depth_topics), (4.0,), (3.0, 6.0, 12.0)),
    Defect("pictures without their end [1 of it]", _tear, (0.5,), (0.1, 0.4, 0.8, 0.97)),
    Defect("acceleration times", _gravity, (0.102,), (-1.0, 0.102, 0.8, 1.2)),
    Defect("joint with another name", _name, (0.5,), (0.1, 0.4, 0.7)),
    Defect("command beyond its limit [rad]", _beyond, (0.1,), (0.001, 0.02, 0.3)),
    Defect("command that jumps [rad]", _jump, (0.1,), (-0.3, -0.02, 0.02, 0.3)),
    Defect("success that is none [1 of the time]", _not_done, (0.5,), (0.1, 0.3, 0.6)),
    Defect("labels of another time [s]", _label_outside, (30.0,), (-20.0, 15.0, 60.0)),
    Defect("label that the task does not have", _label_word, (0.5,), (0.1, 0.5, 0.9)),
    Defect("label over the next [s]", _label_over, (1.0,), (0.2, 0.5, 2.0)),
)
FILE_DEFECTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "file cut off [1 of it]": ((0.5,), (0.02, 0.3, 0.9, 0.9999)),
    "a bit of the file turned [1 of it]": ((0.5,), (0.01, 0.2, 0.7, 0.95)),
}


@dataclass(frozen=True)
class Case:
    """One injected defect and what was said of it."""

    defect: str
    magnitude: float
    robot: str
    found: bool
    by: tuple[str, ...]


def clean_episodes() -> list[Path]:
    """Episodes below the folders of $HUMANOID_EPISODES, else below EPISODES, where they are recorded if need be.

    Raises:
        BenchError: the twin did not finish one.
    """
    named = [Path(name) for name in os.environ.get("HUMANOID_EPISODES", "").split(os.pathsep) if name]
    for robot in () if named else ROBOTS:
        out = EPISODES / robot
        if len(find_episodes(out)) < 2:
            command = ["ros2", "launch", "humanoid_bringup", "demo.launch.py", f"robot:={robot}", "operator:=scripted"]
            command += ["scene:=parcel_sorting", "episodes:=2", f"out:={out.resolve()}"]
            print(f"recording two episodes of {robot} in the twin ...", flush=True)
            done = subprocess.run(command, stdout=subprocess.DEVNULL, timeout=_TIMEOUT, check=False)
            if done.returncode or len(find_episodes(out)) < 2:
                raise BenchError(f"{' '.join(command)}: found exit code {done.returncode}, expected two episodes")
    return [episode for folder in named or [EPISODES] for episode in find_episodes(folder)]


def judged(episode: Episode, limits: CheckLimits, robot: RobotFacts) -> tuple[str, ...]:
    """Checks that reject an episode."""
    found = []
    for check in CHECKS:
        try:
            result = check(episode, limits, robot)
        except EpisodeError:
            found.append(check.__name__)
            continue
        if result.status == "failed":
            found.append(check.__name__)
    return tuple(found)


def run(episodes: list[Path], tuning: bool, only: Sequence[int] = ()) -> tuple[list[Case], list[Case]]:
    """Give each episode each defect at each magnitude.

    Args:
        episodes: All; every second one is for tuning, the others for figures.
        tuning: Which of both.
        only: Numbers of those to take; empty: all.

    Returns:
        A case for each defect; and one for each episode without any, where `found` is a false alarm.
    """
    limits = load_limits()
    chosen = episodes[0 if tuning else 1 :: 2]
    cases: list[Case] = []
    whole: list[Case] = []
    for number, folder in enumerate(chosen):
        if only and number not in only:
            continue
        clean = Episode.open(folder)
        robot = robot_facts(clean)
        by = judged(clean, limits, robot)
        whole.append(Case("none", 0.0, robot.name, bool(by), by))
        print(f"[{number + 1}/{len(chosen)}] {folder.name} {robot.name}: {', '.join(by) or 'whole'}", flush=True)
        if by:
            continue  # what is wrong already cannot show whether a defect is found
        done = len(cases)
        for defect in DEFECTS:
            for magnitude in defect.tuning if tuning else _turn(defect.figures, number):
                seed = [number, len(cases) - done, int(tuning)]
                spoilt, scene = Spoilt.like(clean), Scene(robot, np.random.default_rng(seed))
                spoilt.streams = clean.streams
                defect.inject(spoilt, scene, magnitude)
                by = judged(spoilt.fresh(), limits, robot)
                cases.append(Case(defect.name, magnitude, robot.name, bool(by), by))
        for name, (tried, counted) in FILE_DEFECTS.items():
            for share in tried if tuning else _turn(counted, number):
                by = _damaged(folder, name, share, limits)
                cases.append(Case(name, share, robot.name, bool(by), by))
        print(f"    {sum(case.found for case in cases[done:])} of {len(cases) - done} defects found", flush=True)
    return cases, whole


def _turn(magnitudes: tuple[float, ...], number: int) -> list[float]:
    """Two of the magnitudes for each episode, so that over all episodes each has its turn."""
    return [magnitudes[(2 * number + i) % len(magnitudes)] for i in range(min(2, len(magnitudes)))]


def _damaged(folder: Path, name: str, share: float, limits: CheckLimits) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as where:
        copied = Path(shutil.copytree(folder, Path(where) / folder.name))
        [bag] = copied.glob("*.mcap")
        at = int(share * bag.stat().st_size)
        with bag.open("r+b") as stream:
            if name.startswith("file"):
                stream.truncate(at)
            else:
                stream.seek(at)
                byte = stream.read(1)[0]
                stream.seek(at)
                stream.write(bytes([byte ^ 0x10]))
        return tuple(result.name for result in judge(copied, limits).failures)


def table(cases: list[Case]) -> list[dict[str, Any]]:
    """Recall of each defect, and of each magnitude, with the checks that found it."""
    rows = []
    for name in dict.fromkeys(case.defect for case in cases):
        own = [case for case in cases if case.defect == name]
        by: dict[str, int] = {}
        for case in own:
            for check in case.by:
                by[check] = by.get(check, 0) + 1
        magnitudes = {
            f"{m:g}": f"{sum(c.found for c in own if c.magnitude == m)}/{sum(c.magnitude == m for c in own)}"
            for m in sorted({case.magnitude for case in own})
        }
        finders = sorted(by, key=lambda check: -by[check])[:3]
        rows.append(
            {"defect": name, "cases": len(own), "found": sum(c.found for c in own), "by": finders} | {"at": magnitudes}
        )
    return rows
