# SPDX-License-Identifier: Apache-2.0
"""A parcel-sorting trial in one process, in lock-step: scripted person, retargeting, twin; and a referee of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ament_index_python.packages import get_package_share_directory

from humanoid_core import config
from humanoid_core.task import ObjectState, Task
from humanoid_description import Robot
from humanoid_robots import imperfections
from humanoid_robots.readings import EventReading, ObjectsReading
from humanoid_robots.scene import Scene
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin
from humanoid_teleop.devices import scripted_operator
from humanoid_teleop.devices.scripted_operator import RUNNING, ScriptedOperator
from humanoid_teleop.retargeting import Retargeter
from humanoid_teleop.settings import load_settings as load_retargeting

LONGEST = 90.0  # simulated time of a trial [s]
_FRAME_NS = 11_000_000  # between operator frames: about 90 Hz


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        placed: Parcels in their bins, by the referee.
        parcels: All of them.
        dropped: How often one fell.
        collisions: Of the robot with itself or with what stands fast.
        seconds: Simulated time that it took [s].
        note: The person's last word.
    """

    placed: int
    parcels: int
    dropped: int
    collisions: int
    seconds: float
    note: str

    @property
    def success(self) -> bool:
        """Every parcel is in its bin."""
        return self.placed == self.parcels > 0


def trial(robot: Robot, scene: Scene, task: Task, seed: int) -> Outcome:
    """Sort the parcels of one seed.

    Args:
        robot: Any robot with two arms.
        scene: The scene; it is set up at the robot's height and reach.
        task: What is to be done.
        seed: Of the scene and of the person's pace and tremor.
    """
    twin = Twin(robot, scene, task, load_settings(lidar=False, seed=seed), imperfections=imperfections.load())
    person = ScriptedOperator(robot, task, _person(), seed=seed)
    teleop = Path(get_package_share_directory("humanoid_teleop")) / "config"
    retargeter = Retargeter(robot, load_retargeting(teleop / "retargeting.yaml"))
    retargeter.start(dict(zip(twin.joints, twin.plant.handles.home)))
    person.start()
    objects: tuple[ObjectState, ...] = twin.plant.objects()
    events: list[str] = []
    begin = twin.now
    while person.state == RUNNING and twin.now - begin < LONGEST * 1e9:
        if twin.now % _FRAME_NS < twin.period_ns:
            retargeter.update(person.frame(twin.now, objects))
        if (twin.now // twin.period_ns) % 2 == 0:  # 250 Hz
            targets = retargeter.tick(twin.now)
            twin.command(targets.joints, targets.position, targets.velocity)
        for reading in twin.step():
            if isinstance(reading, ObjectsReading):
                objects = reading.objects
            elif isinstance(reading, EventReading):
                events.append(reading.kind)
    seconds = 1e-9 * (twin.now - begin)
    placed = referee(twin)
    return Outcome(
        sum(placed.values()), len(placed), events.count("dropped"), events.count("collision"), seconds, person.note
    )


def referee(twin: Twin) -> dict[str, bool]:
    """Whether each parcel lies in its bin, from MuJoCo's poses and the scene's figures.

    Its centre is inside the bin's inner edges; its lowest corner is under the rim and over the floor (2 cm of slack).
    """
    layout, data = twin.plant.layout, twin.plant.data
    verdict = {}
    for parcel in layout.parcels:
        body = data.body(parcel.name)
        signs = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1)
        corners = body.xmat.reshape(3, 3) @ (parcel.size[:, None] * signs) + body.xpos[:, None]
        goal = layout.scene.bins[parcel.goal]
        inside = np.abs(body.xpos[:2] - goal.position) <= 0.5 * np.array(goal.size)
        lowest = float(corners[2].min())
        verdict[parcel.name] = bool(inside.all() and goal.height - 0.02 <= lowest <= goal.height + goal.wall_height)
    return verdict


def _person() -> scripted_operator.Settings:
    file = Path(get_package_share_directory("humanoid_teleop")) / "config" / "scripted_operator.yaml"
    (section,) = config.read_yaml(file).values()
    names = {field.name for field in dataclasses.fields(scripted_operator.Settings)}
    values = {name: value for name, value in section["ros__parameters"].items() if name in names}
    return config.build(scripted_operator.Settings, values, file)
