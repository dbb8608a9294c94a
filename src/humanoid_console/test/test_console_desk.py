# SPDX-License-Identifier: Apache-2.0
"""What the desk decides and answers, with a robot that only notes what it is asked."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from humanoid_console.desk import Desk, Places
from humanoid_console.errors import ConsoleError
from humanoid_console.trial import Trial
from humanoid_core import task
from humanoid_dataset.catalogue import Catalogue

ROOT = Path(__file__).parents[3]
DEADLINE = 120.0  # [s] for anything on a slow, busy machine


class NotingRobot:
    def __init__(self) -> None:
        self.started: list[tuple[Trial, str]] = []
        self.commands: list[str] = []

    def start(self, trial: Trial, operator: str, answer: Any) -> None:
        self.started.append((trial, operator))
        answer(True, "", None)

    def command(self, name: str, arguments: dict[str, Any], answer: Any) -> None:
        self.commands.append(name)
        answer(True, "", None)


class Setup:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.robot = NotingRobot()
        self.verdicts: list[tuple[dict[str, Any], str]] = []
        self.changed = threading.Condition()
        program = folder / "table.py"
        program.write_text(
            "import json; print(json.dumps({'robot': 'g1', 'passed': False, 'rows': []}))\n"
            "print('[ros2run]: Process exited with failure 1')\n"
        )
        tasks = [task.load(path) for path in sorted((ROOT / "config/tasks").glob("*.yaml"))]
        places = Places(folder / "catalogue.sqlite", folder / "episodes", "", (sys.executable, str(program)))
        self.desk = Desk(places, tasks, "parcel_sorting", self.robot, self._show, self._judged)

    def _show(self, **_: Any) -> None:
        with self.changed:
            self.changed.notify_all()

    def _judged(self, verdict: dict[str, Any], error: str) -> None:
        self.verdicts.append((verdict, error))

    def until(self, condition: Any) -> Any:
        with self.changed:
            assert self.changed.wait_for(condition, DEADLINE), self.desk.shown
        return condition()

    def ask(self, name: str, /, **arguments: Any) -> tuple[bool, str, Any]:
        there = threading.Event()
        found: list[tuple[bool, str, Any]] = []

        def answer(success: bool, text: str, value: Any) -> None:
            found.append((success, text, value))
            there.set()

        self.desk.ask(name, arguments, answer)
        assert there.wait(DEADLINE)
        return found[0]


@pytest.fixture(scope="module")
def only_setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Of all tests here: the process of the checks takes long to start."""
    setup = Setup(tmp_path_factory.mktemp("desk"))
    yield setup
    setup.desk.stop()


@pytest.fixture
def setup(only_setup: Setup) -> Setup:
    """As it was in the beginning."""
    only_setup.ask("sign_out")
    only_setup.ask("task", name="parcel_sorting")
    only_setup.until(
        lambda: (
            only_setup.desk.trial
            and only_setup.desk.trial.tags["light"] == "bright"
            and only_setup.desk.trial.task.name == "parcel_sorting"
        )
    )
    only_setup.robot.started.clear()
    only_setup.robot.commands.clear()
    only_setup.verdicts.clear()
    return only_setup


def broken_episode(folder: Path, name: str) -> Path:
    """An episode whose bag is cut off in its first bytes."""
    path = folder / "episodes" / "g1" / "2026-03-02" / name
    path.mkdir(parents=True)
    (path / f"{name}_0.mcap").write_bytes(b"\x89MCAP0")
    facts = {"episode_id": name, "task": "parcel_sorting", "state": "finished", "outcome": "success", "operator": "Ann"}
    facts |= {"start_ns": 10**9, "end_ns": 9 * 10**9, "duration": 8.0, "started": "2026-03-02T08:00:00.000+00:00"}
    (path / "episode.yaml").write_text(yaml.safe_dump({**facts, "schema": 2, "annotations": [], "tags": {}}))
    return path


def test_nothing_starts_before_somebody_signed_in(setup: Setup) -> None:
    setup.until(lambda: setup.desk.trial)
    assert setup.ask("start")[:2] == (False, "sign in first")
    assert setup.ask("sign_in", name="  Li   Wei ")[0]
    assert setup.ask("start")[0]
    trial, operator = setup.robot.started[0]
    assert operator == "Li Wei"
    assert trial.tags["light"] == "bright"
    setup.ask("sign_out")
    assert not setup.ask("start")[0]


