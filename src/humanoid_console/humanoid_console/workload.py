# SPDX-License-Identifier: Apache-2.0
"""The day of a whole centre in figures: every collector, every robot, and how the last days went."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

REDONE = "discarded.jsonl"  # the recorder writes a line for each episode that was discarded


class DaySum(Protocol):
    """What is known of one day: `humanoid_dataset.catalogue.Sum`."""

    @property
    def key(self) -> str: ...
    @property
    def episodes(self) -> int: ...
    @property
    def usable(self) -> int: ...
    @property
    def usable_hours(self) -> float: ...


class Redos:
    """Reasons why episodes were discarded, by day. Files are read again only when they changed.

    Args:
        root: Folder of the recordings: `<root>/<robot>/<day>/discarded.jsonl`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[Path, tuple[int, list[str]]] = {}

    def of(self, day: str) -> dict[str, list[str]]:
        """Reasons of a day (YYYY-MM-DD, UTC) by robot."""
        found = {}
        for path in sorted(self._root.glob(f"*/{day}/{REDONE}")):
            size = path.stat().st_size
            if self._seen.get(path, (-1, []))[0] != size:
                self._seen[path] = size, _reasons(path)
            found[path.parent.parent.name] = self._seen[path][1]
        return found


def _reasons(path: Path) -> list[str]:
    reasons = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            reasons.append(str(json.loads(line)["reason"]))
        except (ValueError, KeyError, TypeError):  # cut off while it was written
            continue
    return reasons


def summarise(
    now: datetime.datetime,
    rows: Sequence[Mapping[str, Any]],
    history: Sequence[DaySum],
    live: Mapping[str, Mapping[str, Any]],
    redos: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Figures of today and of the days before.

    Args:
        now: UTC.
        rows: Today's episodes as the catalogue has them, newest first.
        history: Sums of the last days; days without episodes may lack.
        live: What each robot says right now, by its name.
        redos: Reasons of today's discarded episodes, by robot.
    """
    hours = Counter(int(row["started"][11:13]) for row in rows if len(row["started"]) >= 13)
    again = sum(len(reasons) for reasons in redos.values())
    days = {one.key: one for one in history}
    shown = [f"{now - datetime.timedelta(days=back):%Y-%m-%d}" for back in range(13, -1, -1)]
    return {
        "at": now.isoformat(timespec="seconds"),
        "total": _figures(rows) | {"redos": again},
        "collectors": _grouped(rows, "operator", "robot"),
        "robots": _robots(rows, live, redos),
        "hours": [hours.get(hour, 0) for hour in range(24)],
        "days": [
            {
                "day": day,
                "episodes": days[day].episodes if day in days else 0,
                "usable": days[day].usable if day in days else 0,
                "usable_hours": days[day].usable_hours if day in days else 0.0,
            }
            for day in shown
        ],
        "redo_reasons": dict(Counter(reason for reasons in redos.values() for reason in reasons).most_common(8)),
    }


def _figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    usable = [row for row in rows if row["usable"]]
    return {
        "trials": len(rows),
        "usable": len(usable),
        "usable_hours": sum(row["duration"] for row in usable) / 3600.0,
        "success": sum(row["outcome"] == "success" for row in rows),
        "rejected": sum(row["verdict"] == "failed" for row in rows),
        "drops": sum(row["lost"] + row["dropped"] for row in rows),
        "last": max((row["started"] for row in rows), default=""),
    }


def _grouped(rows: Sequence[Mapping[str, Any]], by: str, also: str) -> list[dict[str, Any]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[by], []).append(row)
    found = [{"name": name, also: mine[0][also], **_figures(mine)} for name, mine in groups.items()]
    return sorted(found, key=lambda one: one["name"])


def _robots(
    rows: Sequence[Mapping[str, Any]], live: Mapping[str, Mapping[str, Any]], redos: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    found = {one["name"]: one for one in _grouped(rows, "robot", "operator")}
    for name in live:
        found.setdefault(name, {"name": name, "operator": "", **_figures([])})
    return [
        found[name] | {"redos": len(redos.get(name, [])), "live": dict(live[name]) if name in live else None}
        for name in sorted(found)
    ]
