# SPDX-License-Identifier: Apache-2.0
"""Figures against targets. What is measured gives numbers; only this decides what is met."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from humanoid_core import config
from humanoid_core.errors import HumanoidError


class BenchError(HumanoidError):
    """A benchmark could not be measured, or gave figures that nobody asked for."""


@dataclass(frozen=True)
class Target:
    """What a figure should be.

    Attributes:
        unit: Of ours, the target and the peers.
        better: Which way is better.
        target: Wanted; None: the figure is for information.
    """

    unit: str
    better: Literal["lower", "higher"]
    target: float | None = None


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Attributes:
        ours: Value in the target's unit.
        peers: Values of others in the same run; a name says what is a restatement or published.
    """

    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)


def read_targets(path: Path) -> dict[str, dict[str, Target]]:
    """Targets by area and figure.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return {
        area: {name: config.build(Target, entry, path, f"{area}.{name}") for name, entry in entries.items()}
        for area, entries in config.read_yaml(path).items()
    }


def rows(
    targets: Mapping[str, Target], figures: Mapping[str, Figure], area: str, whole: bool = True
) -> list[dict[str, Any]]:
    """One row per figure, in the order of the targets.

    Args:
        targets: Of the area.
        figures: Measured.
        area: Its name.
        whole: Every target has to be measured; else a part of the area was.

    Raises:
        BenchError: a figure without an entry in targets.yaml, or an entry that was not measured.
    """
    for name in (*figures, *targets):
        if name not in targets or (whole and name not in figures):
            raise BenchError(f"{area}: figure {name!r} is not both in targets.yaml and measured")
    return [_row(name, target, figures[name]) for name, target in targets.items() if name in figures]


def _row(name: str, target: Target, figure: Figure) -> dict[str, Any]:
    met = None
    if target.target is not None:
        below, above = figure.ours <= target.target, figure.ours >= target.target
        met = below if target.better == "lower" else above
    return {
        "figure": name,
        "ours": None if math.isnan(figure.ours) else figure.ours,
        "unit": target.unit,
        "target": target.target,
        "better": target.better,
        "met": met,
        "peers": dict(figure.peers),
    }


def table(area: str, rows: list[dict[str, Any]]) -> str:
    """A table for people."""
    width = max(len(row["figure"]) for row in rows)
    lines = [f"\n{area}", f"  {'':{width}}  {'ours':>10}  {'target':>10}"]
    for row in rows:
        sign = "<=" if row["better"] == "lower" else ">="
        target = "" if row["target"] is None else f"{sign} {row['target']:g}"
        verdict = {True: "met", False: "MISSED", None: ""}[row["met"]]
        peers = ", ".join(f"{name} {value:.4g}" for name, value in row["peers"].items())
        ours = "-" if row["ours"] is None else f"{row['ours']:.4g}"
        lines.append(
            f"  {row['figure']:{width}}  {ours:>10}  {target:>10} {row['unit']:<8} {verdict:<6} {peers}".rstrip()
        )
    return "\n".join(lines)


def write(path: Path, rows: list[dict[str, Any]], keep: Sequence[str] = ()) -> None:
    """Write the JSON of an area.

    Args:
        path: The file.
        rows: As `rows` made them.
        keep: Figures, in order, of which the file keeps those that it has and that are not among the rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if keep and path.exists():
        known = {row["figure"]: row for row in [*json.loads(path.read_text(encoding="utf-8"))["rows"], *rows]}
        rows = [known[name] for name in keep if name in known]
    path.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What it was measured on, and how busy that was."""
    names = [line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
