# SPDX-License-Identifier: Apache-2.0
"""The table of the pre-flight check: rows of what was found against what was expected, no ROS.

Other programs show the same table from `ros2 run humanoid_bringup preflight --json`: the first line is a JSON object,
`{"robot": name, "passed": bool, "rows": [{"name", "status", "found", "expected", "advice"}]}`, as `to_json` makes it;
`ros2 run` adds a line of its own where something is red.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum


class Status(str, Enum):
    """Of a row. RED keeps the robot on the ground; YELLOW is for a person to judge."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True)
class Row:
    """One thing that was looked at.

    Attributes:
        name: What.
        status: How it is.
        found: What was seen, with its unit.
        expected: What should be.
        advice: What to do about it; "" where it is well.
    """

    name: str
    status: Status
    found: str
    expected: str
    advice: str = ""


_COLOURS = {Status.GREEN: "\33[42;30m", Status.YELLOW: "\33[43;30m", Status.RED: "\33[41;97m"}
_WORDS = {Status.GREEN: "  OK  ", Status.YELLOW: " LOOK ", Status.RED: " STOP "}
_PLAIN = "\33[0m"


def passed(rows: Sequence[Row]) -> bool:
    """Whether nothing is red."""
    return all(row.status is not Status.RED for row in rows)


def to_json(robot: str, rows: Sequence[Row]) -> str:
    """The table for programs, in one line."""
    return json.dumps({"robot": robot, "passed": passed(rows), "rows": [asdict(row) for row in rows]})


def to_text(robot: str, rows: Sequence[Row], colour: bool) -> str:
    """The table for people: a line each, advice under what is not green, the verdict at the end."""
    width = {key: max((len(getattr(row, key)) for row in rows), default=0) for key in ("name", "found")}
    lines = []
    for row in rows:
        word = _WORDS[row.status]
        mark = f"{_COLOURS[row.status]}{word}{_PLAIN}" if colour else f"[{word}]"
        found, name = row.found.ljust(width["found"]), row.name.ljust(width["name"])
        lines.append(f"{mark} {name}  {found}  {row.expected}".rstrip())
        if row.advice and row.status is not Status.GREEN:
            lines.append(f"         {row.advice}")
    count = {status: sum(row.status is status for row in rows) for status in Status}
    verdict = "ready" if passed(rows) else "NOT ready"
    told = ", ".join(f"{number} {status.value}" for status, number in count.items() if number)
    return "\n".join([*lines, f"{robot}: {verdict} ({told or 'nothing was looked at'})"])
