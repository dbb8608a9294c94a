# SPDX-License-Identifier: Apache-2.0
"""The node on its topics, in one process, with a clock that the test turns."""

import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, Float64
from std_srvs.srv import SetBool, Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_core.config import read_yaml
from humanoid_core.errors import ConfigError
from humanoid_description import load
from humanoid_interfaces.msg import OperatorFrame, SafetyStatus
from humanoid_interfaces.srv import SelectSource
from humanoid_safety.heartbeat_node import HeartbeatNode
from humanoid_safety.safety_node import SafetyNode

PACKAGE = Path(__file__).parents[1]
ROBOT = PACKAGE.parents[1] / "config" / "robots" / "unitree_g1.yaml"
JOINTS = ["left_elbow_joint", "right_elbow_joint"]
MS = 1_000_000


def parameters(**changes) -> list[Parameter]:
    """The package's own, but traced, and on the test's clock."""
    values = flat(read_yaml(PACKAGE / "config" / "safety.yaml")["/**/safety"]["ros__parameters"])
    values.update(robot_config=str(ROBOT), use_sim_time=True, trace=True)
    values.update(changes)
    return [Parameter(name, value=value) for name, value in values.items() if value is not None]


def flat(tree: dict, prefix: str = "") -> dict:
    out = {}
    for key, value in tree.items():
        out.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return out


@pytest.fixture(scope="module")
def robot():
    return load(ROBOT)


