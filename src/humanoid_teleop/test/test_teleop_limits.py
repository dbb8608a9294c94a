# SPDX-License-Identifier: Apache-2.0
"""The box of joint velocities: property tests with an adversary who asks for anything, in ticks of any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanoid_teleop.arms.limits import JointLimits, braking_velocity, velocity_box
from humanoid_teleop.person.follower import homing

ONE = JointLimits(np.array([-1.0]), np.array([1.5]), np.array([6.0]), np.array([40.0]))
TICKS = st.floats(2e-4, 2e-2)


def viable(q: float, v: float) -> bool:
    room = ONE.upper[0] - q if v > 0 else q - ONE.lower[0]
    return v * v <= 2 * ONE.acceleration[0] * room * (1 + 1e-9) + 1e-9


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    start=st.floats(-1.0, 1.5),
    ticks=st.lists(st.tuples(TICKS, st.sampled_from([0.0, 1.0, 0.5, 0.02])), min_size=1, max_size=120),
    hold=st.integers(1, 40),
)
def test_no_adversary_breaks_a_limit(start, ticks, hold):
    q, v = np.array([start]), np.zeros(1)
    for index, (dt, _) in enumerate(ticks):
        low, high = velocity_box(q, v, dt, ONE)
        assert low <= high + 1e-12
        share = ticks[index // hold % len(ticks)][1]  # pushes one way for a while, then another
        new = low + share * (high - low)
        assert np.abs(new) <= ONE.velocity + 1e-9
        assert np.abs(new - v) <= ONE.acceleration * dt + 1e-9
        q, v = q + new * dt, new
        assert ONE.lower - 1e-9 <= q <= ONE.upper + 1e-9
        assert viable(float(q[0]), float(v[0]))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(q=st.floats(-1.0, 1.5), v=st.floats(-6.0, 6.0), ticks=st.lists(TICKS, min_size=5, max_size=5))
def test_braking_is_always_inside_and_ends_in_time(q, v, ticks):
    if not viable(q, v):
        return
    position, velocity, time = np.array([q]), np.array([v]), 0.0
    for index in range(10_000):
        if not velocity.any():
            break
        dt = ticks[index % 5]
        low, high = velocity_box(position, velocity, dt, ONE)
        brake = braking_velocity(velocity, dt, ONE.acceleration)
        assert low - 1e-9 <= brake <= high + 1e-9
        position, velocity, time = position + brake * dt, brake, time + dt
    assert time <= abs(v) / ONE.acceleration[0] + max(ticks)
    assert ONE.lower - 1e-9 <= position <= ONE.upper + 1e-9


def test_the_limit_is_reached_not_just_approached():
    q, v = np.array([0.0]), np.zeros(1)
    for _ in range(2000):
        v = velocity_box(q, v, 0.004, ONE)[1]
        q = q + v * 0.004
    assert q[0] == pytest.approx(1.5, abs=1e-6)


def test_a_joint_found_outside_goes_no_further_and_may_return():
    low, high = velocity_box(np.array([2.0]), np.zeros(1), 0.004, ONE)
    assert high[0] == 0.0
    assert low[0] == pytest.approx(-0.16)


def test_a_joint_found_too_fast_brakes_as_hard_as_it_may():
    low, high = velocity_box(np.array([1.49]), np.array([5.0]), 0.01, ONE)
    assert low == high == pytest.approx(4.6)


@given(length=st.floats(1e-6, 2.0), acceleration=st.floats(0.5, 50.0), dt=TICKS, gain=st.floats(1.0, 1000.0))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_homing_can_be_stopped_from(length, acceleration, dt, gain):
    speed = length * homing(np.array([length, 0.0, 0.0]), gain, acceleration, dt)
    left = length - speed * dt
    assert 0.0 <= speed <= gain * length + 1e-9
    assert left >= -1e-9
    assert speed**2 <= 2 * acceleration * left + 1e-6


def test_limits_must_make_sense():
    with pytest.raises(ValueError, match="upper"):
        JointLimits(np.ones(1), np.zeros(1), np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="above 0"):
        JointLimits(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
