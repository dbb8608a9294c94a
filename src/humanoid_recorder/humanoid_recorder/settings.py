# SPDX-License-Identifier: Apache-2.0
"""What goes into the recorder and comes out of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from humanoid_recorder.errors import EpisodeError
from humanoid_recorder.folders import check_text
from humanoid_recorder.sidecar import Outcome


@dataclass(frozen=True)
class Settings:
    """How to record.

    Attributes:
        out: Root of all episodes.
        robot: Folder name of the robot.
        namespace: Of the robot's topics, "/" or "/robot".
        backend: Key of `backends.BACKENDS`.
        flush_period: A message waits no longer than this before it is written [s].
        sync_period: How often the disk is told to store what was written [s].
        pre_roll: How much from before the start belongs to an episode [s].
        pre_roll_bytes: Most that is kept for that [bytes].
        post_roll: How much from behind the stop belongs to it [s].
        queue_bytes: Most that may wait for the disk [bytes].
        reserve_bytes: Room held for ending an episode whose disk gets full [bytes].
        usual_length: How long an episode takes: none starts without room for that, as streams are now [s].
        disk_start: Free space below which no episode starts [bytes].
        disk_floor: Free space at which a running one ends [bytes].
        clock: What the times of arrival count.
        software: Versions, for episode.yaml.
        configuration: Text of the files used, by name, for the bag.
        ros_distro: For the bag's metadata.
    """

    out: Path
    robot: str
    namespace: str
    backend: str
    flush_period: float
    sync_period: float
    pre_roll: float
    pre_roll_bytes: int
    post_roll: float
    queue_bytes: int
    reserve_bytes: int
    usual_length: float
    disk_start: int
    disk_floor: int
    clock: Literal["system", "simulated"]
    software: dict[str, str]
    configuration: dict[str, str]
    ros_distro: str


@dataclass(frozen=True)
class Request:
    """What a person says when an episode starts."""

    task: str
    instruction: str = ""
    operator: str = ""
    scene: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Make sure that it can be stored.

        Raises:
            EpisodeError: a text cannot be used.
        """
        if not self.task.strip():
            raise EpisodeError("task: found nothing, expected a name")
        for what in ("task", "instruction", "operator", "scene"):
            check_text(what, getattr(self, what))
        if len(self.tags) > 100:
            raise EpisodeError(f"tags: found {len(self.tags)}, expected at most 100")
        for key, value in self.tags.items():
            check_text("tag", key)
            check_text(f"tag {key[:40]}", value)
            if not key.strip():
                raise EpisodeError("tags: found an empty key, expected a name")


class Arrival(NamedTuple):
    """A message as the middleware handed it over; times in nanoseconds, `log_ns` in ROS time."""

    topic: str
    payload: bytes
    log_ns: int
    publish_ns: int
    sequence: int


@dataclass(frozen=True)
class Ended:
    """The last episode."""

    episode_id: str
    path: Path
    outcome: Outcome | Literal["discarded"]
    problems: tuple[str, ...] = ()
    task: str = ""
    duration: float = 0.0  # [s]
