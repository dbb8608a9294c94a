# SPDX-License-Identifier: Apache-2.0
"""The launch file of the robot's side starts with each robot: twin, description and transforms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import humanoid_description
from humanoid_core import endpoints

ROBOTS = sorted((Path(__file__).parents[2] / "config" / "robots").glob("*.yaml"))


@pytest.fixture(scope="module")
def cells(cell: Callable[..., Any], ros_domain: int) -> Iterator[dict[Path, Any]]:
    """All robots at once, each in a domain of its own, since each has its own /clock; slow, as there are many."""
    off = dict.fromkeys(("cameras", "safety", "sync", "recorder"), "false")
    with ExitStack() as stack:
        running = {}
        for number, file in enumerate(ROBOTS):
            os.environ["ROS_DOMAIN_ID"] = str(1 + (ros_domain + number) % 200)
            start = cell("robot.launch.py", namespace=f"/{file.stem}", robot=file.stem, time_scale="0.2", **off)
            running[file] = stack.enter_context(start)
        yield running


@pytest.mark.parametrize("file", ROBOTS, ids=lambda path: path.stem)
def test_robot_starts_and_tells_its_joints_and_transforms(cells, file):
    robot, running = humanoid_description.load(file), cells[file]
    # What moves, what mimics another joint included: joint_states does not name that, robot_state_publisher moves it.
    joints = ElementTree.fromstring(robot.urdf).findall("joint")
    moving = {joint.find("child").get("link") for joint in joints if joint.get("type") != "fixed"}
    moving.add("base_footprint")  # by the twin, beside what robot_state_publisher says
    states, messages = running.collect(endpoints.JOINT_STATES), running.collect(endpoints.TF)
    told: set[str] = set()

    def complete() -> bool:
        told.update(transform.child_frame_id for message in messages for transform in message.transforms)
        messages.clear()
        return bool(states) and moving <= told

    running.until(complete, f"joint states, and transforms of {len(moving)} links")
    assert set(states[0].name) == set(robot.joints)
    assert running.deaths() == []
