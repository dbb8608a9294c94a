# SPDX-License-Identifier: Apache-2.0
"""OperatorFrame from and to its message."""

from __future__ import annotations

import numpy as np

from humanoid_core import convert
from humanoid_interfaces.msg import OperatorFrame as OperatorFrameMessage
from humanoid_interfaces.msg import OperatorHand, TrackedPose
from humanoid_teleop.operator import BODY_PARTS, LOST, PART_INDEX, Hand, OperatorFrame

TRACKING_FRAME = "tracking"


def to_message(frame: OperatorFrame) -> OperatorFrameMessage:
    """The message of a frame; parts that are LOST at the origin are left out."""
    message = OperatorFrameMessage(source=frame.source, sequence=frame.sequence)
    message.header.stamp = convert.to_stamp(frame.stamp)
    message.header.frame_id = TRACKING_FRAME
    message.poses = [
        TrackedPose(
            name=part,
            pose=convert.to_pose(frame.positions[index], frame.rotations[index]),
            validity=int(frame.validity[index]),
        )
        for index, part in enumerate(BODY_PARTS)
        if frame.validity[index] != LOST or frame.positions[index].any()
    ]
    message.left_hand, message.right_hand = _to_hand(frame.left), _to_hand(frame.right)
    return message


def from_message(message: OperatorFrameMessage) -> OperatorFrame:
    """The frame of a message; parts of unknown name are left out. Values are not checked: the retargeting does that."""
    frame = OperatorFrame(convert.stamp_ns(message.header.stamp), message.source, message.sequence)
    for tracked in message.poses:
        index = PART_INDEX.get(tracked.name)
        if index is None:
            continue
        p, q = tracked.pose.position, tracked.pose.orientation
        frame.positions[index] = (p.x, p.y, p.z)
        frame.rotations[index] = (q.x, q.y, q.z, q.w)
        frame.validity[index] = tracked.validity
    frame.left, frame.right = _from_hand(message.left_hand), _from_hand(message.right_hand)
    return frame


def _to_hand(hand: Hand) -> OperatorHand:
    message = OperatorHand(engaged=hand.engaged, validity=hand.validity, grip=hand.grip, trigger=hand.trigger)
    message.axes, message.buttons = hand.axes, hand.buttons
    if hand.joint_positions is not None and hand.joint_rotations is not None:
        message.joints = [convert.to_pose(*pose) for pose in zip(hand.joint_positions, hand.joint_rotations)]
    return message


def _from_hand(message: OperatorHand) -> Hand:
    hand = Hand(message.engaged, message.validity, grip=message.grip, trigger=message.trigger)
    hand.axes, hand.buttons = list(message.axes), list(message.buttons)
    if message.joints:
        poses = [convert.pose_arrays(pose) for pose in message.joints]
        hand.joint_positions = np.array([position for position, _ in poses])
        hand.joint_rotations = np.array([rotation for _, rotation in poses])
    return hand
