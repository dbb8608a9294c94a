# SPDX-License-Identifier: Apache-2.0
"""The buffer answers as upstream's does, texts included."""

import math

import pytest
import tf2_ros
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time


def _transform(parent: str, child: str, seconds: float, x: float = 0.0, yaw: float = 0.0) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp = Time(nanoseconds=int(seconds * 1e9)).to_msg()
    message.transform.translation.x = x
    message.transform.rotation.z, message.transform.rotation.w = math.sin(yaw / 2), math.cos(yaw / 2)
    return message


@pytest.fixture
def buffer() -> tf2_ros.Buffer:
    made = tf2_ros.Buffer()
    made.set_transform(_transform("world", "base", 11.0, x=1.0, yaw=0.0), "test")
    made.set_transform(_transform("world", "base", 12.0, x=3.0, yaw=math.pi / 2), "test")
    made.set_transform_static(_transform("base", "camera", 0.0, x=2.0), "test")
    return made


def _at(seconds: float) -> Time:
    return Time(nanoseconds=int(seconds * 1e9))


def test_interpolates_position_and_rotation_through_a_static_frame(buffer: tf2_ros.Buffer) -> None:
    found = buffer.lookup_transform("world", "camera", _at(11.5))
    move, turn = found.transform.translation, found.transform.rotation
    assert (move.x, move.y) == pytest.approx((2 + 2 * math.cos(math.pi / 4), 2 * math.sin(math.pi / 4)))
    assert (turn.z, turn.w) == pytest.approx((math.sin(math.pi / 8), math.cos(math.pi / 8)))
    back = buffer.lookup_transform("camera", "world", _at(11.5)).transform
    assert (back.rotation.z, back.rotation.w) == pytest.approx((-turn.z, turn.w))
    assert back.translation.x == pytest.approx(-2 * math.cos(math.pi / 4) - 2)


def test_siblings_are_related_through_their_common_parent(buffer: tf2_ros.Buffer) -> None:
    buffer.set_transform_static(_transform("base", "hand", 0.0, x=-1.0, yaw=math.pi / 2), "test")
    found = buffer.lookup_transform("hand", "camera", _at(11.5)).transform
    assert (found.translation.x, found.translation.y) == pytest.approx((0.0, -3.0))
    assert found.rotation.z == pytest.approx(-math.sqrt(0.5))


def test_zero_is_the_newest_common_time_and_static_frames_take_the_asked_one(buffer: tf2_ros.Buffer) -> None:
    assert buffer.lookup_transform("world", "camera", Time()).header.stamp.sec == 12
    assert buffer.lookup_transform("base", "camera", _at(77)).header.stamp.sec == 77
    assert buffer.lookup_transform("base", "base", Time()).header.stamp.sec == 12


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            ("a", "base", _at(11)),
            tf2_ros.LookupException,
            '"a" passed to lookupTransform argument target_frame does not exist. ',
        ),
        (
            ("world", "base", _at(13)),
            tf2_ros.ExtrapolationException,
            "Lookup would require extrapolation into the future.  Requested time 13.000000 but the latest data is at "
            "time 12.000000, when looking up transform from frame [base] to frame [world]",
        ),
        (
            ("/world", "base", _at(11)),
            tf2_ros.InvalidArgumentException,
            'Invalid argument "/world" passed to lookupTransform argument target_frame - in tf2 frame_ids cannot start '
            "with a '/'",
        ),
    ],
)
def test_errors_have_the_texts_of_upstream(
    buffer: tf2_ros.Buffer, arguments: tuple[str, str, Time], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as raised:
        buffer.lookup_transform(*arguments)
    assert str(raised.value) == text
    assert isinstance(raised.value, tf2_ros.TransformException)


def test_a_new_parent_replaces_the_link(buffer: tf2_ros.Buffer) -> None:
    buffer.set_transform(_transform("island", "base", 13.0), "test")
    with pytest.raises(tf2_ros.ConnectivityException, match="not part of the same tree"):
        buffer.lookup_transform("world", "camera", Time())
    assert buffer.can_transform("island", "camera", Time()) == 1


def test_a_loop_is_described_by_its_frames() -> None:
    buffer = tf2_ros.Buffer()
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "e")):
        buffer.set_transform(_transform(parent, child, 12.0), "test")
    with pytest.raises(tf2_ros.LookupException) as caught:
        buffer.lookup_transform("e", "a", _at(12.0))
    assert str(caught.value) == (
        "The tf tree is invalid because it contains a loop.\nFrame b exists with parent a.\n"
        "Frame a exists with parent c.\nFrame c exists with parent b.\nFrame e exists with parent d.\n\n"
    )


def test_bad_samples_are_ignored(buffer: tf2_ros.Buffer) -> None:
    zero = _transform("world", "base", 12.5)
    zero.transform.rotation.w = 0.0
    for bad in (zero, _transform("base", "base", 12.5), _transform("world", "base", 12.5, x=math.nan)):
        buffer.set_transform(bad, "test")
    buffer.set_transform(_transform("world", "base", 1.0), "test")  # older than the cache
    assert buffer.can_transform("world", "base", _at(12.5), return_debug_tuple=True)[0] == 0
    assert buffer.can_transform("world", "base", _at(1.0)) == 0


def test_the_cache_is_pruned_by_the_insertion_after_a_jump(buffer: tf2_ros.Buffer) -> None:
    buffer.set_transform(_transform("world", "base", 30.0, x=5.0), "test")
    assert buffer.can_transform("world", "base", _at(11.5)) == 1
    buffer.set_transform(_transform("world", "base", 30.1, x=5.0), "test")
    assert buffer.can_transform("world", "base", _at(11.5)) == 0


def test_clearing_keeps_static_frames(buffer: tf2_ros.Buffer) -> None:
    buffer.time_jump_callback(None)  # type: ignore[arg-type]
    assert buffer.can_transform("base", "camera", _at(5)) == 1
    assert buffer.can_transform("world", "camera", Time()) == 0


def test_waiting_ends_with_the_last_failure(buffer: tf2_ros.Buffer) -> None:
    with pytest.raises(tf2_ros.LookupException):
        buffer.lookup_transform("world", "hand", Time(), Duration(nanoseconds=1))


def test_what_is_left_out_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"tf2_ros\.BufferClient"):
        _ = tf2_ros.BufferClient
