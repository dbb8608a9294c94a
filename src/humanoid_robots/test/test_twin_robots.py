# SPDX-License-Identifier: Apache-2.0
"""What holds for the twin of every robot of config/robots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import humanoid_description
from humanoid_description import Robot
from humanoid_description.measures import Measures, measure
from humanoid_robots import scene
from humanoid_robots.scene import Scene
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin

ROBOTS = sorted((Path(__file__).parents[3] / "config" / "robots").glob("*.yaml"))


@pytest.fixture(scope="module", params=ROBOTS, ids=lambda path: path.stem)
def any_robot(request: pytest.FixtureRequest) -> Robot:
    return humanoid_description.load(request.param)


@pytest.fixture(scope="module")
def twin(any_robot: Robot, sorting: Scene) -> Twin:
    made = Twin(any_robot, sorting, None, load_settings(lidar=False))
    for _ in range(500):
        made.step()
    return made


def test_it_holds_home_before_its_table_and_touches_nothing(twin: Twin) -> None:
    home = twin.plant.handles.home
    np.testing.assert_allclose(twin.plant.joints(0).position, home, atol=5e-3)
    touch = twin.plant.touch()
    assert not touch.held
    assert not touch.collisions


def test_joints_that_mimic_follow(any_robot: Robot, twin: Twin) -> None:
    data = twin.plant.data
    for name, mimic in any_robot.mimics.items():
        leader = float(data.joint(mimic.joint).qpos[0])
        assert float(data.joint(name).qpos[0]) == pytest.approx(mimic.multiplier * leader + mimic.offset, abs=0.02)


def test_parcels_are_within_reach_and_below_the_shoulders(any_robot: Robot, twin: Twin) -> None:
    measures = measure(any_robot)
    for parcel in twin.plant.layout.parcels:
        away = parcel.position - (*measures.axis, measures.shoulders[2])
        assert 0.5 * measures.reach < np.hypot(*away[:2]) < 1.0 * measures.reach
        assert -0.8 * measures.reach < away[2] < 0.0


def test_arms_follow_commands(any_robot: Robot, twin: Twin) -> None:
    arm = any_robot.config.groups["left_arm"]
    start = dict(zip(twin.joints, twin.plant.joints(0).position))
    wanted = np.array([start[joint] for joint in arm])
    elbow = list(arm).index(any_robot.config.operator.arms["left"].elbow_joint)
    wanted[elbow] *= 1.08  # up, away from the table
    for _ in range(1000):
        twin.command(arm, wanted)
        twin.step()
    found = dict(zip(twin.joints, twin.plant.joints(0).position))
    np.testing.assert_allclose([found[joint] for joint in arm], wanted, atol=0.01)


def test_biped_stands_on_its_feet(any_robot: Robot, empty: Scene) -> None:
    if any_robot.config.base != "biped":
        pytest.skip("it rolls")
    twin = Twin(any_robot, empty, None, load_settings(lidar=False, base="standing"))
    shoulder = any_robot.config.operator.arms["left"].shoulder_joints[0]
    home = any_robot.config.home.get(shoulder, 0.0)
    for i in range(750):
        twin.command([shoulder], np.array([home + 0.3 * np.sin(0.01 * i)]))
        twin.step()
    base = twin.plant.base(0)
    assert base.position[2] == pytest.approx(any_robot.config.base_height, abs=0.01)
    assert np.abs(base.orientation[:2]).max() < 0.03


def grown(measures: Measures, factor: float) -> Measures:
    shoulders = np.array((0.2, 0.0, measures.shoulders[2]))
    return Measures(shoulders, measures.half_shoulders, np.array((0.2, 0.0)), factor * measures.reach, measures.palms)


def test_scene_grows_about_the_chests_axis_and_down_from_the_shoulders(robot: Robot, sorting: Scene) -> None:
    own = measure(robot)
    assert sorting.worker is not None
    assert own.reach == pytest.approx(sorting.worker.reach, abs=1e-3)
    assert own.shoulders[2] == pytest.approx(sorting.worker.shoulder_height, abs=1e-3)
    large, small = (scene.fitted(sorting, grown(own, factor)) for factor in (1.5, 0.8))
    table = sorting.tables["table"]
    assert large.tables["table"].position[0] == pytest.approx(0.2 + 1.5 * table.position[0], rel=1e-3)
    drop = sorting.worker.shoulder_height - table.height
    assert large.tables["table"].height == pytest.approx(sorting.worker.shoulder_height - 1.5 * drop, rel=1e-3)
    assert large.parcels is not None
    assert small.parcels is not None
    assert sorting.parcels is not None
    assert large.parcels.size_low == sorting.parcels.size_low
    np.testing.assert_allclose(small.parcels.size_low, 0.8 * np.array(sorting.parcels.size_low), rtol=1e-3)
    assert small.parcels.mass[1] == pytest.approx(0.8**3 * sorting.parcels.mass[1], rel=1e-2)
    scene.draw(large, 1)  # every parcel finds its table
