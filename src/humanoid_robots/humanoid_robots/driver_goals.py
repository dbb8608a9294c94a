# SPDX-License-Identifier: Apache-2.0
"""Trajectories as goals of FollowJointTrajectory, each taking the place of the one before."""

from __future__ import annotations

from collections.abc import Callable

from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectory


class GoalSender:
    """In place of a publisher.

    Args:
        node: The node.
        name: Of the action.
        refused: Called in words with why a goal was not taken or ended badly.
    """

    def __init__(self, node: Node, name: str, refused: Callable[[str], None]) -> None:
        self._client = ActionClient(node, FollowJointTrajectory, name)
        self._refused, self._asked = refused, False

    def publish(self, message: bytes) -> None:
        """Send a serialized JointTrajectory; one that comes before the last was answered is left out."""
        if not self._client.server_is_ready():
            self._asked = False
            self._refused("its action server is not there")
        elif not self._asked:
            self._asked = True
            goal = FollowJointTrajectory.Goal(trajectory=deserialize_message(message, JointTrajectory))
            self._client.send_goal_async(goal).add_done_callback(self._on_answer)

    def get_subscription_count(self) -> int:
        """Whether somebody takes goals, as a publisher says it."""
        return int(self._client.server_is_ready())

    def destroy(self) -> None:
        """Forget the goals; the controller finishes the last."""
        self._client.destroy()

    def _on_answer(self, answer: Future) -> None:
        self._asked = False
        handle = answer.result()
        if handle is None or not handle.accepted:
            self._refused("the goal was rejected; its log says why")
        else:
            handle.get_result_async().add_done_callback(self._on_result)

    def _on_result(self, answer: Future) -> None:
        result = answer.result()
        if result is not None and result.status == GoalStatus.STATUS_ABORTED:  # a newer goal cancels, it does not abort
            self._refused(f"error {result.result.error_code}: {result.result.error_string or 'aborted'}")
