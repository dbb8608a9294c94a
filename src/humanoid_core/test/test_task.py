# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from humanoid_core import task
from humanoid_core.errors import ConfigError
from humanoid_core.task import ObjectState, Placement

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
SIZE = np.array([0.2, 0.1, 0.1])
STRICT = Placement(margin=0.0, above=0.0)
BIN = ObjectState("bin", "bin", np.array([1.0, 0.0, 0.05]), LEVEL, np.array([0.4, 0.3, 0.1]))


def parcel(x: float, y: float, z: float, orientation: np.ndarray = LEVEL, goal: str = "bin") -> ObjectState:
    return ObjectState("parcel", "parcel", np.array([x, y, z]), orientation, SIZE, goal)


def placed(item: ObjectState, goal: ObjectState = BIN, placement: Placement = STRICT) -> bool:
    return task.judge([item, goal], placement)[item.name]


@pytest.mark.parametrize(
    ("x", "y", "z", "expected"),
    [
        (1.0, 0.0, 0.05, True),  # on the floor of the bin
        (1.19, 0.14, 0.05, True),  # in a corner
        (1.21, 0.0, 0.05, False),  # its centre beyond the wall
        (1.0, 0.16, 0.05, False),
        (1.0, 0.0, 0.14, True),  # on another parcel, its bottom still under the rim
        (1.0, 0.0, 0.16, False),  # held over the bin
        (1.0, 0.0, -0.05, False),  # under it
    ],
)
def test_verdict_by_place(x: float, y: float, z: float, expected: bool) -> None:
    assert placed(parcel(x, y, z)) is expected


def test_tilted_parcel_counts_by_its_lowest_corner() -> None:
    on_its_side = np.array([0.0, np.sin(np.pi / 4), 0.0, np.cos(np.pi / 4)])  # 0.2 m tall now
    assert placed(parcel(1.0, 0.0, 0.10, on_its_side))
    assert placed(parcel(1.0, 0.0, 0.19, on_its_side))
    assert not placed(parcel(1.0, 0.0, 0.21, on_its_side))


def test_footprint_is_in_the_axes_of_the_goal() -> None:
    turned = ObjectState("bin", "bin", BIN.position, np.array([0, 0, np.sin(np.pi / 4), np.cos(np.pi / 4)]), BIN.size)
    assert placed(parcel(1.0, 0.19, 0.05), turned)
    assert not placed(parcel(1.0, 0.19, 0.05))
    assert not placed(parcel(1.19, 0.0, 0.05), turned)
    assert placed(parcel(1.19, 0.0, 0.05))


def test_margin_and_height_are_the_tasks() -> None:
    assert placed(parcel(1.21, 0.0, 0.05), placement=Placement(margin=0.02, above=0.0))
    assert placed(parcel(1.0, 0.0, 0.16), placement=Placement(margin=0.0, above=0.02))


def test_done_means_all_and_never_none() -> None:
    other = ObjectState("other", "parcel", np.array([0.0, 0.0, 0.05]), LEVEL, SIZE, "bin")
    assert task.done([parcel(1.0, 0.0, 0.05), BIN], STRICT)
    assert not task.done([parcel(1.0, 0.0, 0.05), other, BIN], STRICT)
    assert not task.done([BIN], STRICT)
    assert task.judge([parcel(1.0, 0.0, 0.05, goal="gone"), BIN], STRICT) == {"parcel": False}
    assert task.judge([parcel(1.0, 0.0, 0.05, goal=""), BIN], STRICT) == {}


def test_objects_of_a_message_however_it_was_read() -> None:
    def item(name: str, goal: str) -> SimpleNamespace:
        return SimpleNamespace(
            name=name,
            category="parcel",
            goal=goal,
            pose=SimpleNamespace(
                position=SimpleNamespace(x=1.0, y=2.0, z=3.0), orientation=SimpleNamespace(x=0.0, y=0.0, z=0.6, w=0.8)
            ),
            size=SimpleNamespace(x=0.1, y=0.2, z=0.3),
        )

    first, second = task.objects_of(SimpleNamespace(objects=[item("a", "bin"), item("b", "")]))
    assert (first.name, first.goal, second.goal) == ("a", "bin", "")
    assert first.position.tolist() == [1.0, 2.0, 3.0]
    assert first.orientation.tolist() == [0.0, 0.0, 0.6, 0.8]
    assert first.size.tolist() == [0.1, 0.2, 0.3]


def test_every_task_file_can_be_read_and_names_its_scene() -> None:
    config = Path(__file__).parents[3] / "config"
    files = sorted((config / "tasks").glob("*.yaml"))
    assert files
    for file in files:
        loaded = task.load(file)
        assert loaded.name == file.stem
        assert loaded.instruction.endswith(".")
        assert (config / "scenes" / f"{loaded.scene}.yaml").is_file()


def test_mistake_in_a_task_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "task.yaml"
    file.write_text("name: a\ninstruction: b.\nscene: c\nsteps: [d]\nsuccess: {margin: 0.0}\n")
    with pytest.raises(ConfigError, match=r"success\.above"):
        task.load(file)
