# SPDX-License-Identifier: Apache-2.0
"""A recorder without ROS, messages for it, and the readers of others."""

from __future__ import annotations

import dataclasses
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from humanoid_core.definitions import full_text, type_hash
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.selection import Selection, Wanted
from humanoid_recorder.settings import Arrival, Request, Settings
from humanoid_recorder.writers import Topic

SECOND = 1_000_000_000
STRING, JOINTS, IMAGE = "std_msgs/msg/String", "sensor_msgs/msg/JointState", "sensor_msgs/msg/CompressedImage"


def topic(name: str, kind: str, group: str = "numeric", offers: tuple[OfferedQos, ...] = (OfferedQos(),)) -> Topic:
    return Topic(name, kind, type_hash(kind), full_text(kind), qos_text(offers), group)


def cdr_string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return b"\x00\x01\x00\x00" + struct.pack("<I", len(data)) + data


def make(out: Path, steady: Callable[[], float] = time.monotonic, **changes: object) -> Recorder:
    settings = Settings(
        out=out,
        robot="unitree_g1",
        namespace="/",
        backend="mcap",
        flush_period=0.05,
        sync_period=0.0,
        pre_roll=0.0,
        pre_roll_bytes=1 << 20,
        post_roll=0.0,
        queue_bytes=1 << 26,
        reserve_bytes=1 << 20,
        usual_length=60.0,
        disk_start=0,
        disk_floor=0,
        clock="system",
        software={"ros": "jazzy"},
        configuration={"topics.yaml": "topics: []"},
        ros_distro="jazzy",
    )
    wanted = [
        Wanted("joint_states", required=True, rate=500.0, max_gap=0.05),
        Wanted("camera/*/color", required=True),
        Wanted("robot_description"),
        Wanted("never_there", required=True),
    ]
    recorder = Recorder(dataclasses.replace(settings, **changes), Selection(wanted), steady)
    latched = OfferedQos(durability="transient_local")
    recorder.add_topic(topic("/joint_states", JOINTS), wanted[0], publishers=1, latched=False)
    recorder.add_topic(topic("/camera/head/color", IMAGE, "image"), wanted[1], publishers=1, latched=False)
    recorder.add_topic(topic("/robot_description", STRING, offers=(latched,)), wanted[2], publishers=1, latched=True)
    return recorder


def traffic(count: int, start_ns: int = 10 * SECOND, seed: int = 1) -> list[Arrival]:
    """Joints every 2 ms and an image with every 16th, of random bytes."""
    rng = random.Random(seed)
    arrivals = []
    for i in range(count):
        now = start_ns + i * 2_000_000
        arrivals.append(Arrival("/joint_states", b"\x00\x01\x00\x00" + rng.randbytes(200), now, now - 1000, i + 1))
        if i % 16 == 0:
            arrivals.append(
                Arrival("/camera/head/color", b"\x00\x01\x00\x00" + rng.randbytes(5000), now, now, i // 16 + 1)
            )
    return arrivals


def record(recorder: Recorder, arrivals: list[Arrival], task: str = "sort parcels") -> Path:
    recorder.start(Request(task, operator="ada"), arrivals[0].log_ns)
    recorder.receive(arrivals)
    return recorder.stop("success", "fine", arrivals[-1].log_ns + 1).path


def by_topic(arrivals: list[Arrival]) -> dict[str, list[tuple[int, bytes]]]:
    result: dict[str, list[tuple[int, bytes]]] = {}
    for arrival in arrivals:
        result.setdefault(arrival.topic, []).append((arrival.log_ns, arrival.payload))
    return result


def read_with_mcap(bag: Path) -> dict[str, list[tuple[int, bytes]]]:
    result: dict[str, list[tuple[int, bytes]]] = {}
    with open(bag, "rb") as stream:
        for _, channel, message in make_reader(stream, validate_crcs=True).iter_messages():
            result.setdefault(channel.topic, []).append((message.log_time, message.data))
    return result


def read_with_rosbags(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    result: dict[str, list[tuple[int, bytes]]] = {}
    with Reader(folder) as reader:
        for connection, stamp, data in reader.messages():
            result.setdefault(connection.topic, []).append((stamp, bytes(data)))
    return result


def read_with_rosbag2(folder: Path) -> dict[str, list[tuple[int, bytes]]]:
    import rosbag2_py

    reader = rosbag2_py.SequentialReader()
    reader.open(rosbag2_py.StorageOptions(uri=str(folder)), rosbag2_py.ConverterOptions("cdr", "cdr"))
    result: dict[str, list[tuple[int, bytes]]] = {}
    while reader.has_next():
        name, data, stamp = reader.read_next()
        result.setdefault(name, []).append((stamp, data))
    return result


def bag_of(folder: Path) -> Path:
    """The bag file of an episode."""
    (bag,) = (path for path in folder.iterdir() if path.suffix in (".mcap", ".db3"))
    return bag
