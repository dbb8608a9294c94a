# SPDX-License-Identifier: Apache-2.0
"""The recorder as a node: services, discovery, shutdown. One process, except where one is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from humanoid_core import endpoints, ros
from humanoid_interfaces.msg import Annotation, EpisodeStatus
from humanoid_interfaces.srv import StartEpisode, StopEpisode
from humanoid_recorder.folders import leftovers
from humanoid_recorder.recorder_node import RecorderNode
from humanoid_recorder.scan import scan
from humanoid_recorder.settings import Request
from humanoid_recorder.sidecar import read_episode
from humanoid_recorder.verification import verify

ROOT = Path(__file__).parents[1]
DEADLINE = 90.0  # [s] for anything to happen on a slow, busy machine


class Cell:
    """A recorder, a robot that publishes, and a person who calls services."""

    def __init__(self, out: Path, topics: Path, simulated: bool = False, **changes: object) -> None:
        rclpy.init()
        defaults = yaml.safe_load((ROOT / "config" / "recorder.yaml").read_text())["/**/recorder"]["ros__parameters"]
        values = {**defaults, "out": str(out), "topics": str(topics), "robot_name": "g1", "discovery_period": 0.05}
        values.update(disk_start=0, disk_floor=0, use_sim_time=simulated, **changes)
        self.overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.recorder = RecorderNode(namespace="/g1", parameter_overrides=self.overrides)
        self.person = Node("person", namespace="/g1")
        self.joints = ros.publisher(self.person, endpoints.JOINT_STATES)
        self.description = ros.publisher(self.person, endpoints.ROBOT_DESCRIPTION)
        self.statuses: list[EpisodeStatus] = []
        ros.subscribe(self.person, endpoints.RECORDER_STATUS, self.statuses.append)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.recorder)
        self.executor.add_node(self.person)

    def until(self, condition: Callable[[], object]) -> None:
        """Turn the executor until something holds."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, endpoint: endpoints.Endpoint, **fields: object) -> object:
        client = ros.client(self.person, endpoint)
        self.until(client.service_is_ready)
        future = client.call_async(ros.message_type(endpoint.type).Request(**fields))
        self.until(future.done)
        return future.result()

    def activate(self) -> None:
        assert self.recorder.trigger_configure().value == 97  # SUCCESS
        assert self.recorder.trigger_activate().value == 97

    def hears(self, *names: str) -> Callable[[], bool]:
        return lambda: {f"/g1/{name}" for name in names} <= set(self.recorder._recorder.topics)

    def publish_joints(self, count: int) -> None:
        for i in range(count):
            self.joints.publish(JointState(name=["a"], position=[float(i)]))

    def count(self, name: str) -> int:
        state = self.recorder._recorder.topics[f"/g1/{name}"]
        return self.recorder._recorder.counter(state).received


@pytest.fixture
def cell(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cell]:
    topics = tmp_path / "topics.yaml"
    topics.write_text(
        "topics:\n"
        "  - {name: joint_states, required: true}\n"
        "  - {name: robot_description}\n"
        "  - {name: late/*}\n"
        "  - {name: annotations, repeat: never}\n"
    )
    made = Cell(tmp_path / "out", topics, **getattr(request, "param", {}))
    yield made
    made.person.destroy_node()
    made.recorder.destroy_node()
    rclpy.try_shutdown()


