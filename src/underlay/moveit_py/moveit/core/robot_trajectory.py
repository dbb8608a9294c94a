# SPDX-License-Identifier: Apache-2.0
"""RobotTrajectory: states one after the other, with the time between them."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from builtin_interfaces.msg import Duration
from moveit_msgs.msg import RobotTrajectory as RobotTrajectoryMsg
from trajectory_msgs.msg import JointTrajectoryPoint

from moveit.core.robot_model import RobotModel
from moveit.core.robot_state import RobotState


class RobotTrajectory:
    """An empty trajectory.

    Args:
        robot_model: The robot.
    """

    def __init__(self, robot_model: RobotModel) -> None:
        self.robot_model = robot_model
        self.joint_model_group_name = ""
        self._base = RobotState(robot_model)
        self._columns = np.zeros(0, dtype=int)
        self._times = np.zeros(0)
        self._rows = [np.zeros((0, 0))] * 3  # positions, velocities, accelerations

    def _set(self, group: str, base: RobotState, times: np.ndarray, rows: list[np.ndarray]) -> None:
        self.joint_model_group_name, self._base = group, copy.copy(base)
        found = self.robot_model.get_joint_model_group(group)
        assert found is not None
        self._columns, self._times, self._rows = found._columns, times, rows

    def __len__(self) -> int:
        return len(self._times)

    def __getitem__(self, idx: int) -> RobotState:
        if not -len(self) <= idx < len(self):
            raise IndexError(f"waypoint {idx} of {len(self)}")
        state = copy.copy(self._base)
        for values, rows in zip((state._q, state._v, state._a), self._rows):
            values[self._columns] = rows[idx]
        return state

    def __iter__(self) -> Iterator[tuple[RobotState, float]]:
        return iter([(self[i], float(gap)) for i, gap in enumerate(self._gaps())])

    def _gaps(self) -> np.ndarray:
        return np.diff(self._times, prepend=0.0)

    @property
    def duration(self) -> float:
        return float(self._times[-1]) if len(self) else 0.0

    @property
    def average_segment_duration(self) -> float:
        return self.duration / (len(self) - 1) if len(self) > 1 else 0.0

    def get_waypoint_durations(self) -> list[float]:
        return [float(gap) for gap in self._gaps()]

    def get_robot_trajectory_msg(self, joint_filter: list[str] | None = None) -> RobotTrajectoryMsg:
        names = {i: joint for joint, i in self.robot_model._index.items()}
        kept = [k for k, i in enumerate(self._columns) if not joint_filter or names[i] in joint_filter]
        message = RobotTrajectoryMsg()
        message.joint_trajectory.header.frame_id = self.robot_model.model_frame
        message.joint_trajectory.joint_names = [names[self._columns[k]] for k in kept]
        for i, seconds in enumerate(self._times):
            whole, rest = divmod(round(float(seconds) * 1e9), 10**9)
            point = JointTrajectoryPoint(time_from_start=Duration(sec=whole, nanosec=rest))
            point.positions, point.velocities, point.accelerations = (rows[i, kept].tolist() for rows in self._rows)
            message.joint_trajectory.points.append(point)
        return message
