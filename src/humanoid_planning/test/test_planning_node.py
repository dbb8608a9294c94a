# SPDX-License-Identifier: Apache-2.0
"""The planning node's end."""

from __future__ import annotations

import time

import pytest
import rclpy
from rclpy.parameter import Parameter

from humanoid_description import find_config
from humanoid_planning.planning_node import PlanningNode


@pytest.fixture
def node(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init()
    values = {"robot_config": str(find_config("unitree_g1")), "home_group": "upper_body", "planning_time": 30.0}
    yield PlanningNode(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
    rclpy.try_shutdown()


def test_a_plan_is_waited_for_before_the_node_ends(node):
    """Else the interpreter would end under OMPL's feet: a crash after Ctrl-C."""
    finished = []

    def plan() -> None:
        time.sleep(0.3)  # of work
        finished.append(True)

    node._elsewhere(plan)
    node.destroy_node()
    assert finished
