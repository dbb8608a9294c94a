# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

import humanoid_description
from humanoid_core import config, rotations, task
from humanoid_core.task import ObjectState
from humanoid_teleop.devices import scripted_operator
from humanoid_teleop.devices.scripted_operator import (
    DONE,
    GIVEN_UP,
    IDLE,
    RUNNING,
    RobotHands,
    ScriptedOperator,
    Settings,
    minimum_jerk,
)
from humanoid_teleop.operator import SIDES, TRACKED, OperatorFrame
from humanoid_teleop.person.calibration import FOREARM, HALF_SHOULDERS, UPPER_ARM, calibrate
from humanoid_teleop.person.mapping import BodyMapping

ROOT = Path(__file__).parents[3]
RATE = 90.0


@pytest.fixture(scope="module")
def robot() -> humanoid_description.Robot:
    return humanoid_description.load(ROOT / "config" / "robots" / "unitree_g1.yaml")


@pytest.fixture(scope="module")
def sorting() -> task.Task:
    return task.load(ROOT / "config" / "tasks" / "parcel_sorting.yaml")


@pytest.fixture(scope="module")
def settings() -> Settings:
    file = ROOT / "src" / "humanoid_teleop" / "config" / "scripted_operator.yaml"
    (section,) = config.read_yaml(file).values()
    values = {
        k: v for k, v in section["ros__parameters"].items() if k in {f.name for f in dataclasses.fields(Settings)}
    }
    return config.build(Settings, values, file)


class World:
    """Two parcels, two bins, and the laws of magic: what the person lifts goes where they let go."""

    def __init__(self, slips: int = 0) -> None:
        self.parcels = {
            "parcel_1": self._box("parcel_1", 0.31, 0.22, 0.62, "right_bin"),
            "parcel_2": self._box("parcel_2", 0.31, -0.22, -0.62, "left_bin"),
        }
        self.slips = slips
        self._note = ""
        level, size = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.4, 0.3, 0.06])
        self.bins = [
            ObjectState("left_bin", "bin", np.array([-0.07, 0.37, 0.73]), level, size),
            ObjectState("right_bin", "bin", np.array([-0.07, -0.37, 0.73]), level, size),
        ]

    @staticmethod
    def _box(name: str, x: float, y: float, yaw: float, goal: str) -> ObjectState:
        turn = np.array([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)])
        return ObjectState(name, "parcel", np.array([x, y, 0.83]), turn, np.array([0.12, 0.28, 0.14]), goal)

    @property
    def objects(self) -> list[ObjectState]:
        return [*self.parcels.values(), *self.bins]

    def follow(self, operator: ScriptedOperator) -> None:
        step, _, name = operator.note.partition(" ")
        if self._note.startswith("lift") and operator.note != self._note and self.slips > 0:
            self.slips -= 1
        self._note = operator.note
        if name not in self.parcels:
            return
        parcel = self.parcels[name]
        place = parcel.position
        if step == "lift" and self.slips > 0:
            pass
        elif step in ("lift", "carry"):
            place = np.array([*place[:2], 1.0])
        elif step == "place":
            goal = next(b for b in self.bins if b.name == parcel.goal)
            place = np.array([*goal.position[:2], 0.77])
        self.parcels[name] = dataclasses.replace(parcel, position=place)


def play(operator: ScriptedOperator, world: World, longest: float = 90.0) -> list[OperatorFrame]:
    frames = []
    operator.start()
    for i in range(round(longest * RATE)):
        frames.append(operator.frame(round(1e9 + i * 1e9 / RATE), world.objects))
        world.follow(operator)
        if operator.state != RUNNING:
            break
    return frames


