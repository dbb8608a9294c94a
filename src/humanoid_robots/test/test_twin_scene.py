# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from pathlib import Path

import mujoco
import numpy as np
import pytest

from humanoid_core.errors import ConfigError
from humanoid_core.task import ObjectState, judge
from humanoid_description import Robot
from humanoid_robots import scene
from humanoid_robots.plant import Plant
from humanoid_robots.scene import Scene

SCENES = Path(__file__).parents[3] / "config" / "scenes"
TASKS = [file for file in sorted(SCENES.glob("*.yaml")) if file.stem != "empty"]


def test_same_seed_gives_same_parcels_and_another_seed_others(sorting: Scene) -> None:
    first, again, other = scene.draw(sorting, 3), scene.draw(sorting, 3), scene.draw(sorting, 4)
    for one, two in zip(first.parcels, again.parcels):
        np.testing.assert_array_equal(one.position, two.position)
        assert (one.yaw, one.mass, one.goal) == (two.yaw, two.mass, two.goal)
    assert any(not np.array_equal(one.size, two.size) for one, two in zip(first.parcels, other.parcels))


def test_parcels_stay_in_their_ranges_and_stand_on_the_table(sorting: Scene) -> None:
    kind = sorting.parcels
    assert kind is not None
    for seed in range(50):
        parcels = scene.draw(sorting, seed).parcels
        assert len({parcel.goal for parcel in parcels}) == len(parcels)  # as many bins as parcels: one each
        for parcel in parcels:
            assert kind.mass[0] <= parcel.mass <= kind.mass[1]
            assert np.all(parcel.size >= kind.size_low)
            assert np.all(parcel.size <= kind.size_high)
            assert parcel.position[2] - 0.5 * parcel.size[2] == pytest.approx(sorting.tables["table"].height)


@pytest.mark.parametrize("file", TASKS, ids=lambda path: path.stem)
def test_every_scene_stands_still_and_has_its_work_still_to_do(robot: Robot, file: Path) -> None:
    place, job = scene.load_with_task(file)
    assert job is not None
    assert (job.scene, place.name) == (file.stem, file.stem)
    for seed in (0, 1):
        plant = Plant(robot, scene.draw(place, seed), period=0.002, substeps=2)
        before, zero = plant.objects(), np.zeros(len(plant.handles.home))
        for _ in range(150):
            plant.begin(plant.handles.home, zero, zero)
            touch = plant.touch()
            plant.finish()
        assert not touch.held
        assert not touch.collisions
        verdict = judge(plant.objects(), job.success)
        assert len(verdict) >= 2
        assert not any(verdict.values())
        for old, new in zip(before, plant.objects()):
            np.testing.assert_allclose(new.position, old.position, atol=3e-3, err_msg=old.name)


@pytest.mark.parametrize("file", TASKS, ids=lambda path: path.stem)
def test_what_lies_in_the_middle_of_its_goal_is_judged_done(file: Path) -> None:
    place, job = scene.load_with_task(file)
    assert job is not None
    layout = scene.draw(place, 0)
    fixed = {item.name: item for item in layout.fixed_objects()}
    for parcel in layout.parcels:
        goal = fixed[parcel.goal]
        on_floor = goal.position + (0.0, 0.0, 0.5 * (parcel.size[2] - goal.size[2]) + 0.001)
        done = ObjectState(parcel.name, "parcel", on_floor, parcel.orientation, parcel.size, parcel.goal)
        assert judge([done, *fixed.values()], job.success) == {parcel.name: True}


def test_light_is_drawn_by_seed_and_leaves_the_parcels_alone(sorting: Scene) -> None:
    assert sorting.look is not None
    lights = [scene.draw(sorting, seed).light for seed in range(40)]
    low, high = sorting.look.brightness
    assert all(low <= light.brightness <= high and abs(light.warmth) <= sorting.look.warmth for light in lights)
    assert len({light.brightness for light in lights}) == len(lights)
    assert scene.draw(sorting, 7).light == lights[7]
    wood = sorting.tables["table"].color
    assert lights[0].tinted(wood, "table") == lights[0].tinted(wood, "table") != lights[1].tinted(wood, "table")
    assert np.allclose(lights[0].tinted(wood, "table"), wood, rtol=sorting.look.tint)
    unlit = scene.draw(dataclasses.replace(sorting, look=None), 3)
    assert unlit.light.tinted(wood, "table") == wood
    for one, two in zip(scene.draw(sorting, 3).parcels, unlit.parcels):
        np.testing.assert_array_equal(one.position, two.position)


def test_a_shelf_is_open_towards_the_middle_and_a_bottle_is_round(robot: Robot) -> None:
    shelves = Plant(robot, scene.draw(scene.load(SCENES / "shelf_stocking.yaml"), 0), 0.002, 2).model
    parts = {shelves.geom(i).name for i in range(shelves.ngeom)}
    assert {"left_shelf_left", "right_shelf_right"} <= parts
    assert not {"left_shelf_right", "right_shelf_left"} & parts
    layout = scene.draw(scene.load(SCENES / "medicine_dispensing.yaml"), 0)
    assert all(parcel.size[0] == parcel.size[1] for parcel in layout.parcels)
    assert {item.category for item in layout.fixed_objects()} == {"table", "tray"}
    bottles = Plant(robot, layout, 0.002, 2).model
    assert bottles.geom("bottle_1").type[0] == mujoco.mjtGeom.mjGEOM_CYLINDER


@pytest.mark.parametrize(
    ("wrong", "right", "key"),
    [
        ("[0.31, 0.22, 0.62]", "[1.31, 0.22, 0.62]", "parcels.places[0]"),
        ("count: 2", "count: 3", "parcels"),
        ("mass: [0.3, 0.8]", "mass: [0.9, 0.8]", "parcels"),
        ("height: 0.76", "hight: 0.76", "tables.table.hight"),
    ],
)
def test_mistake_in_a_scene_file_is_named(tmp_path: Path, wrong: str, right: str, key: str) -> None:
    text = (Path(__file__).parents[3] / "config" / "scenes" / "parcel_sorting.yaml").read_text()
    assert wrong in text
    file = tmp_path / "scene.yaml"
    file.write_text(text.replace(wrong, right))
    with pytest.raises(ConfigError) as caught:
        scene.load(file)
    assert caught.value.key == key
