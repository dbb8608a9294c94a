# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from humanoid_core.errors import ConfigError
from humanoid_core.task import Task, judge
from humanoid_robots import scene
from humanoid_robots.scene import Scene


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


def test_nothing_is_at_its_goal_at_first(sorting: Scene, sorting_task: Task) -> None:
    from humanoid_core.task import ObjectState

    layout = scene.draw(sorting, 0)
    parcels = [ObjectState(p.name, "parcel", p.position, p.orientation, p.size, p.goal) for p in layout.parcels]
    assert set(judge([*parcels, *layout.fixed_objects()], sorting_task.success).values()) == {False}


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
