# SPDX-License-Identifier: Apache-2.0
"""Following a trajectory: who may end it, and that it arrives."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_planning.errors import PlanningRefused
from humanoid_planning.follower import End, Follower, FollowerSettings, Seen, Tick, Tolerances, Trajectory

MS = 1_000_000
USUAL = Tolerances()
SETTINGS = FollowerSettings(0.01, 0.1, 0.1, 0.4, 0.05, 1.0, 3.0)
TRAJECTORY = Trajectory(["a"], np.array([0.0, 1.0, 2.0]), np.array([[0.0], [1.0], [0.5]]), None)


class World:
    """A robot that is where it was told to be, `late` [ns] after the stamp."""

    def __init__(self, late: int = 0, tolerances: Tolerances = USUAL, start: int = 0) -> None:
        self.now, self.sent, self.late = 0, dict[int, np.ndarray](), late
        self.source, self.following, self.cancelled = "", True, False
        self.follower = Follower(["a", "b"], "planning", TRAJECTORY, SETTINGS, self.seen(), tolerances, start)

    def seen(self) -> Seen:
        past = [stamp for stamp in self.sent if stamp <= self.now - self.late]
        place = self.sent[max(past)] if past else np.array([0.0, 0.7])
        return Seen(self.now, dict(zip("ab", place)), self.source, self.following, self.cancelled)

    def run(self, seconds: float) -> Tick:
        for _ in range(round(seconds / 0.02)):
            self.now += 20 * MS
            tick = self.follower.tick(self.seen())
            self.sent.update(tick.targets)
            if tick.end is not None:
                return tick
        return tick


def test_it_holds_until_it_is_let_through_and_then_arrives():
    world = World()
    assert world.run(1.0).end is None
    assert {tuple(target) for target in world.sent.values()} == {(0.0, 0.7)}
    world.source = "planning"
    assert world.run(5.0).end is End.SUCCEEDED
    stamps = np.array(sorted(world.sent))
    assert set(np.diff(stamps)) == {10 * MS}
    path = np.array([world.sent[stamp] for stamp in stamps])
    assert path[:, 0].max() == pytest.approx(1.0, abs=0.01)
    assert path[-1].tolist() == [0.5, 0.7]  # what the trajectory does not name stays
    assert world.follower.progress == 1.0


def test_nobody_lets_it_through():
    world = World()
    tick = world.run(5.0)
    assert tick.end is End.LATE_START
    assert "nobody commands" in tick.words


@pytest.mark.parametrize(("source", "following"), [("teleop", True), ("planning", False)])
def test_a_person_or_a_stop_ends_it_at_once(source, following):
    world = World()
    world.source = "planning"
    assert world.run(0.8).end is None
    world.source, world.following = source, following
    tick = world.run(0.02)
    assert tick.end is End.PREEMPTED
    assert not tick.targets


def test_a_cancelled_motion_comes_to_rest_on_its_path():
    world = World()
    world.source = "planning"
    world.run(0.5)
    world.cancelled = True
    assert world.run(2.0).end is End.CANCELLED
    path = np.array([world.sent[stamp][0] for stamp in sorted(world.sent)])
    steps = np.diff(path)
    assert path[-1] < 0.9
    assert steps[-1] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(np.diff(steps)).max() < 1.5e-3  # 10 ms apart: no jump of speed beyond 5 rad/s2 and the first step


def test_a_robot_that_does_not_follow_is_noticed():
    world = World(late=600 * MS)
    world.source = "planning"
    tick = world.run(5.0)
    assert tick.end is End.OFF_PATH
    assert tick.words.startswith("a is 0.")


@pytest.mark.parametrize(
    ("joints", "times", "positions"),
    [
        (["a"], [0.0, 0.0], [[0.0], [1.0]]),
        (["a"], [0.0, 1.0], [[0.0], [np.nan]]),
        (["a"], [0.0], [[0.0, 1.0]]),
        (["a", "a"], [0.0], [[0.0, 1.0]]),
        ([], [], []),
    ],
)
def test_what_is_no_trajectory_is_refused(joints, times, positions):
    with pytest.raises(PlanningRefused):
        Trajectory(joints, np.array(times), np.array(positions), None)


def test_a_start_elsewhere_or_an_unknown_joint_is_refused():
    with pytest.raises(PlanningRefused, match=r"0\.300 rad from where"):
        Follower(["a"], "planning", TRAJECTORY, SETTINGS, Seen(0, {"a": 0.3}, "", True))
    with pytest.raises(PlanningRefused, match="'a' is not one of b"):
        Follower(["b"], "planning", TRAJECTORY, SETTINGS, Seen(0, {"b": 0.0}, "", True))


@pytest.mark.parametrize(
    ("path", "end"), [(0.0, End.OFF_PATH), (0.7, End.SUCCEEDED), (-1.0, End.SUCCEEDED), (0.3, End.OFF_PATH)]
)
def test_a_goal_brings_its_own_tolerances_as_the_stock_controller_takes_them(path, end):
    """0: the usual one; below 0: none. This robot is 0.6 s late, at up to 1 rad/s."""
    world = World(600 * MS, Tolerances(path={"a": path}))
    world.source = "planning"
    assert world.run(6.0).end is end


@pytest.mark.parametrize(
    ("goal", "time", "end"), [(0.0, 0.0, End.OFF_GOAL), (2.0, 0.0, End.SUCCEEDED), (0.0, -1.0, None)]
)
def test_the_goal_must_be_reached_in_its_time_and_tolerance(goal, time, end):
    world = World(10**12, Tolerances({"a": -1.0}, {"a": goal}, time))  # never moves
    world.source = "planning"
    tick = world.run(8.0)
    assert tick.end is end
    if end is End.OFF_GOAL:
        assert tick.words == "a is 0.500 rad from the goal"
        assert world.now / 1e9 == pytest.approx(2.0 + SETTINGS.goal_time, abs=0.06)


def test_a_start_time_is_waited_for_and_a_past_one_refused():
    world = World(start=1000 * MS)
    world.source = "planning"
    world.run(5.0)
    stamps = np.array(sorted(world.sent))
    path = np.array([world.sent[stamp][0] for stamp in stamps])
    assert stamps[np.flatnonzero(path > 1e-9)[0]] == 1010 * MS
    late = Seen(5000 * MS, {"a": 0.0}, "", True)
    with pytest.raises(PlanningRefused, match="in the past"):
        Follower(["a"], "planning", TRAJECTORY, SETTINGS, late, start_ns=2900 * MS)


def test_who_takes_the_place_of_another_goes_on_after_its_last_target():
    world = World()
    world.source = "planning"
    world.run(0.5)
    last = world.follower.sent_ns
    assert last == max(world.sent)
    other = Follower(
        ["a", "b"], "planning", TRAJECTORY, SETTINGS, Seen(world.now, {"a": 0.05, "b": 0.7}, "planning", True)
    )
    other.go_on_after(last)
    assert [
        stamp for stamp, _ in other.tick(Seen(world.now + 20 * MS, {"a": 0.05, "b": 0.7}, "planning", True)).targets
    ] == [
        last + 10 * MS,
        last + 20 * MS,
    ]


def test_a_trajectory_that_does_not_end_at_rest_is_refused():
    with pytest.raises(PlanningRefused, match="0 at the end"):
        Trajectory(["a"], np.array([0.0, 1.0]), np.array([[0.0], [1.0]]), np.array([[0.0], [0.1]]))


def test_between_points_it_is_cubic_where_speeds_are_known():
    times = np.array([0.0, 1.0])
    cubic = Trajectory(["a"], times, np.array([[0.0], [1.0]]), np.zeros((2, 1)))
    assert cubic.at(0.25)[0] == pytest.approx(3 * 0.25**2 - 2 * 0.25**3)
    assert TRAJECTORY.at(1.5)[0] == pytest.approx(0.75)
    assert (cubic.at(-1.0)[0], cubic.at(9.0)[0]) == (0.0, 1.0)
