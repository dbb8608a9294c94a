# SPDX-License-Identifier: Apache-2.0
"""A recorded WebVR session (A-Frame's motion capture components) as the bag that a headset's device node would leave.

    python3 webvr_recording.py recording.json.gz <bag folder>

The session has the headset and two controllers. Poses: y up, -z ahead, degrees in A-Frame's order YXZ. The frame is
turned so that the person faces x at first, and a pelvis under the head, facing where the head has mostly faced of late,
is marked as inferred.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import rosbag2_py
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation

from humanoid_core import endpoints
from humanoid_teleop.operator import INFERRED, SIDES, Hand, OperatorFrame
from humanoid_teleop.operator_messages import to_message

TRACKING_FROM_WEB = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
# Operator's axes in the device's: head x ahead, z up; wrist x ahead of the controller, z out of the back of the hand.
WEB_FROM_HEAD = TRACKING_FROM_WEB.T
WEB_FROM_WRIST = {side: np.column_stack([(0, 0, -1), np.cross((s, 0, 0), (0, 0, -1)), (s, 0, 0)]) for side, s in
                  (("left", -1.0), ("right", 1.0))}  # fmt: skip
HEADING_TIME = 1.0  # [s]
START = 1_000_000_000  # [ns]


def frames(path: Path, engage: float = 1.0) -> list[OperatorFrame]:
    """Operator frames of a session, the dead-man held from `engage` [s] on; a pressed button is a closed hand."""
    session = json.loads(gzip.decompress(path.read_bytes()))
    times = np.array([pose["timestamp"] for pose in session["camera"]["poses"]]) * 1e-3
    poses = {name: _poses(session[device]["poses"], times) for name, device in
             (("head", "camera"), ("left", "left"), ("right", "right"))}  # fmt: skip
    ahead = poses["head"][1][0] @ WEB_FROM_HEAD[:, 0]
    turn = Rotation.from_euler("z", -np.arctan2(-ahead[0], -ahead[2])).as_matrix() @ TRACKING_FROM_WEB
    origin = poses["head"][0][0] * (1.0, 0.0, 1.0)
    grips = {side: _pressed(session[side].get("events", []), times) for side in SIDES}
    out, heading = [], np.array([1.0, 0.0])
    for number, time in enumerate(times - times[0]):
        frame = OperatorFrame(START + round(time * 1e9), path.name, number)
        head = turn @ poses["head"][1][number] @ WEB_FROM_HEAD
        place = turn @ (poses["head"][0][number] - origin)
        frame.set("head", place, Rotation.from_matrix(head).as_quat())
        share = 1.0 - np.exp(-(time - (times[number - 1] - times[0] if number else 0.0)) / HEADING_TIME)
        heading = heading + share * (head[:2, 0] - heading)
        pelvis = Rotation.from_euler("z", np.arctan2(heading[1], heading[0])).as_quat()
        frame.set("pelvis", place * (1.0, 1.0, 0.5), pelvis, INFERRED)
        for side in SIDES:
            wrist = Rotation.from_matrix(turn @ poses[side][1][number] @ WEB_FROM_WRIST[side]).as_quat()
            frame.set(f"{side}_wrist", turn @ (poses[side][0][number] - origin), wrist)
        frame.left, frame.right = (Hand(engaged=bool(time >= engage), grip=grips[side][number]) for side in SIDES)
        out.append(frame)
    return out


def _poses(recorded: list[dict], times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, 3) [m] and rotations (n, 3, 3) at times (n,) [s], the newest before each."""
    stamps = np.array([pose["timestamp"] for pose in recorded]) * 1e-3
    rows = np.clip(np.searchsorted(stamps, times, side="right") - 1, 0, len(stamps) - 1)
    positions = np.array([[pose["position"][axis] for axis in "xyz"] for pose in recorded])
    angles = np.array([[pose["rotation"][axis] for axis in "yxz"] for pose in recorded])
    return positions[rows], Rotation.from_euler("YXZ", angles, degrees=True).as_matrix()[rows]


def _pressed(events: list[dict], times: np.ndarray) -> np.ndarray:
    """1 while any button is down (n,)."""
    grip, down = np.zeros(len(times)), 0
    for event in sorted(events, key=lambda event: event["timestamp"]):
        down += {"buttondown": 1, "buttonup": -1}.get(event["name"], 0)
        grip[times >= event["timestamp"] * 1e-3] = float(down > 0)
    return grip


def write_bag(folder: Path, made: list[OperatorFrame], topic: str = f"/{endpoints.OPERATOR_FRAME.name}") -> None:
    """A bag of operator frames."""
    writer = rosbag2_py.SequentialWriter()
    storage = rosbag2_py.StorageOptions(uri=str(folder), storage_id="mcap")
    writer.open(storage, rosbag2_py.ConverterOptions("cdr", "cdr"))
    writer.create_topic(rosbag2_py.TopicMetadata(0, topic, endpoints.OPERATOR_FRAME.type, "cdr"))
    for frame in made:
        writer.write(topic, serialize_message(to_message(frame)), frame.stamp)
    writer.close()


if __name__ == "__main__":
    write_bag(Path(sys.argv[2]), frames(Path(sys.argv[1])))
