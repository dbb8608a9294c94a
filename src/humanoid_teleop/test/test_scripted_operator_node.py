# SPDX-License-Identifier: Apache-2.0
"""The scripted operator as a node: a person at rest until started, then a trial on simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Vector3
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import Annotation, OperatorFrame, SceneObject, SceneObjects
from humanoid_teleop.scripted_operator_node import ScriptedOperatorNode

ROOT = Path(__file__).parents[3]
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


class Stage:
    """The node under test, and a world whose clock the test turns by hand."""

    def __init__(self, context: rclpy.Context) -> None:
        values = {
            "robot_config": str(ROOT / "config" / "robots" / "unitree_g1.yaml"),
            "task": str(ROOT / "config" / "tasks" / "parcel_sorting.yaml"),
            "seed": 0,
            "autostart": False,
            "trace": False,
            "use_sim_time": True,
        }
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        file = ROOT / "src" / "humanoid_teleop" / "config" / "scripted_operator.yaml"
        arguments = ["--ros-args", "--params-file", str(file)]
        self.person = ScriptedOperatorNode(context=context, cli_args=arguments, parameter_overrides=overrides)
        self.world = Node("world", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        for node in (self.person, self.world):
            self.executor.add_node(node)
        self.frames: list[OperatorFrame] = []
        self.labels: list[Annotation] = []
        ros.subscribe(self.world, endpoints.OPERATOR_FRAME, self.frames.append)
        ros.subscribe(self.world, endpoints.ANNOTATIONS, self.labels.append)
        self._clock = ros.publisher(self.world, endpoints.CLOCK)
        self._objects = ros.publisher(self.world, endpoints.SCENE_OBJECTS)
        self.now = 10**9

    def until(self, condition: Callable[[], bool], limit: float = 60.0) -> None:
        end = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(timeout_sec=0.02)

    def pass_time(self, seconds: float) -> None:
        """Let simulated time go on, a frame's period at a time, waiting for each frame."""
        for _ in range(round(90 * seconds)):
            self.now += 11_200_000
            wanted = self.now

            def arrived(wanted: int = wanted) -> bool:
                self._clock.publish(Clock(clock=convert.to_stamp(wanted)))
                return bool(self.frames) and convert.stamp_ns(self.frames[-1].header.stamp) >= wanted

            self.until(arrived)

    def show(self, place: float) -> None:
        """A parcel at a height, whose bin is on the left."""
        message = SceneObjects(scene="parcel_sorting")
        for name, category, position, size, goal in (
            ("parcel_1", "parcel", (0.35, 0.1, place), (0.12, 0.28, 0.14), "left_bin"),
            ("left_bin", "bin", (-0.1, 0.37, 0.73), (0.4, 0.3, 0.06), ""),
        ):
            edges = Vector3(x=size[0], y=size[1], z=size[2])
            pose = convert.to_pose(np.array(position), LEVEL)
            message.objects.append(SceneObject(name=name, category=category, pose=pose, size=edges, goal=goal))
        self._objects.publish(message)
        for _ in range(5):
            self.executor.spin_once(timeout_sec=0.02)

    def ask(self, endpoint: endpoints.Endpoint) -> Any:
        future = ros.client(self.world, endpoint).call_async(Trigger.Request())
        self.until(future.done)
        return future.result()


@pytest.fixture
def stage() -> Iterator[Stage]:
    context = rclpy.Context()
    rclpy.init(context=context)
    made = Stage(context)
    made.until(lambda: made._clock.get_subscription_count() > 0 and made._objects.get_subscription_count() > 0)
    yield made
    made.person.destroy_node()
    made.world.destroy_node()
    rclpy.shutdown(context=context)


def test_person_is_there_before_the_start_and_lets_the_robot_be(stage: Stage) -> None:
    assert not stage.ask(endpoints.OPERATOR_START).success  # nothing is seen yet
    stage.pass_time(0.2)
    frame = stage.frames[-1]
    assert frame.source == "scripted"
    assert not frame.left_hand.engaged
    assert {pose.name for pose in frame.poses} >= {"head", "torso", "pelvis", "left_wrist", "right_elbow"}
    stamps = [convert.stamp_ns(frame.header.stamp) for frame in stage.frames]
    assert stamps == sorted(set(stamps))


def test_it_goes_on_where_time_goes_back(stage: Stage) -> None:
    stage.show(0.8)
    stage.now = 100 * 10**9
    stage.pass_time(0.2)
    assert stage.ask(endpoints.OPERATOR_START).success
    stage.pass_time(0.2)
    stage.now = 10**9  # the simulator was started again
    stage.frames.clear()
    stage._clock.publish(Clock(clock=convert.to_stamp(stage.now)))
    stage.until(lambda: stage.person.get_clock().now().nanoseconds == stage.now)
    stage.pass_time(0.2)
    assert convert.stamp_ns(stage.frames[-1].header.stamp) < 2 * 10**9
    assert stage.ask(endpoints.OPERATOR_START).success  # nobody is at it any more


def test_started_it_engages_and_labels_its_steps(stage: Stage) -> None:
    stage.show(place=0.83)
    stage.pass_time(0.1)
    assert stage.ask(endpoints.OPERATOR_START).success
    assert not stage.ask(endpoints.OPERATOR_START).success  # already at it
    stage.pass_time(5.0)
    assert stage.frames[-1].left_hand.engaged
    assert stage.frames[-1].right_hand.engaged
    label = stage.labels[0]
    assert (label.label, label.note) == ("reach", "parcel_1")
    assert convert.stamp_ns(label.header.stamp) < convert.stamp_ns(label.end)
    assert stage.ask(endpoints.OPERATOR_STOP).success
    stage.pass_time(0.05)
    assert not stage.frames[-1].left_hand.engaged
    last = stage.labels[-1]
    assert (last.label, last.note, last.end) == ("given_up", "stopped", Time())
