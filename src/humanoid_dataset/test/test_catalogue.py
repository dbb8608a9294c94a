# SPDX-License-Identifier: Apache-2.0
"""The catalogue says what the files beside the bags say, whoever else writes to it meanwhile."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from humanoid_dataset.catalogue import Catalogue, Filter
from humanoid_dataset.catalogue_cli import main, refresh
from humanoid_dataset.entries import Entry, LabelEntry, read_entry
from humanoid_dataset.errors import CatalogueError, EpisodeError


def sidecar(folder: Path, number: int, **changes: object) -> Path:
    folder.mkdir(parents=True)
    data = {
        "schema": 2,
        "episode_id": f"e{number}",
        "robot": ("g1", "g2")[number % 2],
        "task": "sorting",
        "instruction": "Sort.",
        "operator": "ann" if number < 3 else "bob",
        "scene": "hall",
        "state": "finished",
        "outcome": "success",
        "note": "",
        "tags": {"light": "dim" if number == 0 else "bright"},
        "start_ns": 5_000_000_000,
        "started": f"2026-01-0{number + 1}T10:00:00.000+00:00",
        "duration": 36.0,
        "bag": {"file": "x.mcap", "sha256": "ab", "bytes": 1000, "messages": 7},
        "annotations": [{"start_ns": 6_000_000_000, "end_ns": 7_000_000_000, "label": "grasp", "author": "ann"}],
    }
    (folder / "episode.yaml").write_text(yaml.safe_dump(data | changes))
    return folder


@pytest.fixture
def root(tmp_path):
    for number in range(5):
        sidecar(tmp_path / "out" / f"e{number}", number)
    return tmp_path / "out"


@pytest.fixture
def catalogue(tmp_path, root):
    with Catalogue(tmp_path / "c" / "catalogue.sqlite") as made:
        assert refresh(made, root) == {"read": 5, "removed": 0, "faults": []}
        yield made


def ids(catalogue, **which):
    return [row["id"] for row in catalogue.find(Filter(**which))]


def test_newest_first_and_by_every_property(catalogue):
    assert ids(catalogue) == ["e4", "e3", "e2", "e1", "e0"]
    assert ids(catalogue, robot="g1", operator="ann") == ["e2", "e0"]
    assert ids(catalogue, since="2026-01-02", until="2026-01-03") == ["e2", "e1"]
    assert ids(catalogue, tag="light=dim") == ["e0"]
    assert ids(catalogue, label="grasp", text="E3") == ["e3"]
    assert ids(catalogue, label="push") == []
    assert [row["id"] for row in catalogue.find(limit=2, offset=1)] == ["e3", "e2"]
    assert catalogue.count(Filter(operator="bob")) == 2


def test_sums_labels_and_variations(catalogue):
    ann, bob = catalogue.sums("operator")
    assert (ann.key, ann.episodes, ann.hours, ann.usable, ann.bytes) == ("ann", 3, pytest.approx(0.03), 3, 3000)
    assert bob.success == 2
    assert catalogue.labels() == {"grasp": 5}
    assert catalogue.variations("sorting", "light") == {"bright": 4, "dim": 1}
    with pytest.raises(CatalogueError, match="found 'shoe size', expected one of task"):
        catalogue.sums("shoe size")


def test_only_what_changed_is_read_again(catalogue, root, tmp_path):
    assert refresh(catalogue, root)["read"] == 0
    shutil.rmtree(root / "e0")
    sidecar(tmp_path / "new", 1, outcome="failure", annotations=[])
    shutil.copy(tmp_path / "new" / "episode.yaml", root / "e1" / "episode.yaml")
    assert refresh(catalogue, root) == {"read": 1, "removed": 1, "faults": []}
    assert ids(catalogue, outcome="failure") == ["e1"]
    assert ids(catalogue, usable=True) == ["e4", "e3", "e2"]
    assert catalogue.labels() == {"grasp": 3}


def test_results_of_checks_decide_what_is_usable(catalogue, root):
    result = {"name": "gaps", "status": "failed", "measured": 0.5, "limit": None, "unit": "s", "detail": "joint_states"}
    (root / "e2" / "checks.json").write_text(json.dumps({"checks": [result]}))
    (root / "e3" / "checks.json").write_text(json.dumps({"checks": [result | {"status": "passed"}]}))
    refresh(catalogue, root)
    assert ids(catalogue, verdict="failed") == ids(catalogue, check="gaps") == ["e2"]
    assert ids(catalogue, verdict="passed") == ["e3"]
    assert "e2" not in ids(catalogue, usable=True)
    assert catalogue.failures() == {"gaps": 1}
    assert catalogue.show("e2")["checks"][0]["detail"] == "joint_states"


def test_built_anew_it_is_the_same(catalogue, root, tmp_path):
    with Catalogue(tmp_path / "again.sqlite") as again:
        refresh(again, root)
        assert again.find() == catalogue.find()
        assert [again.show(f"e{i}") for i in range(5)] == [catalogue.show(f"e{i}") for i in range(5)]


def test_copy_of_an_episode_is_refused_and_one_that_moved_is_not(catalogue, root):
    shutil.copytree(root / "e4", root / "copy")
    result = refresh(catalogue, root)
    assert result["read"] == 0
    assert "which" in result["faults"][0]
    (root / "e4").rename(root / "moved")
    shutil.rmtree(root / "copy")
    refresh(catalogue, root)
    assert catalogue.show("e4")["folder"].endswith("/moved")


def test_damaged_and_unfinished_episodes(catalogue, root):
    (root / "bad").mkdir()
    (root / "bad" / "episode.yaml").write_text("{")
    (root / "list").mkdir()
    (root / "list" / "episode.yaml").write_text("schema: 2\n")
    sidecar(root / "e9.part", 8)
    result = refresh(catalogue, root)
    assert result["read"] == 0
    assert [str(root / name) in fault for name, fault in zip(("bad", "list"), result["faults"])] == [True, True]
    with pytest.raises(EpisodeError, match="neither"):
        read_entry(root)


def test_foreign_bag(tmp_path):
    info = {
        "starting_time": {"nanoseconds_since_epoch": 1_700_000_000_000_000_000},
        "duration": {"nanoseconds": 2_500_000_000},
        "message_count": 9,
        "relative_file_paths": ["a.mcap"],
    }
    (tmp_path / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": info}))
    (tmp_path / "a.mcap").write_bytes(b"12345")
    entry = read_entry(tmp_path)
    assert (entry.id, entry.state, entry.day, entry.duration) == (tmp_path.name, "foreign", "2023-11-14", 2.5)
    assert (entry.bytes, entry.usable) == (5, False)


WRITER = """
import sys
from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.entries import Entry, LabelEntry
with Catalogue(sys.argv[1]) as catalogue:
    for i in range(40):
        name = f"{sys.argv[2]}_{i}"
        catalogue.put([Entry(name, "/" + name, labels=[LabelEntry(0, 1, "reach", "", "", "")] * 3)])
        catalogue.put([Entry("shared", "/shared", note=name, labels=[LabelEntry(0, 1, "lift", "", "", "")])])
