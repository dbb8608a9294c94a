# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import numpy as np
import pytest

from humanoid_robots.pacing import Pace, Patience


class Wall:
    """A wall clock turned by hand, and a simulation of 2 ms steps against it."""

    def __init__(self, scale: float) -> None:
        self.pace = Pace(scale)
        self.now = 100.0
        self.simulated = 0.0

    def run(self, steps: int, work: float = 0.0, attainable: float = float("inf")) -> np.ndarray:
        """Wall time of each step [s], when a step's work takes `work` [s]."""
        times = []
        for _ in range(steps):
            self.simulated += 0.002
            self.now += work
            self.now += self.pace.wait(self.simulated, self.now, attainable)
            times.append(self.now)
        return np.array(times)


@pytest.mark.parametrize("scale", [1.0, 0.25, 4.0])
def test_speed_is_held_however_long_the_work_takes(scale: float) -> None:
    wall = Wall(scale)
    times = wall.run(3000, work=0.0003)
    assert (times[-1] - times[0]) * scale == pytest.approx(2999 * 0.002, rel=1e-3)
    assert wall.pace.measured == pytest.approx(scale, rel=0.02)


def test_too_much_work_shows_in_the_measured_speed() -> None:
    wall = Wall(1.0)
    wall.run(1000, work=0.008)
    assert wall.pace.measured == pytest.approx(0.25, rel=0.02)


def test_little_lost_time_is_made_up_and_much_is_not() -> None:
    wall = Wall(1.0)
    wall.run(500)
    wall.now += 0.015
    assert np.ptp(wall.run(501)) == pytest.approx(1.0 - 0.015, abs=0.0021)
    wall.now += 5.0
    assert np.ptp(wall.run(501)) == pytest.approx(1.0 - 0.020, abs=0.0021)


def test_time_passes_evenly_at_the_speed_that_cameras_can_reach() -> None:
    wall = Wall(1.0)
    wall.run(100, attainable=0.2)
    steps = np.diff(wall.run(1000, attainable=0.2))
    np.testing.assert_allclose(steps, 0.01, rtol=1e-6)
    assert np.diff(wall.run(100)).max() == pytest.approx(0.002)


MS = 1_000_000
LONG = 60.0  # a wait that a test would notice


def following(limit: float = LONG, period_ms: int = 2) -> Patience:
    """Patience with a commander that has kept up until 100 ms."""
    patience = Patience(limit, behind=0.01)
    for stamp in range(period_ms, 100 + 1, period_ms):
        patience.command(stamp * MS, stamp * MS)
    return patience


def test_time_waits_for_nobody_before_the_first_command() -> None:
    assert Patience(LONG, behind=0.01).wait(10**12)


@pytest.mark.parametrize("stamp", [0, 50 * MS])
def test_a_commander_on_another_clock_is_not_waited_for(stamp: int) -> None:
    patience = Patience(LONG, behind=0.01)
    patience.command(stamp, 100 * MS)
    assert patience.wait(100 * MS)


def test_time_waits_until_commands_are_near_enough() -> None:
    patience = following()
    assert patience.wait(110 * MS)  # 10 ms behind: no need
    waiting = threading.Thread(target=patience.wait, args=(120 * MS,))
    waiting.start()
    patience.command(104 * MS, 120 * MS)
    waiting.join(0.05)
    assert waiting.is_alive()
    patience.command(110 * MS, 120 * MS)
    waiting.join(LONG)
    assert not waiting.is_alive()
    assert not patience.lost


def test_a_dead_commander_is_waited_for_once() -> None:
    patience = following(limit=0.02)
    assert not patience.wait(120 * MS)
    assert (patience.lost, patience.exhausted) == (True, 1)
    assert patience.wait(10_000 * MS)
    patience.command(9_000 * MS, 10_000 * MS)
    assert patience.lost
    assert patience.wait(10_000 * MS)
    patience.command(9_999 * MS, 10_000 * MS)  # back
    assert not patience.lost
    assert not patience.wait(10_010 * MS)
    assert patience.exhausted == 2


def test_a_slow_commander_gets_the_time_that_its_timer_needs() -> None:
    assert following(period_ms=20).wait(140 * MS)
    assert not following(limit=0.01, period_ms=20).wait(142 * MS)


def test_commands_that_come_in_a_bunch_do_not_pass_for_a_slow_commander() -> None:
    patience = following(limit=0.01)
    patience.command(120 * MS, 120 * MS)
    assert not patience.wait(132 * MS)
