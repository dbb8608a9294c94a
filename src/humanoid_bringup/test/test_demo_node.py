# SPDX-License-Identifier: Apache-2.0
"""The demonstration's node against a made-up cell that answers its services, both in one process."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import rclpy
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from humanoid_bringup.demo import ACTIVE, FAILURE, GO_HOME, HOLD, RESET_SCENE_POSE, SUCCESS
from humanoid_bringup.demo_node import DemoNode
from humanoid_core import endpoints, ros
from humanoid_interfaces.action import GoHome, ResetScenePose
from humanoid_interfaces.msg import (
    CommandStatus,
    EpisodeStatus,
    SafetyStatus,
    SceneEvent,
    SourceStatus,
    StreamHealth,
    SyncStatus,
    TeleopStatus,
)

TASK = Path(__file__).resolve().parents[3] / "config" / "tasks" / "parcel_sorting.yaml"
RESULTS = {GoHome.Goal: GoHome.Result, ResetScenePose.Goal: ResetScenePose.Result}


class Cell(Node):
    """A twin, a limiter, a recorder and an operator that need no time for anything."""

    def __init__(self) -> None:
        super().__init__("cell")
        self.asked: list[tuple[str, object]] = []
        self.lifts = True
        self._states = ros.publisher(self, endpoints.JOINT_STATES)
        self._teleop = ros.publisher(self, endpoints.TELEOP_STATUS)
        self._safety = ros.publisher(self, endpoints.SAFETY_STATUS)
        self._command = ros.publisher(self, endpoints.COMMAND_STATUS)
        self._events = ros.publisher(self, endpoints.SCENE_EVENTS)
        self._sync = ros.publisher(self, endpoints.SYNC_STATUS)
        self._recorder = ros.publisher(self, endpoints.RECORDER_STATUS)
        self._state, self._looks_left = HOLD, 0
        for endpoint in (
            endpoints.SCENE_RESET,
            endpoints.SAFETY_ENGAGE,
            endpoints.SAFETY_RESET,
            endpoints.RECORDER_START,
            endpoints.RECORDER_STOP,
            endpoints.RECORDER_DISCARD,
            endpoints.OPERATOR_START,
            endpoints.OPERATOR_STOP,
        ):
            ros.service(self, endpoint, lambda request, response, name=endpoint.name: self._on(name, request, response))
        self.create_timer(0.02, self._publish)

    def _on(self, name: str, request: object, response: object) -> object:
        self.asked.append((name, request))
        response.success = True  # type: ignore[attr-defined]
        if name == "safety/engage":
            self._state = ACTIVE if request.data else HOLD  # type: ignore[attr-defined]
        elif name == "operator/start":
            self._looks_left = 20
        elif name == "recorder/start":
            response.episode_id, response.path = "e1", "out/e1"  # type: ignore[attr-defined]
        return response

    def _publish(self) -> None:
        self._states.publish(JointState())
        self._teleop.publish(TeleopStatus())
        self._safety.publish(SafetyStatus(state=self._state))
        self._recorder.publish(EpisodeStatus())
        self._looks_left = max(0, self._looks_left - 1)
        source = SourceStatus(name="teleop", enabled=self._looks_left > 0)
        self._command.publish(CommandStatus(sources=[source]))
        self._sync.publish(SyncStatus(streams=[StreamHealth(name="joint_states", messages=3)]))
        if self._looks_left == 5 and self.lifts:
            self._events.publish(SceneEvent(kind="task_done"))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch, ros_domain: int):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init(domain_id=ros_domain)
    made = Cell()
    yield made
    made.destroy_node()  # who comes next on this domain must not find it
    rclpy.try_shutdown()


def run(cell: Cell, **parameters: object) -> DemoNode:
    values = {
        "episodes": 1,
        "operator": "scripted",
        "scene": "parcel_sorting",
        "seed": 3,
        "task": str(TASK),
        "rest": 0.1,
        "planned": False,
    }
    demo = DemoNode(parameter_overrides=[Parameter(key, value=value) for key, value in (values | parameters).items()])
    executor = SingleThreadedExecutor()
    executor.add_node(cell)
    executor.add_node(demo)
    until = time.monotonic() + 60.0
    while rclpy.ok() and time.monotonic() < until:
        executor.spin_once(timeout_sec=0.1)
    assert not rclpy.ok(), "the node does not end"
    return demo


def test_one_episode_with_what_is_asked_of_the_others(cell, capsys):
    demo = run(cell)
    assert not demo.failed
    assert [name for name, _ in cell.asked] == [
        "scene/reset",
        "recorder/start",
        "safety/engage",
        "operator/start",
        "safety/engage",
        "recorder/stop",
    ]
    asked = dict(cell.asked)
    assert (asked["scene/reset"].scene, asked["scene/reset"].seed) == ("parcel_sorting", 3)
    start = asked["recorder/start"]
    assert (start.task, start.operator_name, start.scene) == ("parcel_sorting", "scripted", "parcel_sorting")
    assert {tag.key: tag.value for tag in start.tags} == {"seed": "3", "operator": "scripted"}
    assert asked["recorder/stop"].outcome == SUCCESS
    assert "1 of 1 episodes collected" in capsys.readouterr().out


@pytest.mark.parametrize("succeeds", [True, False])
def test_planned_motions_are_asked_for_and_their_figures_recorded(cell, capsys, succeeds):
    def move(handle):
        cell.asked.append(("moved", handle.request))
        (handle.succeed if succeeds else handle.abort)()
        return RESULTS[type(handle.request)](
            success=succeeds, message="timed out", planning_time=0.05, duration=2.0, clearance=0.03
        )

    servers = [
        ActionServer(cell, kind, name, move) for kind, name in ((GoHome, GO_HOME), (ResetScenePose, RESET_SCENE_POSE))
    ]
    run(cell, planned=True)
    asked = [request for name, request in cell.asked if name == "moved"]
    assert [type(request) for request in asked] == [ResetScenePose.Goal, GoHome.Goal]
    assert (asked[0].scene, asked[0].seed) == ("parcel_sorting", 3)
    tags = {tag.key: tag.value for tag in dict(cell.asked)["recorder/start"].tags}
    assert tags.get("home_planned_in") == ("50 ms" if succeeds else None)
    assert ("not home by a planned motion: timed out" in capsys.readouterr().out) is not succeeds
    assert ("scene/reset" in dict(cell.asked)) is not succeeds
    for server in servers:
        server.destroy()


def test_a_task_that_is_not_done(cell):
    cell.lifts = False
    run(cell)
    assert dict(cell.asked)["recorder/stop"].outcome == FAILURE


def test_a_capture_is_named_in_the_instruction(cell):
    cell.lifts = False
    run(cell, operator="motion", motion="/somewhere/wave.bvh")
    asked = dict(cell.asked)
    assert "wave.bvh" in asked["recorder/start"].instruction
    assert asked["recorder/start"].task == "motion_capture"
    assert asked["recorder/stop"].outcome == SUCCESS


def test_nobody_there(capsys, monkeypatch, ros_domain):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init(domain_id=ros_domain)
    empty = Node("empty")
    demo = run(empty, ready_limit=1.0)
    assert demo.failed
    assert "no service recorder/start" in capsys.readouterr().out
