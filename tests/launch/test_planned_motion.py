# SPDX-License-Identifier: Apache-2.0
"""Planned motions in the twin by the launch file that users run: a stop and a person end them, and it is recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from bench import planning_stops
from humanoid_core import endpoints
from humanoid_description import find_config, load
from humanoid_interfaces.action import PlanAndMove
from humanoid_interfaces.msg import SafetyStatus

UP = {"left_shoulder_roll_joint": 1.4, "left_elbow_joint": 1.0}
TRIES = 5
SLOWLY, CREEPING = 0.15, 0.02  # shares of the limits: for 2 s, and for 10 s so that the person has time to take over


class Motions:
    """Plans of one running cell."""

    def __init__(self, running: Any) -> None:
        self.running = running
        self.safety = running.collect(endpoints.SAFETY_STATUS)
        self.command = running.collect(endpoints.COMMAND_STATUS)
        self.states = running.collect(endpoints.JOINT_STATES)
        self.client = ActionClient(running.node, PlanAndMove, "plan_and_move")

    def is_state(self, state: int) -> bool:
        return bool(self.safety) and self.safety[-1].state == state

    def begin(self, scaling: float) -> Any:
        """Start a motion of the left arm and wait until it is on its way; a busy machine may need some tries.

        Returns:
            The future of its result.
        """
        for _ in range(TRIES):
            result, begin = self._start(scaling), self._arm()
            self.running.until(
                lambda r=result, b=begin: r.done() or np.abs(self._arm() - b).max() > 0.1, "a moving arm or an end"
            )
            if not result.done():
                return result
        raise AssertionError(f"no motion in {TRIES} tries: {result.result().result.message}")

    def _arm(self) -> np.ndarray:
        now = dict(zip(self.states[-1].name, self.states[-1].position))
        return np.array([now[joint] for joint in UP])

    def _start(self, scaling: float) -> Any:
        running = self.running
        running.until(lambda: self.is_state(SafetyStatus.HOLD) or self.is_state(SafetyStatus.ACTIVE), "rest")
        assert running.call(endpoints.SAFETY_ENGAGE, data=True).success
        running.until(lambda: self.is_state(SafetyStatus.ACTIVE), "ACTIVE")
        asked = PlanAndMove.Goal(group="left_arm", velocity_scaling=scaling)
        asked.joint_names, asked.joint_positions = list(UP), list(UP.values())
        future = self.client.send_goal_async(asked)
        running.until(future.done, "an answer")
        assert future.result().accepted
        return future.result().get_result_async()

    def aborted(self, future: Any) -> str:
        self.running.until(future.done, "the end of the motion")
        answer = future.result()
        assert answer.status == GoalStatus.STATUS_ABORTED
        assert not answer.result.success
        return answer.result.message


@pytest.fixture(scope="module")
def episode(cell, tmp_path_factory) -> Path:
    """A stop in the middle of one planned motion, a person who takes over in the middle of the next."""
    out = os.environ.get("PLANNED_MOTION_OUT") or tmp_path_factory.mktemp("episodes")
    with cell("collect.launch.py", out=out, operator_autostart="false", cameras="false", planning="true") as running:
        motions = Motions(running)
        running.until(lambda: motions.states and motions.is_state(SafetyStatus.HOLD), "a robot in HOLD")
        running.message(endpoints.TELEOP_STATUS)  # the retargeting has compiled
        running.message(endpoints.RECORDER_STATUS)
        running.until(motions.client.server_is_ready, "action plan_and_move")
        answer = running.call(endpoints.RECORDER_START, task="planned motions", instruction="Raise the left arm.")
        assert answer.success, answer.message
        moving = motions.begin(SLOWLY)
        assert running.call(endpoints.SAFETY_STOP).success
        motions.aborted(moving)
        running.until(lambda: motions.is_state(SafetyStatus.E_STOP), "E_STOP")
        assert running.call(endpoints.SAFETY_RESET).success
        moving = motions.begin(CREEPING)
        assert running.call(endpoints.OPERATOR_START).success
        running.until(lambda: motions.command[-1].active == "teleop", "the person commands")
        motions.aborted(moving)
        assert running.call(endpoints.SAFETY_ENGAGE, data=False).success
        running.until(lambda: motions.is_state(SafetyStatus.HOLD), "HOLD at the end")
        answer = running.call(endpoints.RECORDER_STOP, outcome=1, note="of a test")
        assert answer.success, answer.message
    return Path(answer.path)


def test_the_recording_shows_who_ended_each_motion_and_how(episode):
    recorded = planning_stops.read(episode)
    found = {one.by: one for one in planning_stops.ended(recorded)}
    stop, person = found["(E_STOP)"], found["teleop"]
    assert 0.0 < stop.rest < 0.5
    assert stop.way < 0.3
    assert stop.last_target < 0.3
    assert person.last_target < 0.3
    gaps, steps = np.diff(recorded.times), np.abs(np.diff(recorded.commands, axis=0))
    fastest = load(find_config("unitree_g1")).limits(recorded.joints).velocity
    close = gaps < 0.003  # after a pause of the limiter commands begin anew where the robot is
    assert close.any()
    assert (steps[close] <= 1.001 * gaps[close, None] * fastest).all()  # whoever commands
