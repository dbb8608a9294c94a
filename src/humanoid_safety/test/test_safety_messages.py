# SPDX-License-Identifier: Apache-2.0
"""Joint states and targets as bytes: read as ROS reads them, and nothing that is sent ends the reader."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from humanoid_core.errors import MessageError
from humanoid_safety.joint_state_reader import JointStateReader

NAMES = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), max_size=6)


def message(names: list[str], position: list[float], frame: str = "", nanoseconds: int = 7) -> bytes:
    header = Header(stamp=Time(sec=3, nanosec=nanoseconds), frame_id=frame)
    return serialize_message(JointState(header=header, name=names, position=position, velocity=[1.0] * len(position)))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(NAMES, st.lists(st.floats(), max_size=6), st.text("abc", max_size=9)), max_size=6))
def test_messages_are_read_as_ros_reads_them(sent) -> None:
    reader = JointStateReader("joint_states")
    for names, position, frame in sent:
        for nanoseconds in (7, 8):  # the second one by the layout learned from the first
            read = reader.read(message(names, position, frame, nanoseconds))
            assert read.stamp_ns == 3_000_000_000 + nanoseconds
            assert read.names == names
            np.testing.assert_array_equal(read.position, position)


def test_the_same_names_are_the_same_list() -> None:
    reader = JointStateReader("joint_states")
    first = reader.read(message(["a", "b"], [1.0, 2.0]))
    assert reader.read(message(["a", "b"], [3.0, 4.0])).names is first.names
    assert reader.read(message(["b", "a"], [3.0, 4.0])).names == ["b", "a"]


def test_what_stands_between_the_fields_does_not_matter() -> None:
    reader = JointStateReader("joint_states")
    whole = bytearray(message(["ab", "cd"], [1.0, 2.0]))
    first = reader.read(bytes(whole))
    for name in (b"ab\0", b"cd\0"):
        whole[whole.index(name) + len(name)] ^= 0xA5  # left out by the serializer, so that the next number is aligned
    assert reader.read(bytes(whole)).names is first.names
    whole[whole.index(b"cd\0")] = ord("x")
    assert reader.read(bytes(whole)).names == ["ab", "xd"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=120), st.integers(0, 120))
def test_bytes_that_are_no_message_are_an_error_of_ours(noise: bytes, end: int) -> None:
    reader = JointStateReader("joint_states")
    whole = message(["left_elbow", "right_elbow"], [1.0, 2.0])
    reader.read(whole)
    for data in (noise, whole[:end], whole[:end] + noise):
        with contextlib.suppress(MessageError):
            reader.read(data)
    assert reader.read(whole).names == ["left_elbow", "right_elbow"]


def test_a_message_cut_off_in_its_positions_is_refused() -> None:
    reader = JointStateReader("joint_states")
    whole = message(["a", "b"], [1.0, 2.0])
    reader.read(whole)
    with pytest.raises(MessageError, match="joint_states"):
        reader.read(whole[: len(whole) - 40])
