# SPDX-License-Identifier: Apache-2.0
"""Joints as arrays: equal to what a reader that decodes each message says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mcap.writer import CompressionType, Writer
from rclpy.serialization import serialize_message
from recording_rig import JOINTS, make, record
from sensor_msgs.msg import JointState

from humanoid_core.definitions import full_text
from humanoid_recorder.columns import read_joints
from humanoid_recorder.errors import BagError
from humanoid_recorder.settings import Arrival

RNG = np.random.default_rng(2)


def message(i: int, names: list[str], effort: bool = True) -> JointState:
    values = RNG.standard_normal((3, len(names)))
    made = JointState(name=names, position=values[0], velocity=values[1], effort=values[2] if effort else [])
    made.header.stamp.sec, made.header.stamp.nanosec = 1_700_000_000 + i, i
    made.header.frame_id = "robot"
    return made


def arrivals(messages: list[JointState], topic: str = "/joint_states") -> list[Arrival]:
    return [
        Arrival(topic, serialize_message(made), 10**9 + i * 2_000_000, 10**9, i + 1) for i, made in enumerate(messages)
    ]


def check(table, messages: list[JointState]) -> None:
    assert table.names == tuple(messages[0].name)
    assert table.stamps.tolist() == [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]
    for field in ("position", "velocity", "effort"):
        assert np.array_equal(getattr(table, field), np.array([getattr(m, field) for m in messages]))


def test_columns_are_what_the_messages_say(tmp_path: Path) -> None:
    messages = [message(i, [f"joint_{j}" for j in range(7)]) for i in range(3000)]
    sent = arrivals(messages)
    camera = [Arrival("/camera/head/color", b"\0\1\0\0" + bytes(500), 10**9 + i, 0, i + 1) for i in range(100)]
    folder = record(make(tmp_path), sorted(sent + camera, key=lambda arrival: arrival.log_ns))
    (bag,) = folder.glob("*.mcap")
    (table,) = read_joints(bag, "/joint_states")
    check(table, messages)
    assert table.log_ns.tolist() == [arrival.log_ns for arrival in sent]
    assert table.sequence.tolist() == [arrival.sequence for arrival in sent]


def test_other_names_begin_another_table_even_where_the_size_is_the_same(tmp_path: Path) -> None:
    parts = [[message(i, names) for i in range(20)] for names in (["aa", "bb"], ["aa", "cc"], ["a", "b", "c"])]
    parts.append([message(i, ["a", "b", "c"], effort=False) for i in range(20)])
    folder = record(make(tmp_path), arrivals([m for part in parts for m in part]))
    (bag,) = folder.glob("*.mcap")
    tables = read_joints(bag, "/joint_states")
    assert len(tables) == len(parts)
    for table, part in zip(tables, parts):
        check(table, part)


@pytest.mark.parametrize("compression", [CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD])
def test_a_stock_writers_file_with_mixed_chunks(tmp_path: Path, compression: CompressionType) -> None:
    messages = [message(i, ["a", "b"]) for i in range(500)]
    bag = tmp_path / "stock.mcap"
    with open(bag, "wb") as stream:
        writer = Writer(stream, compression=compression, chunk_size=10_000)
        writer.start("ros2")
        schema = writer.register_schema(JOINTS, "ros2msg", full_text(JOINTS).encode())
        channels = [writer.register_channel(name, "cdr", schema) for name in ("/other", "/joint_states")]
        for i, made in enumerate(messages):
            for channel in channels:
                writer.add_message(channel, i, serialize_message(made), i, i)
        writer.finish()
    (table,) = read_joints(bag, "/joint_states")
    check(table, messages)


def test_bytes_that_only_fill_up_may_differ(tmp_path: Path) -> None:
    messages = [message(i, ["a", "b"]) for i in range(50)]
    sent = arrivals(messages)
    filling = sent[0].payload.index(b"a\0") + 2  # between the first name and the next number
    assert sent[0].payload[filling + 2] == 2
    dirty = [
        a._replace(payload=a.payload[:filling] + bytes([i, 255 - i]) + a.payload[filling + 2 :])
        for i, a in enumerate(sent)
    ]
    (bag,) = record(make(tmp_path), dirty).glob("*.mcap")
    (table,) = read_joints(bag, "/joint_states")
    check(table, messages)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = record(make(tmp_path), arrivals([message(i, ["a"]) for i in range(50)]))
    (bag,) = folder.glob("*.mcap")
    with pytest.raises(BagError, match="no topic /elsewhere"):
        read_joints(bag, "/elsewhere")
    data = bag.read_bytes()
    bag.write_bytes(data[:-20])
    with pytest.raises(BagError, match="footer"):
        read_joints(bag, "/joint_states")
    with pytest.raises(BagError, match="No such file"):
        read_joints(tmp_path / "none.mcap", "/joint_states")
