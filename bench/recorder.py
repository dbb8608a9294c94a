# SPDX-License-Identifier: Apache-2.0
"""The recorder: losses and cost under load, how long a start and a stop take, and its writer beside others."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rosbag2_py
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from mcap.writer import CompressionType, Writer

from bench import recorder_crash, recorder_depth, recorder_peers, recorder_reading
from bench.report import BenchError, Figure
from bench.rig import REPOSITORY, Rig, node
from humanoid_core import endpoints, ros
from humanoid_core.definitions import full_text, type_hash
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.sidecar import Episode, read_episode
from humanoid_recorder.writers import McapWriter, Topic

DOMAIN = 58
STRESS_EPISODES = 3
PRE_ROLL = 5.0  # [s]
JOINTS, IMAGE = "sensor_msgs/msg/JointState", "sensor_msgs/msg/Image"
WRITTEN = 200_000_000  # bytes of the writer comparison


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    return {name: figure for part in PARTS.values() for name, figure in part(seconds).items()}


def _everyday(seconds: float) -> dict[str, Figure]:
    return _beside_peers("everyday load", ["everyday"], 1, seconds)


def _stress(seconds: float) -> dict[str, Figure]:
    return _beside_peers("stress load", ["stress"], STRESS_EPISODES, seconds)


def _best_effort(seconds: float) -> dict[str, Figure]:
    return _beside_peers("best-effort sensors", ["stress", "--best-effort"], 1, seconds)


def _beside_peers(name: str, load: list[str], episodes: int, seconds: float) -> dict[str, Figure]:
    """Loss and CPU of ours and of others under one load, one after the other."""
    os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(REPOSITORY / "config" / "transport" / "fastdds.xml")
    lost, cpu = {}, {}
    for peer in recorder_peers.NAMES:
        with tempfile.TemporaryDirectory() as place:
            lost[peer], cpu[peer] = recorder_peers.under_load(peer, load, seconds, Path(place), DOMAIN)
    with tempfile.TemporaryDirectory() as place:
        run = record_under_load(load, episodes, seconds, Path(place) / "ours")
    figures = {
        f"{name}, lost or dropped": Figure(100.0 * run.lost / run.messages, lost),
        f"{name}, recorder, share of a core": Figure(100.0 * run.cpu, cpu),
        f"{name}, written": Figure(run.rate),
    }
    if load == ["everyday"]:
        figures["pre-roll of the everyday load"] = Figure(run.pre_roll)
    if load == ["stress"]:
        figures["start, asked to recording"] = Figure(1e3 * run.start)
        figures["stop, asked to hashed and renamed"] = Figure(1e3 * run.stop)
    return figures


@dataclass(frozen=True)
class Run:
    """Episodes recorded in a row.

    Attributes:
        messages: Received and lost.
        lost: By sequence numbers or dropped by the recorder.
        cpu: Share of a core while recording.
        rate: Written [MB/s].
        start: Longest time from asking to recording [s].
        stop: Longest time from asking to hashed and renamed [s].
        pre_roll: Of the last episode [s].
    """

    messages: int
    lost: int
    cpu: float
    rate: float
    start: float
    stop: float
    pre_roll: float


def record_under_load(
    load: list[str], episodes: int, seconds: float, out: Path, each: Callable[[int, Episode], None] | None = None
) -> Run:
    """Record episodes one after the other; they are deleted when they are counted.

    Args:
        load: Arguments of bench.streams.
        episodes: How many.
        seconds: Length of each [s].
        out: Folder to make.
        each: Told of each episode.
    """
    topics = out / "topics.yaml"
    out.mkdir()
    topics.write_text('topics: [{name: "**"}]\nexclude: [/rosout, /parameter_events, "recorder/*", annotations]\n')
    settings = [f"topics:={topics}", f"out:={out}", "robot_name:=bench", f"pre_roll:={PRE_ROLL}"]
    config = str(REPOSITORY / "src/humanoid_recorder/config/recorder.yaml")
    commands = {
        "recorder": node("humanoid_recorder.recorder_node", *settings, config=config),
        "sensors": ["-m", "bench.streams", *load],
    }
    found, starts, stops, cpu = [], [], [], 0.0
    with Rig(commands, DOMAIN) as rig:
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            _call(rig, rig.node.create_client(ChangeState, "recorder/change_state"), request)
        rig.until_heard("joint_states")
        rig.spin(2.0 + PRE_ROLL)  # the other topics; the ring fills
        start_client = ros.client(rig.node, endpoints.RECORDER_START)
        stop_client = ros.client(rig.node, endpoints.RECORDER_STOP)
        for number in range(episodes):
            started, start_time = _call(rig, start_client, start_client.srv_type.Request(task=load[0]))
            before = rig.cpu()["recorder"]
            rig.spin(seconds)
            cpu += rig.cpu()["recorder"] - before
            _, stop_time = _call(rig, stop_client, stop_client.srv_type.Request(outcome=1))
            starts.append(start_time)
            stops.append(stop_time)
            found.append(read_episode(Path(started.path)))
            shutil.rmtree(started.path)
            if each:
                each(number, found[-1])
    return Run(
        messages=sum(topic.received + topic.lost for episode in found for topic in episode.topics),
        lost=sum(episode.lost + episode.dropped for episode in found),
        cpu=cpu / (episodes * seconds),
        rate=sum(topic.bytes for e in found for topic in e.topics) / sum(e.duration + e.pre_roll for e in found) / 1e6,
        start=max(starts),
        stop=max(stops),
        pre_roll=found[-1].pre_roll,
    )


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


def _writers(_: float) -> dict[str, Figure]:
    """CPU of writing one episode: raw images with 11 joint messages after each, as at 30 Hz and 1 kHz."""
    rng = random.Random(0)
    image, joints = rng.randbytes(640 * 480 * 3), rng.randbytes(1000)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        peers = {
            "mcap library, zstd": _cpu_per_gb(lambda folder: _write_mcap(folder / "peer.mcap", image, joints), place),
            "rosbag2_py of this workspace": _cpu_per_gb(
                lambda folder: _write_rosbag2(folder / "peer", image, joints), place
            ),
        }
        ours = _cpu_per_gb(lambda folder: _write_ours(folder / "ours", image, joints), place)
    return {"writer alone, hash included, CPU per GB": Figure(ours, peers)}


def _reading(_: float) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as place:
        return recorder_reading.figures(Path(place))


def _crash(_: float) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as place:
        return recorder_crash.crash_figures(Path(place))


def _disks(_: float) -> dict[str, Figure]:
    with tempfile.TemporaryDirectory() as place:
        return recorder_crash.disk_figures(Path(place))


def _depth(_: float) -> dict[str, Figure]:
    return recorder_depth.figures()


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


PARTS: dict[str, Callable[[float], dict[str, Figure]]] = {
    "everyday": _everyday,
    "stress": _stress,
    "best_effort": _best_effort,
    "writers": _writers,
    "reading": _reading,
    "crash": _crash,
    "disks": _disks,
    "depth": _depth,
}
