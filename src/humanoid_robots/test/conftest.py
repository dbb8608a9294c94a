# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

import humanoid_description
from humanoid_core import task
from humanoid_description import Robot
from humanoid_robots import scene
from humanoid_robots.plant import Plant
from humanoid_robots.scene import Scene

# What the tests share stands beside them and belongs to no package.
sys.path.append(str(Path(__file__).parent))

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="session")
def robot() -> Robot:
    return humanoid_description.load(CONFIG / "robots" / "unitree_g1.yaml")


@pytest.fixture(scope="session")
def sorting() -> Scene:
    return scene.load(CONFIG / "scenes" / "parcel_sorting.yaml")


@pytest.fixture(scope="session")
def sorting_task() -> task.Task:
    return task.load(CONFIG / "tasks" / "parcel_sorting.yaml")


@pytest.fixture(scope="session")
def empty() -> Scene:
    return scene.load(CONFIG / "scenes" / "empty.yaml")


@pytest.fixture(scope="session")
def one_parcel(sorting: Scene) -> Scene:
    assert sorting.parcels is not None
    return dataclasses.replace(sorting, parcels=dataclasses.replace(sorting.parcels, count=1))


@pytest.fixture
def plant(robot: Robot, sorting: Scene) -> Plant:
    return Plant(robot, scene.draw(sorting, 0), period=0.002, substeps=2)
