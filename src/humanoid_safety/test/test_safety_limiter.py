# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from humanoid_safety.braking import braking_distance, braking_step
from humanoid_safety.limiter import Limiter, Reason
from humanoid_safety.limits import JointLimits
from humanoid_safety.referee import Bounds, violations

RATES = (250.0, 500.0, 1000.0)


def some_limits(n: int = 4) -> JointLimits:
    return JointLimits(
        tuple(f"joint_{i}" for i in range(n)),
        lower=np.linspace(-3.1, -0.05, n),
        upper=np.linspace(0.01, 2.6, n),
        velocity=np.linspace(1.0, 20.0, n),
        acceleration=np.linspace(5.0, 100.0, n),
        jerk=np.linspace(150.0, 8000.0, n),
        torque=np.full(n, 1e3),
    )


def judge(limits: JointLimits, commands: np.ndarray, rate: float) -> dict[str, float]:
    bounds = Bounds(limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, 1.0 / rate)
    return violations(commands, bounds)


def placed(limits: JointLimits, rate: float, position: np.ndarray) -> Limiter:
    limiter = Limiter(limits, 1.0 / rate, catch_up=0.5)
    everyone = np.ones(len(limits.names), dtype=bool)
    limiter.place(position, everyone)
    limiter.begin(everyone)
    return limiter


def brute_braking_step(distance: float, brake: float) -> float:
    """Largest first step by bisection over the sum of the steps that follow it."""

    def covered(step: float) -> float:
        total = 0.0
        while step > 0.0:
            total += step
            step -= brake
        return total

    low, high = 0.0, distance
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if covered(middle) <= distance else (low, middle)
    return low


@given(st.floats(0.0, 3.0), st.floats(1e-6, 1e-2))
@settings(max_examples=60, deadline=None, derandomize=True, phases=[Phase.generate])
def test_braking_step_is_the_largest_that_can_be_braked(distance, brake):
    distance = min(distance, 500 * brake)
    found = braking_step(np.array([distance]), np.array([brake]))[0]
    assert found == pytest.approx(brute_braking_step(distance, brake), rel=1e-9, abs=1e-15)


def test_braking_distance_is_the_sum_of_the_steps_left():
    steps, brake = np.array([-0.0107, 0.0, 0.003, 0.0205]), np.full(4, 0.002)
    expected = []
    for step in steps:
        left, total = abs(step) - 0.002, 0.0
        while left > 0:
            total, left = total + left, left - 0.002
        expected.append(np.sign(step) * total)
    assert braking_distance(steps, brake) == pytest.approx(np.array(expected), abs=1e-15)


@st.composite
def adversaries(draw):
    """Requests that change their mind at random: jumps, walls, bang-bang, noise, ramps, standing still."""
    seed = draw(st.integers(0, 2**32 - 1))
    kinds = draw(st.lists(st.sampled_from(["jump", "wall", "bang", "noise", "ramp", "still", "huge"]), max_size=12))
    return seed, kinds


