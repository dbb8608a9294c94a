# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from humanoid_robots.pacing import Pace


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