@pytest.fixture(scope="module")
def performance(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> tuple[ScriptedOperator, list[OperatorFrame]]:
    operator = ScriptedOperator(robot, sorting, settings, seed=1)
    return operator, play(operator, World())


def test_both_parcels_are_sorted_step_by_step(
    performance: tuple[ScriptedOperator, list[OperatorFrame]], sorting: task.Task
) -> None:
    operator, _ = performance
    assert operator.state == DONE
    labels = [label for label in operator.labels() if label.step]
    for name in ("parcel_1", "parcel_2"):
        assert tuple(label.step for label in labels if label.object == name) == sorting.steps
    assert all(label.start < label.end for label in labels)
    assert all(a.end <= b.start for a, b in itertools.pairwise(labels))


def test_person_stands_still_disengaged_then_engages_and_lets_go_at_the_end(
    performance: tuple[ScriptedOperator, list[OperatorFrame]], settings: Settings
) -> None:
    _, frames = performance
    engaged = np.array([frame.left.engaged and frame.right.engaged for frame in frames])
    first = int(np.flatnonzero(engaged)[0])
    assert first == pytest.approx(settings.calibration_time * RATE, abs=2)
    assert engaged[first:-1].all()
    assert not engaged[-1]
    still = frames[first + round((settings.engage_time - 0.1) * RATE)]
    assert np.linalg.norm(still.position("left_wrist") - frames[0].position("left_wrist")) < 0.01


def test_speed_and_acceleration_are_a_persons(
    performance: tuple[ScriptedOperator, list[OperatorFrame]], settings: Settings
) -> None:
    """The robot's hands keep to hand_speed; the person's, on longer arms and swung by the chest, stay below 2 m/s."""
    _, frames = performance
    for side in SIDES:
        path = np.array([frame.position(f"{side}_wrist") for frame in frames])
        smooth = np.array([np.convolve(path[:, k], np.ones(9) / 9, "valid") for k in range(3)]).T  # without the tremor
        speed = np.linalg.norm(np.diff(smooth, axis=0), axis=1) * RATE
        acceleration = np.linalg.norm(np.diff(smooth, n=2, axis=0), axis=1) * RATE**2
        assert speed.max() < 2.0
        assert acceleration.max() < 12.0
    chest = np.unwrap([2 * np.arctan2(f.rotation("torso")[2], f.rotation("torso")[3]) for f in frames])
    assert np.abs(np.diff(chest)).max() * RATE < 1.2 * settings.turn_rate


def test_body_keeps_its_proportions(
    performance: tuple[ScriptedOperator, list[OperatorFrame]], settings: Settings
) -> None:
    _, frames = performance
    for frame in frames[::20]:
        assert all(frame.validity[[0, 1, 2]] == TRACKED)
        width = np.linalg.norm(frame.position("left_shoulder") - frame.position("right_shoulder"))
        assert width == pytest.approx(2 * HALF_SHOULDERS * settings.stature)
        for side in SIDES:
            shoulder, elbow, wrist = (frame.position(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
            assert np.linalg.norm(elbow - shoulder) == pytest.approx(UPPER_ARM * settings.stature, abs=1e-6)
            assert np.linalg.norm(wrist - elbow) == pytest.approx(FOREARM * settings.stature, abs=1e-6)


def test_frames_count_up_and_differ_by_seed(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> None:
    def wrists(seed: int) -> np.ndarray:
        operator = ScriptedOperator(robot, sorting, settings, seed)
        frames = play(operator, World(), longest=6.0)
        assert [frame.sequence for frame in frames] == list(range(len(frames)))
        return np.array([frame.position("left_wrist") for frame in frames])

    np.testing.assert_array_equal(wrists(3), wrists(3))
    assert np.abs(wrists(3) - wrists(4)).max() > 1e-3


def test_retargeting_puts_the_robots_palms_on_the_parcels_sides(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> None:
    """What comes out, scaled as the retargeting scales, is where the script wanted the robot's wrists."""
    quiet = dataclasses.replace(settings, tremor=0.0)
    operator, world, hands = ScriptedOperator(robot, sorting, quiet, 0), World(), RobotHands(robot)
    frames = play(operator, world, longest=4.5)
    mapping = BodyMapping(calibrate(frames[:10]), hands.reach, hands.half_shoulders)
    posture = operator._posture(frames[-1].stamp, world.objects)
    body = mapping.body(frames[-1])
    for side in SIDES:
        wanted, rotation = hands.wrist(side, posture)
        target = body.arms[side]
        assert target is not None
        np.testing.assert_allclose(target.wrist, wanted, atol=1e-6)
        assert rotations.angle(target.rotation, rotation) < 1e-6


def test_a_parcel_that_slips_is_taken_again(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> None:
    operator = ScriptedOperator(robot, sorting, settings, 0)
    world = World(slips=1)
    play(operator, world)
    assert operator.state == DONE
    steps = [label.step for label in operator.labels() if label.object == "parcel_1"]
    assert steps.count("grasp") == 2
    assert steps.count("place") == 1


def test_gives_up_on_what_cannot_be_held(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> None:
    operator = ScriptedOperator(robot, sorting, settings, 0)
    frames = play(operator, World(slips=10**6))
    assert operator.state == GIVEN_UP
    assert "parcel_1" in operator.note
    assert not frames[-1].left.engaged


def test_stop_lets_go_at_once_and_start_begins_again(
    robot: humanoid_description.Robot, sorting: task.Task, settings: Settings
) -> None:
    operator, world = ScriptedOperator(robot, sorting, settings, 0), World()
    assert operator.state == IDLE
    assert not operator.frame(0, world.objects).left.engaged
    play(operator, world, longest=4.0)
    assert operator.state == RUNNING
    operator.stop()
    assert operator.state == GIVEN_UP
    assert not operator.frame(10**10, world.objects).left.engaged
    operator.start()
    assert operator.state == RUNNING
    assert not operator.frame(2 * 10**10, world.objects).left.engaged


def test_minimum_jerk_rests_at_both_ends() -> None:
    x = np.linspace(0.0, 1.0, 1001)
    y = np.array([minimum_jerk(value) for value in x])
    speed = np.gradient(y, x)
    assert (y[0], y[-1]) == (0.0, 1.0)
    assert np.all(np.diff(y) >= 0)
    assert speed[0] == pytest.approx(0, abs=1e-4)
    assert speed[-1] == pytest.approx(0, abs=1e-4)
    assert speed.max() == pytest.approx(scripted_operator._PEAK, rel=1e-3)


@pytest.mark.parametrize("side", SIDES)
def test_toe_turns_the_fingers_inwards_about_the_palm(robot: humanoid_description.Robot, side: str) -> None:
    hands = RobotHands(robot)
    flat = dataclasses.replace(hands.rest, turn=0.3, skew=0.1)
    (wrist, rotation), (toed_wrist, toed) = (
        hands.wrist(side, posture) for posture in (flat, dataclasses.replace(flat, toe=0.2))
    )
    sign = 1.0 if side == "left" else -1.0
    fingers, toed_fingers = (rotations.matrix(q)[:, 0] for q in (rotation, toed))
    turned = np.arctan2(toed_fingers[1], toed_fingers[0]) - np.arctan2(fingers[1], fingers[0])
    assert turned == pytest.approx(-0.2 * sign)
    palm = hands.measures.palms[side].position
    operator_from_wrist = robot.arm(side).wrist_from_operator.T @ palm
    for at, q in ((wrist, rotation), (toed_wrist, toed)):
        np.testing.assert_allclose(
            at + rotations.matrix(q) @ operator_from_wrist, wrist + rotations.matrix(rotation) @ operator_from_wrist
        )
    assert hands.turning > 0.0  # arms that give way turn the fingers outwards
