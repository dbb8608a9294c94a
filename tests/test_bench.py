# SPDX-License-Identifier: Apache-2.0
"""The benchmark runner: it, and not what is measured, says what is met."""

import importlib.util
import json
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def from_the_repository(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY))


def test_every_area_is_a_module_and_every_target_has_a_unit():
    from bench import report

    for area, targets in report.read_targets(REPOSITORY / "bench" / "targets.yaml").items():
        assert importlib.util.find_spec(f"bench.{area}"), area
        assert all(target.unit for target in targets.values())


def test_rows_say_what_is_met(tmp_path):
    from bench.report import Figure, Target, rows, table, write

    targets = {
        "latency": Target("ms", "lower", 10.0),
        "rate": Target("Hz", "higher", 250.0),
        "for information": Target("us", "lower"),
    }
    figures = {"rate": Figure(249.0, {"peer": 30.0}), "latency": Figure(10.0), "for information": Figure(3.0)}
    found = rows(targets, figures, "area")
    assert [(row["figure"], row["met"]) for row in found] == [
        ("latency", True),
        ("rate", False),
        ("for information", None),
    ]
    assert "MISSED" in table("area", found)
    write(tmp_path / "area.json", found)
    document = json.loads((tmp_path / "area.json").read_text())
    assert document["rows"][1]["peers"] == {"peer": 30.0}
    assert set(document) == {"machine", "rows"}


@pytest.mark.parametrize("figures", [{}, {"latency": 1.0, "other": 1.0}])
def test_figures_and_targets_must_be_the_same(figures):
    from bench.report import BenchError, Figure, Target, rows

    with pytest.raises(BenchError, match="not both"):
        rows({"latency": Target("ms", "lower", 10.0)}, {name: Figure(value) for name, value in figures.items()}, "area")


def test_a_part_of_an_area_leaves_the_rows_of_the_others(tmp_path):
    from bench.report import BenchError, Figure, Target, rows, write

    targets = {name: Target("ms", "lower", 10.0) for name in ("a", "b", "c")}
    file = tmp_path / "area.json"
    write(file, rows(targets, {"a": Figure(1.0), "c": Figure(3.0)}, "area.x", whole=False), keep=list(targets))
    write(file, rows(targets, {"b": Figure(2.0), "c": Figure(30.0)}, "area.y", whole=False), keep=list(targets))
    found = {row["figure"]: row["ours"] for row in json.loads(file.read_text())["rows"]}
    assert list(found.items()) == [("a", 1.0), ("b", 2.0), ("c", 30.0)]
    with pytest.raises(BenchError, match="not both"):
        rows(targets, {"d": Figure(1.0)}, "area.x", whole=False)
