# SPDX-License-Identifier: Apache-2.0
"""Home from random poses among table, bins and parcels: how often, how fast, and whether an independent look agrees.

Poses are drawn from the whole range of the upper body and kept where nothing touches: 50 per robot and second asked
for, 1,000 by default. Planning is CPU time. The referee is MuJoCo on the twin's model (own kinematics and contacts)
at every centimetre that any body moves; limits are judged from differences of positions.

A run that was cut off goes on where it stopped, as long as neither planner nor robot nor scene changed meanwhile.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import moveit
import numpy as np
import rclpy
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_state import RobotState
from moveit.planning import MoveItPy

import humanoid_planning
from bench.planning_referee import GROUP, Referee
from bench.report import Figure
from bench.rig import REPOSITORY
from humanoid_core import convert
from humanoid_core.task import ObjectState
from humanoid_description import Robot, load
from humanoid_description.measures import measure as measures_of
from humanoid_interfaces.msg import SceneObject, SceneObjects
from humanoid_planning import moveit_config
from humanoid_planning.planner import Goal, MotionPlanner
from humanoid_robots import scene as scenes

ROBOTS = sorted((REPOSITORY / "config" / "robots").glob("*.yaml"))
SCENE = REPOSITORY / "config" / "scenes" / "parcel_sorting.yaml"
KEPT = REPOSITORY / "build" / "bench" / "planning_runs"  # what was measured so far, by robot
_PER_SECOND = 50  # poses
_LONGEST = 1.0  # [s] of CPU
_PATIENCE = 10.0  # [s] on a busy machine's clock
_SAVE = 20  # poses between two times that the run is kept


@dataclass(frozen=True)
class Motion:
    """Home from one pose: seconds of CPU, whether there is a plan, what the referee says."""

    seconds: float
    planned: bool
    touches: bool
    deepest: float
    exceeds: bool


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    figures: dict[str, Figure] = {}
    for file in ROBOTS:
        figures.update(_robot(file, seconds))
    return figures


def _robot(file: Path, seconds: float) -> dict[str, Figure]:
    robot, count = load(file), max(1, round(_PER_SECOND * seconds))
    name, kept, made_of = robot.config.name, KEPT / f"{file.stem}.json", _fingerprint(file, robot)
    motions = list[Motion]()
    if kept.is_file():
        run = json.loads(kept.read_text(encoding="utf-8"))
        motions = [Motion(**motion) for motion in run["motions"]] if run["made_of"] == made_of else []
    if len(motions) < count:
        motions = _measured(robot, motions, count, partial(_keep, kept, made_of))
    motions = motions[:count]
    times = np.array([motion.seconds for motion in motions])
    solved = [motion.planned and motion.seconds <= _LONGEST for motion in motions]
    return {
        f"home from random poses, {name}, solved within 1 s": Figure(100.0 * float(np.mean(solved))),
        f"home from random poses, {name}, planning, median, CPU": Figure(1e3 * float(np.median(times))),
        f"home from random poses, {name}, planning, p99, CPU": Figure(1e3 * float(np.quantile(times, 0.99))),
        f"home from random poses, {name}, motions that touch": Figure(float(sum(m.touches for m in motions))),
        f"home from random poses, {name}, motions beyond a limit": Figure(float(sum(m.exceeds for m in motions))),
    }


PARTS = {file.stem: partial(_robot, file) for file in ROBOTS}


def _fingerprint(file: Path, robot: Robot) -> str:
    """Of everything that a run depends on."""
    digest = hashlib.sha256(f"{robot.urdf}{robot.srdf}".encode())
    folders = [Path(package.__path__[0]) for package in (moveit, humanoid_planning)]
    read = [file, SCENE, Path(__file__), Path(__file__).with_name("planning_referee.py")]
    for path in [*read, *sorted(part for folder in folders for part in folder.rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(path: Path, made_of: str, motions: list[Motion]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"made_of": made_of, "motions": [asdict(motion) for motion in motions]}))
    part.replace(path)


def _measured(robot: Robot, motions: list[Motion], count: int, keep: partial[None]) -> list[Motion]:
    """Motions of the poses up to `count`, those that are known already included."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    layout = scenes.draw(scenes.fitted(scenes.load(SCENE), measures_of(robot)), seed=0)
    parameters = moveit_config.read(moveit_config.folder_of(robot.config.name), robot)
    parameters["plan_request_params"]["planning_time"] = _PATIENCE
    instance = MoveItPy("moveit_bench", config_dict=parameters)
    try:
        planner = MotionPlanner(instance, robot)
        base_from_scene = np.eye(4)
        base_from_scene[2, 3] = -robot.config.base_height
        planner.see(_message(layout), base_from_scene)
        referee, motions = Referee(robot, layout), list(motions)
        while len(motions) < count:
            start = _start(instance, robot, len(motions))
            begin = time.thread_time()
            plan = planner.plan(Goal(GROUP, "home"), start, look=False)
            seconds = time.thread_time() - begin
            if plan.trajectory is None:
                motions.append(Motion(seconds, False, False, 0.0, False))
            else:
                touches, deepest = referee.touches(plan.trajectory)
                motions.append(Motion(seconds, True, touches, deepest, referee.exceeds(plan.trajectory)))
            if len(motions) % _SAVE == 0 or len(motions) == count:
                keep(motions)
    finally:
        instance.shutdown()
        rclpy.try_shutdown()
    return motions


def _message(layout: scenes.Layout) -> SceneObjects:
    """The scene as the twin publishes it."""
    message = SceneObjects(scene=layout.scene.name, seed=layout.seed)
    parcels = [ObjectState(p.name, "parcel", p.position, p.orientation, p.size, p.goal) for p in layout.parcels]
    for state in [*layout.fixed_objects(), *parcels]:
        item = SceneObject(name=state.name, category=state.category, goal=state.goal)
        item.pose = convert.to_pose(state.position, state.orientation)
        item.size.x, item.size.y, item.size.z = (float(edge) for edge in state.size)
        message.objects.append(item)
    return message


def _start(instance: MoveItPy, robot: Robot, number: int) -> RobotState:
    """Random state in which nothing touches; the same for the same number."""
    random = np.random.default_rng((0, number))
    group = instance.get_robot_model().get_joint_model_group(GROUP)
    limits = robot.limits(group.active_joint_model_names)
    scene: PlanningScene
    with instance.get_planning_scene_monitor().read_write() as scene:
        scene.current_state.joint_positions = robot.config.home
        while True:
            state = copy.copy(scene.current_state)
            state.set_joint_group_positions(GROUP, random.uniform(limits.lower, limits.upper))
            if scene.is_state_valid(state, GROUP):
                return state
