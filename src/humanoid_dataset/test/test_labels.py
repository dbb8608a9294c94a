# SPDX-License-Identifier: Apache-2.0
"""Labels are replaced as a whole, signed by who changed them, and never over somebody else's change."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.entries import LabelEntry, read_entry
from humanoid_dataset.errors import EpisodeError, StaleLabels
from humanoid_dataset.labels import SHORTEST, Labels, move_boundary, read_labels, replace_labels

START, SECOND = 5_000_000_000, 1_000_000_000


def label(begin: float, end: float, words: str, author: str = "proposal", tool: str = "rules 1") -> LabelEntry:
    at = [START + round(t * SECOND) for t in (begin, end)]
    return LabelEntry(at[0], at[1] if end else 0, words, author, tool, "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = [label(1.0, 2.0, "reach"), label(2.0, 3.0, "grasp"), label(2.5, 0, "spilled", "ann", "buttons")]
    data = {
        "episode_id": "e", "state": "finished", "start_ns": START, "end_ns": START + 9 * SECOND,
        "duration": 9.0, "bag": {"sha256": "00"}, "annotations": [vars(one) for one in made],
    }  # fmt: skip
    (tmp_path / "episode.yaml").write_text(yaml.safe_dump(data))
    return tmp_path


def put(folder: Path, labels: list[LabelEntry], seen: Labels, **more) -> Labels:
    return replace_labels(folder, labels, "ben", "console 1", seen.revision, **more)


def signs(labels: Labels) -> list[tuple[str, str, str]]:
    return [(one.label, one.author, one.tool) for one in labels.labels]


def test_only_what_changed_is_signed_by_who_changed_it(folder):
    seen = read_labels(folder)
    moved = move_boundary(seen.labels, START + 2 * SECOND, START + 2_200_000_000)
    forged = [replace(one, author="eve", tool="none") for one in moved]
    after = put(folder, forged, seen)
    assert signs(after) == [
        ("reach", "ben", "console 1"), ("grasp", "ben", "console 1"), ("spilled", "ann", "buttons")]  # fmt: skip
    assert after == read_labels(folder)
    assert after.revision != seen.revision
    assert yaml.safe_load((folder / "episode.yaml").read_text())["bag"] == {"sha256": "00"}  # all else is as it was


def test_who_confirms_vouches_for_what_stays(folder):
    seen = read_labels(folder)
    after = put(folder, seen.labels, seen, confirm=True)
    assert signs(after)[0] == ("reach", "ben", "rules 1")
    assert signs(after)[2] == ("spilled", "ann", "buttons")  # an instant is a remark, not a label to vouch for


def test_second_of_two_changes_is_refused(folder):
    seen = read_labels(folder)
    put(folder, seen.labels[:1], seen)
    with pytest.raises(StaleLabels, match="read them again"):
        put(folder, seen.labels[1:], seen)
    assert [one.label for one in read_labels(folder).labels] == ["reach"]


def test_of_many_at_once_one_wins_and_nothing_is_torn(folder):
    seen = read_labels(folder)
    won: list[str] = []

    def change(name: str) -> None:
        try:
            put(folder, [label(1.0, 2.0, name)], seen)
        except StaleLabels:
            return
        won.append(name)

    threads = [threading.Thread(target=change, args=(f"label {i}",)) for i in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.label for one in read_labels(folder).labels] == won


def test_boundary_moves_both_neighbours_and_stops_before_the_next(folder):
    labels = read_labels(folder).labels
    far = move_boundary(labels, START + 2 * SECOND, START + 8 * SECOND)
    assert [(one.label, one.start_ns, one.end_ns) for one in far if one.end_ns] == [
        ("reach", START + SECOND, START + 3 * SECOND - SHORTEST),
        ("grasp", START + 3 * SECOND - SHORTEST, START + 3 * SECOND),
    ]
    assert move_boundary(labels, START + 3 * SECOND, START + 8 * SECOND)[1].end_ns == START + 8 * SECOND
    assert move_boundary(labels, START + 3 * SECOND, START)[1].end_ns == START + 2 * SECOND + SHORTEST
    with pytest.raises(EpisodeError, match="found none"):
        move_boundary(labels, START + 2_500_000_000, START)  # an instant is no boundary


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (label(3.0, 2.0, "lift"), "end before its beginning"),
        (label(3.0, 4.0, " "), "characters"),
        (label(3.0, 4.0, "x" * 201), "characters"),
        (label(8.0, 9.5, "lift"), "8.00 to 9.50 s, expected inside 0 to 9.00"),
        (label(-1.0, 1.0, "lift"), "expected inside"),
    ],
)
def test_what_is_no_label_is_refused_and_nothing_is_written(folder, wrong, words):
    seen = read_labels(folder)
    with pytest.raises(EpisodeError, match=words):
        put(folder, [*seen.labels, wrong], seen)
    assert read_labels(folder) == seen


def test_catalogue_follows(folder, tmp_path):
    path = tmp_path / "catalogue.sqlite"
    with Catalogue(path) as catalogue:
        catalogue.put([read_entry(folder)])
    seen = read_labels(folder)
    put(folder, [label(1.0, 2.0, "pour")], seen, catalogue=path)
    with Catalogue(path) as catalogue:
        assert [(one["label"], one["author"]) for one in catalogue.show("e")["labels"]] == [("pour", "ben")]


def test_folder_without_sidecar(tmp_path):
    with pytest.raises(EpisodeError, match="no such file"):
        read_labels(tmp_path)
    with pytest.raises(EpisodeError, match="expected an episode"):
        replace_labels(tmp_path / "nowhere", [], "ben", "console 1", "")
    with pytest.raises(EpisodeError, match="author"):
        replace_labels(tmp_path, [], "", "console 1", "")
