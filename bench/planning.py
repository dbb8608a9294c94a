# SPDX-License-Identifier: Apache-2.0
"""Home from random poses among table, bins and parcels: how often, how fast, and whether an independent look agrees.

Poses are drawn from the whole range of the upper body and kept where nothing touches: 50 per robot and second asked
for, 1,000 by default. Planning is CPU time. The referee is MuJoCo on the twin's model (own kinematics and contacts)
at every centimetre that any body moves; limits are judged from differences of positions.
"""

from __future__ import annotations

import copy
import os
import time
from functools import partial
from pathlib import Path

import mujoco
import numpy as np
import rclpy
from moveit.core.robot_state import RobotState
from moveit.core.robot_trajectory import RobotTrajectory
from moveit.planning import MoveItPy

from bench.report import Figure
from bench.rig import REPOSITORY
from humanoid_core import convert
from humanoid_core.task import ObjectState
from humanoid_description import Robot, load
from humanoid_description.measures import measure as measures_of
from humanoid_interfaces.msg import SceneObject, SceneObjects
from humanoid_planning import moveit_config
from humanoid_planning.planner import Goal, MotionPlanner
from humanoid_robots import model as twin_model
from humanoid_robots import scene as scenes

ROBOTS = sorted((REPOSITORY / "config" / "robots").glob("*.yaml"))
SCENE = REPOSITORY / "config" / "scenes" / "parcel_sorting.yaml"
_PER_SECOND = 50  # poses
_GROUP, _LONGEST = "upper_body", 1.0  # [s] of CPU
_PATIENCE = 10.0  # [s] on a busy machine's clock
_RESOLUTION = 0.01  # [m]
_ROUNDING = 1e-3  # share by which differences of positions may exceed a limit
_TOUCH = 1e-4  # [m] MuJoCo's contacts are not looked at more closely


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    figures: dict[str, Figure] = {}
    for file in ROBOTS:
        figures.update(_robot(file, seconds))
    return figures


def _robot(file: Path, seconds: float) -> dict[str, Figure]:
    robot = load(file)
    name = robot.config.name
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    layout = scenes.draw(scenes.fitted(scenes.load(SCENE), measures_of(robot)), seed=0)
    parameters = moveit_config.read(moveit_config.folder_of(name), robot)
    parameters["plan_request_params"]["planning_time"] = _PATIENCE
    moveit = MoveItPy("moveit_bench", config_dict=parameters)
    try:
        planner = MotionPlanner(moveit, robot)
        base_from_scene = np.eye(4)
        base_from_scene[2, 3] = -robot.config.base_height
        planner.see(_message(layout), base_from_scene)
        referee = Referee(robot, layout)
        times, solved, hits, over, clear = [], 0, 0, 0, []
        for start in _starts(moveit, robot, round(_PER_SECOND * seconds)):
            begin = time.thread_time()
            plan = planner.plan(Goal(_GROUP, "home"), start, look=False)
            times.append(time.thread_time() - begin)
            solved += plan.trajectory is not None and times[-1] <= _LONGEST
            if plan.trajectory is not None:
                touches, distance = referee.touches(plan.trajectory)
                hits += touches
                clear.append(distance)
                over += referee.exceeds(plan.trajectory)
    finally:
        moveit.shutdown()
        rclpy.try_shutdown()
    count = max(1, len(times))
    return {
        f"home from random poses, {name}, solved within 1 s": Figure(100.0 * solved / count),
        f"home from random poses, {name}, planning, median, CPU": Figure(1e3 * float(np.median(times))),
        f"home from random poses, {name}, planning, p99, CPU": Figure(1e3 * float(np.quantile(times, 0.99))),
        f"home from random poses, {name}, motions that touch": Figure(float(hits)),
        f"home from random poses, {name}, motions beyond a limit": Figure(float(over)),
    }


PARTS = {file.stem: partial(_robot, file) for file in ROBOTS}


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


