# SPDX-License-Identifier: Apache-2.0
"""Who is commanded when: before a state, after an old one, in silence, from far away, at the end."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_core.errors import MessageError
from humanoid_robots.drivers.errors import CommandRefused
from humanoid_robots.drivers.follower import Follower, Settings
from humanoid_robots.servo import Mode

JOINTS = ("shoulder", "elbow")
MS = 1_000_000


@pytest.fixture
def follower() -> Follower:
    settings = Settings(state_timeout=0.1, command_timeout=0.1, stop_decay=0.05, take_over=1.0, hand_back=0.5)
    return Follower(JOINTS, np.full(2, -2.0), np.full(2, 2.0), settings)


def run(follower: Follower, start: int, until: int, command=None, state=(0.0, 0.0), period: int = 4 * MS) -> list:
    """Steps from start to until [ns], each with a state and, if given, a command(now); gives the outputs."""
    outputs = []
    for now in range(start, until, period):
        if state is not None:
            follower.state(now, np.array(state))
        if command is not None:
            follower.command(now, JOINTS, *command(now))
        outputs.append(follower.step(now))
    return outputs


def test_no_command_before_a_state(follower):
    with pytest.raises(CommandRefused, match="no state of the robot yet"):
        follower.command(0, JOINTS, [0.0, 0.0])
    assert follower.step(MS) is None
    assert follower.mode is Mode.FAULT


def test_nothing_is_sent_before_a_command(follower):
    assert run(follower, 0, 100 * MS) == [None] * 25
    assert follower.mode is Mode.IDLE


def test_the_share_rises_while_commands_come(follower):
    outputs = run(follower, 0, 1200 * MS, lambda _: ([0.1, -0.1],))
    shares = [output.share for output in outputs]
    assert max(np.diff(shares)) <= 0.004 + 1e-9
    assert shares[-1] == 1.0
    assert outputs[-1].position.tolist() == [0.1, -0.1]
    assert follower.mode is Mode.FOLLOWING


def test_a_first_command_from_afar_is_refused_and_names_the_joint(follower):
    follower.state(0, np.array([0.0, 0.7]))
    with pytest.raises(CommandRefused, match=r"elbow is at 0.700, commanded to 0.000"):
        follower.command(0, JOINTS, [0.0, 0.0])
    assert follower.step(0) is None


def test_far_targets_are_fine_once_it_follows(follower):
    run(follower, 0, 200 * MS, lambda _: ([0.0, 0.0],))
    follower.command(200 * MS, JOINTS, [1.5, 0.0])
    assert follower.step(200 * MS).position.tolist() == [1.5, 0.0]


def test_silence_is_a_soft_stop_that_holds(follower):
    run(follower, 0, 400 * MS, lambda now: ([1e-9 * now, 0.0], [1.0, 0.0]))
    outputs = run(follower, 400 * MS, 1400 * MS)
    places = np.array([output.position[0] for output in outputs])
    assert follower.mode is Mode.STOPPING
    assert (np.diff(places) >= 0).all()
    assert places[-1] - places[-50] < 1e-3
    assert places[-1] - places[0] == pytest.approx(0.05, rel=0.2)  # speed times the time constant
    assert outputs[-1].share == pytest.approx(1.0)  # held, not handed back


def test_after_a_stop_commands_begin_where_it_stands(follower):
    run(follower, 0, 400 * MS, lambda _: ([0.5, 0.0],), state=np.array([0.5, 0.0]))
    run(follower, 400 * MS, 700 * MS, state=np.array([0.5, 0.0]))
    with pytest.raises(CommandRefused, match="farther"):
        follower.command(700 * MS, JOINTS, [0.0, 0.0])
    follower.command(700 * MS, JOINTS, [0.45, 0.0])
    follower.step(700 * MS)
    assert follower.mode is Mode.FOLLOWING


def test_an_old_state_ends_it_at_once_and_the_share_begins_anew(follower):
    run(follower, 0, 1200 * MS, lambda _: ([0.1, 0.0],))
    now = 1200 * MS
    assert follower.step(now + 50 * MS) is not None
    assert follower.step(now + 101 * MS) is None
    assert follower.mode is Mode.FAULT
    assert "old" in follower.reason
    with pytest.raises(CommandRefused, match="old"):
        follower.command(now + 102 * MS, JOINTS, [0.1, 0.0])
    outputs = run(follower, now + 200 * MS, now + 220 * MS, lambda _: ([0.1, 0.0],))
    assert outputs[1].share < 0.03


def test_distrust_ends_it_until_a_good_state(follower):
    run(follower, 0, 200 * MS, lambda _: ([0.0, 0.0],))
    follower.distrust("mode_machine 9")
    assert follower.step(201 * MS) is None
    assert follower.reason == "mode_machine 9"
    follower.state(202 * MS, np.zeros(2))
    assert follower.step(202 * MS) is None  # and not on with the old command
    assert follower.mode is Mode.IDLE


@pytest.mark.parametrize("unseen", [False, True])
def test_control_is_handed_back_smoothly(follower, unseen):
    run(follower, 0, 1200 * MS, lambda _: ([0.3, 0.0],), state=np.array([0.2, 0.0]))
    (follower.release_unseen if unseen else follower.release)()
    outputs = run(follower, 1200 * MS, 2000 * MS, state=None if unseen else np.array([0.2, 0.0]))
    sent = [output for output in outputs if output]
    shares = [output.share for output in sent]
    assert max(-np.diff(shares)) <= 0.008 + 1e-9  # half a second from 1 to 0
    assert shares[-1] == 0.0
    assert all(output.position[0] == pytest.approx(0.3) for output in sent)
    assert outputs[-1] is None
    assert follower.share == 0.0
    if not unseen:
        with pytest.raises(CommandRefused, match="handed back"):
            follower.command(2000 * MS, JOINTS, [0.2, 0.0])
        follower.resume()
        follower.command(2000 * MS, JOINTS, [0.2, 0.0])


def test_without_a_good_state_there_is_no_unseen_hand_back(follower):
    run(follower, 0, 1200 * MS, lambda _: ([0.0, 0.0],))
    follower.step(1500 * MS)
    follower.release_unseen()
    assert follower.step(1504 * MS) is None
    assert follower.share == 0.0


def test_joints_left_out_are_held_where_they_were(follower):
    follower.state(0, np.array([0.3, -0.4]))
    follower.command(0, ["shoulder"], [0.3])
    assert follower.step(0).position.tolist() == [0.3, -0.4]


@pytest.mark.parametrize(
    ("names", "position", "velocity"),
    [
        (["wrist"], [0.0], []),
        (["elbow", "elbow"], [0.0, 0.0], []),
        (["elbow"], [float("nan")], []),
        (["elbow"], [0.0], [1.0, 2.0]),
        (["elbow"], [], []),
    ],
)
def test_wrong_commands_are_errors(follower, names, position, velocity):
    follower.state(0, np.zeros(2))
    with pytest.raises(MessageError, match="joint_commands"):
        follower.command(0, names, position, velocity)


def test_commands_stay_inside_the_ranges(follower):
    follower.state(0, np.array([1.95, 0.0]))
    follower.command(0, JOINTS, [2.1, 0.0])
    assert follower.step(0).position[0] == 2.0
