# SPDX-License-Identifier: Apache-2.0
"""Labels of an episode: who said, with which tool, what happened from when until when.

They stand in `episode.yaml` beside the bag, and from there in the catalogue. Several may correct the labels of one
episode at once: each states the revision that it saw, and who comes second is told so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.entries import SIDECAR, LabelEntry, read_entry, read_sidecar
from humanoid_dataset.errors import EpisodeError, StaleLabels

AUTHOR = "proposal"  # of labels that nobody has looked at yet
SHORTEST = 100_000_000  # [ns] an interval is never made shorter than this by moving a boundary
_LONGEST_TEXT = 200  # characters
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True)
class Labels:
    """Labels of one episode as they were at one moment.

    Attributes:
        start_ns: Of the episode, in the bag's time base.
        end_ns: Of the episode.
        labels: By beginning; an instant has `end_ns` 0.
        revision: Changes whenever the labels do.
    """

    start_ns: int
    end_ns: int
    labels: list[LabelEntry]
    revision: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def read_labels(folder: Path) -> Labels:
    """Labels of an episode.

    Raises:
        EpisodeError: there is no sidecar, or a damaged one.
    """
    return _labels(folder, read_sidecar(folder))


def replace_labels(
    folder: Path,
    labels: Sequence[LabelEntry],
    author: str,
    tool: str,
    revision: str,
    catalogue: Path | str = "",
    confirm: bool = False,
) -> Labels:
    """Put labels in place of all that an episode had.

    A label that stood there already, with the same interval, words and note, keeps its author and tool, whatever the
    one given says; all others are by `author`, made with `tool`.

    Args:
        folder: Of the episode.
        labels: In any order.
        author: Who says so.
        tool: And version.
        revision: Of the labels that were changed.
        catalogue: Its file, to bring up to date; empty: none.
        confirm: `author` vouches for the intervals that stay, too: they become theirs and keep their tool. Instants
            stay whose they were: what a machine remarked while recording.

    Returns:
        What the episode has now.

    Raises:
        StaleLabels: somebody else changed them meanwhile; nothing was written.
        EpisodeError: there is no sidecar, or a label is none; nothing was written.
        CatalogueError: written, but the catalogue could not follow (`catalogue build` repairs that).
    """
    if not author or not tool:
        raise EpisodeError(f"{folder}: found author {author!r} and tool {tool!r}, expected both")
    with _alone(folder):
        data = read_sidecar(folder)
        before = _labels(folder, data)
        if revision != before.revision:
            raise StaleLabels(folder, revision, before.revision)
        stood = {_said(label): label for label in before.labels}
        made = []
        for label in labels:
            _check(folder, label, before)
            old = stood.get(_said(label))
            if old is None:
                made.append(replace(label, author=author, tool=tool))
            else:
                made.append(replace(old, author=author) if confirm and old.end_ns else old)
        data["annotations"] = [asdict(label) for label in sorted(made, key=lambda one: (one.start_ns, one.end_ns))]
        path = folder / SIDECAR
        staged = path.with_suffix(".part")
        text = yaml.dump(data, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)
        with staged.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
        after = _labels(folder, data)
    if catalogue:
        with Catalogue(catalogue) as opened:
            opened.put([read_entry(folder)])
    return after


def move_boundary(labels: Sequence[LabelEntry], at_ns: int, to_ns: int) -> list[LabelEntry]:
    """Move a boundary: all intervals that end at `at_ns`, and all that begin there, now do so at `to_ns`.

    It goes as far as the shortest interval next to it allows. Instants stay where they are.

    Args:
        labels: Of an episode.
        at_ns: Where an interval begins or ends.
        to_ns: Where that shall be.

    Returns:
        All labels; those that changed are to be signed by `replace_labels`.

    Raises:
        EpisodeError: there is no boundary.
    """
    ends = [one for one in labels if one.end_ns and one.end_ns == at_ns]
    begins = [one for one in labels if one.end_ns and one.start_ns == at_ns]
    if not ends and not begins:
        raise EpisodeError(f"boundary: found none at {at_ns} ns, expected where an interval begins or ends")
    lows = [one.start_ns + SHORTEST for one in ends]
    highs = [one.end_ns - SHORTEST for one in begins]
    if lows and highs and max(lows) > min(highs):
        return list(labels)  # they are too short to give anything
    to_ns = min([max([to_ns, *lows]), *highs])
    return [
        replace(one, end_ns=to_ns)
        if one.end_ns and one.end_ns == at_ns
        else replace(one, start_ns=to_ns)
        if one.end_ns and one.start_ns == at_ns
        else one
        for one in labels
    ]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else changes this episode's sidecar meanwhile; leaves no file behind."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise EpisodeError(f"{folder / SIDECAR}: found {error}, expected an episode of our recorder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _labels(folder: Path, data: dict[str, Any]) -> Labels:
    if not data:
        raise EpisodeError(f"{folder / SIDECAR}: found no such file, expected an episode of our recorder")
    try:
        start = int(data["start_ns"])
        end = int(data.get("end_ns") or start + round(1e9 * float(data["duration"])))
        found = [LabelEntry.of(label) for label in data.get("annotations") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EpisodeError(f"{folder / SIDECAR}: found {error!r}, expected an episode of our recorder") from error
    found.sort(key=lambda one: (one.start_ns, one.end_ns))
    revision = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
    return Labels(start, end, found, revision)


def _said(label: LabelEntry) -> tuple[int, int, str, str]:
    return label.start_ns, label.end_ns, label.label, label.note


def _check(folder: Path, label: LabelEntry, episode: Labels) -> None:
    """Refuse what is no label.

    Raises:
        EpisodeError: it has no words, no length, or lies outside of the episode.
    """
    words = label.label.strip()
    if not words or len(words) > _LONGEST_TEXT or "\n" in words:
        raise EpisodeError(f"{folder.name}: label: found {label.label!r}, expected 1 to {_LONGEST_TEXT} characters")
    if label.end_ns and label.end_ns <= label.start_ns:
        raise EpisodeError(f"{folder.name}: {words}: found an end before its beginning, expected one behind it, or 0")
    if _said(label) in map(_said, episode.labels):
        return  # as it stood there: the recorder may know what lies in a pre-roll
    if label.start_ns < episode.start_ns or max(label.start_ns, label.end_ns) > episode.end_ns:
        begin, end = ((at - episode.start_ns) * 1e-9 for at in (label.start_ns, label.end_ns or label.start_ns))
        length = (episode.end_ns - episode.start_ns) * 1e-9
        raise EpisodeError(
            f"{folder.name}: {words}: found {begin:.2f} to {end:.2f} s, expected inside 0 to {length:.2f} s"
        )
