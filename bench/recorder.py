# SPDX-License-Identifier: Apache-2.0
"""The recorder: losses and cost under load, how long a start and a stop take, and its writer beside others."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rosbag2_py
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from bench.report import BenchError, Figure
from bench.rig import REPOSITORY, Rig, node
from humanoid_core import endpoints, ros
from humanoid_core.definitions import full_text, type_hash
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.sidecar import Episode, read_episode
from humanoid_recorder.writers import McapWriter, Topic

DOMAIN = 58
JOINTS, IMAGE = "sensor_msgs/msg/JointState", "sensor_msgs/msg/Image"
WRITTEN = 200_000_000  # bytes of the writer comparison


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as place:
        for load in ("everyday", "stress"):
            figures |= _under_load(load, seconds, Path(place) / load)
        figures |= _writers(Path(place))
    return figures


def _under_load(load: str, seconds: float, out: Path) -> dict[str, Figure]:
    topics = out / "topics.yaml"
    out.mkdir()
    topics.write_text('topics: [{name: "**"}]\nexclude: [/rosout, /parameter_events, "recorder/*", annotations]\n')
    settings = [f"topics:={topics}", f"out:={out}", "robot_name:=bench"]
    config = str(REPOSITORY / "src/humanoid_recorder/config/recorder.yaml")
    commands = {
        "recorder": node("humanoid_recorder.recorder_node", *settings, config=config),
        "sensors": ["-m", "bench.streams", load],
    }
    with Rig(commands, DOMAIN) as rig:
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            _call(rig, rig.node.create_client(ChangeState, "recorder/change_state"), request)
        rig.spin(3.0)  # discovery
        client = ros.client(rig.node, endpoints.RECORDER_START)
        started, start_time = _call(rig, client, client.srv_type.Request(task=load))
        before = rig.cpu()["recorder"]
        rig.spin(seconds)
        share = (rig.cpu()["recorder"] - before) / seconds
        client = ros.client(rig.node, endpoints.RECORDER_STOP)
        _, stop_time = _call(rig, client, client.srv_type.Request(outcome=1))
    folder = Path(started.path)
    episode = read_episode(folder)
    figures = {
        f"{load} load, lost or dropped": Figure(episode.lost + episode.dropped),
        f"{load} load, recorder, share of a core": Figure(100.0 * share),
        f"{load} load, written": Figure(_rate(episode)),
    }
    if load == "stress":
        figures["start, asked to recording"] = Figure(1e3 * start_time)
        figures["stop, asked to hashed and renamed"] = Figure(1e3 * stop_time)
        figures["joints out of a stress episode, mcap library"] = Figure(1e3 * _joints_alone(folder, episode))
    return figures


def _call(rig: Rig, client: Any, request: Any) -> tuple[Any, float]:
    end = time.monotonic() + 20.0
    while not client.service_is_ready():
        rig.spin(0.05)
        if time.monotonic() > end:
            raise BenchError(f"no service {client.srv_name}")
    begin = time.perf_counter()
    future = client.call_async(request)
    while not future.done():
        rig.spin(0.002)
        if time.monotonic() > end + 20.0:
            raise BenchError(f"no answer from {client.srv_name}")
    answer = future.result()
    if not answer.success:
        raise BenchError(f"{client.srv_name}: {getattr(answer, 'message', 'refused')}")
    return answer, time.perf_counter() - begin


def _rate(episode: Episode) -> float:
    return sum(topic.bytes for topic in episode.topics) / episode.duration / 1e6


def _joints_alone(folder: Path, episode: Episode) -> float:
    assert episode.bag is not None
    name = next(topic.name for topic in episode.topics if topic.name.endswith("joint_states"))
    begin = time.perf_counter()
    with open(folder / episode.bag.file, "rb") as stream:
        for _ in make_reader(stream).iter_messages(topics=[name]):
            pass
    return time.perf_counter() - begin


def _writers(place: Path) -> dict[str, Figure]:
    """CPU of writing one episode: raw images with 11 joint messages after each, as at 30 Hz and 1 kHz."""
    rng = random.Random(0)
    image, joints = rng.randbytes(640 * 480 * 3), rng.randbytes(1000)
    peers = {
        "mcap library, zstd": _cpu_per_gb(lambda folder: _write_mcap(folder / "peer.mcap", image, joints), place),
        "rosbag2_py of this workspace": _cpu_per_gb(
            lambda folder: _write_rosbag2(folder / "peer", image, joints), place
        ),
    }
    ours = _cpu_per_gb(lambda folder: _write_ours(folder / "ours", image, joints), place)
    return {"writer alone, hash included, CPU per GB": Figure(ours, peers)}


def _cpu_per_gb(work: Callable[[Path], None], place: Path) -> float:
    """Least of three: the first to fill a page cache pays for the pages [s/GB]."""
    times = []
    for _ in range(3):
        with tempfile.TemporaryDirectory(dir=place) as folder:
            begin = time.process_time()
            work(Path(folder))
            times.append(time.process_time() - begin)
    return min(times) / (WRITTEN / 1e9)


def _sequence(image: bytes, joints: bytes) -> list[tuple[str, bytes]]:
    count = WRITTEN // (len(image) + 11 * len(joints))
    return [message for _ in range(count) for message in [("/image", image), *[("/joints", joints)] * 11]]


def _write_ours(folder: Path, image: bytes, joints: bytes) -> None:
    folder.mkdir()
    writer = McapWriter(folder, "bag_0", 0.2, "jazzy")
    for name, kind, group in (("/image", IMAGE, "image"), ("/joints", JOINTS, "numeric")):
        writer.add_topic(Topic(name, kind, type_hash(kind), full_text(kind), qos_text((OfferedQos(),)), group))
    for i, (name, payload) in enumerate(_sequence(image, joints)):
        writer.write(name, payload, i, i, i)
        if i % 12 == 0:
            writer.flush_due()
    writer.close({})


def _write_mcap(file: Path, image: bytes, joints: bytes) -> None:
    with open(file, "wb") as stream:
        writer = Writer(stream, compression=CompressionType.ZSTD)
        writer.start("ros2", "bench")
        channels = {}
        for name, kind in (("/image", IMAGE), ("/joints", JOINTS)):
            schema = writer.register_schema(kind, "ros2msg", full_text(kind).encode())
            channels[name] = writer.register_channel(name, "cdr", schema)
        for i, (name, payload) in enumerate(_sequence(image, joints)):
            writer.add_message(channels[name], i, payload, i, i)
        writer.finish()


def _write_rosbag2(folder: Path, image: bytes, joints: bytes) -> None:
    writer = rosbag2_py.SequentialWriter()
    writer.open(
        rosbag2_py.StorageOptions(uri=str(folder), storage_id="mcap"), rosbag2_py.ConverterOptions("cdr", "cdr")
    )
    for number, (name, kind) in enumerate((("/image", IMAGE), ("/joints", JOINTS))):
        writer.create_topic(rosbag2_py.TopicMetadata(number, name, kind, "cdr"))
    for i, (name, payload) in enumerate(_sequence(image, joints)):
        writer.write(name, payload, i)
    writer.close()
