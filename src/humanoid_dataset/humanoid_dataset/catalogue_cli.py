# SPDX-License-Identifier: Apache-2.0
"""`ros2 run humanoid_dataset catalogue <command>`: what was recorded, by whom, with which outcome, and where it is.

Exit code: 0 done; 2 a wrong argument, or nothing usable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import islice
from pathlib import Path
from typing import Any

from humanoid_core import task
from humanoid_core.errors import HumanoidError
from humanoid_dataset.catalogue import GROUPS, Catalogue, Filter
from humanoid_dataset.check import table
from humanoid_dataset.entries import changed_ns, folders, read_entry
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.progress import Progress
from humanoid_dataset.results import workspace_file

_BATCH = 200  # episodes in one transaction: other writers get their turn between


def refresh(catalogue: Catalogue, root: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Bring the catalogue up to date with the episodes below a folder.

    Only episodes whose files changed are read. Episodes that are gone are forgotten.

    Returns:
        Counts `read` and `removed`, and `faults`: what could not be read, in words.

    Raises:
        CatalogueError: the catalogue cannot be written.
    """
    root = root.resolve()
    known = catalogue.known(str(root))
    found = list(folders(root))
    changed = [folder for folder in found if known.get(str(folder), ("", 0))[1] != changed_ns(folder)]
    gone = set(known) - {str(folder) for folder in found}
    catalogue.remove(known[folder][0] for folder in gone)
    faults: list[str] = []
    rest, count = iter(changed), 0
    while batch := list(islice(rest, _BATCH)):
        entries = []
        for folder in batch:
            try:
                entries.append(read_entry(folder))
            except EpisodeError as reason:
                faults.append(str(reason))
            if progress:
                progress.add(1.0 / len(changed))
        refused = catalogue.put(entries)
        count += len(entries) - len(refused)
        faults += refused
    return {"read": count, "removed": len(gone), "faults": faults}


