# SPDX-License-Identifier: Apache-2.0
"""episode.yaml: what a person or a program has to know of an episode beside the bag (schema in docs/recording.md)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from humanoid_core.config import build, read_yaml
from humanoid_core.errors import ConfigError
from humanoid_recorder.writers import write_durably

SCHEMA = 1
FILE = "episode.yaml"
Outcome = Literal["unsure", "success", "failure"]


@dataclass(frozen=True)
class Label:
    """An annotation: an instant where `end_ns` is 0, else an interval. ROS time."""

    start_ns: int
    end_ns: int
    label: str
    author: str = ""
    tool: str = ""
    note: str = ""


@dataclass(frozen=True)
class TopicReport:
    """What was counted of one topic; see `counters.TopicCounter`."""

    name: str
    type: str
    required: bool
    expected_rate: float  # [Hz], 0 where none
    max_gap: float  # allowed [s], 0 where none
    publishers: int
    received: int
    written: int
    repeated: int
    lost: int
    dropped: int
    bytes: int
    rate: float  # mean [Hz]
    longest_gap: float  # [s]
    gaps: int  # longer than max_gap
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class BagReport:
    """The bag file: name, SHA-256, size in bytes, messages."""

    file: str
    sha256: str
    bytes: int
    messages: int


@dataclass(frozen=True)
class Episode:
    """Contents of episode.yaml.

    Attributes:
        schema: Version of this layout.
        state: "recording" in a staging folder, "finished", or "recovered" after a crash.
        clock: "system" or "simulated": what the stamps, and the bag's times of arrival, count.
        problems: Sentences about whatever makes the episode less than complete; empty is good.
    """

    episode_id: str
    robot: str
    task: str
    instruction: str
    operator: str
    scene: str
    tags: dict[str, str]
    state: Literal["recording", "finished", "recovered"]
    clock: Literal["system", "simulated"]
    start_ns: int
    started: str  # wall clock, ISO 8601, UTC
    software: dict[str, str]
    backend: str
    schema: int = SCHEMA
    end_ns: int = 0
    duration: float = 0.0  # [s] of `clock`
    outcome: Outcome = "unsure"
    note: str = ""
    pre_roll: float = 0.0  # [s] recorded before the start
    robot_description_sha256: str = ""
    bag: BagReport | None = None
    topics: list[TopicReport] = field(default_factory=list)
    annotations: list[Label] = field(default_factory=list)
    lost: int = 0
    dropped: int = 0
    queue_high_water: int = 0  # [bytes]
    missing: list[str] = field(default_factory=list)  # required names without a message
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema}, this program reads {SCHEMA}")


def write_episode(folder: Path, episode: Episode, durable: bool = True) -> None:
    """Write episode.yaml in one step.

    Args:
        folder: The episode.
        episode: What to say.
        durable: Wait until the disk has it.

    Raises:
        StorageError: the folder cannot take it.
    """
    data: dict[str, Any] = dataclasses.asdict(episode)
    ordered = {"schema": data.pop("schema"), **data}
    write_durably(folder / FILE, yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=120), durable)


def read_episode(folder: Path) -> Episode:
    """Read episode.yaml of an episode's folder.

    Raises:
        ConfigError: the file is missing, damaged, or of another schema.
    """
    path = folder / FILE
    data = read_yaml(path)
    if data.get("schema") != SCHEMA:
        raise ConfigError(path, "schema", data.get("schema"), str(SCHEMA))
    return build(Episode, data, path)
