# SPDX-License-Identifier: Apache-2.0
"""Writes episodes as the recorder does, of a size and content that are asked for: joints, commands, JPEG cameras."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import cv2
import numpy as np
import yaml
from mcap.writer import CompressionType, Writer

from humanoid_core.config import read_yaml

START = 1_000_000_000_000  # [ns]
_HEADER = "std_msgs/Header header\n"
_DEFINITIONS = {
    "sensor_msgs/msg/JointState": _HEADER + "string[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n",
    "sensor_msgs/msg/CompressedImage": _HEADER + "string format\nuint8[] data\n",
}
_OWN = (
    "=" * 80 + "\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n" + "=" * 80
    + "\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
)  # fmt: skip


def write_trial(
    folder: Path,
    seconds: float,
    cameras: tuple[str, ...] = ("head", "left_wrist", "right_wrist"),
    size: tuple[int, int] = (640, 480),
    rate: float = 500.0,
    lost: tuple[str, float, float] | None = None,
    fewer: float = 0.0,
) -> Path:
    """Write an episode of a G1 whose joint i is at sin(t + i) and whose pictures carry their number.

    Args:
        folder: Made here.
        seconds: Length.
        cameras: Names.
        size: Width and height of their pictures.
        rate: Of joint states and commands [Hz].
        lost: A topic's last part before `/color`, or joint topic, and from when until when it is silent [s].
        fewer: Until when the last joints are not commanded [s].
    """
    folder.mkdir(parents=True)
    bag = folder / f"{folder.name}_0.mcap"
    joints = [name for group in read_yaml("config/robots/unitree_g1.yaml")["groups"].values() for name in group]
    events: list[tuple[int, str, bytes]] = []

    def silent(name: str, t: float) -> bool:
        return lost is not None and lost[0] == name and lost[1] <= t < lost[2]

    for k in range(round(seconds * rate)):
        t = k / rate
        stamp = START + round(t * 1e9)
        positions = np.sin(t + np.arange(len(joints)))
        for i, topic in enumerate(("joint_states", "joint_commands")):
            count = len(joints) - 4 if i and t < fewer else len(joints)
            if not silent(topic, t):
                events.append((stamp + 400_000 + i, topic, joint_state(stamp, joints[:count], positions[:count])))
    for c, camera in enumerate(cameras):
        pictures = _Pictures(size, c)
        for k in range(round(seconds * 30)):
            t = k / 30.0 + 0.003 * c
            if not silent(camera, t):
                stamp = START + round(t * 1e9)
                topic = f"camera/{camera}/color/image_raw/compressed"
                events.append((stamp + 20_000_000, topic, compressed(stamp, pictures.jpeg(k))))
    events.sort(key=lambda event: event[0])
    with bag.open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.NONE)
        writer.start("ros2")
        schemas = {
            name: writer.register_schema(name, "ros2msg", (text + _OWN).encode()) for name, text in _DEFINITIONS.items()
        }
        channels: dict[str, int] = {}
        for arrival, topic, payload in events:
            if topic not in channels:
                kind = "sensor_msgs/msg/" + ("CompressedImage" if topic.startswith("camera/") else "JointState")
                channels[topic] = writer.register_channel(f"/unitree_g1/{topic}", "cdr", schemas[kind])
            writer.add_message(channels[topic], arrival, payload, arrival)
        writer.finish()
    sidecar = {
        "schema": 2, "episode_id": folder.name, "robot": "unitree_g1", "task": "parcel_sorting", "scene": "hall",
        "instruction": "Put each parcel into the bin that has the colour of its label.", "operator": "bench",
        "note": "", "state": "finished", "outcome": "success", "start_ns": START, "duration": seconds,
        "started": "2026-01-01T00:00:00+00:00",
        "bag": {"file": bag.name, "sha256": hashlib.sha256(bag.read_bytes()).hexdigest(), "bytes": bag.stat().st_size,
                "messages": len(events)},
        "annotations": [{"start_ns": START + round(0.3e9), "end_ns": START + round(0.6e9), "label": "reach"}],
    }  # fmt: skip
    (folder / "episode.yaml").write_text(yaml.safe_dump(sidecar))
    return folder


class _Pictures:
    """A table scene seen by a moving camera, with sensor noise of sd 3, and its number in the corner."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        width, height = size
        x, y = np.meshgrid(np.linspace(0, 6, width + 200), np.linspace(0, 4, height + 100))
        scene = np.stack([110 + 50 * np.sin(x + seed), 120 + 40 * np.cos(y * 1.3), 90 + 30 * np.sin(x * y / 3)], axis=2)
        for _ in range(25):
            at = self._rng.integers(0, (width, height)).tolist()
            colour = self._rng.integers(30, 220, 3).tolist()
            cv2.rectangle(scene, at, (at[0] + width // 10, at[1] + height // 10), colour, -1)
        self._scene, self._size = scene.astype(np.int16), size
        self._noise = [self._rng.normal(0, 3, (height, width, 3)).round().astype(np.int16) for _ in range(4)]

    def jpeg(self, k: int) -> bytes:
        width, height = self._size
        dx, dy = round(90 + 80 * np.sin(k / 25)), round(45 + 40 * np.cos(k / 31))
        picture = cv2.convertScaleAbs(self._scene[dy : dy + height, dx : dx + width] + self._noise[k % 4])
        for bit in range(12):  # blocks of 8 pixels survive any codec
            picture[:8, 8 * bit : 8 * bit + 8] = 255 if k >> bit & 1 else 0
        return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def _head(stamp: int) -> bytes:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    return struct.pack("<BBHiII", 0, 1, 0, seconds, nanoseconds, 1) + b"\0"


def _string(data: bytearray, text: str) -> None:
    data.extend(b"\0" * (-(len(data) - 4) % 4))
    data.extend(struct.pack("<I", len(text) + 1) + text.encode() + b"\0")


def joint_state(stamp: int, names: list[str], positions: np.ndarray) -> bytes:
    """A serialized JointState."""
    data = bytearray(_head(stamp))
    data.extend(b"\0" * (-(len(data) - 4) % 4) + struct.pack("<I", len(names)))
    for name in names:
        _string(data, name)
    data.extend(b"\0" * (-(len(data) - 4) % 4) + struct.pack("<I", len(positions)))
    data.extend(b"\0" * (-(len(data) - 4) % 8) + np.asarray(positions, "<f8").tobytes())
    data.extend(struct.pack("<II", 0, 0))
    return bytes(data)


def compressed(stamp: int, jpeg: bytes) -> bytes:
    """A serialized CompressedImage."""
    data = bytearray(_head(stamp))
    _string(data, "jpeg")
    data.extend(b"\0" * (-(len(data) - 4) % 4) + struct.pack("<I", len(jpeg)) + jpeg)
    return bytes(data)
