# SPDX-License-Identifier: Apache-2.0
"""The figures of a day, against counts by hand."""

from datetime import datetime, timezone
from pathlib import Path

from humanoid_console.workload import Redos, summarise
from humanoid_dataset.catalogue import Sum

NOW = datetime(2026, 3, 2, 15, 30, tzinfo=timezone.utc)


def row(operator: str, robot: str, hour: int, usable: bool = True, **values: object) -> dict:
    facts = {"outcome": "success" if usable else "failure", "verdict": "passed", "lost": 0, "dropped": 0}
    return {
        "operator": operator, "robot": robot, "started": f"2026-03-02T{hour:02d}:10:00+00:00",
        "usable": usable, "duration": 36.0, **facts, **values,
    }  # fmt: skip


def test_a_day_is_summed_by_collector_and_by_robot() -> None:
    rows = [row("ann", "g1_2", 14), row("ann", "g1_1", 9), row("bo", "g1_1", 9, usable=False, lost=3, dropped=2)]
    rows.append(row("bo", "g1_1", 10, usable=False, outcome="success", verdict="failed"))
    history = [Sum("2026-03-01", 9, 1.0, 8, 0.5, 8, 1, 0, 0), Sum("2026-03-02", 4, 1.0, 2, 0.02, 3, 1, 1, 0)]
    found = summarise(NOW, rows, history, {}, {})
    assert (found["total"]["trials"], found["total"]["usable"], found["total"]["success"]) == (4, 2, 3)
    assert found["total"]["usable_hours"] == 0.02
    assert found["total"]["drops"] == 5
    ann, bo = found["collectors"]
    assert (ann["name"], ann["robot"], ann["trials"], ann["usable"]) == ("ann", "g1_2", 2, 2)  # where she was last
    assert (bo["rejected"], bo["trials"]) == (1, 2)
    assert [one["trials"] for one in found["robots"]] == [3, 1]
    assert found["hours"][9] == 2
    assert sum(found["hours"]) == 4
    assert [day["episodes"] for day in found["days"][-3:]] == [0, 9, 4]
    assert len(found["days"]) == 14


def test_a_robot_that_only_speaks_is_shown_too() -> None:
    (robot,) = summarise(NOW, [], [], {"g1_7": {"recorder": "idle"}}, {})["robots"]
    assert robot["live"] == {"recorder": "idle"}
    assert robot["trials"] == 0


def test_what_was_redone_is_read_from_beside_the_recordings(tmp_path: Path) -> None:
    file = tmp_path / "g1_1" / "2026-03-02" / "discarded.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"episode_id": "a", "reason": "dropped"}\n{"episode_id": "b", "rea', encoding="utf-8")
    redos = Redos(tmp_path)
    assert redos.of("2026-03-02") == {"g1_1": ["dropped"]}
    with file.open("a", encoding="utf-8") as out:
        out.write('son": "tracking"}\n')
    assert redos.of("2026-03-02") == {"g1_1": ["dropped", "tracking"]}
    assert redos.of("2026-03-01") == {}
    found = summarise(NOW, [], [], {}, redos.of("2026-03-02"))
    assert found["redo_reasons"] == {"dropped": 1, "tracking": 1}
    assert found["total"]["redos"] == 2