def _build(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    result: dict[str, Any] = {"read": 0, "removed": 0, "faults": []}
    for root in options.folders:
        if not root.is_dir():
            raise EpisodeError(f"{root}: found no such folder, expected one with episodes in or below it")
        with Progress(f"catalogue {root}", 1.0) as progress:
            part = refresh(catalogue, root, progress)
        result = {key: result[key] + part[key] for key in result}
    for fault in result["faults"]:
        print(f"catalogue: {fault}", file=sys.stderr)
    return result if options.json else f"{result['read']} read, {result['removed']} gone, {catalogue.count()} in all"


def _list(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    which = _filter(options)
    rows = catalogue.find(which, options.limit, options.offset)
    if options.json:
        return rows
    heads = ["started", "episode", "robot", "task", "operator", "s", "outcome", "verdict", "folder"]
    text = [[r["started"][:19], r["id"], r["robot"], r["task"], r["operator"], f"{r['duration']:.1f}", r["outcome"],
             r["verdict"], r["folder"]] for r in rows]  # fmt: skip
    return f"{table([heads, *text], right={5})}\n{len(rows)} of {catalogue.count(which)} episodes"


def _show(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    found = catalogue.show(options.episode)
    if options.json:
        return found
    lines = [f"{key:12} {value}" for key, value in found.items() if key not in ("checks", "labels") and value]
    checks = [
        [c["name"], c["status"], _text(c["measured"]), _text(c["bound"]), c["unit"], c["detail"]]
        for c in found["checks"]
    ]
    labels = [
        [f"{(label['start_ns'] - found['start_ns']) * 1e-9:.2f}",
         f"{(label['end_ns'] - found['start_ns']) * 1e-9:.2f}" if label["end_ns"] else "",
         label["label"], label["author"], label["tool"], label["note"]]
        for label in found["labels"]
    ]  # fmt: skip
    if checks:
        lines += ["", table([["check", "verdict", "measured", "limit", "unit", "detail"], *checks], right={2, 3})]
    if labels:
        lines += ["", table([["from s", "to s", "label", "author", "tool", "note"], *labels], right={0, 1})]
    return "\n".join(lines)


def _count(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    sums = catalogue.sums(options.by, _filter(options))
    if options.json:
        return [asdict(one) for one in sums]
    heads = [options.by, "episodes", "hours", "usable", "usable hours", "yield", "success", "failure", "rejected", "GB"]
    rows = [
        [s.key, str(s.episodes), f"{s.hours:.2f}", str(s.usable), f"{s.usable_hours:.2f}",
         f"{100 * s.usable / s.episodes:.0f} %", str(s.success), str(s.failure), str(s.rejected),
         f"{s.bytes / 1e9:.1f}"]
        for s in sums
    ]  # fmt: skip
    return table([heads, *rows], right=set(range(1, 10)))


def _reasons(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    found = {"checks": catalogue.failures(), "labels": catalogue.labels()}
    if options.json:
        return found
    checks = table([["rejected by", "episodes"], *([name, str(n)] for name, n in found["checks"].items())], right={1})
    labels = table([["label", "times"], *([name, str(n)] for name, n in found["labels"].items())], right={1})
    return f"{checks}\n\n{labels}"


def _progress(catalogue: Catalogue, options: argparse.Namespace) -> Any:
    """Usable episodes of each task against its target, and by the variations of a tag."""
    folder = workspace_file("tasks/parcel_sorting.yaml").parent if not options.tasks else options.tasks
    usable = {one.key: one.usable for one in catalogue.sums("task")}
    tasks = [task.load(path) for path in sorted(folder.glob("*.yaml"))]
    found = [
        {"task": t.name, "usable": usable.get(t.name, 0), "target": t.target}
        | ({options.tag: catalogue.variations(t.name, options.tag)} if options.tag else {})
        for t in tasks
    ]
    if options.json:
        return found
    rows = [["task", "usable", "target", *([options.tag] if options.tag else [])]]
    for one in found:
        values = ", ".join(f"{k}: {v}" for k, v in one[options.tag].items()) if options.tag else ""
        rows.append([one["task"], str(one["usable"]), str(one["target"]), *([values] if options.tag else [])])
    return table(rows, right={1, 2})


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _filter(options: argparse.Namespace) -> Filter:
    return Filter(**{field.name: getattr(options, field.name) for field in fields(Filter)})


def _add_filter(parser: argparse.ArgumentParser) -> None:
    words = (Filter.__doc__ or "").split("Attributes:")[1]
    meanings = dict(line.strip().split(": ", 1) for line in words.strip().splitlines())
    for one in fields(Filter):
        if one.name == "usable":
            parser.add_argument("--usable", action="store_true", help=meanings["usable"])
        else:
            parser.add_argument(f"--{one.name}", default="", help=meanings[one.name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="catalogue", description=__doc__)
    default = Path(os.environ.get("HUMANOID_CATALOGUE", "out/catalogue.sqlite"))
    parser.add_argument(
        "--catalogue", type=Path, default=default, help=f"the file (default: {default}; $HUMANOID_CATALOGUE)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Catalogue, argparse.Namespace], Any], words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(run=run)
        return made

    build = command("build", _build, "read what changed below these folders")
    build.add_argument("folders", nargs="+", type=Path)
    listing = command("list", _list, "episodes, newest first")
    listing.add_argument("--limit", type=int, default=50, help="at most so many")
    listing.add_argument("--offset", type=int, default=0, help="leave out so many")
    _add_filter(listing)
    command("show", _show, "all that is known of one episode").add_argument("episode")
    counting = command("count", _count, "episodes, hours, yield and bytes by task, robot, operator or day")
    counting.add_argument("--by", choices=GROUPS, default="task")
    _add_filter(counting)
    command("reasons", _reasons, "which checks rejected how many episodes; how often each label was given")
    progress = command("progress", _progress, "usable episodes of each task against its target")
    progress.add_argument("--tasks", type=Path, help="folder of task files (default: config/tasks)")
    progress.add_argument("--tag", default="", help="count by the values of this tag, too")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    options = _parser().parse_args(arguments)
    try:
        with Catalogue(options.catalogue) as catalogue:
            found = options.run(catalogue, options)
    except HumanoidError as reason:
        print(f"catalogue: {reason}", file=sys.stderr)
        return 2
    print(found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
