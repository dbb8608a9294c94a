# SPDX-License-Identifier: Apache-2.0
"""The two flags are read from the bytes that ROS itself writes."""

import contextlib
import itertools

import pytest
from geometry_msgs.msg import Pose
from rclpy.serialization import serialize_message

from humanoid_core.errors import MessageError
from humanoid_interfaces.msg import OperatorFrame, TrackedPose
from humanoid_safety.dead_man import engaged


def frame(left: bool, right: bool, poses: int, joints: int, axes: int, buttons: int, word: str) -> OperatorFrame:
    message = OperatorFrame(source=word, sequence=7)
    message.header.frame_id = word * 3
    message.poses = [TrackedPose(name=word + "x" * i, validity=2) for i in range(poses)]
    for hand in (message.left_hand, message.right_hand):
        hand.validity, hand.grip, hand.trigger = 1, 1.0, float("nan")
        hand.joints = [Pose() for _ in range(joints)]
        hand.axes, hand.buttons = [1.0] * axes, [True] * buttons
    message.left_hand.engaged, message.right_hand.engaged = left, right
    return message


SHAPES = [(0, 0, 0, 0, ""), (1, 0, 2, 3, "a"), (13, 25, 2, 7, "bvh"), (2, 25, 0, 1, "left_"), (5, 1, 3, 2, "xyz12")]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("left", "right"), list(itertools.product([False, True], repeat=2)))
def test_flags_are_those_of_the_message(left, right, shape):
    assert engaged(serialize_message(frame(left, right, *shape))) == (left or right)


@pytest.mark.parametrize("length", [0, 3, 8, 20, 60, 200])
def test_a_broken_frame_is_an_error(length):
    whole = serialize_message(frame(False, False, 3, 2, 1, 1, "abc"))
    with pytest.raises(MessageError, match="operator/frame"):
        engaged(whole[:length])


def test_garbage_is_an_error_or_an_answer_but_never_anything_else():
    whole = serialize_message(frame(False, True, 3, 2, 1, 1, "abc"))
    for at in range(4, len(whole)):
        broken = bytearray(whole)
        broken[at] = 0xFF
        with contextlib.suppress(MessageError):
            assert engaged(bytes(broken)) in (True, False)