"""


def test_many_writers_lose_nothing(tmp_path):
    path = tmp_path / "catalogue.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with Catalogue(path) as catalogue:
        assert catalogue.count() == 121
        assert catalogue.labels() == {"reach": 360, "lift": 1}
        assert catalogue._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_not_a_catalogue(tmp_path):
    (tmp_path / "text").write_text("no database, however long one looks at it" * 50)
    with pytest.raises(CatalogueError, match="expected a catalogue"):
        Catalogue(tmp_path / "text")
    sqlite3.connect(tmp_path / "old").execute("PRAGMA user_version=99")
    with pytest.raises(CatalogueError, match="found version 99"):
        Catalogue(tmp_path / "old")


def test_commands(root, tmp_path, capsys):
    file = ["--catalogue", str(tmp_path / "c.sqlite")]
    assert main([*file, "build", str(root)]) == 0
    assert capsys.readouterr().out == "5 read, 0 gone, 5 in all\n"
    assert main([*file, "list", "--operator", "bob"]) == 0
    assert "2 of 2 episodes" in capsys.readouterr().out
    assert main([*file, "--json", "count", "--by", "robot"]) == 0
    assert [one["episodes"] for one in json.loads(capsys.readouterr().out)] == [3, 2]
    assert main([*file, "show", "e1"]) == 0
    assert "grasp" in capsys.readouterr().out
    assert main([*file, "progress", "--tag", "light"]) == 0
    assert main([*file, "reasons"]) == 0
    assert main([*file, "show", "nobody"]) == 2
    assert main([*file, "build", str(tmp_path / "nowhere")]) == 2
    assert "expected one with episodes" in capsys.readouterr().err


def test_labels_are_replaced_not_added(catalogue):
    entry = Entry("e0", "/elsewhere", labels=[LabelEntry(1, 2, "push", "bob", "page", "")])
    assert catalogue.put([entry])  # e0's folder is still there
    assert catalogue.put([Entry("new", "/new", labels=entry.labels)]) == []
    assert catalogue.put([Entry("new", "/new", labels=[])]) == []
    assert catalogue.labels() == {"grasp": 5}
