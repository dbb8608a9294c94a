# SPDX-License-Identifier: Apache-2.0
"""What is made of episodes once they are recorded, and who is to look at which first."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bench.dataset_world import write_trial
from humanoid_dataset import check, report
from humanoid_dataset.behaviour import FIGURES, behaviour, ldlj, ranked, sparc
from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.entries import LabelEntry
from humanoid_dataset.episode import Episode
from humanoid_dataset.finish import CATALOGUE, SET, collect
from humanoid_dataset.proposals import Proposal, alike
from humanoid_dataset.results import load_limits
from humanoid_dataset.robot import robot_facts

LIMITS = load_limits().behaviour
STEP = 0.02


def reach(seconds: float, kinks: int = 0) -> np.ndarray:
    """Speed of a minimum-jerk reach, or one that falters on its way."""
    t = np.linspace(0.0, 1.0, round(seconds / STEP))
    speed = 30 * t**2 * (1 - t) ** 2
    return speed * (1.0 + 0.5 * np.sin(2 * np.pi * kinks * t)) if kinks else speed


def test_a_smooth_reach_is_smoother_than_one_that_falters():
    assert sparc(reach(2.0), STEP) > sparc(reach(2.0, kinks=8), STEP) + 0.3
    assert ldlj(reach(2.0), STEP) > ldlj(reach(2.0, kinks=8), STEP) + 2.0
    assert sparc(reach(2.0), STEP) == pytest.approx(sparc(3.0 * reach(2.0), STEP), abs=1e-9)  # speed does not count


def test_the_one_that_stands_out_comes_first_and_says_in_what():
    figures = {f"e{i}": dict.fromkeys(FIGURES, math.nan) | {"pauses": 0.1 + 0.01 * i, "sparc": -4.0} for i in range(6)}
    figures["e2"]["sparc"] = -9.0
    first, *rest = ranked(figures, LIMITS)
    assert (first.episode, first.reason) == ("e2", "sparc")
    assert first.score > 3.0 > rest[0].score
    figures["e2"]["sparc"] = 0.0  # smoother than the others is no reason to look
    assert ranked(figures, LIMITS)[0].reason == "pauses"
    assert ranked(dict(list(figures.items())[:4]), LIMITS) == []


def test_proposals_are_compared_where_both_use_the_same_words():
    labels = [
        LabelEntry(10**9, 3 * 10**9, "reach", "ann", "", ""),
        LabelEntry(3 * 10**9, 4 * 10**9, "grasp", "ann", "", ""),
        LabelEntry(0, 9 * 10**9, "raining", "sync", "", ""),
    ]
    proposals = [Proposal(1.0, 2.0, "reach"), Proposal(2.0, 4.0, "grasp")]
    assert alike(labels, proposals, 0) == pytest.approx(2 / 3, abs=0.02)
    assert math.isnan(alike(labels, [], 0))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trial(tmp_path_factory.mktemp("day") / "trial", 4.0, size=(64, 48))


def test_behaviour_of_an_episode_that_lacks_what_it_takes_is_not_a_number(trial):
    episode = Episode.open(trial)
    found = behaviour(episode, LIMITS, robot_facts(episode))
    assert set(found) == set(FIGURES)
    assert all(math.isnan(value) for value in found.values())  # no robot_description: no wrists


def test_a_data_set_and_a_catalogue_are_made_and_made_again(trial):
    folder = trial.parent
    for _ in range(2):
        lines, whole = collect(folder, [trial])
        assert whole
        assert any(line.startswith("data set: ") and "1 episodes" in line for line in lines)
        info = json.loads((folder / SET / "meta/info.json").read_text())
        assert info["total_frames"] > 100
        with Catalogue(folder / CATALOGUE) as catalogue:
            assert catalogue.count() == 1


def test_what_cannot_be_made_is_said_and_the_page_is_there_all_the_same(tmp_path, capsys):
    folder = write_trial(tmp_path / "trial", 2.0, cameras=("head",), size=(64, 48), lost=("joint_states", 0.5, 1.5))
    (folder / "episode.yaml").write_text(
        (folder / "episode.yaml").read_text().replace("outcome: success", "outcome: failure")
    )
    assert report.main([str(tmp_path), "--finish"]) == 1  # rejected: most of a robot's topics are missing
    said = capsys.readouterr().out
    assert "data set: none, since no episode is usable" in said
    assert "labels of trial: " in said
    assert (tmp_path / "report.html").read_text().count("no episode is usable") == 1
    assert (folder / "checks.json").is_file()


def test_episodes_of_one_kind_are_ranked_on_screen(trial, capsys):
    assert check.main([str(trial)]) == 1
    assert "not ranked, 1 of 5 episodes" in capsys.readouterr().out
