# SPDX-License-Identifier: Apache-2.0
"""A whole trial in one process and without ROS: scripted person, retargeting and twin, in lock-step."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from humanoid_core import config
from humanoid_core.task import Task, judge
from humanoid_description import Robot
from humanoid_robots.readings import EventReading, ObjectsReading, TactileReading
from humanoid_robots.scene import Scene
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin
from humanoid_teleop.devices import scripted_operator
from humanoid_teleop.devices.scripted_operator import DONE, RUNNING, ScriptedOperator
from humanoid_teleop.retargeting import Retargeter
from humanoid_teleop.settings import load_settings as load_retargeting

TELEOP = Path(__file__).parents[2] / "humanoid_teleop" / "config"


def person(robot: Robot, task: Task) -> ScriptedOperator:
    file = TELEOP / "scripted_operator.yaml"
    (section,) = config.read_yaml(file).values()
    names = {field.name for field in dataclasses.fields(scripted_operator.Settings)}
    values = {name: value for name, value in section["ros__parameters"].items() if name in names}
    return ScriptedOperator(robot, task, config.build(scripted_operator.Settings, values, file), seed=0)


def test_one_parcel_is_sorted_by_friction_alone(robot: Robot, one_parcel: Scene, sorting_task: Task) -> None:
    twin = Twin(robot, one_parcel, sorting_task, load_settings(lidar=False, seed=7))
    operator = person(robot, sorting_task)
    retargeter = Retargeter(robot, load_retargeting(TELEOP / "retargeting.yaml"))
    retargeter.start(dict(zip(twin.joints, twin.plant.handles.home)))
    operator.start()
    objects, events, pressed, tilt = twin.plant.objects(), [], 0.0, []
    palms = [twin.plant.data.body(f"{side}_hand_palm_pad").xpos.copy() for side in ("left", "right")]
    frame_ns, period = 11_000_000, 0
    while operator.state == RUNNING and period < 15_000:
        if twin.now % frame_ns < twin.period_ns:
            retargeter.update(operator.frame(twin.now, objects))
        if period % 2 == 0:  # 250 Hz
            targets = retargeter.tick(twin.now)
            twin.command(targets.joints, targets.position, targets.velocity)
        for reading in twin.step():
            if isinstance(reading, ObjectsReading):
                objects = reading.objects
                if operator.note.startswith("carry"):
                    x, y = objects[0].orientation[:2]
                    tilt.append(2 * np.hypot(x, y))
            elif isinstance(reading, EventReading):
                events.append(reading.kind)
            elif isinstance(reading, TactileReading) and operator.note.startswith("carry"):
                pressed = max(pressed, float(reading.pressure.max()))
        period += 1
    assert operator.state == DONE, operator.note
    assert judge(twin.plant.objects(), sorting_task.success) == {"parcel_1": True}
    assert [kind for kind in events if kind != "collision"] == ["reset", "lifted", "placed", "task_done"]
    assert pressed > 100.0  # the skin feels the parcel [Pa]
    assert max(tilt) < 0.5  # it is carried level, more or less
    for side, start in zip(("left", "right"), palms):
        assert twin.plant.data.body(f"{side}_hand_palm_pad").xpos == pytest.approx(start, abs=0.02)