def test_an_episode_by_service(cell):
    assert not cell.call(endpoints.RECORDER_START, task="early").success  # not active yet
    cell.description.publish(String(data="<robot/>"))
    cell.activate()
    cell.until(cell.hears("joint_states", "robot_description", "annotations"))
    cell.until(lambda: cell.count("robot_description") == 1)
    started = cell.call(endpoints.RECORDER_START, task="parcels/../x", operator_name="ada", instruction="sort")
    assert started.success, started.message
    again = cell.call(endpoints.RECORDER_START, task="b")
    assert not again.success
    assert "is being recorded" in again.message
    cell.until(lambda: cell.joints.get_subscription_count() == 1)
    cell.publish_joints(300)
    late = cell.person.create_publisher(String, "late/one", 10)
    cell.until(cell.hears("late/one"))
    cell.until(lambda: late.get_subscription_count() == 1)
    late.publish(String(data="here"))
    assert cell.call(endpoints.RECORDER_ANNOTATE, annotation=Annotation(label="grasp", author="ada")).success
    other = ros.publisher(cell.person, endpoints.ANNOTATIONS)
    cell.until(lambda: other.get_subscription_count() == 1)
    other.publish(Annotation(label="lift", author="button"))
    cell.until(lambda: cell.count("annotations") == 2)
    stopped = cell.call(endpoints.RECORDER_STOP, outcome=StopEpisode.Request.SUCCESS, note="good")
    assert stopped.success, stopped.message
    folder = Path(stopped.path)
    assert verify(folder) == []
    episode = read_episode(folder)
    assert (episode.task, episode.operator, episode.outcome) == ("parcels/../x", "ada", "success")
    assert [label.label for label in episode.annotations] == ["grasp", "lift"]
    with Reader(folder) as reader:
        counts = {name: info.msgcount for name, info in reader.topics.items()}
    wanted = {"/g1/joint_states": 300, "/g1/robot_description": 1, "/g1/late/one": 1, "/g1/annotations": 2}
    assert counts == wanted
    assert episode.lost == episode.dropped == 0
    cell.until(lambda: cell.statuses[-1].last_path == str(folder))
    assert cell.statuses[-1].last_outcome == EpisodeStatus.SUCCESS
    assert EpisodeStatus.RECORDING in {status.state for status in cell.statuses}


def test_a_required_topic_that_nobody_publishes_is_a_warning(cell):
    lines: list[str] = []
    ros.subscribe(
        cell.person, endpoints.DIAGNOSTICS, lambda msg: lines.extend(s.message for s in msg.status if s.hardware_id)
    )
    cell.person.destroy_publisher(cell.joints)
    cell.activate()
    cell.until(lambda: any("joint_states: required, but nobody publishes it" in line for line in lines))


