# SPDX-License-Identifier: Apache-2.0
"""Proposed sub-tasks follow what the hands did."""

import itertools

import numpy as np
import pytest
import yaml

from humanoid_dataset.entries import read_entry
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.proposals import TOOL, Hand, Proposal, closing, holds, propose, together, write_proposals

T = np.arange(0.0, 14.0, 0.02)


def ramp(begin, end, low=0.0, high=1.0):
    return low + (high - low) * np.clip((T - begin) / (end - begin), 0.0, 1.0)


def hand(fingers=True, force=0.0):
    """Moves out from 1 to 3 s, closes until 4 s, rises until 6 s, carries until 9 s, comes down and opens at 11 s."""
    held = ramp(3.2, 4.0) - ramp(10.8, 11.0)
    x = ramp(1.0, 3.0, 0.0, 0.3)
    y = ramp(6.0, 9.0, 0.0, 0.4)
    z = ramp(4.2, 6.0, 0.1, 0.4) + ramp(9.0, 10.8, 0.0, -0.3)
    closed = held[:, None] * np.array([1.0, 0.8]) * float(fingers)
    return Hand(T, closed, np.stack([x, y, z], axis=1), force * held)


@pytest.mark.parametrize("made", [hand(), hand(fingers=False, force=15.0)], ids=["fingers", "force"])
def test_one_object_gives_the_five_steps_in_order(made):
    found = propose(made)
    assert [one.label for one in found] == ["reach", "grasp", "lift", "carry", "place"]
    assert found[0].start == pytest.approx(1.0, abs=0.15)
    assert 2.4 < found[0].end < 3.3
    assert found[2].start == pytest.approx(4.3, abs=0.3)
    assert 4.8 < found[3].start < 5.5
    assert 9.0 < found[4].start < 10.3
    assert found[4].end == pytest.approx(11.0, abs=0.2)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


def test_nothing_held_gives_nothing():
    assert propose(hand(fingers=False)) == []
    twitch = Hand(T, (ramp(3.0, 3.02) - ramp(3.1, 3.12))[:, None], np.zeros((len(T), 3)), np.zeros(len(T)))
    assert holds(twitch) == []
    assert len(closing(Hand(T[:0], np.zeros((0, 2)), np.zeros((0, 3)), T[:0]))) == 0


def test_hands_that_hold_one_thing_are_one():
    both = together(hand(force=10.0), hand(force=12.0))
    assert both is not None
    assert len(propose(both)) == 5
    assert together(hand(), hand(fingers=False)) is None


def test_written_proposals_replace_proposals_only(tmp_path):
    data = {"episode_id": "e", "state": "finished", "start_ns": 5_000_000_000, "duration": 9.0, "annotations": [
        {"start_ns": 6_000_000_000, "end_ns": 0, "label": "spilled", "author": "ann"}]}  # fmt: skip
    (tmp_path / "episode.yaml").write_text(yaml.safe_dump(data))
    write_proposals(tmp_path, [Proposal(0.5, 2.0, "reach")])
    write_proposals(tmp_path, [Proposal(0.5, 1.0, "reach"), Proposal(1.0, 2.0, "grasp")])
    labels = read_entry(tmp_path).labels
    assert [(label.label, label.author) for label in labels] == [
        ("reach", "proposal"),
        ("spilled", "ann"),
        ("grasp", "proposal"),
    ]
    assert (labels[0].start_ns, labels[0].end_ns, labels[0].tool) == (5_500_000_000, 6_000_000_000, TOOL)
    with pytest.raises(EpisodeError, match="no such file"):
        write_proposals(tmp_path / "nowhere", [])


def test_nothing_is_proposed_over_what_a_person_said(tmp_path):
    mine = {"start_ns": 6_000_000_000, "end_ns": 7_000_000_000, "label": "pour", "author": "ann", "tool": "console 1"}
    data = {"episode_id": "e", "state": "finished", "start_ns": 5_000_000_000, "duration": 9.0, "annotations": [mine]}
    (tmp_path / "episode.yaml").write_text(yaml.safe_dump(data))
    write_proposals(tmp_path, [Proposal(0.0, 1.0, "reach"), Proposal(1.5, 3.0, "grasp"), Proposal(2.0, 3.0, "lift")])
    assert [label.label for label in read_entry(tmp_path).labels] == ["reach", "pour", "lift"]
