# SPDX-License-Identifier: Apache-2.0
"""The nodes in one process, on simulated time that the test turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger

from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import ConfigError, HumanoidError
from humanoid_teleop import operator_messages
from humanoid_teleop.motion_player_node import MotionPlayerNode
from humanoid_teleop.operator import TRACKED, Hand
from humanoid_teleop.retargeting_node import HELD_BEFORE, RetargetingNode

STEP = 4_000_000  # [ns]


class Bench:
    """One node, a probe beside it, and the clock."""

    def __init__(self, arguments: list[str], factory) -> None:
        self.context_arguments = ["--ros-args", "-p", "use_sim_time:=true", *arguments]
        rclpy.init(args=self.context_arguments)
        self.node = factory()
        self.probe = Node("probe", parameter_overrides=[Parameter("use_sim_time", value=False)])
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.probe)
        self.clock = self.probe.create_publisher(Clock, "/clock", 10)
        self.now = 1_000_000_000
        self.received: dict[str, list] = {}

    def listen(self, endpoint) -> list:
        messages = self.received.setdefault(endpoint.name, [])
        ros.subscribe(self.probe, endpoint, messages.append)
        return messages

    def until(self, condition, rounds: int = 4000, advance: bool = False) -> None:
        """Turn the executor, and the clock where `advance`, until the condition holds."""
        for _ in range(rounds):
            if condition():
                return
            if advance:
                self.tick()
            self.executor.spin_once(timeout_sec=0.005)
        raise AssertionError("the condition never came true")

    def tick(self) -> None:
        """Advance the clock and wait until the node has seen it."""
        self.now += STEP
        self.clock.publish(Clock(clock=convert.to_stamp(self.now)))
        for _ in range(400):
            if self.node.get_clock().now().nanoseconds >= self.now:
                break
            self.executor.spin_once(timeout_sec=0.005)
        for _ in range(10):  # all that may be ready: with another timeout the executor begins at the timers again
            self.executor.spin_once(timeout_sec=0.0)

    def close(self) -> None:
        self.executor.remove_node(self.node)
        self.executor.remove_node(self.probe)
        self.node.destroy_node()
        self.probe.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture(autouse=True)
def alone():
    yield
    rclpy.try_shutdown()


@pytest.fixture
def make_bench():
    benches: list[Bench] = []

    def make(arguments: list[str], factory) -> Bench:
        benches.append(Bench(arguments, factory))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


CLIP = """HIERARCHY
ROOT hips
{
    OFFSET 0 0 0
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
    JOINT head
    {
        OFFSET 0 60 0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
            OFFSET 0 -160 0
        }
    }
}
MOTION
Frames: 21
Frame Time: 0.01
"""


@pytest.fixture
def clip(tmp_path):
    folder = tmp_path / "skeletons"
    folder.mkdir()
    text = "up: [0, 1, 0]\nforward: [0, 0, 1]\nmetres_per_unit: 0.01\n"
    (folder / "stick.yaml").write_text(text + "parts: {head: {joint: head}, pelvis: {joint: hips}}\n")
    lines = [f"0 100 {frame} 0 0 0 0 0 0" for frame in range(21)]  # 1 cm per frame forward
    (tmp_path / "stick.bvh").write_text(CLIP + "\n".join(lines) + "\n")
    return tmp_path / "stick.bvh", folder


def player_arguments(clip, **changes) -> list[str]:
    values = {
        "file": clip[0],
        "skeletons": clip[1],
        "rate": 0.0,
        "speed": 1.0,
        "start": 0.0,
        "duration": 0.0,
        "loop": "false",
        "engage_after": 0.1,
        "join": 0.1,
        "autostart": "false",
        "trace": "false",
        **changes,
    }
    words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    return [*words, "-p", "skeleton:=''"]


def test_a_clip_is_played_when_started_and_let_go_at_its_end(make_bench, clip):
    bench = make_bench(player_arguments(clip), MotionPlayerNode)
    frames = bench.listen(endpoints.OPERATOR_FRAME)
    client = ros.client(bench.probe, endpoints.OPERATOR_START)
    bench.until(lambda: len(frames) > 5, advance=True)
    assert not any(frame.left_hand.engaged for frame in frames)
    future = client.call_async(Trigger.Request())
    bench.until(future.done)
    assert future.result().success
    bench.until(lambda: any(frame.left_hand.engaged for frame in frames), advance=True)
    bench.until(lambda: not frames[-1].left_hand.engaged, advance=True)

    engaged = [frame for frame in frames if frame.left_hand.engaged]
    heads = {pose.name: pose.pose.position.x for pose in engaged[-1].poses}
    assert heads["head"] == pytest.approx(0.2, abs=0.02)
    assert [frame.sequence for frame in frames] == list(range(frames[0].sequence, frames[0].sequence + len(frames)))
    stamps = np.diff([convert.stamp_ns(frame.header.stamp) for frame in frames])
    assert np.median(stamps) == pytest.approx(10_000_000, abs=STEP)
    length = convert.stamp_ns(engaged[-1].header.stamp) - convert.stamp_ns(engaged[0].header.stamp)
    assert length * 1e-9 == pytest.approx(0.1 + 0.2, abs=0.03)  # join and clip
    assert frames[-1].header.frame_id == "tracking"


def test_half_the_speed_takes_twice_the_time(make_bench, clip):
    bench = make_bench(player_arguments(clip, speed=0.5, autostart="true"), MotionPlayerNode)
    frames = bench.listen(endpoints.OPERATOR_FRAME)
    bench.until(lambda: any(frame.left_hand.engaged for frame in frames), advance=True)
    bench.until(lambda: not frames[-1].left_hand.engaged, advance=True)
    engaged = [convert.stamp_ns(frame.header.stamp) for frame in frames if frame.left_hand.engaged]
    assert (engaged[-1] - engaged[0]) * 1e-9 == pytest.approx(0.1 + 0.4, abs=0.05)


def test_a_file_that_is_not_there_ends_the_node(make_bench, clip):
    with pytest.raises(HumanoidError, match="nowhere"):
        make_bench(player_arguments((clip[0].parent / "nowhere.bvh", clip[1])), MotionPlayerNode)


# --- retargeting ---


@pytest.fixture
def retargeting_arguments(robot, request) -> list[str]:
    file = request.path.parents[1] / "config" / "retargeting.yaml"
    return ["--params-file", str(file), "-p", f"robot_config:={robot.config_path}"]


def test_frames_become_targets_with_the_frames_stamps(make_bench, retargeting_arguments, robot, person):
    bench = make_bench([*retargeting_arguments, "-p", "retargeting:trace:=true"], RetargetingNode)
    targets = bench.listen(endpoints.JOINT_TARGETS.at(source="teleop"))
    statuses, traces = bench.listen(endpoints.TELEOP_STATUS), bench.listen(endpoints.TRACE)
    frames = ros.publisher(bench.probe, endpoints.OPERATOR_FRAME)
    states = ros.publisher(bench.probe, endpoints.JOINT_STATES)
    readers = [frames, states, bench.node._targets, bench.node._traces]
    bench.until(lambda: all(each.get_subscription_count() for each in readers) and statuses, advance=True)
    assert statuses[-1].state == statuses[-1].WAITING
    assert not targets

    home = robot.home()
    states.publish(convert.joint_state(convert.to_stamp(bench.now), robot.joints, home))
    bench.until(lambda: targets, advance=True)
    sent = []
    for sequence in range(120):
        person.engaged = {"left": sequence > 30, "right": sequence > 30}
        if sequence > 60:
            person.wrists["left"] = person.wrists["left"] + (0.001, 0, 0.0005)
        frame = person.frame(bench.now, sequence)
        sent.append(frame.stamp)
        frames.publish(operator_messages.to_message(frame))
        bench.until(lambda: len(traces) > sequence)  # noqa: B023  (called at once)
        bench.tick()
        bench.tick()
        bench.tick()
    bench.until(lambda: statuses[-1].state == statuses[-1].ENGAGED, advance=True)

    stamps = [convert.stamp_ns(message.header.stamp) for message in targets]
    assert stamps == sorted(set(stamps))
    assert set(sent) <= set(stamps)
    assert np.diff(stamps).max() <= 3 * STEP
    joints = set(targets[-1].name)
    assert joints == set(robot.group("torso", "left_arm", "right_arm", "left_hand", "right_hand"))
    first, last = (convert.positions(message, robot.group("left_arm")) for message in (targets[0], targets[-1]))
    assert np.abs(last - first).max() > 0.1
    status = statuses[-1]
    assert status.source == "test"
    assert {error.name for error in status.errors} == {"left_wrist", "right_wrist"}
    assert all(math.isfinite(error.position) for error in status.errors)
    assert status.frames_lost == 0
    assert convert.stamp_ns(traces[-1].source_stamp) == sent[-1]


def test_time_that_goes_back_begins_anew_with_the_same_person(make_bench, retargeting_arguments, robot, person):
    bench = make_bench(retargeting_arguments, RetargetingNode)
    targets = bench.listen(endpoints.JOINT_TARGETS.at(source="teleop"))
    statuses = bench.listen(endpoints.TELEOP_STATUS)
    frames = ros.publisher(bench.probe, endpoints.OPERATOR_FRAME)
    states = ros.publisher(bench.probe, endpoints.JOINT_STATES)
    bench.until(lambda: frames.get_subscription_count() and states.get_subscription_count(), advance=True)
    bench.until(lambda: bench.probe.count_publishers(endpoints.TELEOP_STATUS.name), advance=True)
    sequence = 0

    def until_state(wanted: str, held: bool) -> None:
        nonlocal sequence
        person.engaged = {"left": held, "right": held}
        for _ in range(2000):
            if statuses and statuses[-1].message.startswith(wanted):
                return
            sequence += 1
            states.publish(convert.joint_state(convert.to_stamp(bench.now), robot.joints, robot.home()))
            frames.publish(operator_messages.to_message(person.frame(bench.now, sequence)))
            bench.tick()
        raise AssertionError(f"{wanted}: found {statuses[-1].message}")

    until_state("hold the dead-man", held=False)
    until_state("following", held=True)
    scale = statuses[-1].scale
    bench.tick()
    bench.now = 2 * STEP  # the simulator was started again
    statuses.clear()
    bench.clock.publish(Clock(clock=convert.to_stamp(bench.now)))
    bench.until(lambda: bench.node.get_clock().now().nanoseconds == bench.now)
    targets.clear()
    until_state(HELD_BEFORE, held=True)
    assert statuses[-1].scale == scale
    until_state("hold the dead-man", held=False)
    until_state("following", held=True)
    assert convert.stamp_ns(targets[-1].header.stamp) <= bench.now


def test_a_setting_out_of_range_is_refused(make_bench, retargeting_arguments, robot):
    with pytest.raises(ConfigError, match="reach_soft"):
        make_bench([*retargeting_arguments, "-p", "retargeting:reach_soft:=3.0"], RetargetingNode)


# --- messages ---


def test_frames_survive_the_message(person):
    frame = person.frame(1_234_567_890_123, 42)
    joints = np.arange(75.0).reshape(25, 3)
    frame.left = Hand(True, TRACKED, joints, np.tile([0.0, 0.6, 0.0, 0.8], (25, 1)), grip=0.25, trigger=0.5)
    back = operator_messages.from_message(operator_messages.to_message(frame))
    assert (back.stamp, back.source, back.sequence) == (frame.stamp, frame.source, frame.sequence)
    assert np.allclose(back.positions, frame.positions)
    assert np.allclose(back.rotations, frame.rotations)
    assert (back.validity == frame.validity).all()
    assert back.left.engaged
    assert (back.left.grip, back.left.trigger) == (0.25, 0.5)
    assert np.allclose(back.left.joint_positions, joints)
    assert math.isnan(back.right.grip)
    assert back.right.joint_positions is None


def test_parts_of_unknown_name_are_left_out(person):
    message = operator_messages.to_message(person.frame(0, 0))
    message.poses[0].name = "tail"
    assert not operator_messages.from_message(message).has("head")
