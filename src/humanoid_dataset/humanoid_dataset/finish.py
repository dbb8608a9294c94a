# SPDX-License-Identifier: Apache-2.0
"""What is done with recorded episodes: verdicts kept, labels proposed, a data set and a catalogue made."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from humanoid_core.errors import HumanoidError
from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.check import write_checks
from humanoid_dataset.checks import Verdict
from humanoid_dataset.contract import load_contract
from humanoid_dataset.entries import read_entry
from humanoid_dataset.export import export
from humanoid_dataset.hands import proposals_of
from humanoid_dataset.labels import AUTHOR, read_labels
from humanoid_dataset.proposals import alike, write_proposals

SET, CATALOGUE = "lerobot", "catalogue.sqlite"  # in the folder of the episodes


@dataclass(frozen=True)
class Labelled:
    """Labels of one episode.

    Attributes:
        proposed: Intervals that the rules found.
        kept: Those of them that stand in the sidecar now: where nobody had said anything.
        said: Intervals by others.
        alike: Share of the time of these in which the proposals say the same; NaN without either.
    """

    proposed: int
    kept: int
    said: int
    alike: float

    @property
    def words(self) -> str:
        """In a few words."""
        if not self.said:
            return f"{self.kept} intervals proposed"
        alike = "" if np.isnan(self.alike) else f", {100 * self.alike:.0f} % of the time as they say"
        return f"{self.said} intervals by those who were there; {self.proposed} proposed{alike}"


def keep(verdict: Verdict) -> Labelled | str:
    """Write checks and proposed labels into an episode; a reason where there can be no labels."""
    if verdict.episode is None:
        return "the episode does not open"
    try:
        write_checks(verdict)
        before = [label for label in read_labels(verdict.folder).labels if label.end_ns and label.author != AUTHOR]
        found = proposals_of(verdict.episode)
        after = write_proposals(verdict.folder, found)
    except HumanoidError as reason:
        return str(reason)
    verdict.episode.sidecar["annotations"] = [vars(label) for label in after.labels]
    kept = sum(label.author == AUTHOR for label in after.labels)
    return Labelled(len(found), kept, len(before), alike(before, found, after.start_ns))


def collect(folder: Path, episodes: Sequence[Path]) -> tuple[list[str], bool]:
    """Make a data set of the usable episodes and a catalogue of all, in their folder.

    Args:
        folder: Where a data set of an earlier run is replaced.
        episodes: Folders with their checks written.

    Returns:
        What was made, or why not, a line each; and whether all of it was.
    """
    try:
        entries = [read_entry(episode) for episode in episodes]
        with Catalogue(folder / CATALOGUE) as catalogue:
            catalogue.put(entries)
    except HumanoidError as reason:
        return [f"catalogue: none: {reason}"], False
    lines = [f"catalogue: {folder / CATALOGUE}, {len(entries)} episodes"]
    usable = [episode for episode, entry in zip(episodes, entries) if entry.usable]
    if not usable:
        return [*lines, "data set: none, since no episode is usable"], True
    place = folder / SET
    shutil.rmtree(place, ignore_errors=True)
    try:
        faults = export(usable, place, load_contract(), "lerobot-v3", min(len(usable), os.cpu_count() or 1))
    except HumanoidError as reason:
        return [*lines, f"data set: none: {reason}"], False
    info = json.loads((place / "meta/info.json").read_text())
    cameras = sum(feature["dtype"] == "video" for feature in info["features"].values())
    counts = f"{info['total_episodes']} episodes, {info['total_frames']} rows, {cameras} cameras"
    lines.append(f"data set: {place}, LeRobot {info['codebase_version']}, {counts}")
    return lines + [f"left out of it: {fault}" for fault in faults], not faults
