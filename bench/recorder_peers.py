# SPDX-License-Identifier: Apache-2.0
"""Recorders of others under the same load, and the recorder that most people write first: `python -m
bench.recorder_peers <folder>`.

The latter is a restatement: raw subscriptions of depth 10 in rclpy's default executor, written by `rosbags` as they
come.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import rclpy
from mcap.reader import make_reader
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import StoragePlugin, Writer

from bench.report import BenchError
from bench.rig import Rig
from humanoid_core.definitions import full_text, type_hash
from humanoid_core.ros import message_type

NAMES = {
    "ros2 bag record (stand-in of this workspace)": "from ros2cli.cli import main; main()",
    "rclpy and rosbags (restatement)": "from bench.recorder_peers import main; main()",
}


def under_load(name: str, load: list[str], seconds: float, place: Path, domain: int) -> tuple[float, float]:
    """One recorder under one load.

    Args:
        name: Key of NAMES.
        load: Arguments of bench.streams.
        seconds: How long.
        place: An empty folder.
        domain: ROS domain.

    Returns:
        Messages lost [%], CPU [% of a core].
    """
    bag, counts = place / "bag", place / "counts.json"
    arguments = ["bag", "record", "-a", "-o", str(bag)] if name.startswith("ros2") else [str(bag)]
    commands = {
        "recorder": ["-c", NAMES[name], *arguments],
        "sensors": ["-m", "bench.streams", *load, "--wait", "--counts", str(counts)],
    }
    with Rig(commands, domain) as rig:
        rig.until_heard("joint_states")
        rig.spin(2.0)
        before = rig.cpu()["recorder"]
        rig.spin(seconds)
        share = (rig.cpu()["recorder"] - before) / seconds
        sensors = rig.processes.pop("sensors")
        sensors.send_signal(signal.SIGINT)
        _, said = sensors.communicate(timeout=20.0)
        if not counts.exists():
            raise BenchError(f"the sensors did not say what they sent: {said[-500:]}")
        rig.spin(0.5)
    sent = json.loads(counts.read_text())
    written = sum(count for topic, count in _counts(bag).items() if topic.lstrip("/") in sent)
    return max(0.0, 100.0 * (1.0 - written / sum(sent.values()))), 100.0 * share


def _counts(folder: Path) -> dict[str, int]:
    (file,) = folder.glob("*.mcap")
    with open(file, "rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    counts = summary.statistics.channel_message_counts
    return {channel.topic: counts.get(number, 0) for number, channel in summary.channels.items()}


class _Simple(Node):
    """Subscribes to whatever there is, and writes it in the callback."""

    def __init__(self, writer: Writer) -> None:
        super().__init__("simple_recorder")
        self._writer = writer
        self._known: set[str] = set()
        self.create_timer(0.2, self._discover)

    def _discover(self) -> None:
        for topic, (kind, *_) in self.get_topic_names_and_types():
            if topic in self._known or topic in ("/rosout", "/parameter_events"):
                continue
            self._known.add(topic)
            connection = self._writer.add_connection(topic, kind, msgdef=full_text(kind), rihs01=type_hash(kind))
            infos = self.get_publishers_info_by_topic(topic)
            reliable = all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE for info in infos)
            qos = QoSProfile(
                depth=10, reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
            )

            def write(payload: Any, connection: Any = connection) -> None:
                self._writer.write(connection, time.time_ns(), payload)

            self.create_subscription(message_type(kind), topic, write, qos, raw=True)


def main() -> None:
    """Record until interrupted."""
    rclpy.init()
    with Writer(Path(sys.argv[1]), version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        node = _Simple(writer)
        with suppress(KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
            rclpy.spin(node)
