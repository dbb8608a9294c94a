# SPDX-License-Identifier: Apache-2.0
"""Execution: trajectories go to FollowJointTrajectory actions, as moveit_simple_controller_manager sends them."""

from __future__ import annotations

import threading
from typing import Any

from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from moveit_msgs.msg import RobotTrajectory
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

_WAIT = 5.0  # [s] for a controller's action to be there


class Controllers:
    """The controllers of a configuration; also stops what is executed (TrajectoryExecutionManager)."""

    def __init__(self, node: Node, config: dict[str, Any]) -> None:
        self._node = node
        self._config = {name: config[name] for name in config.get("controller_names", [])}
        self._clients = {
            name: ActionClient(node, FollowJointTrajectory, f"{name}/{entry['action_ns']}")
            for name, entry in self._config.items()
        }
        self._goal: Any = None

    def follow(self, message: RobotTrajectory, names: list[str]) -> str:
        """Send a trajectory to the one controller that moves its joints, and wait for the end.

        Returns:
            SUCCEEDED, PREEMPTED, ABORTED or FAILED.
        """
        joints = set(message.joint_trajectory.joint_names)
        able = [n for n in names or self._config if joints <= set(self._config[n]["joints"])]
        if not able:
            self._node.get_logger().error(f"no controller moves {', '.join(sorted(joints))}")
            return "FAILED"
        client = self._clients[able[0]]
        if not client.wait_for_server(_WAIT):
            self._node.get_logger().error(f"action {able[0]}/{self._config[able[0]]['action_ns']} is not there")
            return "FAILED"
        self._goal = _result(client.send_goal_async(FollowJointTrajectory.Goal(trajectory=message.joint_trajectory)))
        if not self._goal.accepted:
            self._node.get_logger().error(f"controller {able[0]} rejected the trajectory")
            return "FAILED"
        answer = _result(self._goal.get_result_async())
        self._goal = None
        if answer.status == GoalStatus.STATUS_SUCCEEDED:
            return "SUCCEEDED"
        if answer.result.error_string:
            self._node.get_logger().error(f"controller {able[0]}: {answer.result.error_string}")
        return "PREEMPTED" if answer.status == GoalStatus.STATUS_CANCELED else "ABORTED"

    def stop_execution(self, auto_clear: bool = True) -> None:
        """Cancel what is being executed."""
        goal = self._goal
        if goal is not None:
            goal.cancel_goal_async()


def _result(future: Future) -> Any:
    """Wait for a future that another thread's executor completes."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    done.wait()
    return future.result()
