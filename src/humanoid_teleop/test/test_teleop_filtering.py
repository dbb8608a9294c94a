# SPDX-License-Identifier: Apache-2.0
"""Input hygiene, filter and prediction, playback and pacing."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_core import rotations
from humanoid_teleop.operator import LOST, PART_INDEX, TRACKED, OperatorFrame
from humanoid_teleop.pacing import Pacer
from humanoid_teleop.person.filtering import BAD, GOOD, JUMPED, STANDSTILL, FrameGate, PoseFilter
from humanoid_teleop.person.follower import PoseFollower
from humanoid_teleop.recordings.playback import Playback

STILL = np.array([0.0, 0.0, 0.0, 1.0])


# --- gate ---


class OnePart:
    """A gate as one body part sees it."""

    def __init__(self) -> None:
        self._gate = FrameGate(speed=5.0, turn_rate=20.0, persistence=3)
        self.frame = OperatorFrame(0)

    def check(self, time: float, position: np.ndarray, rotation: np.ndarray = STILL) -> int:
        self.frame.set("left_wrist", position, rotation)
        _, _, self.validity, verdicts = self._gate.check(
            time, self.frame.positions, self.frame.rotations, self.frame.validity
        )
        return int(verdicts[PART_INDEX["left_wrist"]])


@pytest.fixture
def gate() -> OnePart:
    gate = OnePart()
    assert gate.check(0.0, np.zeros(3)) == GOOD
    return gate


def test_a_single_outlier_is_refused(gate):
    assert gate.check(0.01, np.array([0.5, 0, 0])) == BAD
    assert gate.validity[PART_INDEX["left_wrist"]] == LOST
    assert gate.check(0.02, np.array([0.01, 0, 0])) == GOOD
    assert gate.validity[PART_INDEX["left_wrist"]] == TRACKED


@pytest.mark.parametrize("pose", [(np.full(3, np.nan), STILL), (np.zeros(3), np.zeros(4)), (np.zeros(3), STILL * 3)])
def test_what_is_no_pose_is_refused_and_forgotten(gate, pose):
    assert gate.check(0.01, *pose) == BAD
    assert gate.check(0.02, np.zeros(3)) == GOOD


def test_a_sudden_turn_is_refused_and_the_other_sign_of_a_quaternion_is_not(gate):
    assert gate.check(0.01, np.zeros(3), rotations.exp(np.array([0.0, 1.0, 0.0]))) == BAD
    assert gate.check(0.02, np.zeros(3), -STILL) == GOOD


def test_a_jump_that_stays_is_believed(gate):
    there = np.array([0.5, 0, 0])
    assert [gate.check(0.01 * k, there) for k in (1, 2, 3, 4)] == [BAD, BAD, JUMPED, GOOD]


def test_noise_all_over_the_place_is_never_believed(gate):
    rng = np.random.default_rng(1)
    assert all(gate.check(0.01 * k, rng.uniform(1.0, 3.0, 3) * (-1) ** k) == BAD for k in range(1, 50))


def test_after_a_long_pause_anywhere_is_possible(gate):
    assert gate.check(1.0, np.array([2.0, 0, 0])) == GOOD


def test_a_part_that_is_not_tracked_is_no_news(gate):
    gate.frame.set("left_wrist", np.full(3, 9.0), validity=LOST)
    _, _, _, verdicts = gate._gate.check(0.01, gate.frame.positions, gate.frame.rotations, gate.frame.validity)
    assert not verdicts.any()


# --- filter ---


def moving(rate: float, noise: float = 0.0, slow: float = 0.07, fast: float = 0.015) -> tuple[PoseFilter, float]:
    """A filter after 1 s at 1 m/s and 2 rad/s, and the time."""
    rng = np.random.default_rng(0)
    filter_ = PoseFilter(slow, fast, 0.0)
    filter_.reset(0.0, np.zeros(3), STILL)
    time = 0.0
    for k in range(1, round(rate) + 1):
        time = k / rate
        position = np.array([time, 0, 0]) + noise * rng.standard_normal(3)
        filter_.update(time, position, rotations.exp(np.array([0, 0, 2.0 * time])))
    return filter_, time


@pytest.mark.parametrize("rate", [30.0, 90.0, 250.0])
def test_no_lag_at_constant_velocity_and_prediction_is_right(rate):
    filter_, time = moving(rate)
    position, rotation, velocity, turn_rate = filter_.predict(time + 0.03)
    assert np.allclose(position, [time + 0.03, 0, 0], atol=1e-5)
    assert rotations.angle(rotation, rotations.exp(np.array([0, 0, 2.0 * (time + 0.03)]))) < 1e-4
    assert np.allclose(velocity, [1, 0, 0], atol=1e-3)
    assert np.allclose(turn_rate, [0, 0, 2], atol=1e-3)


def test_no_lag_at_constant_acceleration():
    filter_ = PoseFilter(0.05, 0.05, 0.0)
    filter_.reset(0.0, np.zeros(3), STILL)
    for k in range(1, 120):
        time = k / 90.0
        filter_.update(time, np.array([0.5 * 3.0 * time**2, 0, 0]), STILL)
    assert filter_.predict(time + 0.045)[0][0] == pytest.approx(0.5 * 3.0 * (time + 0.045) ** 2, abs=1e-4)


def test_noise_is_reduced():
    errors = []
    for slow in (0.0, 0.07):
        filter_, time = moving(120.0, noise=1e-3, slow=slow)
        errors.append(np.linalg.norm(filter_.predict(time)[2] - [1, 0, 0]))
    assert errors[1] < 0.2 * errors[0]


def test_a_resting_hand_is_held_by_the_slow_filter_and_a_fast_one_followed_by_the_fast():
    rng = np.random.default_rng(3)
    filter_ = PoseFilter(0.07, 0.01, 0.0)
    filter_.reset(0.0, np.zeros(3), STILL)
    weights = {}
    for k in range(1, 300):
        time = k / 90.0
        hand = 0.0 if time < 2.0 else 0.2 * np.sin(15.0 * (time - 2.0))
        filter_.update(time, np.array([hand, 0, 0]) + rng.normal(0, 1e-3, 3), STILL)
        weights[k] = filter_.bank.weights[0].copy()
    assert weights[170].argmax() == 0
    assert weights[170][0] > 0.8
    assert weights[299].argmax() == 2


def test_without_smoothing_the_measurement_is_taken_as_it_is():
    filter_ = PoseFilter(0.0, 0.0, 0.0)
    filter_.reset(0.0, np.zeros(3), STILL)
    filter_.update(0.01, np.array([0.3, 0, 0]), STILL)
    assert filter_.predict(0.01)[0][0] == pytest.approx(0.3)


def test_time_that_stands_still_or_goes_back_is_ignored():
    filter_, time = moving(100.0)
    before = filter_.bank.state.copy()
    filter_.update(time, np.ones(3), STILL)
    filter_.update(time - 0.1, np.ones(3), STILL)
    assert (filter_.bank.state == before).all()


# --- follower ---


@pytest.fixture
def follower(settings) -> PoseFollower:
    """A pose at 0.5 m/s and 1 rad/s, engaged a third of the way through its ramp."""
    follower = PoseFollower(settings, 0.0, clutched=False)
    for k in range(60):
        time = 0.01 * k
        rotation = rotations.exp(np.array([time, 0, 0]))
        follower.measured(time, np.array([0.5 * time, 0, 0]), rotation, jumped=False)
        if k == 25:
            follower.engage(time, np.array([0.5 * time, 0.2, 0.0]), rotation)
    return follower


def test_the_speed_of_a_target_is_the_change_of_its_place(follower):
    time, step = 0.595, 1e-5
    before, after = (follower.target(moment).position.copy() for moment in (time - step, time + step))
    target = follower.target(time)
    assert target.velocity == pytest.approx((after - before) / (2 * step), abs=1e-4)
    assert np.abs(target.velocity[1]) > 0.05  # the offset is fading


def test_prediction_ends_and_the_target_comes_to_rest(follower, settings):
    late = follower.target(0.59 + 1.5 * 0.01).position[0]
    later = follower.target(0.59 + settings.prediction_limit + 0.3)
    assert np.abs(later.velocity[0]) < 1e-5
    assert np.abs(later.turn_rate[0]) < 1e-5
    assert late < later.position[0] < late + 0.5 * (STANDSTILL + 1e-3)


def test_a_jump_is_followed_from_where_the_target_was(follower):
    before = follower.target(0.6).position.copy()
    follower.measured(0.6, np.array([1.5, 0.0, 0.0]), STILL, jumped=True)
    assert follower.target(0.6).position == pytest.approx(before, abs=1e-9)


# --- playback ---


def test_a_clip_is_joined_before_it_moves_and_let_go_at_its_end():
    playback = Playback(duration=4.0, speed=2.0, loop=False, engage_after=1.0, join=2.0)
    places = {time: playback.at(time) for time in (0.5, 1.5, 3.0, 4.0, 5.5)}
    assert [place.phase for place in places.values()] == ["ready", "joining", "moving", "moving", "finished"]
    assert [place.engaged for place in places.values()] == [False, True, True, True, False]
    assert [place.time for place in places.values()] == [0.0, 0.0, 0.0, 2.0, 4.0]


def test_a_loop_lets_go_before_it_begins_again():
    playback = Playback(duration=1.0, speed=1.0, loop=True, engage_after=0.5, join=0.5)
    assert [playback.at(time).engaged for time in (1.9, 2.1, 2.6)] == [True, False, True]


# --- pacing ---


def test_targets_fill_the_gaps_between_frames_evenly():
    pacer = Pacer(4_000_000)
    stamps = []
    for millisecond in range(200):
        now = millisecond * 1_000_000
        if millisecond % 11 == 0 and millisecond < 100:  # 90 Hz, then silence
            if pacer.frame(now):
                stamps.append(millisecond)
        elif pacer.due(now):
            stamps.append(millisecond)
    gaps = np.diff(stamps)
    assert gaps[5:].min() >= 2
    assert gaps.max() <= 6


def test_late_frames_are_not_due():
    pacer = Pacer(4_000_000)
    assert pacer.frame(10_000_000)
    assert pacer.due(14_000_000)
    assert not pacer.frame(12_000_000)
    assert pacer.frame(20_000_000)