def test_a_script_signs_in_chooses_and_starts(setup: Setup) -> None:
    with pytest.raises(ConsoleError, match="nobody is signed in"):
        setup.desk.start_as("", "", lambda *_: None)
    with pytest.raises(ConsoleError, match="no_such_task"):
        setup.desk.start_as("Bo", "no_such_task", lambda *_: None)
    there = threading.Event()
    setup.desk.start_as("Bo", "shelf_stocking", lambda *_: there.set())
    assert there.wait(DEADLINE)
    trial, operator = setup.robot.started[0]
    assert (trial.task.name, operator) == ("shelf_stocking", "Bo")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b"])
def test_a_name_is_a_name(setup: Setup, name: str) -> None:
    assert not setup.ask("sign_in", name=name)[0]
    assert setup.desk.operator == ""


def test_a_task_can_be_chosen_and_a_variation_skipped(setup: Setup) -> None:
    setup.until(lambda: setup.desk.trial)
    setup.ask("skip")
    setup.until(lambda: setup.desk.trial.tags["light"] == "dim")
    assert setup.ask("task", name="shelf_stocking")[0]
    setup.until(lambda: setup.desk.trial.task.name == "shelf_stocking")
    success, text, _ = setup.ask("task", name="../../etc")
    assert not success
    assert "parcel_sorting" in text


def test_an_episode_that_ends_is_judged_kept_and_counted(setup: Setup) -> None:
    path = broken_episode(setup.folder, "torn")
    setup.desk.stopping()
    assert setup.desk.shown["verdict"] == {"state": "waiting"}
    setup.desk.ended("torn", str(path), discarded=False)
    verdict = setup.until(lambda: setup.desk.shown["verdict"] if "seconds" in setup.desk.shown["verdict"] else None)
    assert verdict["state"] == "rejected"
    assert verdict["failed"][0]["name"] == "intact"
    assert verdict["failed"][0]["detail"]
    assert json.loads((path / "checks.json").read_text())["passed"] is False
    with Catalogue(setup.folder / "catalogue.sqlite") as catalogue:
        assert catalogue.show("torn")["verdict"] == "failed"
    assert setup.ask("people")[2] == ["Ann"]
    assert setup.ask("episodes", task="parcel_sorting")[2]["count"] >= 1
    success, text, _ = setup.ask("picture", episode="torn", camera="camera/head/color", index=0)
    assert not success
    assert text


def test_an_end_that_is_refused_leaves_the_page_where_it_was(setup: Setup) -> None:
    before = setup.desk.shown.get("verdict")
    setup.desk.stopping()
    setup.desk.goes_on()
    assert setup.desk.shown["verdict"] == before


def test_a_discarded_episode_is_not_judged(setup: Setup) -> None:
    setup.desk.ended("gone", "", discarded=True)
    assert setup.desk.shown["verdict"] == {"state": "redo", "episode": "gone"}
    assert setup.verdicts == []


def test_checks_go_on_after_their_process_was_killed(setup: Setup) -> None:
    path = broken_episode(setup.folder, "torn_too")
    setup.desk._examiner.ready.result(DEADLINE)
    pool = setup.desk._examiner._pool
    manager, (worker,) = pool._executor_manager_thread, pool._processes.values()
    del pool
    worker.kill()
    setup.desk.ended("torn_too", str(path), discarded=False)
    setup.until(
        lambda: setup.desk.shown["verdict"].get("failed") and setup.desk.shown["verdict"]["episode"] == "torn_too"
    )
    manager.join(DEADLINE)  # Python waits for it at the end, or for ever
    assert not manager.is_alive()


def test_the_preflight_table_is_the_programs(setup: Setup) -> None:
    success, _, table = setup.ask("preflight")
    assert success
    assert (table["passed"], table["rows"]) == (False, [])
    assert setup.desk.shown["preflight"]["robot"] == "g1"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("episode", {"episode": "../../../etc/passwd"}), ("episode", {}), ("episodes", {"folder": "/etc"}),
     ("episodes", {"limit": "many"}), ("picture", {"episode": "x", "camera": "y"}),
     ("save", {"episode": "x", "labels": [], "revision": "0"}), ("task", {})],
)  # fmt: skip
def test_nonsense_is_refused_with_a_reason(setup: Setup, name: str, arguments: dict[str, Any]) -> None:
    success, text, value = setup.ask(name, **arguments)
    assert not success
    assert text
    assert value is None


def test_what_the_desk_does_not_know_goes_to_the_robot(setup: Setup) -> None:
    setup.ask("engage")
    assert setup.robot.commands == ["engage"]
