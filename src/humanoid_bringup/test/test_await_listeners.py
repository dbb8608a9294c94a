# SPDX-License-Identifier: Apache-2.0
"""Waiting for those who must hear what is about to be played."""

from __future__ import annotations

import time

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor

from humanoid_bringup.await_listeners import AwaitListenersNode
from humanoid_core import endpoints, ros
from humanoid_core.taps import Inbox


@pytest.fixture
def turn(ros_domain: int):
    rclpy.init(domain_id=ros_domain)
    executor = SingleThreadedExecutor()

    def until(condition) -> bool:
        end = time.monotonic() + 60.0
        while not condition() and rclpy.ok() and time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        return condition()

    until.executor = executor
    yield until
    rclpy.try_shutdown()


def test_it_ends_when_all_have_come_one_after_the_other(turn):
    waiting = AwaitListenersNode("operator/frame", ["retargeting", "safety"], 60.0)
    turn.executor.add_node(waiting)
    other = rclpy.create_node("recorder")
    ros.subscribe(other, endpoints.OPERATOR_FRAME, print)
    retargeting = rclpy.create_node("retargeting")
    ros.subscribe(retargeting, endpoints.OPERATOR_FRAME, print)
    assert turn(lambda: waiting.missing == ["safety"])
    assert rclpy.ok()
    inbox = Inbox(rclpy.create_node("safety"))
    inbox.add(endpoints.OPERATOR_FRAME)
    assert turn(lambda: not rclpy.ok())
    assert not waiting.missing


def test_it_ends_where_somebody_does_not_come(turn):
    waiting = AwaitListenersNode("operator/frame", ["retargeting"], 0.5)
    turn.executor.add_node(waiting)
    assert turn(lambda: not rclpy.ok())
    assert waiting.missing == ["retargeting"]
