# SPDX-License-Identifier: Apache-2.0
"""What the catalogue keeps of an episode, read from the small files beside its bag."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from humanoid_dataset.errors import EpisodeError

SIDECAR = "episode.yaml"
METADATA = "metadata.yaml"
CHECKS = "checks.json"  # written by `check --write`
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML without libyaml: the same, slower


@dataclass(frozen=True)
class CheckEntry:
    """Result of one check; `bound` is what the measure was held against."""

    name: str
    status: str
    measured: float | None
    bound: float | None
    unit: str
    detail: str


@dataclass(frozen=True)
class LabelEntry:
    """A label: an interval, or an instant where `end_ns` is 0."""

    start_ns: int
    end_ns: int
    label: str
    author: str
    tool: str
    note: str

    @classmethod
    def of(cls, data: dict[str, Any]) -> LabelEntry:
        """From an entry of `annotations`. Raises KeyError, TypeError or ValueError where that is none."""
        author, tool, note = (str(data.get(name, "")) for name in ("author", "tool", "note"))
        return cls(int(data["start_ns"]), int(data.get("end_ns", 0)), str(data["label"]), author, tool, note)


@dataclass(frozen=True)
class Entry:
    """One episode.

    Attributes:
        id: Unique.
        folder: Absolute path.
        started: Wall clock, ISO 8601, UTC; empty where unknown.
        day: The day of `started`, UTC.
        start_ns: In the bag's own time base.
        duration: [s].
        verdict: passed, failed, or unchecked.
        usable: Whether a training set may take it: whole, successful, not rejected.
        changed_ns: When the files that this was read from changed last.
    """

    id: str
    folder: str
    robot: str = ""
    task: str = ""
    instruction: str = ""
    operator: str = ""
    scene: str = ""
    state: str = "foreign"
    outcome: str = "unsure"
    note: str = ""
    started: str = ""
    day: str = ""
    start_ns: int = 0
    duration: float = 0.0
    bytes: int = 0
    messages: int = 0
    sha256: str = ""
    lost: int = 0
    dropped: int = 0
    verdict: str = "unchecked"
    usable: bool = False
    changed_ns: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    checks: list[CheckEntry] = field(default_factory=list)
    labels: list[LabelEntry] = field(default_factory=list)


def changed_ns(folder: Path) -> int:
    """When the small files of an episode changed last [ns]; 0: it has none."""
    return max(
        (path.stat().st_mtime_ns for name in (SIDECAR, METADATA, CHECKS) if (path := folder / name).is_file()),
        default=0,
    )


def folders(root: Path) -> Iterator[Path]:
    """Episodes at or below a folder; those that are still being recorded (`*.part`) are left out."""
    found = {path.parent for name in (SIDECAR, METADATA) for path in root.rglob(name)}
    for folder in sorted(found):
        if not any(part.endswith(".part") for part in folder.parts):
            yield folder


def read_sidecar(folder: Path) -> dict[str, Any]:
    """`episode.yaml`; empty where there is none.

    Raises:
        EpisodeError: it is damaged.
    """
    return _yaml(folder / SIDECAR)


def read_entry(folder: Path) -> Entry:
    """An episode's entry.

    Raises:
        EpisodeError: its files are damaged, or it has none.
    """
    folder = folder.resolve()
    sidecar, bag = read_sidecar(folder), _yaml(folder / METADATA).get("rosbag2_bagfile_information") or {}
    if not sidecar and not bag:
        raise EpisodeError(f"{folder}: found neither {SIDECAR} nor {METADATA}, expected an episode")
    try:
        checks = _checks(folder / CHECKS)
        changed = changed_ns(folder)
        return _ours(folder, sidecar, checks, changed) if sidecar else _foreign(folder, bag, checks, changed)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EpisodeError(
            f"{folder}: found {type(error).__name__} {error} while reading, expected an episode"
        ) from error


def _ours(folder: Path, data: dict[str, Any], checks: list[CheckEntry], changed: int) -> Entry:
    bag = data.get("bag") or {}
    verdict = _verdict(checks)
    state, outcome = str(data["state"]), str(data.get("outcome", "unsure"))
    started = str(data.get("started", ""))
    texts = {name: str(data.get(name, "")) for name in ("robot", "task", "instruction", "operator", "scene", "note")}
    return Entry(
        id=str(data["episode_id"]),
        folder=str(folder),
        state=state,
        outcome=outcome,
        started=started,
        day=started[:10],
        start_ns=int(data.get("start_ns", 0)),
        duration=float(data.get("duration", 0.0)),
        bytes=int(bag.get("bytes", 0)),
        messages=int(bag.get("messages", 0)),
        sha256=str(bag.get("sha256", "")),
        lost=int(data.get("lost", 0)),
        dropped=int(data.get("dropped", 0)),
        verdict=verdict,
        usable=state in ("finished", "recovered") and outcome == "success" and verdict != "failed",
        changed_ns=changed,
        tags={str(key): str(value) for key, value in (data.get("tags") or {}).items()},
        problems=[str(problem) for problem in data.get("problems") or []],
        checks=checks,
        labels=[LabelEntry.of(label) for label in data.get("annotations") or []],
        **texts,
    )


def _foreign(folder: Path, bag: dict[str, Any], checks: list[CheckEntry], changed: int) -> Entry:
    """A bag that another recorder wrote."""
    start = int(bag["starting_time"]["nanoseconds_since_epoch"])
    started = datetime.fromtimestamp(start * 1e-9, timezone.utc).isoformat(timespec="milliseconds")
    files = [folder / Path(name).name for name in bag.get("relative_file_paths") or []]
    return Entry(
        id=folder.name,
        folder=str(folder),
        started=started,
        day=started[:10],
        start_ns=start,
        duration=int(bag["duration"]["nanoseconds"]) * 1e-9,
        bytes=sum(path.stat().st_size for path in files if path.exists()),
        messages=int(bag.get("message_count", 0)),
        verdict=_verdict(checks),
        changed_ns=changed,
        checks=checks,
    )


def _verdict(checks: list[CheckEntry]) -> str:
    if not checks:
        return "unchecked"
    return "failed" if any(check.status == "failed" for check in checks) else "passed"


def _checks(path: Path) -> list[CheckEntry]:
    if not path.is_file():
        return []
    found = json.loads(path.read_text())["checks"]
    return [
        CheckEntry(c["name"], c["status"], _number(c["measured"]), _number(c["limit"]), c["unit"], c["detail"])
        for c in found
    ]


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = yaml.load(path.read_bytes(), Loader=LOADER)  # noqa: S506 (it is one of the safe ones)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise EpisodeError(f"{path}: found {error}, expected YAML") from error
    if not isinstance(data, dict):
        raise EpisodeError(f"{path}: found {type(data).__name__}, expected a mapping")
    return data
