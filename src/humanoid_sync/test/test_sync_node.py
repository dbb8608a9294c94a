# SPDX-License-Identifier: Apache-2.0
"""The sync node: frames and status from real messages, in one process; and the same bag offline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, JointState

from humanoid_core import endpoints, ros
from humanoid_core.convert import stamp_ns
from humanoid_interfaces.msg import Annotation, SyncedFrame, SyncedStream, SyncStatus
from humanoid_sync import clock_store, view
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.sync_node import SyncNode

ROOT = Path(__file__).parents[3]
DEADLINE = 20.0  # [s]
SECOND, MS = 1_000_000_000, 1_000_000
PLAN = """
rate: 30.0
deadline: 0.15
streams:
  - {name: joints, topic: joint_states, type: sensor_msgs/msg/JointState, rate: 100.0, policy: linear,
     tolerance: 0.05, max_gap: 0.1, values: true}
  - {name: head, topic: camera/head/color/camera_info, type: sensor_msgs/msg/CameraInfo, rate: 30.0, policy: nearest,
     tolerance: 0.05, max_gap: 0.5}
  - {name: dead, topic: camera/dead/color/camera_info, type: sensor_msgs/msg/CameraInfo, rate: 30.0, policy: nearest,
     tolerance: 0.05, max_gap: 0.5}
"""


class Cell:
    """The node, and a robot that publishes whenever the test asks."""

    def __init__(self, plan: Path, state_folder: str = "") -> None:
        rclpy.init()
        robot = plan.with_name("robot.yaml")
        robot.write_text("joint_state_rate: 100.0\ncommand_rate: 100.0\n")
        values = {"streams": str(plan), "robot_config": str(robot), "poll_period": 0.005, "robot_name": "g1"}
        values |= {"latencies": str(ROOT / "config" / "sync" / "latencies.yaml"), "state_folder": state_folder}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.sync = SyncNode(namespace="/g1", parameter_overrides=overrides)
        self.robot = Node("robot", namespace="/g1")
        self.joints = ros.publisher(self.robot, endpoints.JOINT_STATES)
        self.camera = ros.publisher(self.robot, endpoints.CAMERA_COLOR_INFO.at(camera="head"))
        self.frames: list[SyncedFrame] = []
        self.statuses: list[SyncStatus] = []
        ros.subscribe(self.robot, endpoints.SYNC_FRAME, self.frames.append)
        ros.subscribe(self.robot, endpoints.SYNC_STATUS, self.statuses.append)
        self.annotations: list[Annotation] = []
        ros.subscribe(self.robot, endpoints.ANNOTATIONS, self.annotations.append)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.sync)
        self.executor.add_node(self.robot)

    def until(self, condition: Callable[[], object]) -> None:
        """Publish at about 100 Hz and turn the executor until something holds."""
        end, i = time.monotonic() + DEADLINE, 0
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            stamp = self.robot.get_clock().now().to_msg()
            joints = JointState(name=["a"], position=[stamp_ns(stamp) * 1e-9 % 1000.0])
            joints.header.stamp = stamp
            self.joints.publish(joints)
            if i % 3 == 0:
                info = CameraInfo()
                info.header.stamp = stamp
                self.camera.publish(info)
            self.executor.spin_once(timeout_sec=0.01)
            i += 1


@pytest.fixture
def cell(tmp_path: Path) -> Iterator[Cell]:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    made = Cell(plan)
    yield made
    made.robot.destroy_node()
    made.sync.destroy_node()
    rclpy.try_shutdown()


def test_frames_and_status(cell):
    cell.until(lambda: sum(frame.streams[0].values != cell.frames[0].streams[0].values for frame in cell.frames) > 20)
    cell.until(lambda: len(cell.statuses) > 1)
    numbers = [frame.sequence for frame in cell.frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    good = [frame for frame in cell.frames if len(frame.streams[0].source_stamps) == 2]
    assert good
    for frame in good:
        joints, _, dead = frame.streams
        assert joints.values[0] == pytest.approx(stamp_ns(frame.header.stamp) * 1e-9 % 1000.0, abs=1e-3)
        assert dead.flags & SyncedStream.MISSING
    status = cell.statuses[-1]
    assert [stream.name for stream in status.streams] == ["joints", "head", "dead"]
    assert "dead: nothing received yet" in status.warnings
    assert status.streams[0].messages > 20
    assert status.frames > 20


def test_warnings_are_annotations_and_a_table(cell):
    cell.until(lambda: len(cell.statuses) > 1 and cell.annotations)
    labels = {(note.label, note.author, note.note) for note in cell.annotations}
    assert ("sync_warning", "sync", "dead: nothing received yet") in labels
    shown = view.status(cell.statuses[-1])
    assert "! dead: nothing received yet" in shown
    assert [line.split()[0] for line in shown.splitlines()[3:6]] == ["joints", "head", "dead"]


def test_clocks_survive_a_restart_of_the_node(tmp_path):
    known = ClockModel()
    for i in range(600):
        known.add(i * 33 * MS + 5 * SECOND, 1000 * SECOND + i * 33 * MS + i * 7919 % MS)
    clock_store.save(tmp_path / "state" / "g1.json", {"board": known})
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.replace("streams:", "clocks: {board: {}}\nstreams:").replace("0.5}", "0.5, clock: board}"))
    made = Cell(plan, str(tmp_path / "state"))
    try:
        (clock,) = made.sync._aligner.clocks.values()
        assert clock.known
        assert clock.state().offset == pytest.approx(known.state().offset, abs=1e-6)
        (tmp_path / "state" / "g1.json").unlink()
    finally:
        made.robot.destroy_node()
        made.sync.destroy_node()
        rclpy.try_shutdown()
    assert clock_store.restore(tmp_path / "state" / "g1.json", {"board": ClockModel()}) == ["board"]


def test_readme_lists_the_parameters(cell):
    text = (ROOT / "src" / "humanoid_sync" / "README.md").read_text()
    table = text[text.index("| parameter") : text.index("## Command")]
    listed = {line.split("|")[1].strip() for line in table.splitlines()[2:] if line.startswith("|")}
    own = {
        name for name in cell.sync._parameters if not name.startswith(("qos_overrides", "use_sim_time", "start_type"))
    }
    assert listed == own
