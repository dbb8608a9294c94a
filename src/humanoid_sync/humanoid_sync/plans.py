# SPDX-License-Identifier: Apache-2.0
"""Plans from configuration: rules for kinds of streams (config/sync/*.yaml) on the sensors of a robot
(config/robots/*.yaml) or on the topics of a bag, and measured latencies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from humanoid_core import endpoints
from humanoid_core.config import build, load, read_yaml
from humanoid_core.endpoints import Endpoint
from humanoid_core.errors import ConfigError
from humanoid_sync.streams import Clock, Limits, Plan, Policy, Stream


@dataclass(frozen=True)
class Rule:
    """How one kind of stream is aligned; see Stream for the rest.

    Attributes:
        type: Message type, or a pattern of it.
        topic: Pattern of the topic, relative to the robot's namespace.
        tolerance: At least [s]; streams too slow for it get 1.05 of their period.
        max_gap: At least [s]; streams too slow for it get three of their periods.
        rate: Expected where the robot's configuration names none [Hz].
        name: In `sync/frame`; "": made of the topic.
        without_robot: Streams that no robot's configuration names, but that are there all the same.
    """

    type: str
    policy: Policy
    tolerance: float
    max_gap: float
    topic: str = "*"
    rate: float = 30.0
    name: str = ""
    max_age: float = 0.0
    clock: str = ""
    values: bool = False
    wait: bool = True
    stamp: Literal["header", "microseconds"] = "header"
    without_robot: bool = False

    def fits(self, topic: Topic) -> bool:
        """Whether this is the kind of a topic."""
        return fnmatchcase(topic.type, self.type) and fnmatchcase(topic.topic, self.topic)


@dataclass(frozen=True)
class SyncFile:
    """config/sync/*.yaml: a plan whose streams follow from rules; the first rule that fits a topic counts.

    Attributes:
        rules: By kind of stream.
        streams: In full, instead of what rules say for these names, or in addition.
    """

    rate: float
    deadline: float
    rules: list[Rule] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)
    master: str = ""
    host_tolerance: float = 0.005
    host_latency: float = 0.5
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Topic:
    """A stream there is: topic relative to the robot's namespace, type, rate [Hz] (None: the rule's)."""

    topic: str
    type: str
    rate: float | None


@dataclass(frozen=True)
class Latency:
    """A measured latency.

    Attributes:
        latency: Of the stream's stamps [s]: subtracted from them.
        sd: Standard deviation of the measurement [s].
        against: Stream that it was measured against.
        method: How.
        date: When.
    """

    latency: float
    sd: float
    against: str = ""
    method: str = ""
    date: str = ""


def stream_name(topic: str) -> str:
    """`camera/head/color/camera_info` -> `head_color`, `wrench/left_wrist` -> `wrench_left_wrist`."""
    return re.sub(r"^camera/|/camera_info$", "", topic).replace("/", "_")


def robot_topics(robot_config: str | Path) -> list[Topic]:
    """The streams of a robot, from its configuration file.

    Raises:
        ConfigError: the file cannot be read or lacks a rate.
    """
    data = read_yaml(robot_config)

    def rate(entry: Any, key: str) -> float:
        value = entry.get("rate") if isinstance(entry, dict) else None
        if not isinstance(value, (int, float)) or value <= 0:
            raise ConfigError(robot_config, f"{key}.rate", repr(value), "a rate above 0 [Hz]")
        return float(value)

    def top(key: str) -> float:
        return rate({"rate": data.get(key)}, key)

    def every(section: str, endpoint: Endpoint) -> list[Topic]:
        return [
            Topic(endpoint.at(place=place).name, endpoint.type, rate(sensor, f"{section}.{place}"))
            for place, sensor in (data.get(section) or {}).items()
        ]

    topics = [
        Topic(endpoints.JOINT_STATES.name, endpoints.JOINT_STATES.type, top("joint_state_rate")),
        Topic(endpoints.JOINT_COMMANDS.name, endpoints.JOINT_COMMANDS.type, top("command_rate")),
        *every("imus", endpoints.IMU),
        *every("wrenches", endpoints.WRENCH),
        *every("tactile", endpoints.TACTILE),
    ]
    if data.get("base") == "wheeled":
        topics.append(Topic(endpoints.ODOMETRY.name, endpoints.ODOMETRY.type, None))
    for name, camera in (data.get("cameras") or {}).items():
        for kind, endpoint in (("color", endpoints.CAMERA_COLOR_INFO), ("depth", endpoints.CAMERA_DEPTH_INFO)):
            if camera.get(kind):
                found = rate(camera[kind], f"cameras.{name}.{kind}")
                topics.append(Topic(endpoint.at(camera=name).name, endpoint.type, found))
    if data.get("lidar"):
        topics.append(Topic(endpoints.LIDAR_POINTS.name, endpoints.LIDAR_POINTS.type, rate(data["lidar"], "lidar")))
    return topics


def read_latencies(path: str | Path, robot_name: str) -> dict[str, Latency]:
    """Measured latencies of one robot by stream; none where the file has none of it.

    Raises:
        ConfigError: the file cannot be read.
    """
    data = read_yaml(path)
    unknown = set(data) - {"robots"}
    if unknown:
        raise ConfigError(path, sorted(unknown)[0], "an unknown key", "robots")
    ours = (data.get("robots") or {}).get(robot_name) or {}
    return {name: build(Latency, entry, path, f"robots.{robot_name}.{name}") for name, entry in ours.items()}


def make_plan(
    file: str | Path, topics: Iterable[Topic], latencies: dict[str, Latency] | None = None, foreign: bool = False
) -> Plan:
    """The plan for streams that are there.

    Args:
        file: config/sync/*.yaml.
        topics: What there is; topics that no rule fits are left alone.
        latencies: Measured, by stream.
        foreign: The topics are all there is: streams that no robot's configuration names are not added.

    Raises:
        ConfigError: file or result are wrong.
    """
    rules = load(SyncFile, file)
    known = latencies or {}
    topics = list(topics)
    if not foreign:
        listed = {topic.topic for topic in topics}
        topics += [Topic(r.topic, r.type, None) for r in rules.rules if r.without_robot and r.topic not in listed]
    found = {}
    for topic in topics:
        rule = next(
            (
                rule
                for rule in rules.rules
                if fnmatchcase(topic.type, rule.type) and fnmatchcase(topic.topic, rule.topic)
            ),
            None,
        )
        if rule is not None:
            stream = _stream(rule, topic, file)
            found[stream.name] = stream
    found.update({stream.name: stream for stream in rules.streams})
    streams = [replace(s, latency=known[s.name].latency) if s.name in known else s for s in found.values()]
    same = {item.name: getattr(rules, item.name) for item in fields(SyncFile) if item.name not in ("rules", "streams")}
    try:
        return Plan(streams=streams, **same)
    except ValueError as error:
        raise ConfigError(file, "", str(error), "a valid plan") from error


def _stream(rule: Rule, topic: Topic, file: str | Path) -> Stream:
    rate = topic.rate or rule.rate
    try:
        return Stream(
            name=rule.name or stream_name(topic.topic.lstrip("/")),
            topic=topic.topic,
            type=topic.type,
            rate=rate,
            policy=rule.policy,
            tolerance=max(rule.tolerance, 1.05 / rate),
            max_gap=max(rule.max_gap, 3.0 / rate),
            max_age=rule.max_age,
            clock=rule.clock,
            values=rule.values,
            wait=rule.wait,
            stamp=rule.stamp,
        )
    except ValueError as error:
        raise ConfigError(file, f"rules ({topic.topic})", str(error), "a valid stream") from error
