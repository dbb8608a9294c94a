# SPDX-License-Identifier: Apache-2.0
"""Judges planned motions with MuJoCo: the twin's model, own kinematics and contacts, nothing of the planner's."""

from __future__ import annotations

import mujoco
import numpy as np
from moveit.core.robot_trajectory import RobotTrajectory

from humanoid_description import Robot
from humanoid_robots import model as twin_model
from humanoid_robots import scene as scenes

GROUP = "upper_body"
_RESOLUTION = 0.01  # [m]
_ROUNDING = 1e-3  # share by which differences of positions may exceed a limit
_TOUCH = 1e-4  # [m] MuJoCo's contacts are not looked at more closely


class Referee:
    """Looks at motions with MuJoCo."""

    def __init__(self, robot: Robot, layout: scenes.Layout) -> None:
        self._robot = robot
        self._model, _ = twin_model.build(robot, layout, 0.002)
        self._data = mujoco.MjData(self._model)
        joints = [self._model.joint(i) for i in range(self._model.njnt)]
        self._places = {joint.name: int(joint.qposadr[0]) for joint in joints}
        names = [self._model.body(i).name for i in range(self._model.nbody)]
        links = {frame.name for frame in robot.pinocchio().frames}
        self._of_robot = np.array([name in links for name in names])
        self._geoms = np.flatnonzero(self._of_robot[self._model.geom_bodyid] & (self._model.geom_contype > 0))
        # Feet stand on the floor: only what the plan moves is looked at.
        home = {**dict.fromkeys(robot.joints, 0.0), **robot.config.home}
        self._place(home)
        before = self._data.geom_xmat.copy()
        self._place({joint: value + (joint in robot.semantics.joints(GROUP)) * 0.1 for joint, value in home.items()})
        self._moved = np.abs(self._data.geom_xmat - before).max(axis=1) > 1e-6

    def touches(self, trajectory: RobotTrajectory) -> tuple[bool, float]:
        """Whether the robot touches itself or the scene on the way, and the deepest contact [m]."""
        rows = [state.joint_positions for state, _ in trajectory]
        before, there = rows[0], self._place(rows[0])
        worst, looked = self._deepest(), there
        for row in rows[1:]:
            here = self._place(row)
            if looked is not there and _far(here, looked) > _RESOLUTION:
                self._place(before)
                worst, looked = min(worst, self._deepest()), there
            parts = int(np.ceil(_far(here, looked) / _RESOLUTION)) if looked is there else 1
            for i in range(1, parts):
                self._place({joint: old + (row[joint] - old) * i / parts for joint, old in before.items()})
                worst = min(worst, self._deepest())
            if parts > 1:
                self._place(row)
                worst, looked = min(worst, self._deepest()), here
            before, there = row, here
        self._place(rows[-1])
        worst = min(worst, self._deepest())
        return worst < -_TOUCH, worst

    def _place(self, positions: dict[str, float]) -> np.ndarray:
        """Where the robot's geoms are, (k, 3) [m]."""
        for joint, value in positions.items():
            if joint in self._places:
                self._data.qpos[self._places[joint]] = value
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.geom_xpos[self._geoms].copy()

    def _deepest(self) -> float:
        """Of what the plan moves, where it is now [m]."""
        mujoco.mj_comPos(self._model, self._data)
        mujoco.mj_collision(self._model, self._data)
        found = self._data.contact
        return float(np.min(found.dist, where=self._moved[found.geom].any(axis=1), initial=0.0))

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


def _far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other, axis=1).max())
