# SPDX-License-Identifier: Apache-2.0
"""How far a collection is, and buttons that start, label and stop episodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from recording_rig import SECOND, make, traffic

from humanoid_core import endpoints, ros
from humanoid_core.errors import ConfigError
from humanoid_interfaces.msg import OperatorFrame
from humanoid_recorder import plan
from humanoid_recorder.buttons import Bindings, Buttons, load_bindings
from humanoid_recorder.episode_buttons_node import EpisodeButtonsNode
from humanoid_recorder.settings import Request
from humanoid_recorder.sidecar import Outcome

ROOT = Path(__file__).parents[1]
TASK = """
name: sort
instruction: Sort.
scene: parcels
steps: [reach, grasp]
target: 3
success: {margin: 0.0, above: 0.0}
"""


def test_progress_counts_what_is_finished_of_all_robots(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "sort.yaml").write_text(TASK)
    out = tmp_path / "out"
    episodes: list[tuple[str, str, Outcome]] = [
        ("a", "sort", "success"),
        ("b", "sort", "success"),
        ("b", "sort", "failure"),
        ("a", "other", "unsure"),
    ]
    for robot, task, outcome in episodes:
        recorder = make(out, robot=robot)
        recorder.start(Request(task), 10 * SECOND)
        recorder.receive(traffic(10))
        recorder.stop(outcome, "", 70 * SECOND)
    running = make(out)
    running.start(Request("sort"), 10 * SECOND)
    found = plan.progress(out, plan.read_targets(tasks))
    running.discard("only a test")
    assert (found["sort"].done, found["sort"].target, found["sort"].outcomes["failure"]) == (2, 3, 1)
    assert found["sort"].seconds == pytest.approx(120.0)
    assert found["other"].outcomes["unsure"] == 1
    text = plan.table(found)
    assert "[#############       ]      2 of 3        1       0      2.0" in text
    assert plan.sentence("sort", found["sort"]) == "sort: 2 of 3 episodes"


def test_each_press_counts_once_and_endings_are_held() -> None:
    bindings = Bindings(left={"0": "next", "1": "label oops"}, right={"0": "start", "1": "success"}, hold=0.5)
    buttons = Buttons(bindings, ["reach", "grasp"])
    assert buttons.update(0.0, [True, False], [True]) == ["label reach", "start"]
    assert buttons.update(0.1, [True, False], [True, True]) == []
    assert buttons.update(0.2, [False, True], [False, True]) == ["label oops"]
    assert buttons.update(0.65, [True, False], [False, True]) == ["label reach", "success"]  # the start began anew
    assert buttons.update(5.0, [], []) == []
    assert buttons.update(5.1, [True], [False, True]) == ["label grasp"]
    assert buttons.update(5.2, [], []) == []  # too short to end anything


def test_bindings_name_what_is_wrong(tmp_path: Path) -> None:
    assert load_bindings(ROOT / "config" / "buttons.yaml").right["4"] == "start"
    file = tmp_path / "buttons.yaml"
    for text, complaint in (("left: {a: start}", "left.a"), ("left: {1: jump}", "jump"), ("right: [1]", "right")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=complaint):
            load_bindings(file)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[EpisodeButtonsNode, Node, SingleThreadedExecutor]]:
    (tmp_path / "sort.yaml").write_text(TASK)
    (tmp_path / "buttons.yaml").write_text("left: {0: next}\nright: {0: start, 1: success, 2: discard}\n")
    values = {"buttons": str(tmp_path / "buttons.yaml"), "task": str(tmp_path / "sort.yaml"), "operator_name": "ada"}
    rclpy.init()
    node = EpisodeButtonsNode(
        namespace="/g1", parameter_overrides=[Parameter(name, value=value) for name, value in values.items()]
    )
    other = Node("other", namespace="/g1")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(other)
    yield node, other, executor
    other.destroy_node()
    node.destroy_node()
    rclpy.try_shutdown()


def test_buttons_reach_the_recorder(nodes: Any) -> None:
    node, other, executor = nodes
    asked: list[tuple[str, Any]] = []

    def serve(endpoint: endpoints.Endpoint) -> None:
        def answer(request: Any, response: Any) -> Any:
            asked.append((endpoint.name, request))
            response.success = True
            return response

        ros.service(other, endpoint, answer)

    for endpoint in (endpoints.RECORDER_START, endpoints.RECORDER_STOP, endpoints.RECORDER_DISCARD):
        serve(endpoint)
    labels: list[Any] = []
    ros.subscribe(other, endpoints.ANNOTATIONS, labels.append)
    frames = ros.publisher(other, endpoints.OPERATOR_FRAME)

    def until(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            executor.spin_once(timeout_sec=0.02)

    until(lambda: frames.get_subscription_count() and all(c.service_is_ready() for c in node._recorder.values()))
    until(lambda: node._annotations.get_subscription_count())

    def press(side: str, number: int) -> None:
        for down in (True, False):
            frame = OperatorFrame()
            getattr(frame, f"{side}_hand").buttons = [down and i == number for i in range(3)]
            frames.publish(frame)

    press("right", 0)
    until(lambda: len(asked) == 1)
    assert (asked[0][0], asked[0][1].task, asked[0][1].operator_name) == ("recorder/start", "sort", "ada")
    press("left", 0)
    press("left", 0)
    until(lambda: len(labels) == 2)
    assert [(label.label, label.author, label.tool) for label in labels] == [
        ("reach", "ada", "button"),
        ("grasp", "ada", "button"),
    ]
    assert labels[0].header.stamp.sec > 0
    press("right", 1)
    until(lambda: len(asked) == 2)
    assert (asked[1][0], asked[1][1].outcome) == ("recorder/stop", 1)
    press("right", 2)
    until(lambda: len(asked) == 3)
    assert asked[2][0] == "recorder/discard"
