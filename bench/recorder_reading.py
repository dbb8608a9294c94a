# SPDX-License-Identifier: Apache-2.0
"""Joints alone out of an episode of 1 GB: ours as arrays, and what others do with the file that others write."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import JointState

from bench.report import BenchError, Figure
from humanoid_core.definitions import full_text, type_hash
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.columns import read_joints
from humanoid_recorder.writers import McapWriter, Topic

_KINDS = {"/joints": ("sensor_msgs/msg/JointState", "joints"), "/image": ("sensor_msgs/msg/Image", "image")}
_MESSAGES, _IMAGES = 45_000, 1_036  # 45 s of 1 kHz and 23 Hz: 1 GB
_JOINTS = 20
_PERIOD = 0.15  # of flushing, as shipped [s]


def figures(place: Path) -> dict[str, Figure]:
    """Time, and messages a second; least of three."""
    rng = np.random.default_rng(0)
    payloads = [_joints(i, rng) for i in range(_MESSAGES)]
    ours = _write_ours(place, payloads)
    theirs = place / "theirs.mcap"
    _write_stock(theirs, payloads)
    (table,) = read_joints(ours, "/joints")
    if len(table) != _MESSAGES or table.position.shape != (_MESSAGES, _JOINTS):
        raise BenchError("not all joints were read")
    store = get_typestore(Stores.ROS2_JAZZY)

    def decoded() -> None:
        with open(theirs, "rb") as stream:
            for _, _, message in make_reader(stream).iter_messages(["/joints"]):
                store.deserialize_cdr(message.data, _KINDS["/joints"][0])

    def raw(bag: Path) -> None:
        with open(bag, "rb") as stream:
            for _ in make_reader(stream).iter_messages(["/joints"]):
                pass

    seconds = _least(lambda: read_joints(ours, "/joints"), 5)
    peers = {
        "mcap library and rosbags, zstd file of the mcap library": _least(decoded, 1),
        "mcap library, the same, not decoded": _least(lambda: raw(theirs), 2),
        "mcap library, our file, not decoded": _least(lambda: raw(ours), 2),
    }
    return {
        "joints out of 1 GB, decoded": Figure(1e3 * seconds, {name: 1e3 * value for name, value in peers.items()}),
        "joints out of 1 GB, messages decoded": Figure(
            _MESSAGES / seconds, {name: _MESSAGES / value for name, value in peers.items() if "rosbags" in name}
        ),
    }


def _least(work: Callable[[], object], times: int) -> float:
    """CPU time of the fastest run [s]."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def _joints(i: int, rng: np.random.Generator) -> bytes:
    """A motion with a sensor's noise."""
    phase = i * 1e-3 * np.arange(1, _JOINTS + 1)
    values = np.stack([np.sin(phase), np.cos(phase), np.sin(phase + 1.0)]) + 1e-4 * rng.standard_normal((3, _JOINTS))
    message = JointState(name=[f"joint_{j}" for j in range(_JOINTS)])
    message.position, message.velocity, message.effort = values
    message.header.stamp.nanosec = i
    return bytes(serialize_message(message))


def _write_ours(place: Path, payloads: list[bytes]) -> Path:
    image = os.urandom(640 * 480 * 3)
    writer = McapWriter(place, "ours", 1e9, "jazzy")
    for name, (kind, group) in _KINDS.items():
        writer.add_topic(Topic(name, kind, type_hash(kind), full_text(kind), qos_text((OfferedQos(),)), group))
    for i, payload in enumerate(payloads):
        writer.write("/joints", payload, i * 1_000_000, i, i + 1)
        if i * _IMAGES // _MESSAGES != (i - 1) * _IMAGES // _MESSAGES:
            writer.write("/image", image, i * 1_000_000, i, i + 1)
        if i % round(_PERIOD * 1000) == 0:
            writer.flush()
    writer.close({})
    return place / "ours.mcap"


def _write_stock(file: Path, payloads: list[bytes]) -> None:
    image = os.urandom(640 * 480 * 3)
    with open(file, "wb") as stream:
        writer = Writer(stream, compression=CompressionType.ZSTD)
        writer.start("ros2", "bench")
        channels = {}
        for name, (kind, _) in _KINDS.items():
            schema = writer.register_schema(kind, "ros2msg", full_text(kind).encode())
            channels[name] = writer.register_channel(name, "cdr", schema)
        for i, payload in enumerate(payloads):
            writer.add_message(channels["/joints"], i * 1_000_000, payload, i)
            if i * _IMAGES // _MESSAGES != (i - 1) * _IMAGES // _MESSAGES:
                writer.add_message(channels["/image"], i * 1_000_000, image, i)
        writer.finish()
