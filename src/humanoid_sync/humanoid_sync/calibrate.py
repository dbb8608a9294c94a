# SPDX-License-Identifier: Apache-2.0
"""`calibrate`: the fixed latency of a stream, from a recording in which it saw the robot move."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

from humanoid_core.config import read_yaml
from humanoid_core.convert import stamp_ns
from humanoid_core.errors import HumanoidError
from humanoid_sync.latency import Estimate, Signal, estimate
from humanoid_sync.motion import image_motion, seen_by
from humanoid_sync.offline import Bag, namespace_of, plan_of_bag
from humanoid_sync.plans import Latency, make_plan, robot_topics
from humanoid_sync.readers import LAYOUTS
from humanoid_sync.recording import Samples, in_host_time
from humanoid_sync.streams import Plan, Stream

_INFO = "/camera_info"
_IMAGES = "image_raw/compressed"


class CalibrationError(HumanoidError):
    """The recording does not have what is asked for."""


def measure(bag: Path, plan: Plan, name: str, against: str, longest: float = 0.5) -> Estimate:
    """How late the stamps of stream `name` are for motion that `against` saw too.

    Latencies of the plan count for neither, so that the result is the whole latency.

    Raises:
        CalibrationError: no such stream.
        LatencyError, MotionError, BagMismatch: see there.
    """
    streams = {stream.name: stream for stream in plan.streams}
    for wanted in (name, against):
        if wanted not in streams:
            raise CalibrationError(f"found no stream {wanted!r}, expected one of {', '.join(streams)}")
    both = [replace(streams[key], latency=0.0, values=streams[key].type in LAYOUTS) for key in (against, name)]
    own = replace(plan, streams=both, master="")
    recording = Bag(bag).read(own)
    samples, _ = in_host_time(own, recording)
    reference, other = (_signal(bag, own, stream, samples[stream.name]) for stream in both)
    return estimate(reference, other, longest)


def _signal(bag: Path, plan: Plan, stream: Stream, samples: Samples) -> Signal:
    if stream.topic.endswith(_INFO):
        host = dict(zip(samples.sources.tolist(), samples.stamps.tolist()))
        return image_motion(_images(bag, plan, stream, host))
    return seen_by(stream, samples)


def _images(bag: Path, plan: Plan, stream: Stream, host: dict[int, int]) -> Iterator[tuple[int, bytes]]:
    """Images that belong to a camera_info, with their stamps in host time."""
    reader = Bag(bag)
    prefix = namespace_of(set(reader.types), plan)
    topic = f"{prefix}/{stream.topic.lstrip('/').removesuffix('camera_info')}{_IMAGES}"
    if topic not in reader.types:
        raise CalibrationError(f"{bag}: found no {topic}, expected the images of {stream.name}")
    for payload in reader.payloads(topic):
        message = deserialize_message(payload, CompressedImage)
        stamp = stamp_ns(message.header.stamp)
        if stamp in host:
            yield host[stamp], bytes(message.data)


def write(path: Path, robot: str, name: str, found: Latency) -> None:
    """Put a latency into config/sync/latencies.yaml; what else it holds stays.

    Raises:
        ConfigError: the file cannot be read.
        CalibrationError: it cannot be written.
    """
    data = read_yaml(path) if path.exists() else {}
    robots = data.get("robots") or {}
    robots.setdefault(robot, {})[name] = asdict(found)
    head = (
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Measured latencies by robot_name and stream, written by `ros2 run humanoid_sync calibrate`.\n"
    )
    target = path.resolve()  # an installed file may be a link
    draft = target.with_suffix(".part")
    try:
        draft.write_text(head + yaml.safe_dump({"robots": robots}, sort_keys=True), encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise CalibrationError(f"{target}: {error.strerror}, expected a file that can be written") from error


def _arguments() -> argparse.Namespace:
    config = Path(get_package_share_directory("humanoid_bringup")) / "config"
    parser = argparse.ArgumentParser(description="Measure how late a stream's stamps are, against another stream.")
    parser.add_argument("bag", type=Path, help="an episode in which the robot moves much and irregularly")
    parser.add_argument("stream", help="such as head_color or imu_data")
    parser.add_argument("--against", default="joint_states", help="stream that is right (default: joint_states)")
    parser.add_argument("--robot", help="name in config/robots, or a file; else the bag tells what streams there are")
    parser.add_argument("--robot-name", help="under which name the latency is stored; default: the robot")
    parser.add_argument("--streams", type=Path, default=config / "sync" / "default.yaml", help="rules of config/sync")
    parser.add_argument("--latencies", type=Path, default=config / "sync" / "latencies.yaml", help="written to")
    parser.add_argument("--longest", type=float, default=0.5, help="greatest latency looked for [s]")
    parser.add_argument("--write", action="store_true", help="store the result; otherwise it is only printed")
    arguments = parser.parse_args()
    if arguments.robot and not arguments.robot.endswith(".yaml"):
        arguments.robot = str(config / "robots" / f"{arguments.robot}.yaml")
    if arguments.write and not (arguments.robot or arguments.robot_name):
        parser.error("--write needs --robot or --robot-name")
    return arguments


def main() -> int:
    """Calibrate from the command line."""
    arguments = _arguments()
    try:
        if arguments.robot:
            plan = make_plan(arguments.streams, robot_topics(arguments.robot))
        else:
            plan = plan_of_bag(arguments.bag, arguments.streams)
        found = measure(arguments.bag, plan, arguments.stream, arguments.against, arguments.longest)
        print(
            f"{arguments.stream}: {found.latency * 1e3:.2f} ms +- {found.sd * 1e3:.2f} ms behind {arguments.against} "
            f"({100 * found.explained:.0f} % of the motion explained, {found.pieces} pieces)"
        )
        if arguments.write:
            entry = Latency(
                latency=round(found.latency, 6),
                sd=round(found.sd, 6),
                against=arguments.against,
                method=f"motion in {arguments.bag.resolve().name}",
                date=datetime.now(timezone.utc).date().isoformat(),
            )
            robot = arguments.robot_name or Path(arguments.robot).stem
            write(arguments.latencies, robot, arguments.stream, entry)
            print(f"written to {arguments.latencies} for {robot}")
    except HumanoidError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
