# SPDX-License-Identifier: Apache-2.0
"""Which trial comes next."""

from pathlib import Path

import pytest

from humanoid_console.trial import next_trial
from humanoid_core import task
from humanoid_core.errors import ConfigError
from humanoid_core.task import HardCase, Placement, Task

JOB = Task(
    name="towels",
    instruction="Fold the towel.",
    scene="laundry",
    steps=("grasp", "fold"),
    success=Placement(0.0, 0.0),
    target=10,
    variations={"light": {"bright": 6, "dim": 4}, "towel": {"small": 5, "large": 5}},
    hard_cases=(HardCase("inside_out", "Turn it inside out.", 2),),
)


def test_the_first_trial_takes_the_values_asked_for_first_and_is_no_hard_case() -> None:
    trial = next_trial(JOB, 0, {})
    assert trial.tags == {"light": "bright", "towel": "small"}
    assert trial.setup == ""
    assert trial.left["light"] == {"bright": 6, "dim": 4}


def test_the_value_that_lacks_the_largest_share_comes_next() -> None:
    trial = next_trial(
        JOB, 4, {"light": {"bright": 4}, "towel": {"small": 3, "large": 1}, "hard_case": {"inside_out": 2}}
    )
    assert trial.tags == {"light": "dim", "towel": "large"}


def test_hard_cases_are_spread_over_the_task() -> None:
    done, usable, asked = 0, {"hard_case": {"inside_out": 0}}, []
    while done < JOB.target:
        trial = next_trial(JOB, done, usable)
        if trial.setup:
            asked.append(done)
            usable["hard_case"]["inside_out"] += 1
        done += 1
    assert asked == [1, 6]


def test_a_whole_plan_fills_every_quota_exactly() -> None:
    usable: dict[str, dict[str, int]] = {"light": {}, "towel": {}, "hard_case": {}}
    for done in range(JOB.target):
        for name, value in next_trial(JOB, done, usable).tags.items():
            usable[name][value] = usable[name].get(value, 0) + 1
    assert usable == {
        "light": JOB.variations["light"],
        "towel": JOB.variations["towel"],
        "hard_case": {"inside_out": 2},
    }


def test_what_cannot_be_arranged_is_skipped() -> None:
    assert next_trial(JOB, 0, {}, skip=1).tags == {"light": "dim", "towel": "large"}
    full = {"light": {"bright": 6, "dim": 4}}
    assert next_trial(JOB, 10, full).tags["light"] == "bright"  # a plan that is full goes on all the same


def test_the_task_files_say_what_people_need() -> None:
    for path in sorted((Path(__file__).parents[3] / "config/tasks").glob("*.yaml")):
        job = task.load(path)
        words = job.translations["zh"]
        texts = {job.name, job.instruction, *job.steps, *job.skills, *job.variations}
        texts |= {value for values in job.variations.values() for value in values}
        texts |= {text for case in job.hard_cases for text in (case.name, case.setup)}
        assert texts <= set(words), f"{path.name} lacks {texts - set(words)}"
        assert all(sum(values.values()) == job.target for values in job.variations.values()), path.name


@pytest.mark.parametrize("wrong", ["light: {}", "light: {bright: -1}", "hard_case: {a: 1}"])
def test_a_wrong_quota_names_the_file(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "wrong.yaml"
    text = (Path(__file__).parents[3] / "config/tasks/shelf_stocking.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("  light: {bright: 30, dim: 20}", f"  {wrong}"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        task.load(path)
