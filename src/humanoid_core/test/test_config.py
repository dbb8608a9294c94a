# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from humanoid_core.config import build, load, read_yaml
from humanoid_core.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low} above high {self.high}")


@dataclass(frozen=True)
class Robot:
    name: str
    kind: Literal["biped", "wheeled"]
    joints: dict[str, Limits]
    offset: np.ndarray
    size: tuple[int, int] = (640, 480)
    urdf: Path | None = None
    tags: list[str] = field(default_factory=list)


GOOD = {
    "name": "g1",
    "kind": "biped",
    "joints": {"elbow": {"low": -1, "high": 2.0}},
    "offset": [0, 0.5, 1],
    "size": [320, 240],
    "tags": ["a"],
}


def test_a_mapping_becomes_the_dataclass():
    robot = build(Robot, GOOD, "robot.yaml")
    assert robot.joints["elbow"] == Limits(-1.0, 2.0)
    assert isinstance(robot.joints["elbow"].low, float)
    assert robot.offset.tolist() == [0.0, 0.5, 1.0]
    assert robot.size == (320, 240)
    assert robot.urdf is None


@pytest.mark.parametrize(
    ("change", "key", "words"),
    [
        ({"naem": "x"}, "naem", "did you mean name"),
        ({"name": 3}, "name", "a text"),
        ({"kind": "snake"}, "kind", "'wheeled'"),
        ({"joints": {"elbow": {"low": 0}}}, "joints.elbow.high", "required"),
        ({"joints": {"elbow": {"low": True, "high": 1}}}, "joints.elbow.low", "a number"),
        ({"joints": {"elbow": {"low": 3, "high": 1}}}, "joints.elbow", "low 3.0 above high 1.0"),
        ({"offset": [0, "x"]}, "offset", "numbers"),
        ({"offset": [0, float("nan")]}, "offset", "finite"),
        ({"size": [1, 2, 3]}, "size", "3 items"),
        ({"tags": "a"}, "tags", "a list"),
    ],
)
def test_what_does_not_fit_names_file_and_key(change, key, words):
    with pytest.raises(ConfigError) as caught:
        build(Robot, GOOD | change, "robot.yaml")
    assert caught.value.key == key
    assert str(caught.value).startswith(f"robot.yaml: {key}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: 1\na: 2\n", "twice"), ("- 1\n", "a mapping"), ("a: [1\n", "YAML"), ("x: {a: 1, a: 2}\n", "twice")],
)
def test_a_broken_file_is_refused(tmp_path, text, words):
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_yaml(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load(Robot, tmp_path / "gone.yaml")