class World(Node):
    """Clock, robot, operator, retargeting and station around the node."""

    def __init__(self, robot) -> None:
        super().__init__("world")
        self.q = dict(zip(robot.joints, robot.home().tolist()))
        self.now_ns = 10_000 * MS
        self.held, self.moving, self.ticking = False, True, True
        self.commands, self.statuses, self.traces, self.active = [], [], [], [""]
        self.clock_topic = ros.publisher(self, endpoints.CLOCK)
        self.states_topic = ros.publisher(self, endpoints.JOINT_STATES)
        self.targets_topic = ros.publisher(self, endpoints.JOINT_TARGETS.at(source="teleop"))
        self.frames_topic = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self.beats_topic = ros.publisher(self, endpoints.SAFETY_HEARTBEAT)
        # Time is slow here, so that watchdogs wait longer: a loaded machine is no reason to fail.
        self.time_scale_topic = ros.publisher(self, endpoints.TIME_SCALE)
        self.time_scale_topic.publish(Float64(data=0.02))
        ros.subscribe(self, endpoints.JOINT_COMMANDS, self._on_command)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self.statuses.append)
        ros.subscribe(self, endpoints.COMMAND_STATUS, lambda message: self.active.append(message.active))
        ros.subscribe(self, endpoints.TRACE, self.traces.append)
        self.asking = {
            endpoint: ros.client(self, endpoint)
            for endpoint in (
                endpoints.SAFETY_ENGAGE,
                endpoints.SAFETY_STOP,
                endpoints.SAFETY_RESET,
                endpoints.COMMAND_SELECT,
            )
        }
        self.executor_ = EventsExecutor()
        self.executor_.add_node(self)

    def _on_command(self, message) -> None:
        self.commands.append(message)
        self.q.update(zip(message.name, message.position))

    def stamp(self) -> Time:
        return convert.to_stamp(self.now_ns)

    def advance(self, milliseconds: int = 2) -> None:
        """Let simulated time pass, and everybody say what they say then."""
        self.now_ns += milliseconds * MS
        if self.ticking:
            self.clock_topic.publish(Clock(clock=self.stamp()))
        self.states_topic.publish(convert.joint_state(self.stamp(), list(self.q), np.array(list(self.q.values()))))
        self.beats_topic.publish(Empty())
        frame = OperatorFrame()
        frame.header.stamp = self.stamp()
        frame.right_hand.engaged = self.held
        self.frames_topic.publish(frame)
        if self.moving:
            swing = 0.5 + 0.1 * np.sin(2.0 * self.now_ns / 1e9)
            self.targets_topic.publish(convert.joint_state(self.stamp(), JOINTS, np.full(2, swing)))
        self.executor_.spin_once(timeout_sec=0.002)
        for _ in range(20):  # all that this has set off
            self.executor_.spin_once(timeout_sec=0.0)

    def until(self, condition, seconds: float = 90.0, step: int = 2) -> None:
        """Advance until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "did not happen"
            self.advance(step)

    def call(self, endpoint, request):
        """Call a service while time passes."""
        future = self.asking[endpoint].call_async(request)
        self.until(future.done)
        return future.result()

    def state(self) -> int:
        return self.statuses[-1].state if self.statuses else -1


@pytest.fixture(autouse=True)
def context(ros_domain):
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def early_world(context, robot):
    """Before the first of the clock."""
    world, safety = World(robot), SafetyNode(parameter_overrides=parameters())
    world.executor_.add_node(safety)
    world.ticking = False
    yield world
    world.executor_.shutdown()
    safety.destroy_node()
    world.destroy_node()


@pytest.fixture
def world(early_world):
    world = early_world
    world.ticking = True
    world.until(lambda: all(client.service_is_ready() for client in world.asking.values()) and world.statuses)
    return world


def engage(world: World) -> None:
    world.until(lambda: not world.statuses[-1].reasons or "no heartbeat" not in " ".join(world.statuses[-1].reasons))
    assert world.call(endpoints.SAFETY_ENGAGE, SetBool.Request(data=True)).success
    world.until(lambda: world.state() == SafetyStatus.ACTIVE)


def test_follows_the_operator_on_a_grid_of_simulated_time(world, robot):
    assert world.state() == SafetyStatus.HOLD
    world.held = True
    for _ in range(20):
        world.advance()
    assert world.commands == []

    engage(world)
    world.until(lambda: world.active[-1] == "teleop" and len(world.commands) > 50)
    assert world.commands[0].name == JOINTS
    assert len(world.commands[0].velocity) == 2
    assert abs(world.commands[0].position[0] - robot.config.home["left_elbow_joint"]) < 1e-3
    stamps = np.array([convert.stamp_ns(command.header.stamp) for command in world.commands])
    assert set(np.diff(stamps)) <= {2 * MS}
    assert world.traces
    assert all(trace.stage == "safety" and convert.stamp_ns(trace.received) > 0 for trace in world.traces)

    # Simulated time stands still: whatever is commanded is for a time that has come, and it goes on where it was.
    for _ in range(30):
        world.advance(0)
    assert convert.stamp_ns(world.commands[-1].header.stamp) <= world.now_ns + 1 * MS
    count = len(world.commands)
    world.until(lambda: len(world.commands) > count + 20)

    # Letting go of the dead-man stops; nobody commands.
    world.held = False
    world.until(lambda: world.active[-1] == "" and not any(world.commands[-1].velocity))
    assert world.state() == SafetyStatus.ACTIVE


def test_before_the_first_clock_nothing_is_from_the_future_and_nothing_jumps(early_world):
    world = early_world

    def heard() -> list[SafetyStatus]:
        return [status for status in world.statuses if "no joint states yet" not in " ".join(status.reasons)]

    world.until(lambda: len(heard()) > 3)
    assert not any("refused" in reason for status in world.statuses for reason in status.reasons)
    world.ticking = world.held = True
    world.until(lambda: all(client.service_is_ready() for client in world.asking.values()))
    engage(world)
    assert not any("clock" in reason for status in world.statuses for reason in status.reasons)
    world.until(lambda: len(world.commands) > 20)


def test_stop_is_latched_and_reset_goes_back_to_hold(world):
    world.held = True
    engage(world)
    world.until(lambda: len(world.commands) > 20)
    assert world.call(endpoints.SAFETY_STOP, Trigger.Request()).success
    world.until(lambda: world.state() == SafetyStatus.E_STOP)
    refused = world.call(endpoints.SAFETY_ENGAGE, SetBool.Request(data=True))
    assert not refused.success
    assert "safety/stop was called" in refused.message
    world.until(lambda: world.call(endpoints.SAFETY_RESET, Trigger.Request()).success)
    world.until(lambda: world.state() == SafetyStatus.HOLD)


def test_simulated_time_that_jumps_back_stops(world):
    world.held = True
    engage(world)
    world.until(lambda: len(world.commands) > 20)
    world.now_ns -= 9_000 * MS
    world.until(lambda: world.state() == SafetyStatus.HOLD)
    assert any("clock jumped by -" in reason for status in world.statuses for reason in status.reasons)
    count = len(world.commands)
    engage(world)
    world.until(lambda: len(world.commands) > count + 20)


def test_bad_targets_are_named_in_the_status(world):
    world.moving = False
    for names, position in ((["left_knee_joint"], [0.1]), (["left_elbow_joint"], [float("nan")])):
        bad = convert.joint_state(world.stamp(), names, np.array(position))

        def named(name: str = names[0], bad: JointState = bad) -> bool:
            world.targets_topic.publish(bad)
            return any(name in " ".join(status.reasons) for status in world.statuses)

        world.until(named)


def test_a_person_is_never_overruled_and_unknown_sources_are_refused(world):
    world.held = True
    engage(world)
    world.until(lambda: world.active[-1] == "teleop")
    refused = world.call(endpoints.COMMAND_SELECT, SelectSource.Request(source="planning", grant=5.0))
    assert (refused.success, "never overruled" in refused.message) == (False, True)
    assert not world.call(endpoints.COMMAND_SELECT, SelectSource.Request(source="nobody", grant=5.0)).success


def test_heartbeat_beats():
    listener, beats = Node("listener"), []
    ros.subscribe(listener, endpoints.SAFETY_HEARTBEAT, beats.append)
    node = HeartbeatNode(parameter_overrides=[Parameter("rate", value=50.0)])
    executor = EventsExecutor()
    executor.add_node(node)
    executor.add_node(listener)
    end = time.monotonic() + 90.0
    while len(beats) < 3 and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    assert len(beats) >= 3
    executor.shutdown()
    node.destroy_node()
    listener.destroy_node()


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"rate": None}, "rate"),
        ({"rate": 5000.0}, "rate"),
        ({"source.teleop.enable": "wish"}, "source.teleop.enable"),
        ({"sources": ["teleop", "teleop"]}, "sources"),
        ({"robot_config": "nowhere.yaml"}, ""),
    ],
)
def test_a_wrong_configuration_names_its_key(change, key):
    with pytest.raises(ConfigError) as caught:
        SafetyNode(parameter_overrides=parameters(**change))
    assert caught.value.key == key
