# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset report <folder>` checks the episodes below a folder and writes one HTML page about them.

Exit code: 0 every episode passed; 1 a check failed or episodes are missing; 2 a wrong argument or configuration.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from humanoid_core.errors import HumanoidError
from humanoid_dataset import figures
from humanoid_dataset.check import headline, limit_text, number, result_table, table
from humanoid_dataset.checks import CHECKS, Verdict, judge, meaning
from humanoid_dataset.episode import Episode, find_episodes
from humanoid_dataset.figures import Figure, Shot
from humanoid_dataset.finish import CATALOGUE, SET, Labelled, collect, keep
from humanoid_dataset.latency import latency
from humanoid_dataset.motion_checks import tracking_of
from humanoid_dataset.results import CheckLimits, CheckResult, load_limits

WORDS = {"passed": "passed", "failed": "failed", "not_applicable": "n/a", "not_assessed": "not assessed"}


@dataclass(frozen=True)
class Page:
    """One episode as the page shows it."""

    verdict: Verdict
    facts: dict[str, str] = field(default_factory=dict)
    sheets: dict[str, list[Shot]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    labels: str = ""

    @property
    def cover(self) -> str:
        """A picture from the middle of the episode, as a data address; empty without cameras."""
        shots = next((shots for name, shots in self.sheets.items() if "depth" not in name and shots), [])
        return shots[len(shots) // 2].source if shots else ""

    def figure_of(self, name: str) -> str:
        """What a check measured, for the summary."""
        result = next(r for r in self.verdict.results if r.name == name)
        return f"{number(result.measured)} {result.unit}" if not math.isnan(result.measured) else "–"


def page_of(verdict: Verdict, limits: CheckLimits) -> Page:
    """Draw everything there is about one episode. A figure that cannot be drawn is named in `trouble`."""
    episode = verdict.episode
    if episode is None:
        return Page(verdict)
    trouble: list[str] = []
    found: list[Figure] = []
    tracking = tracking_of(episode, limits)
    offset = (tracking.first_stamp - episode.span[0]) * 1e-9
    robot = verdict.robot
    arms = robot.arms or {"": tracking.names[:14]}
    rest = [n for n in robot.commanded if n not in {m for names in arms.values() for m in names} and "hand" not in n]
    drawings = [
        lambda: figures.timeline(episode),
        *[
            lambda side=side, names=names: figures.joints(tracking, names, f"{side} arm".strip().capitalize(), offset)
            for side, names in arms.items()
        ],
        lambda: figures.joints(tracking, rest, "Waist and head", offset),
        lambda: figures.tracking_error(tracking, limits, robot, offset),
        lambda: figures.error_by_joint(tracking, limits, robot),
        lambda: figures.wrists(tracking, robot, offset),
        lambda: figures.teleop_error(episode),
        lambda: figures.latency_histogram(latency(episode)),
        lambda: figures.skew_histogram(episode, limits),
        lambda: figures.streams_strip(episode, limits, robot),
        lambda: figures.lidar_top_view(episode, robot),
        lambda: figures.bytes_by_topic(episode),
        lambda: figures.touch(episode),
        lambda: figures.force(episode),
        lambda: figures.effort(episode, robot),
        lambda: figures.scene_top_view(episode),
    ]
    for draw in drawings:
        try:
            figure = draw()
        except HumanoidError as reason:  # messages that do not decode; the checks fail on them too
            trouble.append(str(reason))
        else:
            found += [figure] if figure is not None else []
    sheets: dict[str, list[Shot]] = {}
    try:
        sheets = figures.contact_sheets(episode)
    except HumanoidError as reason:
        trouble.append(str(reason))
    return Page(verdict, facts_of(episode, verdict), sheets, found, trouble)


def facts_of(episode: Episode, verdict: Verdict) -> dict[str, str]:
    """What one wants to know first about an episode, by heading."""
    sidecar = episode.sidecar
    software = sidecar.get("software") or {}
    facts = {
        "Instruction": sidecar.get("instruction"),
        "Task": sidecar.get("task"),
        "Outcome": sidecar.get("outcome"),
        "Operator": sidecar.get("operator"),
        "Robot": verdict.robot.title or sidecar.get("robot"),
        "Scene": sidecar.get("scene"),
        "Started": sidecar.get("started"),
        "Duration": f"{episode.duration:.1f} s, {sidecar.get('clock', 'unknown')} clock",
        "Size": f"{episode.size * 1e-6:.1f} MB, {sum(len(s) for s in episode.streams.values()):,} messages",
        "Tags": ", ".join(f"{key} {value}" for key, value in (sidecar.get("tags") or {}).items()),
        "Software": ", ".join(f"{key} {value}" for key, value in software.items()),
        "Note": sidecar.get("note"),
    }
    return {heading: str(words) for heading, words in facts.items() if words}


def render(title: str, pages: list[Page], expected: int, made: str, products: Sequence[str] = ()) -> str:
    """The whole page as HTML text.

    Args:
        title: In the head line.
        pages: Episodes in order.
        expected: How many there should be; 0: any number.
        made: When, in words.
        products: What else was made of the episodes, a line each.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("humanoid_dataset", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["limit"] = limit_text
    environment.filters["number"] = number
    passed = sum(page.verdict.passed for page in pages)
    checks = {check.__name__: meaning(check) for check in CHECKS}
    return environment.get_template("report.html").render(
        title=title,
        pages=pages,
        passed=passed,
        good=bool(pages) and passed == len(pages) >= expected,
        expected=expected,
        made=made,
        products=products,
        meanings=checks,
        words=WORDS,
        totals=_totals(pages),
        stylesheet=Markup((Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")),
    )


def summary_table(pages: list[Page]) -> str:
    """One row per episode for the screen."""
    rows = [
        ["episode", "verdict", "duration", "size", "skew p95", "lag", "tracking p95", "lost", "task", "failed checks"]
    ]
    for page in pages:
        episode = page.verdict.episode
        rows.append(
            [
                page.verdict.name,
                "passed" if page.verdict.passed else "FAILED",
                f"{episode.duration:.1f} s" if episode else "–",
                f"{episode.size * 1e-6:.1f} MB" if episode else "–",
                page.figure_of("skew"),
                page.figure_of("tracking_lag"),
                page.figure_of("tracking_error"),
                page.figure_of("loss"),
                next(WORDS[r.status] for r in page.verdict.results if r.name == "task_done"),
                ", ".join(r.name for r in page.verdict.failures) or "none",
            ]
        )
    return table(rows, right={2, 3, 4, 5, 6, 7})


def write_report(
    folder: Path,
    limits: CheckLimits,
    output: Path,
    expected: int = 0,
    robot_config: Path | str = "",
    show: bool = True,
    finish: bool = False,
) -> tuple[list[Page], list[str], bool]:
    """Check all episodes below a folder, write `output` and beside it the same as JSON.

    Args:
        folder: Where the episodes are.
        limits: Thresholds.
        output: Path of the page.
        expected: Least number of episodes; 0: any number.
        robot_config: See `checks.judge`.
        show: Whether to say on screen what is being done.
        finish: Whether to keep verdicts and proposed labels in the episodes, and make a data set and a catalogue.

    Returns:
        What was drawn, what else was made, and whether everything is as it should be.
    """
    found = find_episodes(folder)
    pages = []
    for index, path in enumerate(found):
        if show:
            print(f"[{index + 1}/{len(found)}] {path.name}: checks", end="", flush=True)
        verdict = judge(path, limits, robot_config)
        labelled = keep(verdict) if finish else ""
        if show:
            print(", labels, pictures" if finish else ", pictures", end="", flush=True)
        page = page_of(verdict, limits)
        pages.append(_slim(replace(page, labels=labelled.words if isinstance(labelled, Labelled) else labelled)))
        if show:
            print(f": {'passed' if verdict.passed else 'FAILED'}", flush=True)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    good = bool(pages) and len(pages) >= expected and all(page.verdict.passed for page in pages)
    products: list[str] = []
    if finish and pages:
        if show:
            print("catalogue, data set", flush=True)
        products, made_all = collect(folder, found)
        good = good and made_all
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render(folder.resolve().name, pages, expected, made, products), encoding="utf-8")
    document = {"made": made, "passed": good, "expected": expected, "episodes": [p.verdict.as_dict() for p in pages]}
    output.with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return pages, products, good


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder above the episodes")
    parser.add_argument("--output", type=Path, help="the page (default: report.html in the folder)")
    parser.add_argument("--expect", type=int, default=0, metavar="N", help="fail with fewer episodes than this")
    parser.add_argument("--limits", default="", help="file with thresholds (default: config/checks/default.yaml)")
    parser.add_argument("--robot-config", default="", help="the robot's configuration (default: of the robot recorded)")
    parser.add_argument(
        "--finish", action="store_true", help=f"keep checks and proposed labels; make {SET}/ and {CATALOGUE} beside"
    )
    options = parser.parse_args(arguments)
    output = options.output or options.folder / "report.html"
    try:
        if not options.folder.is_dir():
            raise HumanoidError(f"{options.folder}: no such folder")
        limits = load_limits(options.limits)
        pages, products, good = write_report(
            options.folder, limits, output, options.expect, options.robot_config, finish=options.finish
        )
    except HumanoidError as reason:
        print(f"report: {reason}", file=sys.stderr)
        return 2
    print(f"\n{summary_table(pages)}\n")
    for page in pages:
        if not page.verdict.passed:
            print(f"{headline(page.verdict)}\n{result_table(page.verdict.failures)}\n")
    if len(pages) < options.expect:
        print(f"only {len(pages)} of {options.expect} episodes were recorded")
    for line in [*(f"labels of {page.verdict.name}: {page.labels}" for page in pages if page.labels), *products]:
        print(line)
    print(f"report: {output.resolve().as_uri()}")
    return 0 if good else 1


def _slim(page: Page) -> Page:
    """The page without the recording behind it, so that many long episodes fit into memory."""
    if page.verdict.episode is not None:
        page.verdict.episode.forget()
    return page


def _totals(pages: list[Page]) -> dict[str, Any]:
    episodes = [page.verdict.episode for page in pages if page.verdict.episode is not None]
    results: list[CheckResult] = [result for page in pages for result in page.verdict.results]
    return {
        "duration": float(np.sum([e.duration for e in episodes])),
        "megabytes": float(np.sum([e.size for e in episodes])) * 1e-6,
        "messages": int(np.sum([sum(len(s) for s in e.streams.values()) for e in episodes])),
        "checks": sum(r.status in {"passed", "failed"} for r in results),
        "failed": sum(r.status == "failed" for r in results),
        "open": sum(r.status == "not_assessed" for r in results),
    }


if __name__ == "__main__":
    sys.exit(main())