@pytest.mark.parametrize("cell", [{"simulated": True}], indirect=True)
def test_simulated_time_is_that_of_the_arrival_however_late_it_is_taken(cell):
    clock = ros.publisher(cell.person, endpoints.CLOCK)
    cell.activate()
    refused = cell.call(endpoints.RECORDER_START, task="early")
    assert "no time on /clock" in refused.message
    cell.until(cell.hears("joint_states"))
    cell.until(lambda: clock.get_subscription_count() == 2)  # the node and its taps
    cell.until(lambda: cell.joints.get_subscription_count() == 1)
    clock.publish(Clock(clock=Time(sec=5)))
    cell.until(lambda: cell.recorder.get_clock().now().nanoseconds == 5_000_000_000)
    assert cell.call(endpoints.RECORDER_START, task="a").success
    for second in (6, 7, 8):
        clock.publish(Clock(clock=Time(sec=second)))
        cell.publish_joints(2)
    cell.until(lambda: cell.count("joint_states") == 6)
    cell.until(lambda: cell.recorder.get_clock().now().nanoseconds == 8_000_000_000)
    folder = Path(cell.call(endpoints.RECORDER_STOP, outcome=0).path)
    with Reader(folder) as reader:
        stamps = [stamp // 10**9 for connection, stamp, _ in reader.messages() if "joint" in connection.topic]
    assert stamps == [6, 6, 7, 7, 8, 8]
    episode = read_episode(folder)
    assert (episode.clock, episode.duration) == ("simulated", 3.0)


def test_a_publisher_that_offers_less_is_heard_all_the_same(cell):
    cell.activate()
    cell.until(cell.hears("joint_states"))
    weak = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    other = cell.person.create_publisher(JointState, "joint_states", weak)
    cell.until(lambda: other.get_subscription_count() == 1 and cell.joints.get_subscription_count() == 1)
    other.publish(JointState(name=["weak"]))
    cell.until(lambda: cell.count("joint_states") == 1)
    cell.publish_joints(5)
    cell.until(lambda: cell.count("joint_states") == 6)


@pytest.mark.parametrize("cell", [{"simulated": True, "post_roll": 2.0, "pre_roll": 3.0}], indirect=True)
def test_pre_and_post_roll_are_in_the_bag(cell):
    clock = ros.publisher(cell.person, endpoints.CLOCK)
    cell.activate()
    cell.until(cell.hears("joint_states"))
    cell.until(lambda: clock.get_subscription_count() == 2 and cell.joints.get_subscription_count() == 1)

    def tick(second: int) -> None:
        clock.publish(Clock(clock=Time(sec=second)))
        cell.publish_joints(1)

    for second in range(1, 11):
        tick(second)
        cell.until(lambda second=second: cell.count("joint_states") == second)
    cell.until(lambda: cell.recorder.get_clock().now().nanoseconds == 10**10)
    assert cell.call(endpoints.RECORDER_START, task="a").success
    client = ros.client(cell.person, endpoints.RECORDER_STOP)
    cell.until(client.service_is_ready)

    def go_on() -> None:  # the service waits for the clock, which somebody else has to turn
        for second in range(11, 16):
            tick(second)

    real = cell.recorder._listener.wait_until
    cell.recorder._listener.wait_until = lambda *arguments: (go_on(), real(*arguments))
    future = client.call_async(StopEpisode.Request(outcome=1))
    cell.until(future.done)
    episode = read_episode(Path(future.result().path))
    assert (episode.start_ns, episode.end_ns, episode.duration) == (10**10, 10**10, 0.0)
    assert (episode.pre_roll, episode.post_roll) == (3.0, 2.0)
    with Reader(Path(future.result().path)) as reader:
        stamps = [stamp // 10**9 for _, stamp, _ in reader.messages()]
    assert stamps[:4] == [7, 8, 9, 10]
    assert 12 in stamps


def test_another_type_on_a_recorded_topic_is_a_problem_of_the_episode(cell):
    cell.activate()
    cell.until(cell.hears("joint_states"))
    context = Context()  # one participant cannot have both types
    rclpy.init(context=context)
    other = Node("other", namespace="/g1", context=context)
    other.create_publisher(String, "joint_states", 10)
    try:
        cell.until(lambda: cell.recorder._recorder.complaints)
        assert cell.call(endpoints.RECORDER_START, task="a").success
        folder = Path(cell.call(endpoints.RECORDER_STOP, outcome=0).path)
    finally:
        other.destroy_node()
        context.try_shutdown()
    assert any("published as std_msgs/msg/String too" in problem for problem in read_episode(folder).problems)


def test_two_robots_record_side_by_side(cell, tmp_path):
    other = RecorderNode(namespace="/g2", parameter_overrides=[*cell.overrides, Parameter("robot_name", value="g2")])
    joints = cell.person.create_publisher(JointState, "/g2/joint_states", 100)
    cell.executor.add_node(other)
    try:
        for node in (cell.recorder, other):
            assert node.trigger_configure().value == node.trigger_activate().value == 97
        cell.until(lambda: joints.get_subscription_count() == 1 and cell.joints.get_subscription_count() == 1)
        cell.until(lambda: "/g2/joint_states" in other._recorder.topics)
        paths = []
        for node in (cell.recorder, other):
            recording = node._recorder.start(Request("a"), node.get_clock().now().nanoseconds)
            paths.append(recording.staging.final)
        cell.publish_joints(3)
        for _ in range(5):
            joints.publish(JointState(name=["b"]))
        counts = cell.recorder._recorder.topics["/g1/joint_states"], other._recorder.topics["/g2/joint_states"]
        cell.until(lambda: cell.recorder._recorder.counter(counts[0]).received == 3)
        cell.until(lambda: other._recorder.counter(counts[1]).received == 5)
        for node in (cell.recorder, other):
            node._recorder.stop("success", "", node.get_clock().now().nanoseconds)
    finally:
        other.destroy_node()
    assert [path.parts[-3] for path in paths] == ["g1", "g2"]
    assert [{t.name: t.written for t in read_episode(path).topics} for path in paths] == [
        {"/g1/joint_states": 3, "/g1/robot_description": 0, "/g1/annotations": 0},
        {"/g2/joint_states": 5, "/g2/annotations": 0},
    ]


def test_readme_lists_the_parameters(cell):
    text = (ROOT / "README.md").read_text()
    table = text[text.index("| parameter") : text.index("Active:")]
    listed = {line.split("|")[1].strip() for line in table.splitlines()[2:] if line.startswith("|")}
    own = {
        name
        for name in cell.recorder._parameters
        if not name.startswith(("qos_overrides", "use_sim_time", "start_type"))
    }
    assert listed == own


def test_bad_requests_are_answered_with_the_reason(cell):
    cell.activate()
    assert "no episode" in cell.call(endpoints.RECORDER_STOP, outcome=1).message
    assert "task" in cell.call(endpoints.RECORDER_START, task="  ").message
    assert "16384" in cell.call(endpoints.RECORDER_START, task="a", instruction="x" * 100_000).message
    assert cell.call(endpoints.RECORDER_START, task="a").success
    assert "outcome" in cell.call(endpoints.RECORDER_STOP, outcome=77).message
    assert cell.call(endpoints.RECORDER_DISCARD, reason="only a test").success
    assert not list(leftovers(cell.recorder._settings.out))


def test_ending_the_node_finishes_the_episode_as_unsure(cell):
    cell.activate()
    cell.until(cell.hears("joint_states"))
    cell.until(lambda: cell.joints.get_subscription_count() == 1)
    path = Path(cell.call(endpoints.RECORDER_START, task="a").path)
    cell.publish_joints(50)
    cell.until(lambda: cell.count("joint_states") == 50)
    cell.recorder.trigger_deactivate()
    episode = read_episode(path)
    assert (episode.outcome, episode.bag.messages) == ("unsure", 50)
    assert "shut down" in episode.note
    assert verify(path) == []


ACTIVE = """
from humanoid_core import ros
from humanoid_recorder.recorder_node import RecorderNode

def make():
    node = RecorderNode()
    node.trigger_configure()
    node.trigger_activate()
    return node

ros.run(make)
"""


class Process:
    """The recorder as a process of its own, active.

    It is spoken to from a context of its own, which never knew an earlier process that was killed: DDS believes in
    those for another 20 s.
    """

    def __init__(self, out: Path, topics: Path) -> None:
        self.out = out
        values = {"out": out, "topics": topics, "robot_name": "g2", "disk_start": 0, "disk_floor": 0}
        words = ["--ros-args", "-r", "__ns:=/g2", "--params-file", str(ROOT / "config" / "recorder.yaml")]
        words += [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
        self.process = subprocess.Popen([sys.executable, "-c", ACTIVE, *words])
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("person", namespace="/g2", context=self.context)
        self.joints = ros.publisher(self.node, endpoints.JOINT_STATES)
        self.start_client = ros.client(self.node, endpoints.RECORDER_START)

    def start(self, task: str) -> Path:
        """Start an episode; gives its staging folder.

        Asked again and again: on a busy machine an answer gets lost, since the server knows its client late. A second
        request while one is recorded is refused.
        """
        asked = 0.0

        def there() -> list[Path]:
            nonlocal asked
            if self.start_client.service_is_ready() and time.monotonic() - asked > 2.0:
                asked = time.monotonic()
                self.start_client.call_async(StartEpisode.Request(task=task))
            return list(leftovers(self.out, "g2"))

        self.until(there)
        return there()[0]

    def until(self, condition: Callable[[], object]) -> None:
        """Publish joints until something holds."""
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            self.joints.publish(JointState(name=["a"], position=[1.0]))
            time.sleep(0.005)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        status = self.process.wait(DEADLINE)
        self.node.destroy_node()
        self.context.try_shutdown()
        return status


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    topics = tmp_path / "topics.yaml"
    topics.write_text("topics:\n  - {name: joint_states, required: true}\n")
    made: list[Process] = []

    def start() -> Process:
        made.append(Process(tmp_path, topics))
        return made[-1]

    yield start
    for process in made:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


def record_some(process: Process, task: str) -> tuple[Path, Path]:
    """Start an episode and wait until messages are in its file; gives its final and its staging folder."""
    process.until(lambda: process.joints.get_subscription_count() == 1)
    part = process.start(task)
    folder = part.with_suffix("")
    process.until(lambda: joints_in(part / f"{folder.name}_0.mcap"))
    return folder, part


def joints_in(bag: Path) -> bool:
    """Whether messages of the joints are in a bag that may not be whole, or not even be there."""
    if not bag.exists() or not bag.stat().st_size:
        return False
    found = scan(bag).summary
    return any(found.counts.get(n) for n, channel in found.channels.items() if channel.topic.endswith("joint_states"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_episode_as_unsure(start_process, how):
    process = start_process()
    folder, part = record_some(process, how.name)
    assert process.end(how) == 0
    assert not part.exists()
    assert verify(folder) == []
    episode = read_episode(folder)
    assert (episode.state, episode.outcome, episode.lost) == ("finished", "unsure", 0)
    assert episode.bag.messages > 0


def test_what_a_kill_leaves_is_recovered_at_the_next_start(start_process):
    process = start_process()
    folder, part = record_some(process, "killed")
    assert process.end(signal.SIGKILL) == -signal.SIGKILL
    assert part.exists()
    again = start_process()
    again.until(folder.exists)
    assert verify(folder) == []
    episode = read_episode(folder)
    assert (episode.state, episode.task, episode.lost) == ("recovered", "killed", 0)
    assert episode.bag.messages > 0
    assert again.end(signal.SIGINT) == 0
