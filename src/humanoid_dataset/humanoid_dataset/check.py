# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset check <folder>...` checks recorded episodes.

Exit code: 0 every episode passed; 1 some check failed; 2 a wrong argument or configuration.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from humanoid_core.errors import HumanoidError
from humanoid_dataset.behaviour import FIGURES, ranked
from humanoid_dataset.checks import Verdict, judge
from humanoid_dataset.entries import CHECKS
from humanoid_dataset.episode import find_episodes
from humanoid_dataset.results import CheckLimits, CheckResult, load_limits

MARKS = {"passed": "ok", "failed": "FAILED", "not_applicable": "n/a", "not_assessed": "not assessed"}


def number(value: float) -> str:
    """A figure with four significant digits; empty for NaN."""
    return "" if math.isnan(value) else f"{value:.4g}"


def limit_text(result: CheckResult) -> str:
    """A limit with the side on which it stands; empty where there is none."""
    return "" if math.isnan(result.limit) else f"{'≥' if result.floor else '≤'} {number(result.limit)}"


def table(rows: list[list[str]], right: set[int] | None = None) -> str:
    """Rows of text as columns; the first row is the heading, columns in `right` are flush right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        cells = [t.rjust(w) if right and i in right else t.ljust(w) for i, (t, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
        if index == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def result_table(results: list[CheckResult]) -> str:
    """Results of one episode for the screen."""
    rows = [["check", "verdict", "measured", "limit", "unit", "detail"]]
    rows += [[r.name, MARKS[r.status], number(r.measured), limit_text(r), r.unit, r.detail] for r in results]
    return table(rows, right={2, 3})


def headline(verdict: Verdict) -> str:
    """One line about one episode."""
    failed = [result.name for result in verdict.failures]
    open_ones = sum(result.status == "not_assessed" for result in verdict.results)
    state = f"FAILED ({', '.join(failed)})" if failed else "passed"
    return f"{verdict.name}: {state}" + (f", {open_ones} not assessed" if open_ones else "")


def review(verdicts: list[Verdict], limits: CheckLimits) -> str:
    """Which of the episodes somebody should look at first, and why: by robot and task."""
    groups: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for verdict in verdicts:
        if verdict.episode is not None:
            kind = verdict.robot.name, str(verdict.episode.sidecar.get("task", ""))
            groups.setdefault(kind, {})[verdict.name] = verdict.behaviour
    parts = []
    for (robot, task), figures in groups.items():
        found = ranked(figures, limits.behaviour)
        heading = f"to look at first, {robot or 'unknown robot'}, {task or 'no task'} (behaviour rejects nothing)"
        if not found:
            parts.append(f"{heading}: not ranked, {len(figures)} of {limits.behaviour.least} episodes")
            continue
        rows = [["episode", "stands out by", "in", *FIGURES]]
        for one in found:
            values = [number(figures[one.episode][name]) for name in FIGURES]
            rows.append([one.episode, f"{one.score:.1f} sd", one.reason or "nothing", *values])
        parts.append(f"{heading}\n{table(rows, right={1, *range(3, 3 + len(FIGURES))})}")
    return "\n\n".join(parts)


def write_checks(verdict: Verdict) -> None:
    """Write an episode's results beside its bag, in one step."""
    path = verdict.folder / CHECKS
    staged = path.with_suffix(".part")
    staged.write_text(json.dumps({"schema": 1, **verdict.as_dict()}, indent=1))
    staged.replace(path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that `check` and `report` share."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER", help="episode folders, or folders above them")
    parser.add_argument("--limits", default="", help="file with thresholds (default: config/checks/default.yaml)")
    parser.add_argument("--robot-config", default="", help="the robot's configuration (default: of the robot recorded)")


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="check", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--write", action="store_true", help=f"write {CHECKS} into each episode, for the catalogue")
    options = parser.parse_args(arguments)
    try:
        limits = load_limits(options.limits)
        folders = [folder for path in options.paths for folder in (find_episodes(path) or [path])]
        verdicts = []
        for folder in folders:
            verdict = judge(folder, limits, options.robot_config)
            verdicts.append(verdict)
            if verdict.episode is not None:
                verdict.episode.forget()
            if options.write:
                write_checks(verdict)
            if not options.json:
                print(f"{headline(verdict)}\n{folder}\n\n{result_table(verdict.results)}\n", flush=True)
    except HumanoidError as reason:
        print(f"check: {reason}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([verdict.as_dict() for verdict in verdicts], indent=2))
    elif verdicts:
        print(review(verdicts, limits))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
