# SPDX-License-Identifier: Apache-2.0
"""The FollowJointTrajectory server as the stock joint_trajectory_controller behaves, in front of a made-up limiter."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rclpy
from action_msgs.msg import GoalStatus
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from humanoid_core import endpoints, ros
from humanoid_description import find_config, load
from humanoid_interfaces.msg import CommandStatus, SafetyStatus
from humanoid_planning.moveit_config import planned_joints
from humanoid_planning.trajectory_follower_node import TrajectoryFollowerNode

Result = FollowJointTrajectory.Result
JOINT = "left_elbow_joint"
DEADLINE = 60.0  # [s] on a busy machine
SETTINGS = {
    "robot_config": str(find_config("unitree_g1")),
    "period": 0.01,
    "lead": 0.1,
    "start_tolerance": 0.1,
    "path_tolerance": 3.0,
    "goal_tolerance": 0.05,
    "goal_time": 30.0,
    "patience": 30.0,
}


class Limiter(Node):
    """Lets `planning` through as soon as it is asked to; its robot is at once where targets say."""

    def __init__(self) -> None:
        super().__init__("limiter")
        self.places = dict.fromkeys(planned_joints(load(Path(SETTINGS["robot_config"]))), 0.0)
        self.active, self.state, self.follows = "", SafetyStatus.ACTIVE, True
        self.grants: list[float] = []
        self.stamps: list[int] = []
        self._joints = ros.publisher(self, endpoints.JOINT_STATES)
        self._command = ros.publisher(self, endpoints.COMMAND_STATUS)
        self._safety = ros.publisher(self, endpoints.SAFETY_STATUS)
        ros.subscribe(self, endpoints.JOINT_TARGETS.at(source="planning"), self._on_target)
        ros.service(self, endpoints.COMMAND_SELECT, self._on_select)
        self.create_timer(0.02, self._publish)

    def _on_target(self, message: JointState) -> None:
        self.stamps.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)
        if self.follows:
            self.places.update(zip(message.name, message.position))

    def _on_select(self, request: Any, response: Any) -> Any:
        self.grants.append(request.grant)
        self.active = request.source if request.grant > 0.0 else ""
        response.success = True
        return response

    def _publish(self) -> None:
        message = JointState(name=list(self.places), position=[float(place) for place in self.places.values()])
        message.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(message)
        self._command.publish(CommandStatus(active=self.active))
        self._safety.publish(SafetyStatus(state=self.state))


class Cell:
    """Server, limiter and a client, turned by the test."""

    def __init__(self) -> None:
        self.limiter = Limiter()
        parameters = [Parameter(name, value=value) for name, value in SETTINGS.items()]
        self.server = TrajectoryFollowerNode(parameter_overrides=parameters)
        self.client = ActionClient(self.limiter, FollowJointTrajectory, "planning/follow_joint_trajectory")
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.limiter)
        self.executor.add_node(self.server)
        self.until(self.client.server_is_ready)
        self.until(self.server._select.service_is_ready)
        self.until(lambda: self.server._newest is not None and self.server._following)

    def until(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, "it does not happen"

    def ask(self, goal: FollowJointTrajectory.Goal) -> Any:
        future = self.client.send_goal_async(goal)
        self.until(future.done)
        return future.result()

    def end(self, handle: Any) -> tuple[int, Result]:
        future = handle.get_result_async()
        self.until(future.done)
        return future.result().status, future.result().result

    def moving(self) -> None:
        self.until(lambda: abs(self.limiter.places[JOINT]) > 0.02)


@pytest.fixture
def cell(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init()
    yield Cell()
    rclpy.try_shutdown()


def goal(*places: float, joint: str = JOINT, seconds: float = 1.0) -> FollowJointTrajectory.Goal:
    trajectory = JointTrajectory(joint_names=[joint])
    for i, place in enumerate(places):
        point = JointTrajectoryPoint(positions=[place])
        point.time_from_start.sec, point.time_from_start.nanosec = divmod(round(i * seconds * 1e9), 10**9)
        trajectory.points.append(point)
    return FollowJointTrajectory.Goal(trajectory=trajectory)


def test_a_goal_is_followed_and_the_grant_given_back(cell):
    status, result = cell.end(cell.ask(goal(0.0, 0.3, seconds=0.3)))
    assert (status, result.error_code) == (GoalStatus.STATUS_SUCCEEDED, Result.SUCCESSFUL)
    assert cell.limiter.places[JOINT] == pytest.approx(0.3)
    assert cell.limiter.grants[0] > 0.3
    assert cell.limiter.grants[1:] == [0.0]


@pytest.mark.parametrize(
    "wrong", [goal(0.0, 0.3, joint="tail"), goal(), goal(0.5, 0.6), goal(0.0, 0.3, seconds=0.0)], ids=str
)
def test_what_makes_no_sense_is_rejected_and_what_is_at_work_goes_on(cell, wrong):
    first = cell.ask(goal(0.0, 0.3, seconds=0.5))
    assert not cell.ask(wrong).accepted
    assert cell.end(first)[0] == GoalStatus.STATUS_SUCCEEDED


def test_a_new_goal_takes_the_place_of_the_one_at_work(cell):
    first = cell.ask(goal(0.0, 1.5, seconds=30.0))
    cell.moving()
    here = cell.limiter.places[JOINT]
    second = cell.ask(goal(here, here - 0.2, seconds=0.5))
    status, result = cell.end(first)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.INVALID_GOAL)
    assert result.error_string == "Current goal cancelled due to new incoming action."
    assert cell.end(second)[0] == GoalStatus.STATUS_SUCCEEDED
    assert cell.limiter.places[JOINT] == pytest.approx(here - 0.2)
    assert cell.limiter.grants[-1] == 0.0
    assert all(grant > 0.0 for grant in cell.limiter.grants[:-1])
    assert sorted(set(cell.limiter.stamps)) == cell.limiter.stamps


def test_a_cancelled_goal_comes_to_rest(cell):
    handle = cell.ask(goal(0.0, 1.5, seconds=30.0))
    cell.moving()
    handle.cancel_goal_async()
    status, result = cell.end(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_CANCELED, Result.SUCCESSFUL)
    assert cell.limiter.places[JOINT] < 1.0


@pytest.mark.parametrize("who", ["stop", "person"])
def test_a_stop_or_a_person_ends_it(cell, who):
    handle = cell.ask(goal(0.0, 1.5, seconds=30.0))
    cell.moving()
    if who == "stop":
        cell.limiter.state = SafetyStatus.SOFT_STOP
    else:
        cell.limiter.active = "teleop"
    status, result = cell.end(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.INVALID_GOAL)
    assert ("the limiter stopped" if who == "stop" else "teleop commands") in result.error_string


@pytest.mark.parametrize(
    ("kind", "code"), [("path", Result.PATH_TOLERANCE_VIOLATED), ("goal", Result.GOAL_TOLERANCE_VIOLATED)]
)
def test_a_goal_brings_its_own_tolerances(cell, kind, code):
    """This robot stands still."""
    cell.limiter.follows = False
    asked = goal(0.0, 0.3, seconds=0.3)
    if kind == "path":
        asked.path_tolerance = [JointTolerance(name=JOINT, position=0.1)]
    else:
        asked.goal_time_tolerance.nanosec = 200_000_000
    status, result = cell.end(cell.ask(asked))
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, code)
    assert JOINT in result.error_string