def requests_of(limits: JointLimits, seed: int, kinds: list[str], dt: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = len(limits.names)
    rows, last = [], rng.uniform(limits.lower, limits.upper)
    for kind in kinds:
        length = int(rng.integers(1, 120))
        t = np.arange(1, length + 1)[:, None]
        if kind == "jump":
            block = np.tile(rng.uniform(limits.lower - 1, limits.upper + 1), (length, 1))
        elif kind == "wall":
            block = np.tile(np.where(rng.random(n) < 0.5, limits.lower, limits.upper), (length, 1))
        elif kind == "bang":
            block = np.where((t // int(rng.integers(1, 40))) % 2 == 0, limits.lower - 9, limits.upper + 9)
        elif kind == "noise":
            block = last + rng.normal(0, 10.0 ** rng.uniform(-6, 1), (length, n))
        elif kind == "ramp":
            block = last + t * rng.uniform(-1.5, 1.5, n) * limits.velocity * dt
        elif kind == "still":
            block = np.tile(last, (length, 1))
        else:
            block = rng.choice([-999.0, 999.0], (length, n))
        rows.append(block)
        last = block[-1]
    return np.vstack(rows) if rows else np.tile(last, (5, 1))


@pytest.mark.parametrize("rate", RATES)
@given(adversaries())
@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])
def test_every_limit_is_kept_whatever_is_requested(rate, adversary):
    limits = some_limits()
    seed, kinds = adversary
    rng = np.random.default_rng(seed + 1)
    start = rng.uniform(limits.lower, limits.upper)
    limiter = placed(limits, rate, start)
    commands = [start]
    for request in requests_of(limits, seed, kinds, 1.0 / rate):
        if rng.random() < 0.03:
            limiter.begin(rng.random(4) < 0.9)
        commands.append(limiter.stop() if rng.random() < 0.05 else limiter.follow(request))
    while not limiter.still:
        commands.append(limiter.stop())
        assert len(commands) < 5000
    assert judge(limits, np.array(commands), rate) == {}


@pytest.mark.parametrize("rate", RATES)
def test_hardest_drive_into_the_walls_breaks_nothing(rate):
    limits = some_limits()
    start = 0.5 * (limits.lower + limits.upper)
    limiter = placed(limits, rate, start)
    commands, request = [start], limits.upper + 5
    for _ in range(int(8 * rate)):
        # An adversary that knows the walls: full speed at one until it is reached, then at the other.
        request = np.where(limiter.position >= limits.upper - 1e-6, limits.lower - 5, request)
        request = np.where(limiter.position <= limits.lower + 1e-6, limits.upper + 5, request)
        commands.append(limiter.follow(request))
    commands = np.array(commands)
    assert judge(limits, commands, rate) == {}
    # ... and the walls are really used, at both ends.
    assert np.abs(commands.max(axis=0) - limits.upper).max() < 1e-6
    assert np.abs(commands.min(axis=0) - limits.lower).max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_request_inside_the_limits_passes_unchanged(rate):
    limits = some_limits()
    t = np.arange(0.0, 4.0, 1.0 / rate)[:, None]
    middle, size = 0.5 * (limits.lower + limits.upper), 0.45 * (limits.upper - limits.lower)
    # Amplitude and frequency such that speed, acceleration and jerk stay under 90 % of their limits, from rest.
    swing = 0.5 * size
    omega = 0.5 * np.minimum(limits.velocity / swing, np.sqrt(limits.acceleration / swing))
    omega = np.minimum(omega, 0.5 * np.cbrt(limits.jerk / swing))
    ease = np.minimum(t * omega / 6.0, 1.0)
    motion = middle + swing * ease**3 * (10 - 15 * ease + 6 * ease**2) * np.sin(omega * t)
    limiter = placed(limits, rate, motion[0])
    out = np.array([limiter.follow(row) for row in motion])
    assert judge(limits, motion, rate) == {}
    assert np.array_equal(out, motion)
    assert not limiter.reasons.any()
    assert not limiter.taken.any()


def stopping_optimum(velocity: float, acceleration: float, jerk: float) -> tuple[float, float]:
    """Time and way of the fastest stop from a speed without acceleration, in continuous time [s, rad]."""
    if velocity >= acceleration**2 / jerk:
        time = velocity / acceleration + acceleration / jerk
    else:
        time = 2.0 * np.sqrt(velocity / jerk)
    return time, 0.5 * velocity * time


@pytest.mark.parametrize("rate", RATES)
def test_stop_begins_with_the_next_command_and_is_as_short_as_physics_allow(rate):
    limits, dt = some_limits(), 1.0 / rate
    wide = JointLimits(
        limits.names,
        limits.lower - 90,
        limits.upper + 90,
        limits.velocity,
        limits.acceleration,
        limits.jerk,
        limits.torque,
    )
    limiter = placed(wide, rate, np.zeros(4))
    for _ in range(int(4 * rate)):
        limiter.follow(wide.upper)
    speed, begin = limiter.velocity, limiter.position
    assert speed == pytest.approx(limits.velocity)
    limiter.stop()
    assert (speed - limiter.velocity) / dt**2 == pytest.approx(limits.jerk, rel=1e-6)
    steps = np.ones(4)
    while not limiter.still:
        limiter.stop()
        steps += limiter.moved != 0.0
    for i in range(4):
        time, way = stopping_optimum(speed[i], limits.acceleration[i], limits.jerk[i])
        # In commands, a stop ends with the first one that does not move any more.
        assert (steps[i] + 1) * dt <= 1.05 * time + 2 * dt
        assert limiter.position[i] - begin[i] <= 1.05 * way


def test_a_jump_of_the_request_is_caught_without_overshoot_or_hunting():
    limits, rate = some_limits(), 500.0
    start = 0.5 * (limits.lower + limits.upper)
    limiter = placed(limits, rate, start)
    goal = start + 0.3 * (limits.upper - start)
    out = np.array([limiter.follow(goal) for _ in range(1500)])
    assert (out <= goal + 2e-4).all()
    assert np.array_equal(out[-1], goal)
    assert (np.diff(out, axis=0) >= -1e-4).all()


def test_a_moving_request_is_caught_and_then_followed_exactly():
    limits, rate = some_limits(), 500.0
    start = 0.5 * (limits.lower + limits.upper)
    limiter = placed(limits, rate, start)
    t = np.arange(0.0, 4.0, 1.0 / rate)[:, None]
    motion = start + 0.2 * (limits.upper - start) * (1 + 0.5 * np.sin(1.5 * t))
    out = np.array([limiter.follow(row) for row in motion])
    assert np.array_equal(out[-500:], motion[-500:])


def test_catching_up_is_speed_limited_and_then_free():
    limits, rate = some_limits(), 500.0
    start = 0.5 * (limits.lower + limits.upper)
    limiter = placed(limits, rate, start)
    goal = start + 0.5 * (limits.upper - start)
    speeds = []
    for _ in range(3000):
        limiter.follow(goal, speed=0.3)
        speeds.append(np.abs(limiter.velocity).max())
    assert max(speeds) == pytest.approx(0.3, abs=1e-9)
    assert np.array_equal(limiter.position, goal)
    for i in range(200):
        limiter.follow(goal - 0.2 * (goal - start) * (i / 200) ** 2, speed=0.0)
    assert np.abs(limiter.velocity).max() > 0.3


def test_a_joint_that_has_caught_up_is_free_while_others_still_catch_up():
    limits, rate = some_limits(), 500.0
    start = 0.5 * (limits.lower + limits.upper)
    limiter = placed(limits, rate, start)
    goal = start + np.array([0.5, 0.0, 0.0, 0.0])
    for i in range(200):
        limiter.follow(goal + np.array([0.0, 0.0, 1e-5 * i**2, 0.0]), speed=0.05)
    assert abs(limiter.velocity[0]) == pytest.approx(0.05)
    assert limiter.position[2] == goal[2] + 1e-5 * 199**2


def test_exact_means_to_the_bit_also_near_zero():
    limits = JointLimits(("a",), *(np.array([x]) for x in (-1.0, 1.0, 1e3, 1e7, 1e11, 1.0)))
    rng = np.random.default_rng(0)
    limiter = placed(limits, 500.0, np.zeros(1))
    for request in rng.choice([1e-9, 1e-3, 0.3], 500) * rng.uniform(-1, 1, 500):
        assert limiter.follow(np.array([request]))[0] == request


def test_joint_outside_its_limits_only_comes_back():
    limits, rate = some_limits(), 500.0
    start = limits.upper + np.array([0.2, -0.1, 0.05, 0.3])
    limiter = placed(limits, rate, start)
    out = np.array([limiter.follow(limits.upper + 1) for _ in range(200)])
    assert (out <= np.maximum(start, limits.upper)).all()
    back = np.array([limiter.follow(limits.upper - 0.05) for _ in range(2000)])
    assert np.allclose(back[-1], limits.upper - 0.05)
    again = np.array([limiter.follow(limits.upper + 1) for _ in range(2000)])
    assert (again <= limits.upper).all()


def test_joints_not_asked_come_to_rest_and_stay():
    limits, rate = some_limits(), 500.0
    limiter = placed(limits, rate, 0.5 * (limits.lower + limits.upper))
    for _ in range(20):
        limiter.follow(limits.upper)
    asked = np.array([True, False, True, False])
    limiter.begin(asked)
    for _ in range(500):
        limiter.follow(limits.upper)
    assert (limiter.moved[~asked] == 0.0).all()


def test_reasons_name_what_was_hit():
    limits = JointLimits(
        ("a", "b", "c"),
        *(np.array(x) for x in ([-2, -2, -2], [2, 2, 2], [1, 1, 50], [10, 10, 10], [1e3, 1e3, 1e6], [9, 9, 9])),
    )
    limiter = placed(limits, 500.0, np.zeros(3))
    for i in range(400):
        limiter.follow(np.array([1.9 + 0.0 * i, 0.0, 0.0]))
    assert limiter.reasons[0] & Reason.VELOCITY
    assert limiter.reasons[1] == 0
    limiter.forget()
    for _ in range(800):
        limiter.follow(np.array([3.0, 0.0, 0.0]))
    limiter.forget()
    limiter.follow(np.array([3.0, 0.0, 0.3]))
    assert limiter.reasons[0] == Reason.POSITION
    assert limiter.reasons[2] == Reason.ACCELERATION
    assert limiter.taken[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("lower", [3.0, 0.0]),
        ("velocity", [0.0, 1.0]),
        ("jerk", [0.0, 1.0]),
        ("acceleration", [np.nan, 1.0]),
        ("upper", [1.0]),
    ],
)
def test_limits_that_make_no_sense_are_refused(word, values):
    good = {"lower": [-1.0, -1.0], "upper": [1.0, 1.0]}
    good |= {limit: [1.0, 1.0] for limit in ("velocity", "acceleration", "jerk", "torque")}
    with pytest.raises(ValueError, match=word):
        JointLimits(("a", "b"), **{key: np.array(value) for key, value in {**good, word: values}.items()})
