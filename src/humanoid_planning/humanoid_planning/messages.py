# SPDX-License-Identifier: Apache-2.0
"""Goals of FollowJointTrajectory as arrays."""

from __future__ import annotations

import numpy as np
from control_msgs.action import FollowJointTrajectory
from trajectory_msgs.msg import JointTrajectory

from humanoid_planning.errors import PlanningRefused
from humanoid_planning.follower import Tolerances, Trajectory


def tolerances_of(goal: FollowJointTrajectory.Goal, joints: list[str]) -> tuple[Tolerances, list[str]]:
    """What a goal asks for, and joints that it names and that are not among `joints`: then nothing of it counts."""
    unknown = [one.name for one in (*goal.path_tolerance, *goal.goal_tolerance) if one.name not in joints]
    if unknown:
        return Tolerances(), unknown
    time = goal.goal_time_tolerance.sec + 1e-9 * goal.goal_time_tolerance.nanosec
    path, last = ({one.name: one.position for one in kind} for kind in (goal.path_tolerance, goal.goal_tolerance))
    return Tolerances(path, last, time), []


def trajectory_of(message: JointTrajectory) -> Trajectory:
    """A message as arrays.

    Raises:
        PlanningRefused: it is no trajectory.
    """
    times = np.array([p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points])
    widths = {len(p.positions) for p in message.points}
    if widths != {len(message.joint_names)}:
        raise PlanningRefused(f"points of {sorted(widths)} positions for {len(message.joint_names)} joints")
    positions = np.array([p.positions for p in message.points], dtype=float)
    fast = all(len(p.velocities) == len(message.joint_names) for p in message.points)
    velocities = np.array([p.velocities for p in message.points], dtype=float) if fast else None
    return Trajectory(message.joint_names, times, positions, velocities)
