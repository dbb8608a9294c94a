# SPDX-License-Identifier: Apache-2.0
"""Action chunks: what reaches the robot between, during and after them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from humanoid_core.errors import MessageError
from humanoid_teleop.devices.action_chunks import ActionStream, chunk

MS = 1_000_000
BLEND, PATIENCE = 0.1, 0.05


def ramp(start_ms: int, positions: list[float], step_ms: int = 100, names=("a",)):
    """A chunk in which all joints go through the same positions."""
    times = [(start_ms + step_ms * index) * MS for index in range(len(positions))]
    return chunk(names, times, [[position] * len(names) for position in positions])


def test_points_are_joined_by_lines_and_the_last_is_held_for_a_moment() -> None:
    stream = ActionStream(BLEND, PATIENCE)
    stream.add(ramp(100, [0.0, 1.0]), 0)
    assert stream.at(50 * MS) is None  # not begun
    for now, expected in ((100, 0.0), (150, 0.5), (200, 1.0), (250, 1.0)):
        found = stream.at(now * MS)
        assert found is not None
        assert found[1] == pytest.approx([expected])
    assert stream.at(251 * MS) is None


def test_a_new_chunk_is_faded_in() -> None:
    stream = ActionStream(BLEND, PATIENCE)
    stream.add(ramp(0, [0.0] * 10), 0)
    stream.add(ramp(500, [1.0] * 10), 500 * MS)
    values = [stream.at((500 + ms) * MS)[1][0] for ms in (0, 25, 50, 75, 100, 200)]
    assert values == pytest.approx([0.0, 0.15625, 0.5, 0.84375, 1.0, 1.0], abs=1e-6)


def test_joints_may_come_in_another_order() -> None:
    stream = ActionStream(0.0, PATIENCE)
    stream.add(chunk(["a", "b"], [0, 1000 * MS], [[1.0, 2.0], [1.0, 2.0]]), 0)
    stream.add(chunk(["b", "a"], [0, 1000 * MS], [[4.0, 3.0], [4.0, 3.0]]), 100 * MS)
    names, positions = stream.at(300 * MS)
    assert dict(zip(names, positions)) == {"a": 3.0, "b": 4.0}


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(-1, 1)), min_size=2, max_size=12))
@settings(max_examples=100, deadline=None)
@example([(1, 1.0), (1, -1.0), (22, -1.0)])
def test_nothing_jumps_whenever_chunks_come(arrivals: list[tuple[int, float]]) -> None:
    """Constant chunks between -1 and 1: the steepest fade is 1.5 / blend times 2, and of several each adds its own."""
    stream, now, last, added = ActionStream(BLEND, 10.0), 0, None, []
    for wait, position in arrivals:
        stream.add(ramp(now, [position] * 5), now * MS)
        added.append(now)
        for _ in range(wait):
            _, positions = stream.at(now * MS)
            if last is not None:
                fades = max(sum(now - then <= 1000 * BLEND for then in added), 1)
                assert abs(positions[0] - last) <= fades * 1.5 / BLEND * 2.0 * 1e-3 * 1.2
            last = positions[0]
            now += 1


@pytest.mark.parametrize(
    ("names", "times", "positions"),
    [
        ([], [0], [[]]),
        (["a"], [], []),
        (["a", "a"], [0], [[1.0, 1.0]]),
        (["a"], [0], [[1.0, 2.0]]),
        (["a"], [0], [[np.nan]]),
        (["a"], [5, 5], [[1.0], [1.0]]),
    ],
)
def test_a_chunk_that_cannot_be_is_refused(names, times, positions) -> None:
    with pytest.raises(MessageError, match="policy/actions"):
        chunk(names, times, positions)


def test_late_chunks_and_other_joints_are_refused_and_the_old_one_goes_on() -> None:
    stream = ActionStream(BLEND, PATIENCE)
    stream.add(ramp(0, [0.5] * 10), 0)
    with pytest.raises(MessageError, match="over"):
        stream.add(ramp(0, [1.0, 1.0]), 500 * MS)
    with pytest.raises(MessageError, match="b"):
        stream.add(ramp(500, [1.0, 1.0], names=("a", "b")), 500 * MS)
    assert stream.at(600 * MS)[1] == pytest.approx([0.5])
    stream.add(ramp(2000, [1.0, 1.0], names=("a", "b")), 2000 * MS)  # the old one is over
    assert stream.at(2000 * MS)[0] == ("a", "b")
