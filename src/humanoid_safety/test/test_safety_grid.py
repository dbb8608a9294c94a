# SPDX-License-Identifier: Apache-2.0
import numpy as np

from humanoid_safety.grid import StepGrid

MS = 1_000_000


def test_a_jittering_timer_gets_a_regular_grid():
    rng = np.random.default_rng(0)
    grid, times = StepGrid(2 * MS, 10), []
    for i in range(500):
        due = grid.due(10**18 + i * 2 * MS + int(rng.uniform(-0.24, 0.24) * 2 * MS))
        assert len(due) == 1
        times += due
    assert set(np.diff(times)) == {2 * MS}


def test_late_steps_are_made_up_for_and_early_calls_give_none():
    grid = StepGrid(2 * MS, 10)
    assert grid.due(0) == [0]
    assert grid.due(0) == []
    assert grid.due(6 * MS) == [2 * MS, 4 * MS, 6 * MS]


def test_a_stall_or_a_jump_starts_anew():
    grid = StepGrid(2 * MS, 10)
    grid.due(0)
    assert grid.due(1000 * MS) == [1000 * MS]
    assert grid.due(-500 * MS) == [-500 * MS]
    assert grid.due(-498 * MS) == [-498 * MS]