def _starts(moveit: MoveItPy, robot: Robot, count: int) -> list[RobotState]:
    """Random states in which nothing touches."""
    random, found = np.random.default_rng(0), list[RobotState]()
    group = moveit.get_robot_model().get_joint_model_group(_GROUP)
    limits = robot.limits(group.active_joint_model_names)
    with moveit.get_planning_scene_monitor().read_write() as scene:
        scene.current_state.joint_positions = robot.config.home
        while len(found) < count:
            state = copy.copy(scene.current_state)
            state.set_joint_group_positions(_GROUP, random.uniform(limits.lower, limits.upper))
            if scene.is_state_valid(state, _GROUP):
                found.append(state)
    return found


class Referee:
    """Looks at motions with MuJoCo."""

    def __init__(self, robot: Robot, layout: scenes.Layout) -> None:
        self._robot = robot
        self._model, _ = twin_model.build(robot, layout, 0.002)
        self._data = mujoco.MjData(self._model)
        names = [self._model.body(i).name for i in range(self._model.nbody)]
        links = {frame.name for frame in robot.pinocchio().frames}
        self._of_robot = np.array([name in links for name in names])
        self._geoms = np.flatnonzero(self._of_robot[self._model.geom_bodyid] & (self._model.geom_contype > 0))
        # Feet stand on the floor: only what the plan moves is looked at.
        home = {**dict.fromkeys(robot.joints, 0.0), **robot.config.home}
        self._pose(home)
        before = self._data.geom_xmat.copy()
        self._pose({joint: value + (joint in robot.semantics.joints(_GROUP)) * 0.1 for joint, value in home.items()})
        self._moved = np.abs(self._data.geom_xmat - before).max(axis=1) > 1e-6

    def touches(self, trajectory: RobotTrajectory) -> tuple[bool, float]:
        """Whether the robot touches itself or the scene on the way, and the deepest contact [m]."""
        worst, before = 0.0, None
        rows = [state.joint_positions for state, _ in trajectory]
        for row in rows:
            self._pose(row)
            places = self._data.geom_xpos[self._geoms].copy()
            if before is not None:
                parts = int(np.ceil(np.linalg.norm(places - before[1], axis=1).max() / _RESOLUTION))
                for i in range(1, parts):
                    self._pose({joint: old + (row[joint] - old) * i / parts for joint, old in before[0].items()})
                    worst = min(worst, self._deepest())
                self._pose(row)
            worst = min(worst, self._deepest())
            before = (row, places)
        return worst < -_TOUCH, worst

    def _pose(self, positions: dict[str, float]) -> None:
        for joint, value in positions.items():
            number = mujoco.mj_name2id(self._model, mujoco.mjtObj.mjOBJ_JOINT, joint)
            if number >= 0:
                self._data.qpos[self._model.jnt_qposadr[number]] = value
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)

    def _deepest(self) -> float:
        found = [
            float(contact.dist) for contact in self._data.contact[: self._data.ncon] if self._moved[contact.geom].any()
        ]
        return min([0.0, *found])

    def exceeds(self, trajectory: RobotTrajectory) -> bool:
        """Whether positions, or their first, second or third differences, exceed the robot's limits."""
        message = trajectory.get_robot_trajectory_msg().joint_trajectory
        limits = self._robot.limits(message.joint_names)
        rows = np.array([point.positions for point in message.points])
        times = np.array([p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points])
        if len(rows) < 4:
            return False
        step = float(np.diff(times).mean())
        rest = 3  # samples at rest before and after: starting and stopping count too
        rows = np.vstack([np.repeat(rows[:1], rest, axis=0), rows, np.repeat(rows[-1:], rest, axis=0)])
        bad = bool((rows < limits.lower - 1e-6).any() or (rows > limits.upper + 1e-6).any())
        for order, limit in enumerate((limits.velocity, limits.acceleration, limits.jerk), start=1):
            bad |= bool((np.abs(np.diff(rows, order, axis=0)) / step**order > limit * (1 + _ROUNDING) + 1e-6).any())
        return bad
