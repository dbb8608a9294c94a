# SPDX-License-Identifier: Apache-2.0
"""`align`: the live node's core on a bag, in the order of arrival that the bag has."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import rosbag2_py
from rclpy.serialization import deserialize_message

from humanoid_core import endpoints
from humanoid_core.convert import stamp_ns
from humanoid_core.errors import HumanoidError
from humanoid_interfaces.msg import ClockSample
from humanoid_sync.aligner import Aligner, Flag, Frame
from humanoid_sync.streams import Plan, load_plan


class BagMismatch(HumanoidError):
    """The bag cannot be opened, or holds none of the plan's streams."""


def namespace_of(topics: set[str], plan: Plan) -> str:
    """The namespace in which most of the plan's topics stand, "" or "/robot".

    Raises:
        BagMismatch: none of them is there.
    """
    counts: dict[str, int] = {}
    for topic in topics:
        for stream in plan.streams:
            if topic.endswith(f"/{stream.topic}"):
                prefix = topic[: -len(stream.topic) - 1]
                counts[prefix] = counts.get(prefix, 0) + 1
    if not counts:
        wanted = ", ".join(stream.topic for stream in plan.streams)
        raise BagMismatch(f"found topics {', '.join(sorted(topics))}, expected some of {wanted}")
    return min(counts, key=lambda prefix: (-counts[prefix], len(prefix), prefix))


def align(bag: Path, plan: Plan, aligner: Aligner) -> Iterator[Frame]:
    """Frames of a bag.

    Args:
        bag: A rosbag2 folder or file.
        plan: The aligner's plan.
        aligner: Fresh; holds the streams' health afterwards.

    Raises:
        BagMismatch: the bag cannot be opened or has nothing of the plan.
    """
    reader = rosbag2_py.SequentialReader()
    try:
        reader.open_uri(str(bag))
    except RuntimeError as error:
        raise BagMismatch(f"{bag}: found {error}, expected a rosbag2 bag") from error
    types = {topic.name: topic.type for topic in reader.get_all_topics_and_types()}
    prefix = namespace_of(set(types), plan)
    names: dict[str, str] = {}
    clocks: dict[str, str] = {}
    for stream in plan.streams:
        topic = f"{prefix}/{stream.topic}"
        if types.get(topic, stream.type) != stream.type:
            raise BagMismatch(f"{topic}: found type {types[topic]}, expected {stream.type}")
        names[topic] = stream.name
        if stream.clock:
            clocks[f"{prefix}/{endpoints.CLOCK_SAMPLE.at(stream=stream.topic).name}"] = stream.clock
    reader.set_filter(rosbag2_py.StorageFilter(topics=[*names, *clocks]))
    while reader.has_next():
        topic, payload, arrival = reader.read_next()
        if topic in clocks:
            sample = deserialize_message(payload, ClockSample)
            aligner.push_clock(clocks[topic], stamp_ns(sample.device_stamp), arrival)
        else:
            yield from aligner.push(names[topic], payload, arrival)
    if aligner.look_ahead:
        yield from aligner.finish()


def line(frame: Frame) -> str:
    """A frame as one line of JSON; numbers are written so that they read back exactly."""
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
    return json.dumps({"stamp": frame.stamp, "sequence": frame.sequence, "streams": streams})


def table(aligner: Aligner, flags: dict[str, dict[Flag, int]]) -> str:
    """Health of every stream as text."""
    width = max(len(name) for name in flags)
    row = "{:<" + str(width) + "} {:>8} {:>8} {:>6} {:>9} {:>8} {:>6} {:>8} {:>9} {:>9}"
    lines = [
        row.format("stream", "messages", "Hz", "gaps", "longest s", "missing", "late", "over gap", "skew p50", "p95 ms")
    ]
    for health in aligner.health():
        lines.append(
            row.format(
                health.name,
                health.messages,
                f"{health.rate:.1f}",
                health.gaps,
                f"{health.longest_gap:.3f}",
                health.missing,
                health.late,
                flags[health.name].get(Flag.INTERPOLATED_GAP, 0),
                f"{health.skew_p50 * 1e3:.2f}",
                f"{health.skew_p95 * 1e3:.2f}",
            )
        )
    return "\n".join(lines)


def _run(bag: Path, plan: Plan, look_ahead: bool, output: TextIO | None) -> None:
    aligner = Aligner(plan, look_ahead)
    flags: dict[str, dict[Flag, int]] = {stream.name: {} for stream in plan.streams}
    for frame in align(bag, plan, aligner):
        for part in frame.streams:
            for flag in Flag:
                if part.flags & flag:
                    flags[part.name][flag] = flags[part.name].get(flag, 0) + 1
        if output:
            output.write(line(frame) + "\n")
    print(table(aligner, flags))
    print(f"{aligner.frames} frames")


def main() -> int:
    """Align a bag from the command line."""
    parser = argparse.ArgumentParser(description="Align the streams of a bag, as the live node does.")
    parser.add_argument("bag", type=Path, help="an episode, a rosbag2 folder or its file")
    parser.add_argument("--streams", type=Path, required=True, help="what is aligned: a file of config/sync")
    parser.add_argument("--output", type=Path, help="write the frames to this file, one JSON object a line")
    parser.add_argument("--look-ahead", action="store_true", help="wait for every stream: better than live can be")
    arguments = parser.parse_args()
    try:
        plan = load_plan(arguments.streams)
        if arguments.output:
            with open(arguments.output, "w", encoding="utf-8") as output:
                _run(arguments.bag, plan, arguments.look_ahead, output)
        else:
            _run(arguments.bag, plan, arguments.look_ahead, None)
    except HumanoidError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
