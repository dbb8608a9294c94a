# SPDX-License-Identifier: Apache-2.0
"""The answer to a planning request."""

from __future__ import annotations

from dataclasses import dataclass

from moveit_msgs.msg import MoveItErrorCodes

from moveit.core.robot_state import RobotState
from moveit.core.robot_trajectory import RobotTrajectory


@dataclass
class MotionPlanResponse:
    """True where a plan was found; planning_time [s]."""

    trajectory: RobotTrajectory | None
    planning_time: float
    error_code: MoveItErrorCodes
    start_state: RobotState
    planner_id: str

    def __bool__(self) -> bool:
        return self.error_code.val == MoveItErrorCodes.SUCCESS
