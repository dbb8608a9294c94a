# SPDX-License-Identifier: Apache-2.0
"""Commands for episodes on the disk: info, verify, recover, trim, merge, progress."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from humanoid_core.errors import HumanoidError
from humanoid_recorder import plan
from humanoid_recorder.editing import merge, trim
from humanoid_recorder.errors import StorageError
from humanoid_recorder.folders import STAGING, leftovers
from humanoid_recorder.recovery import recover
from humanoid_recorder.sidecar import Episode, read_episode
from humanoid_recorder.sqlite_bag import SUFFIX
from humanoid_recorder.thumbnails import strip
from humanoid_recorder.verification import verify


class Bar:
    """A progress bar on standard error, where that is a terminal.

    Args:
        title: What is worked on.
        total: Bytes in all.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done, self._shown = title, max(1, total), 0, 0.0

    def __call__(self, step: int) -> None:
        self._done += step
        if sys.stderr.isatty() and time.monotonic() - self._shown > 0.1:
            self._shown = time.monotonic()
            share = min(1.0, self._done / self._total)
            print(f"\r{self._title} [{'#' * round(30 * share):<30}] {share:4.0%}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if sys.stderr.isatty() and self._shown:
            print(f"\r{' ' * (len(self._title) + 40)}\r", end="", file=sys.stderr, flush=True)


def table(episode: Episode) -> str:
    """What a person wants to know of an episode, as text."""
    bag = episode.bag
    head = [
        f"episode      {episode.episode_id} ({episode.state})",
        f"task         {episode.task}: {episode.instruction}"
        if episode.instruction
        else f"task         {episode.task}",
        f"robot        {episode.robot}, operator {episode.operator or '-'}, scene {episode.scene or '-'}",
        f"outcome      {episode.outcome}{': ' + episode.note if episode.note else ''}",
        f"started      {episode.started}, {episode.duration:.2f} s of {episode.clock} time",
    ]
    if bag:
        head.append(
            f"bag          {bag.file}, {bag.messages} messages, {bag.bytes / 1e6:.1f} MB, sha256 {bag.sha256[:16]}..."
        )
    width = max([5, *(len(topic.name) for topic in episode.topics)])
    row = "{:<" + str(width) + "} {:>9} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}"
    lines = [row.format("topic", "written", "lost", "dropped", "Hz", "wanted", "gap ms", "kB", "stored kB")]
    for topic in sorted(episode.topics, key=lambda topic: topic.name):
        wanted = f"{topic.expected_rate:g}" if topic.expected_rate else "-"
        gap = f"{topic.longest_gap * 1e3:.1f}"
        lines.append(
            row.format(
                topic.name,
                topic.written,
                topic.lost,
                topic.dropped,
                f"{topic.rate:.1f}",
                wanted,
                gap,
                f"{topic.bytes / 1e3:.1f}",
                f"{topic.stored / 1e3:.1f}" if topic.stored else "-",
            )
        )
    labels = [
        f"  {(label.start_ns - episode.start_ns) * 1e-9:8.2f} s  {label.label}"
        + (f" ({label.author})" if label.author else "")
        for label in episode.annotations
    ]
    problems = [f"  {problem}" for problem in episode.problems]
    parts = [*head, "", *lines]
    if labels:
        parts += ["", "annotations", *labels]
    parts += ["", "problems", *problems] if problems else ["", "no problems"]
    return "\n".join(parts)


def _bag_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".mcap", SUFFIX))


def _run(work: Callable[[], int]) -> int:
    """Status of a command: an error of ours is a line on standard error and 1."""
    try:
        return work()
    except HumanoidError as error:
        print(error, file=sys.stderr)
        return 1


def _folder_argument(description: str, what: str) -> Path:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, help=what)
    return Path(parser.parse_args().folder).resolve()


def info() -> int:
    """Print an episode as a table; with --strip a picture of it, too."""
    parser = argparse.ArgumentParser(description="Print what an episode holds.")
    parser.add_argument("folder", type=Path, help="the episode's folder")
    parser.add_argument("--strip", type=Path, metavar="FILE", help="write thumbnails of every camera to this picture")
    options = parser.parse_args()

    def work() -> int:
        episode = read_episode(options.folder)
        print(table(episode))
        if options.strip:
            if not cv2.imwrite(str(options.strip), strip(options.folder, episode)):
                raise StorageError(options.strip, "a picture that cannot be written", "a name such as strip.jpg")
            print(f"\nthumbnails   {options.strip}")
        return 0

    return _run(work)


def trim_command() -> int:
    """Cut a piece out of an episode, into a new one."""
    parser = argparse.ArgumentParser(description="Cut a piece out of an episode, into a new one beside it.")
    parser.add_argument("folder", type=Path, help="the episode's folder")
    parser.add_argument("--begin", type=float, default=0.0, help="[s] after the start; below 0: of the pre-roll")
    parser.add_argument("--end", type=float, required=True, help="[s] after the start")
    options = parser.parse_args()
    return _run(lambda: _edit([options.folder], lambda bar: trim(options.folder, options.begin, options.end, bar)))


def merge_command() -> int:
    """Make one episode of several."""
    parser = argparse.ArgumentParser(description="Make one episode of several, beside the first.")
    parser.add_argument("folders", type=Path, nargs="+", help="the episodes' folders")
    options = parser.parse_args()
    return _run(lambda: _edit(options.folders, lambda bar: merge(options.folders, bar)))


def progress_command() -> int:
    """Print how many episodes of each task there are, of how many wanted."""
    parser = argparse.ArgumentParser(description="How far a collection is: episodes by task against their targets.")
    parser.add_argument("out", type=Path, help="the root of all episodes")
    parser.add_argument("--tasks", type=Path, help="folder of task files with target counts, as config/tasks")
    options = parser.parse_args()

    def work() -> int:
        print(plan.table(plan.progress(options.out, plan.read_targets(options.tasks) if options.tasks else {})))
        return 0

    return _run(work)


def _edit(folders: list[Path], work: Callable[[Bar], Path]) -> int:
    bar = Bar("writing", sum(map(_bag_bytes, folders)))
    try:
        made = work(bar)
    finally:
        bar.end()
    print(made)
    return 0


def verify_command() -> int:
    """Check an episode; status 1 where something is wrong."""
    folder = _folder_argument("Check an episode: checksum, index, counts.", "the episode's folder")
    bar = Bar(f"verify {folder.name}", 2 * _bag_bytes(folder))
    wrong = verify(folder, bar)
    bar.end()
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{folder}: {'damaged' if wrong else 'whole'}")
    return 1 if wrong else 0


def recover_command() -> int:
    """Recover one staging folder, or all below a root; status 1 where one could not be."""
    folder = _folder_argument(
        "Recover episodes that a crash cut off.", f"a folder <episode_id>{STAGING}, or the root of all episodes"
    )
    parts = [folder] if folder.name.endswith(STAGING) else list(leftovers(folder))
    status = 0
    for part in parts:
        bar = Bar(f"recover {part.name}", _bag_bytes(part))
        try:
            print(f"recovered {recover(part, bar)}")
        except HumanoidError as error:
            print(error, file=sys.stderr)
            status = 1
        bar.end()
    if not parts:
        print(f"{folder}: nothing to recover")
    return status
