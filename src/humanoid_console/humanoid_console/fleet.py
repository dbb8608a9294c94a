# SPDX-License-Identifier: Apache-2.0
"""What every robot in the network says of itself right now: recorders and limiters are found by their topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from humanoid_core import endpoints, ros
from humanoid_core.endpoints import Endpoint
from humanoid_interfaces.msg import EpisodeStatus, SafetyStatus

SAFETY = {
    SafetyStatus.HOLD: "hold",
    SafetyStatus.ACTIVE: "active",
    SafetyStatus.SOFT_STOP: "soft_stop",
    SafetyStatus.E_STOP: "e_stop",
}
RECORDER = {
    EpisodeStatus.IDLE: "idle",
    EpisodeStatus.RECORDING: "recording",
    EpisodeStatus.FINALISING: "finalising",
    EpisodeStatus.ERROR: "error",
}
TELEOP = ("waiting", "calibrating", "ready", "engaged", "holding")  # by TeleopStatus.state
_SILENT = 10.0  # [s]: who said nothing for longer is not there


def recorder_facts(status: EpisodeStatus) -> dict[str, Any]:
    """What pages show of a recorder."""
    return {
        "recorder": RECORDER[status.state],
        "duration": round(status.duration, 1),
        "task": status.task,
        "episode": status.episode_id,
        "message": status.message,
        "megabytes": round(status.bytes * 1e-6, 1),
        "free_gb": round(status.disk_free * 1e-9, 1),
        "lost": sum(topic.lost for topic in status.topics),
        "dropped": sum(topic.dropped for topic in status.topics),
    }


class Fleet:
    """Listens to all robots of the network.

    Args:
        node: The node whose subscriptions these are.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._heard: set[str] = set()
        self._robots: dict[str, dict[str, Any]] = {}

    def discover(self) -> None:
        """Look for robots that came since; to be called now and then."""
        for name, kinds in self._node.get_topic_names_and_types():
            for endpoint, take in (
                (endpoints.RECORDER_STATUS, self._recorder),
                (endpoints.SAFETY_STATUS, self._safety),
            ):
                if name.endswith(f"/{endpoint.name}") and endpoint.type in kinds and name not in self._heard:
                    self._heard.add(name)
                    robot = name.removesuffix(f"/{endpoint.name}").rpartition("/")[2]
                    ros.subscribe(self._node, Endpoint(name, endpoint.type, endpoint.qos), take(robot))

    @property
    def robots(self) -> dict[str, dict[str, Any]]:
        """What each robot that is there says, by its name."""
        now = time.monotonic()
        return {
            name: {key: value for key, value in said.items() if key != "heard"}
            for name, said in list(self._robots.items())
            if now - said["heard"] < _SILENT
        }

    def _recorder(self, robot: str) -> Callable[[EpisodeStatus], None]:
        return lambda status: self._take(robot, **recorder_facts(status))

    def _safety(self, robot: str) -> Callable[[SafetyStatus], None]:
        return lambda status: self._take(robot, safety=SAFETY[status.state])

    def _take(self, robot: str, **values: Any) -> None:
        self._robots[robot] = {**self._robots.get(robot, {}), **values, "heard": time.monotonic()}
