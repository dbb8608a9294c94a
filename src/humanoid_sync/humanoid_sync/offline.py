# SPDX-License-Identifier: Apache-2.0
"""`align`: the live node's frames from a bag, in the order of arrival that the bag has."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import rosbag2_py
from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints
from humanoid_core.convert import stamp_ns
from humanoid_core.errors import HumanoidError
from humanoid_interfaces.msg import ClockSample
from humanoid_sync import report
from humanoid_sync.batch import Batch, align
from humanoid_sync.checks import check_recording, check_values
from humanoid_sync.frames import Frame
from humanoid_sync.plans import Topic, make_plan, read_latencies, robot_topics
from humanoid_sync.recording import Recording
from humanoid_sync.streams import Plan

_HEAD = 12  # bytes that hold a stamp


class BagMismatch(HumanoidError):
    """The bag cannot be opened, or holds none of the plan's streams."""


class Bag:
    """A rosbag2 folder or file.

    Raises:
        BagMismatch: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = rosbag2_py.SequentialReader()
        try:
            self._reader.open_uri(str(path))
        except RuntimeError as error:
            raise BagMismatch(f"{path}: found {error}, expected a rosbag2 bag") from error
        self.types = {topic.name: topic.type for topic in self._reader.get_all_topics_and_types()}

    def read(self, plan: Plan) -> Recording:
        """The streams of a plan and the pairs of their clocks.

        Raises:
            BagMismatch: nothing of the plan is in the bag, or a topic is of another type.
        """
        prefix = namespace_of(set(self.types), plan)
        names, clocks = {}, {}
        for stream in plan.streams:
            topic = f"{prefix}/{stream.topic.lstrip('/')}"
            if self.types.get(topic, stream.type) != stream.type:
                raise BagMismatch(f"{topic}: found type {self.types[topic]}, expected {stream.type}")
            names[topic] = (stream.name, stream.values)
            if stream.clock and plan.clocks[stream.clock].pairs == "topic":
                clocks[f"{prefix}/{endpoints.CLOCK_SAMPLE.at(stream=stream.topic).name}"] = stream.clock
        self._reader.set_filter(rosbag2_py.StorageFilter(topics=[*names, *clocks]))
        recording = Recording.of(plan)
        while self._reader.has_next():
            topic, payload, arrival = self._reader.read_next()
            if topic in clocks:
                sample = deserialize_message(payload, ClockSample)
                recording.add_pair(clocks[topic], stamp_ns(sample.device_stamp), arrival)
            else:
                name, values = names[topic]
                recording.add(name, payload if values else payload[:_HEAD], arrival)
        return recording

    def payloads(self, topic: str) -> Iterator[bytes]:
        """The messages of one topic; a Bag reads once."""
        self._reader.set_filter(rosbag2_py.StorageFilter(topics=[topic]))
        while self._reader.has_next():
            yield self._reader.read_next()[1]


def namespace_of(topics: set[str], plan: Plan) -> str:
    """The namespace in which most of the plan's topics stand, "" or "/robot".

    Raises:
        BagMismatch: none of them is there.
    """
    counts: dict[str, int] = {}
    for topic in topics:
        for stream in plan.streams:
            relative = stream.topic.lstrip("/")
            if topic.endswith(f"/{relative}"):
                prefix = topic[: -len(relative) - 1]
                counts[prefix] = counts.get(prefix, 0) + 1
    if not counts:
        wanted = ", ".join(stream.topic for stream in plan.streams) or "streams that the rules fit"
        raise BagMismatch(f"found topics {', '.join(sorted(topics))}, expected some of {wanted}")
    return min(counts, key=lambda prefix: (-counts[prefix], len(prefix), prefix))


def _robot_of(topics: set[str]) -> str:
    """The namespace of the one robot in a bag; "" where there is none or more than one."""
    end = f"/{endpoints.JOINT_STATES.name}"
    found = [topic.removesuffix(end) for topic in topics if topic.endswith(end)]
    return found[0] if len(found) == 1 else ""


def plan_of_bag(bag: Path, rules: Path) -> Plan:
    """A plan for all topics of a bag that the rules fit, each at the rate that it came with.

    Raises:
        BagMismatch: the bag cannot be opened, or has nothing that the rules fit.
    """
    types = Bag(bag).types
    prefix = _robot_of(set(types))
    own = [(topic[len(prefix) + 1 :], kind) for topic, kind in types.items() if topic.startswith(f"{prefix}/")]
    draft = make_plan(rules, [Topic(topic, kind, None) for topic, kind in own], foreign=True)
    if not draft.streams:
        found = ", ".join(sorted(f"{topic} ({kind})" for topic, kind in types.items()))
        raise BagMismatch(f"{bag}: found {found}, expected topics that {rules} has rules for")
    recording = Bag(bag).read(draft)
    rates = {stream.topic: report.rate_of(recording.streams[stream.name].arrivals) for stream in draft.streams}
    topics = [Topic(stream.topic, stream.type, rates[stream.topic]) for stream in draft.streams]
    return make_plan(rules, topics, foreign=True)


def lines(frames: Iterable[Frame]) -> Iterable[str]:
    """Frames as lines of JSON; numbers are written so that they read back exactly."""
    for frame in frames:
        streams = {
            part.name: {
                "flags": int(part.flags),
                "stamps": part.source_stamps,
                "residual": part.residual,
                "uncertainty": None if math.isnan(part.uncertainty) else part.uncertainty,
                "values": list(part.values),
            }
            for part in frame.streams
        }
        yield json.dumps({"stamp": frame.stamp, "sequence": frame.sequence, "streams": streams})


def align_bag(bag: Path, plan: Plan, look_ahead: bool = False) -> Batch:
    """Frames of a bag.

    Raises:
        BagMismatch: the bag cannot be opened or has nothing of the plan.
    """
    return align(plan, Bag(bag).read(plan), look_ahead)


def _arguments() -> argparse.Namespace:
    config = Path(get_package_share_directory("humanoid_bringup")) / "config"
    parser = argparse.ArgumentParser(description="Align the streams of a bag, as the live node does.")
    parser.add_argument("bag", type=Path, help="an episode, a rosbag2 folder or its file")
    parser.add_argument("--robot", help="name in config/robots, or a file: its streams, as live; else the bag's")
    parser.add_argument("--robot-name", help="whose latencies, if not the robot's")
    parser.add_argument("--streams", type=Path, default=config / "sync" / "default.yaml", help="rules of config/sync")
    parser.add_argument("--latencies", type=Path, default=config / "sync" / "latencies.yaml", help="measured latencies")
    parser.add_argument("--master", help="the stream whose samples are the instants, instead of the rules'")
    parser.add_argument("--output", type=Path, help="write the frames to this file, one JSON object a line")
    parser.add_argument("--look-ahead", action="store_true", help="wait for every stream: better than live can be")
    parser.add_argument("--force", action="store_true", help="go on in spite of clocks and stamps that make no sense")
    arguments = parser.parse_args()
    if arguments.robot and not arguments.robot.endswith(".yaml"):
        arguments.robot = str(config / "robots" / f"{arguments.robot}.yaml")
    return arguments


def main() -> int:
    """Align a bag from the command line."""
    arguments = _arguments()
    try:
        if arguments.robot:
            name = arguments.robot_name or Path(arguments.robot).stem
            latencies = read_latencies(arguments.latencies, name)
            plan = make_plan(arguments.streams, robot_topics(arguments.robot), latencies)
        else:
            plan = plan_of_bag(arguments.bag, arguments.streams)
        if arguments.master:
            try:
                plan = replace(plan, master=arguments.master)
            except ValueError as error:
                raise BagMismatch(f"--master: {error}") from error
        check_values(plan)
        result = align_bag(arguments.bag, plan, arguments.look_ahead)
        if not arguments.force:
            check_recording(plan, result.samples)
        if arguments.output:
            with open(arguments.output, "w", encoding="utf-8") as output:
                output.writelines(f"{line}\n" for line in lines(result.frames()))
        print(report.table(plan, result))
    except HumanoidError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
