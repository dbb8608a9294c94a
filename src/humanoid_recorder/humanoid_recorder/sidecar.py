# SPDX-License-Identifier: Apache-2.0
"""episode.yaml: what a person or a program has to know of an episode beside the bag (schema in docs/recording.md)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from humanoid_core.config import build, read_yaml
from humanoid_core.errors import ConfigError
from humanoid_recorder.writers import write_durably

SCHEMA = 2
READABLE = (1, 2)  # what 2 adds has a default
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
    stored: int = 0  # bytes of the file, compressed, by its share of the chunks it stands in; 0 where not known
    longest_stamp_gap: float = 0.0  # between the messages' own stamps [s]
    stamps_back: int = 0  # stamps before the one before


@dataclass(frozen=True)
class ClockReport:
    """A stream's clock as time synchronisation knew it at the end; device to host."""

    stream: str
    offset: float  # [s]
    drift: float  # [s/s]
    uncertainty: float  # [s]


@dataclass(frozen=True)
class ClockStep:
    """The system clock was set while recording: at which time it stood then, and by how much."""

    at_ns: int
    step: float  # [s]


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
    post_roll: float = 0.0  # [s] recorded behind the end
    configuration: dict[str, str] = field(default_factory=dict)  # SHA-256 of the files used; their text is in the bag
    clocks: list[ClockReport] = field(default_factory=list)
    clock_steps: list[ClockStep] = field(default_factory=list)
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
        if self.schema not in READABLE:
            raise ValueError(f"schema {self.schema}, this program reads {READABLE}")


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


def metadata_of(episode: Episode) -> dict[str, str]:
    """What the bag itself says of its episode: texts as they are, the rest as JSON."""
    data = dataclasses.asdict(episode)
    left_out = ("bag", "topics", "problems", "state")  # not known before the bag is closed
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in data.items()
        if key not in left_out
    }


def read_episode(folder: Path) -> Episode:
    """Read episode.yaml of an episode's folder.

    Raises:
        ConfigError: the file is missing, damaged, or of another schema.
    """
    path = folder / FILE
    data = read_yaml(path)
    if data.get("schema") not in READABLE:
        raise ConfigError(path, "schema", data.get("schema"), " or ".join(map(str, READABLE)))
    return build(Episode, data, path)
