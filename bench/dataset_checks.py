# SPDX-License-Identifier: Apache-2.0
"""What checking an episode of 45 s costs: the twin's streams, in the layout that the recorder writes in real time."""

from __future__ import annotations

import heapq
import mmap
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.dataset_defects import clean_episodes
from bench.report import BenchError, Figure
from humanoid_dataset import bag
from humanoid_dataset.bag import Topic
from humanoid_dataset.behaviour import behaviour
from humanoid_dataset.checks import CHECKS
from humanoid_dataset.episode import Episode
from humanoid_dataset.results import load_limits
from humanoid_dataset.robot import robot_facts
from humanoid_recorder.mcap_file import McapFile

LENGTH = 45.0  # [s]
FLUSH = 0.15  # [s] as the recorder's
ALL_BYTES = {"intact"}  # hashes the file
PICTURES = {  # look at pictures
    "torn_pictures", "picture_size", "black_pictures", "blank_pictures", "frozen_pictures", "camera_lag",
    "camera_order", "depth_valid",
}  # fmt: skip
_TRIES = 5  # the first two warm up, other programs disturb: the best counts


def checks() -> dict[str, Figure]:
    """CPU of opening and checking: numbers alone, all, and the hash alone; of the robot whose episodes cost most."""
    first: dict[str, Path] = {}
    for folder in clean_episodes():
        first.setdefault(str(yaml.safe_load((folder / "episode.yaml").read_text())["robot"]), folder)
    costs = [_cost(robot, folder) for robot, folder in first.items()]
    numeric, whole, hashed = (max(cost) for cost in zip(*costs))
    return {
        "numeric checks of a 45 s episode, CPU": Figure(numeric),
        "all checks of a 45 s episode, sampled video, SHA-256 and behaviour, CPU": Figure(whole),
        "SHA-256 and counts of a 45 s episode, CPU": Figure(hashed),
    }


def _cost(name: str, source: Path) -> tuple[float, float, float]:
    """CPU of an episode of `LENGTH` made of one: numbers alone, all, and the hash alone [s]."""
    numeric = whole = hashed = float("inf")
    limits = load_limits()
    with tempfile.TemporaryDirectory() as where:
        folder = long_episode(source, Path(where) / "long")
        for _ in range(_TRIES):
            begin = time.process_time()
            episode = Episode.open(folder)
            robot = robot_facts(episode)
            spent = {}
            opened = time.process_time() - begin
            for check in CHECKS:
                begin = time.process_time()
                check(episode, limits, robot)
                spent[check.__name__] = time.process_time() - begin
            begin = time.process_time()
            behaviour(episode, limits.behaviour, robot)
            reviewed = time.process_time() - begin
            apart = sum(spent[name] for name in ALL_BYTES | PICTURES)
            numeric = min(numeric, opened + sum(spent.values()) - apart)
            whole = min(whole, opened + sum(spent.values()) + reviewed)
            hashed = min(hashed, sum(spent[name] for name in ALL_BYTES))
        size = episode.size * 1e-9
        dearest = sorted(spent.items(), key=lambda item: -item[1])[:5]
    words = ", ".join(f"{check} {1e3 * seconds:.0f} ms" for check, seconds in dearest)
    print(
        f"{name}, {LENGTH:g} s, {size:.2f} GB: numbers {numeric:.2f} s, all {whole:.2f} s; "
        f"opened in {1e3 * opened:.0f} ms; behaviour {1e3 * reviewed:.0f} ms; {words}"
    )
    return numeric, whole, hashed


def long_episode(source: Path, folder: Path) -> Path:
    """Write an episode again and again, one behind the other, until it is as long as asked for.

    Raises:
        BenchError: the source has no bag that can be read by its index.
    """
    folder.mkdir()
    [path] = source.glob("*.mcap")
    try:
        topics = bag.read_index(path)
    except bag.Untrue as reason:
        raise BenchError(f"{path}: found no index ({reason}), expected a whole bag") from reason
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        digest, count = _write(data, topics, folder / f"{folder.name}_0.mcap")
    sidecar = yaml.safe_load((source / "episode.yaml").read_text())
    file = folder / f"{folder.name}_0.mcap"
    sidecar["bag"] = {"file": file.name, "sha256": digest, "bytes": file.stat().st_size, "messages": count}
    (folder / "episode.yaml").write_text(yaml.safe_dump(sidecar))
    metadata = yaml.safe_load((source / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = [file.name]
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return folder


def _write(data: mmap.mmap, topics: dict[str, Topic], out: Path) -> tuple[str, int]:
    flows = {name: topic for name, topic in topics.items() if len(topic.received) > 1}
    first = min(int(topic.received[0]) for topic in flows.values())
    length = max(int(topic.received[-1]) for topic in flows.values()) - first + 2_000_000
    now = 0.0
    file = McapFile(out, FLUSH, clock=lambda: now)
    schemas: dict[str, int] = {}
    channels = {}
    for name, topic in topics.items():
        if topic.type not in schemas:
            schemas[topic.type] = file.add_schema(topic.type, topic.encoding, topic.definition)
        channels[name] = file.add_channel(name, schemas[topic.type], {"offered_qos_profiles": topic.qos}, _group(topic))
    count = 0
    end = first + round(LENGTH * 1e9)
    for turn in range(-(-round(LENGTH * 1e9) // length)):
        merged = heapq.merge(*(_messages(name, topic) for name, topic in topics.items()))
        unpacked: dict[int, bytes] = {}
        for at, name, index in merged:
            if at + turn * length > end:
                break
            topic = topics[name]
            payload = bag.heavy_payload(data, topic, index, unpacked) if topic.heavy else topic.payload(index)
            stamped = int.from_bytes(payload[4:8], "little") * 10**9 + int.from_bytes(payload[8:12], "little")
            if turn and abs(stamped - at) < 1_000_000_000:  # it begins with a stamp
                seconds, nanoseconds = divmod(stamped + turn * length, 10**9)
                times = seconds.to_bytes(4, "little") + nanoseconds.to_bytes(4, "little")
                payload = payload[:4] + times + payload[12:]
            now = (at + turn * length) * 1e-9
            file.write(channels[name], payload, at + turn * length, at + turn * length, count)
            file.flush_due()
            count += 1
    return file.close(), count


def _messages(name: str, topic: Topic) -> Iterator[tuple[int, str, int]]:
    for index, at in enumerate(topic.received.tolist()):
        yield at, name, index


def _group(topic: Topic) -> str:
    """As the recorder sorts them."""
    if topic.type == "sensor_msgs/msg/JointState":
        return "joints"
    if topic.type == "sensor_msgs/msg/PointCloud2":
        return "cloud"
    return "image" if topic.heavy else "numeric"
