# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from humanoid_safety.arbiter import Arbiter, SelectionRefused, Source

SOURCES = (Source("policy", 10, "grant"), Source("teleop", 100, "dead_man"), Source("planning", 20, "grant"))
ALL = {source.name: True for source in SOURCES}


def test_nobody_commands_without_an_enable():
    assert Arbiter(SOURCES).decide(ALL, 0.0) == ""


def test_dead_man_enables_the_person():
    arbiter = Arbiter(SOURCES)
    arbiter.dead_man(True)
    assert arbiter.decide(ALL, 0.0) == "teleop"
    arbiter.dead_man(False)
    assert arbiter.decide(ALL, 0.1) == ""


def test_grant_ends_by_itself():
    arbiter = Arbiter(SOURCES)
    arbiter.select("planning", 2.0, now=10.0)
    assert arbiter.decide(ALL, 11.9) == "planning"
    assert arbiter.grant_left("planning", 11.5) == pytest.approx(0.5)
    assert arbiter.decide(ALL, 12.0) == ""


def test_endless_grant_lasts_until_revoked():
    arbiter = Arbiter(SOURCES)
    arbiter.select("policy", math.inf, 0.0)
    assert arbiter.decide(ALL, 1e9) == "policy"
    arbiter.select("policy", 0.0, 1e9)
    assert arbiter.decide(ALL, 1e9) == ""


def test_one_source_at_a_time():
    arbiter = Arbiter(SOURCES)
    arbiter.select("planning", 5.0, 0.0)
    arbiter.select("policy", 5.0, 0.0)
    assert not arbiter.enabled("planning", 0.1)
    assert arbiter.decide(ALL, 0.1) == "policy"


def test_person_takes_over_and_the_grant_does_not_come_back():
    arbiter = Arbiter(SOURCES)
    arbiter.select("planning", 60.0, 0.0)
    assert arbiter.decide(ALL, 1.0) == "planning"
    arbiter.dead_man(True)
    assert arbiter.decide(ALL, 1.1) == "teleop"
    arbiter.dead_man(False)
    assert arbiter.decide(ALL, 1.2) == ""


def test_person_takes_over_even_before_targets_arrive():
    arbiter = Arbiter(SOURCES)
    arbiter.select("planning", 60.0, 0.0)
    arbiter.dead_man(True)
    assert arbiter.decide({**ALL, "teleop": False}, 1.0) == ""


def test_a_person_is_not_overruled():
    arbiter = Arbiter(SOURCES)
    arbiter.dead_man(True)
    with pytest.raises(SelectionRefused, match="never overruled"):
        arbiter.select("planning", 60.0, 0.0)
    assert arbiter.decide(ALL, 0.0) == "teleop"


def test_selecting_none_keeps_the_person_out_until_the_dead_man_is_let_go():
    arbiter = Arbiter(SOURCES)
    arbiter.dead_man(True)
    arbiter.select("", 0.0, 0.0)
    assert arbiter.decide(ALL, 0.1) == ""
    arbiter.person_lost()  # silence is not letting go
    arbiter.dead_man(True)
    assert arbiter.decide(ALL, 0.2) == ""
    arbiter.dead_man(False)
    arbiter.dead_man(True)
    assert arbiter.decide(ALL, 0.3) == "teleop"


@pytest.mark.parametrize(("name", "grant"), [("nobody", 1.0), ("planning", -1.0), ("planning", math.nan)])
def test_bad_selections_are_refused(name, grant):
    with pytest.raises(SelectionRefused):
        Arbiter(SOURCES).select(name, grant, 0.0)


def test_silent_source_is_not_let_through():
    arbiter = Arbiter(SOURCES)
    arbiter.select("planning", 5.0, 0.0)
    assert arbiter.decide({**ALL, "planning": False}, 0.1) == ""
