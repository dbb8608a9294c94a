# SPDX-License-Identifier: Apache-2.0
"""What a check finds, and the limits it finds it against (config/checks/default.yaml)."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from humanoid_core.config import load
from humanoid_core.errors import ConfigError

Status = Literal["passed", "failed", "not_applicable", "not_assessed"]


@dataclass(frozen=True)
class CheckResult:
    """Verdict of one check on one episode.

    Attributes:
        name: Of the check.
        status: not_applicable: the episode has nothing of the kind; not_assessed: what it takes to judge is missing.
        measured: The worst figure found; NaN where there is none.
        limit: What it was held against; NaN where there is none.
        unit: Of both.
        detail: Which topic or joint, when, and what else one wants to know.
        floor: Whether `limit` is the least that passes, not the most.
    """

    name: str
    status: Status
    measured: float = math.nan
    limit: float = math.nan
    unit: str = ""
    detail: str = ""
    floor: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: NaN becomes null."""
        numbers = {key: None if math.isnan(getattr(self, key)) else getattr(self, key) for key in ("measured", "limit")}
        words = {"unit": self.unit, "detail": self.detail, "limit_is": "least" if self.floor else "most"}
        return {"name": self.name, "status": self.status, **numbers, **words}


def at_most(name: str, measured: float, limit: float, unit: str, detail: str) -> CheckResult:
    """Result of a check that passes up to its limit."""
    status: Status = "passed" if measured <= limit else "failed"
    return CheckResult(name, status, float(measured), float(limit), unit, detail)


def at_least(name: str, measured: float, limit: float, unit: str, detail: str) -> CheckResult:
    """Result of a check that passes from its limit on."""
    status: Status = "passed" if measured >= limit else "failed"
    return CheckResult(name, status, float(measured), float(limit), unit, detail, floor=True)


@dataclass(frozen=True)
class StreamRule:
    """What is expected of the topics that match a pattern. Rates in Hz by stamps, gaps and ages at arrival in s.

    `sensor`: a known robot need not have it, but where it has some, each of them is required.
    `late_start`: the stream may begin at any time in the episode, such as commands, which nobody sends before engaging.
    `repeats`: two messages may carry the same stamp, such as a status that is sent on each change.
    """

    topic: str
    required: bool
    sensor: bool = False
    late_start: bool = False
    repeats: bool = False
    at_least: int = 1
    rate: float | None = None
    rate_min: float | None = None
    max_gap: float | None = None
    max_age: float | None = None


@dataclass(frozen=True)
class TimingLimits:
    """Section `timing`; units in the file."""

    rate_tolerance: float
    ends: float
    loss: float
    skew: float
    skew_periods: float
    missing: float
    missed: float
    future: float
    drift: float
    uncertainty: float
    duration_min: float


@dataclass(frozen=True)
class MotionLimits:
    """Section `limits`; units in the file."""

    position_slack: float
    ratio_slack: float
    acceleration_gap: float


@dataclass(frozen=True)
class PictureLimits:
    """Section `pictures`; units in the file."""

    black: float
    flat: float
    samples: int
    frozen: float
    frozen_motion: float
    frozen_around: float
    depth_valid: float


@dataclass(frozen=True)
class TrackingLimits:
    """Section `tracking`; units in the file."""

    error_p95: float
    lag: float
    lag_early: float
    lag_max: float
    moved: float


@dataclass(frozen=True)
class SenseLimits:
    """Section `senses`; units in the file."""

    order: float
    order_floor: float
    frozen: float
    frozen_motion: float
    give: float
    overspeed: float
    noise: float
    gravity: float
    tilt: float


@dataclass(frozen=True)
class CameraLimits:
    """Section `cameras`; units in the file."""

    lag: float
    lag_max: float
    fit: float
    clear: float
    swap: float
    stretch: float
    stretches: int


@dataclass(frozen=True)
class BehaviourLimits:
    """Section `behaviour`; units in the file."""

    window: float
    still: float
    least: int
    spread: float


@dataclass(frozen=True)
class CheckLimits:
    """The whole file."""

    streams: list[StreamRule]
    timing: TimingLimits
    limits: MotionLimits
    pictures: PictureLimits
    tracking: TrackingLimits
    senses: SenseLimits
    cameras: CameraLimits
    behaviour: BehaviourLimits


def load_limits(path: Path | str = "") -> CheckLimits:
    """Limits from a file; without a path from the workspace's own `checks/default.yaml`.

    Raises:
        ConfigError: the file is missing or says something that is not understood.
    """
    return load(CheckLimits, Path(path) if path else workspace_file("checks/default.yaml"))


def workspace_file(name: str) -> Path:
    """A file of the workspace's `config/` folder, from an installed workspace or from the source tree around this file.

    Raises:
        ConfigError: it is in neither.
    """
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    folders = [prefix / "share" / "humanoid_bringup" / "config" for prefix in prefixes]
    folders += [parent / "config" for parent in Path(__file__).resolve().parents]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise ConfigError(name, "", "no such file in the installed workspace or the source tree", "its path as an argument")
