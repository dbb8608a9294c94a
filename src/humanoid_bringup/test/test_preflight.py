# SPDX-License-Identifier: Apache-2.0
"""What the pre-flight check makes of observations, each fault by itself; and its node against a made-up robot."""

from __future__ import annotations

import json
import math
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

import humanoid_description
from humanoid_bringup import preflight
from humanoid_bringup.host_clock import host_clock
from humanoid_bringup.preflight import Row, Status
from humanoid_bringup.preflight_checks import rows
from humanoid_bringup.preflight_node import PreflightNode
from humanoid_bringup.preflight_streams import Seen, Stream, World, expected_streams
from humanoid_core import endpoints, ros
from humanoid_description import Robot
from humanoid_interfaces.msg import RobotStatus, SafetyStatus
from humanoid_sensors.listing import Sensor

CONFIG = Path(__file__).parents[3] / "config" / "robots" / "unitree_g1.yaml"
IMU = Stream(endpoints.IMU.at(place="data"), 200.0)


@pytest.fixture(scope="module")
def robot() -> Robot:
    return humanoid_description.load(CONFIG)


@pytest.fixture
def world(robot: Robot) -> World:
    """All is well."""
    return World(
        hardware="real",
        seen={IMU.endpoint.name: came(200.0)},
        calibrations={"camera/head/color/camera_info": (640, 480, 600.0)},
        urdf=robot.urdf,
        joints=robot.joints,
        safety=SafetyStatus.HOLD,
        operator_age=0.1,
        robot_mode=RobotStatus.IDLE,
        robot_words="holds its pose",
        services={"safety/stop", "safety/reset"},
        commanders=1,
        diagnostics={"/g1/driver": (0, "well")},
        recorder=(False, "idle"),
        disk_free=100e9,
        disk_needed=3e9,
        host_clock=(True, 0.001),
        pressed=0.01,
    )


def came(rate: float, age: float = 0.002, count: int = 200) -> Seen:
    """A stream of messages with headers."""
    seen = Seen(publishers=1)
    for i in range(count):
        stamp = 10**18 + round(i * 1e9 / rate)
        header = struct.pack("<4xiI", stamp // 10**9, stamp % 10**9)
        seen.message(b"\0\1" + header[2:] + bytes(20), stamp + round(age * 1e9), stamped=True)
    return seen


def table(robot: Robot, world: World) -> dict[str, Row]:
    return {row.name: row for row in rows(robot, [IMU], world)}


def test_all_is_well(robot, world):
    found = table(robot, world)
    assert {name for name, row in found.items() if row.status is not Status.GREEN} == set()
    assert found["imu/data"].found == "200.0 Hz, 2 to 2 ms old"
    assert "limits file against URDF" in found
    assert preflight.passed(list(found.values()))


FAULTS: list[tuple[str, dict[str, Any], str, Status, str]] = [
    ("robot", {"robot_mode": None}, "no robot/status", Status.RED, ""),
    ("robot", {"robot_mode": RobotStatus.FAULT, "robot_words": "mode_machine 9"}, "mode_machine 9", Status.RED, ""),
    ("robot", {"robot_faults": ["left_elbow_joint: 0x4"]}, "left_elbow_joint: 0x4", Status.RED, ""),
    ("joints", {"joints": ("waist_yaw_joint",)}, "1 of 31", Status.RED, "left_shoulder_yaw_joint"),
    ("joint_commands", {"commanders": 2}, "2 publishers", Status.RED, "nobody but the limiter"),
    ("joint_commands", {"commanders": 0}, "0 publishers", Status.RED, ""),
    ("URDF that runs", {"urdf": ""}, "no robot_description", Status.RED, ""),
    ("imu/data", {"seen": {}}, "nobody publishes", Status.RED, "start it"),
    ("imu/data", {"seen": {"imu/data": Seen(publishers=1)}}, "silent", Status.RED, "/diagnostics"),
    ("imu/data", {"seen": {"imu/data": came(150.0)}}, "150.0 Hz", Status.RED, "slow"),
    ("imu/data", {"seen": {"imu/data": came(200.0, age=-0.02)}}, "-20 to", Status.RED, "future"),
    ("imu/data", {"seen": {"imu/data": came(200.0, age=0.7)}}, "700 to", Status.RED, "late"),
    ("calibration head color", {"calibrations": {"camera/head/color/camera_info": (640, 480, 0.0)}},
     "not calibrated", Status.RED, "camera_calibration"),
    ("calibration head color", {"calibrations": {"camera/head/color/camera_info": (1280, 720, 900.0)}},
     "1280 x 720", Status.RED, "another size"),
    ("clock", {"host_clock": (False, 16.0)}, "not synchronised", Status.YELLOW, "chronyc"),
    ("clock", {"host_clock": None}, "does not say", Status.YELLOW, ""),
    ("time synchronisation", {"warnings": ["lidar: silent", "x"]}, "lidar: silent and 1 more", Status.YELLOW, ""),
    ("limiter", {"safety": None}, "no limiter", Status.RED, ""),
    ("limiter", {"safety": SafetyStatus.E_STOP, "reasons": ["pressed"]}, "E_STOP: pressed", Status.RED, "reset"),
    ("heartbeat", {"operator_age": math.inf}, "none yet", Status.YELLOW, "station"),
    ("stop button", {"services": {"safety/stop"}}, "no service safety/reset", Status.RED, ""),
    ("stop button", {"pressed": None}, "not pressed", Status.YELLOW, "--press"),
    ("stop button", {"pressed": math.nan}, "no E_STOP followed", Status.RED, "does not stop"),
    ("recorder", {"recorder": None}, "none", Status.YELLOW, ""),
    ("recorder", {"recorder": (True, "error: disk")}, "error: disk", Status.RED, ""),
    ("free disk", {"disk_free": 1e9}, "1.0 GB", Status.RED, "move episodes"),
    ("shared memory", {"shared_memory": "64 MiB free"}, "too little", Status.YELLOW, "64 MiB free"),
    ("diagnostics", {"diagnostics": {}}, "nobody reports", Status.RED, ""),
    ("/g1/lidar", {"diagnostics": {"/g1/lidar": (2, "Mid-360: silent")}}, "Mid-360: silent", Status.RED, ""),
    ("/g1/lidar", {"diagnostics": {"/g1/lidar": (1, "warm")}}, "warm", Status.YELLOW, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "found", "status", "advice"), FAULTS)
def test_each_fault_is_a_row_that_says_what_to_do(robot, world, name, change, found, status, advice):
    row = table(robot, replace(world, **change))[name]
    assert row.status is status
    assert found in row.found
    assert advice in row.advice
    assert row.advice


def test_a_stream_that_a_real_robot_need_not_have_is_yellow(robot, world):
    optional = replace(IMU, required=False)
    (row,) = (row for row in rows(robot, [optional], replace(world, seen={})) if row.name == "imu/data")
    assert row.status is Status.YELLOW


def test_a_slow_simulation_is_no_slow_sensor(robot, world):
    seen = came(200.0)
    assert seen.rate == pytest.approx(200.0)
    late = replace(world, hardware="twin", seen={"imu/data": came(200.0, age=-0.02)})
    assert table(robot, late)["imu/data"].status is Status.GREEN  # /clock came after the message
    assert table(robot, late)["clock"].found == "simulated, /clock runs"


def test_limits_above_the_urdfs_are_found(robot, world):
    joints = dict(robot.config.joints)
    joints["left_elbow_joint"] = replace(joints["left_elbow_joint"], velocity=99.0, torque=400.0)
    fast = replace(robot, config=replace(robot.config, joints=joints))
    row = table(fast, world)["limits file against URDF"]
    assert row.status is Status.RED
    assert row.found.startswith("left_elbow_joint: velocity 99, the URDF allows ")
    assert row.found.endswith(" and 1 more")
    joints["left_elbow_joint"] = replace(robot.config.joints["left_elbow_joint"], margin=9.0)
    narrow = table(replace(robot, config=replace(robot.config, joints=joints)), world)
    assert "nothing is left" in narrow["limits file against URDF"].found


def test_another_model_than_the_limiters_is_found(robot, world):
    other = robot.urdf.replace('name="mid360_link"', 'name="mid360"').replace('velocity="37', 'velocity="38')
    assert other != robot.urdf
    found = table(robot, replace(world, urdf=other))
    assert found["URDF that runs"].status is Status.RED
    assert "lidar.frame: no link mid360_link" in found["frames of sensors"].found


def test_a_real_robot_must_have_what_its_sensors_file_starts(robot):
    camera = Sensor("camera", {"camera": "head", "depth": True, "rate": 15.0})
    streams = {one.endpoint.name: one for one in expected_streams(robot, {"head_camera": camera})}
    assert streams["joint_states"].required
    pads = str(Path(__file__).parents[2] / "humanoid_sensors" / "config" / "inspire_rh56dftp.yaml")
    listed = {
        "chest": Sensor("imu", {"place": "chest", "expected_rate": 100.0}),
        "wrist": Sensor("wrench", {"place": "left_wrist"}),
        "hand": Sensor("tactile", {"layout": pads, "prefix": "left_", "expected_rate": 50.0}),
        "ear": Sensor("microphone", {}),
    }
    more = {one.endpoint.name: one for one in expected_streams(robot, listed)}
    assert (more["imu/chest"].rate, more["imu/chest"].required) == (100.0, True)
    assert more["wrench/left_wrist"].required
    assert (more["tactile/left_palm"].rate, more["audio"].required) == (50.0, True)
    assert streams["camera/head/depth/camera_info"] == Stream(endpoints.CAMERA_DEPTH_INFO.at(camera="head"), 15.0)
    assert not streams["tactile/left_thumb"].required
    twin = expected_streams(robot, None, without=["tactile/", "camera/left"])
    assert all(one.required for one in twin)
    names = {one.endpoint.name for one in twin}
    assert "camera/right_wrist/color/camera_info" in names
    assert not any(name.startswith(("tactile/", "camera/left")) for name in names)


def test_the_table_for_people_and_for_programs():
    made = [Row("a", Status.GREEN, "1", "1", "unasked"), Row("bb", Status.RED, "22", "2", "do this")]
    text = preflight.to_text("g1", made, colour=False)
    assert text.splitlines() == [
        "[  OK  ] a   1   1",
        "[ STOP ] bb  22  2",
        "         do this",
        "g1: NOT ready (1 green, 1 red)",
    ]
    assert "\33[41" in preflight.to_text("g1", made, colour=True)
    read = json.loads(preflight.to_json("g1", made))
    assert read["passed"] is False
    assert read["rows"][1] == {"name": "bb", "status": "red", "found": "22", "expected": "2", "advice": "do this"}


def test_the_kernel_tells_of_its_clock():
    told = host_clock()
    assert told is None or (told[1] >= 0.0 and isinstance(told[0], bool))


class Cell(Node):
    """A robot with joints, an IMU and a limiter that stops when it is told to."""

    def __init__(self, context: rclpy.Context, robot: Robot) -> None:
        super().__init__("cell", namespace="g1_07", context=context)
        self.pressed: list[str] = []
        self._safety, self._robot = SafetyStatus.HOLD, robot
        self._out = {
            end.name: ros.publisher(self, end)
            for end in (endpoints.JOINT_STATES, IMU.endpoint, endpoints.ROBOT_STATUS, endpoints.SAFETY_STATUS)
        }
        ros.publisher(self, endpoints.JOINT_COMMANDS)
        self._diagnostics = ros.publisher(self, endpoints.DIAGNOSTICS)
        ros.publisher(self, endpoints.ROBOT_DESCRIPTION).publish(String(data=robot.urdf))
        for end, state in ((endpoints.SAFETY_STOP, SafetyStatus.E_STOP), (endpoints.SAFETY_RESET, SafetyStatus.HOLD)):
            ros.service(self, end, lambda _, answer, name=end.name, state=state: self._press(name, state, answer))
        self.create_timer(0.01, self._publish)

    def _press(self, name: str, state: int, answer: Any) -> Any:
        self.pressed.append(name)
        self._safety = state
        return answer

    def _publish(self) -> None:
        for name, end in self._out.items():
            message = end.msg_type()
            message.header.stamp = self.get_clock().now().to_msg()
            if name == "joint_states":
                message.name = list(self._robot.joints)
            if name == "safety/status":
                message.state = self._safety
            end.publish(message)
        told = [("/g1_07/driver: status", b"\0"), ("/other/lidar: status", b"\2")]
        status = [DiagnosticStatus(name=name, level=level, message="as ever") for name, level in told]
        self._diagnostics.publish(DiagnosticArray(status=status))


def test_the_node_looks_presses_and_ends(robot, ros_domain, tmp_path):
    rclpy.init(domain_id=ros_domain)
    cell = Cell(rclpy.get_default_context(), robot)
    options = SimpleNamespace(robot_name="g1_07", sensors="", without=["camera/", "lidar/"], wait=30.0, seconds=0.5)
    node = PreflightNode(robot, SimpleNamespace(**vars(options), press=True, out=str(tmp_path / "not" / "there")))
    executor = SingleThreadedExecutor()
    for one in (cell, node):
        executor.add_node(one)
    spin_until(executor, lambda: not rclpy.ok())
    found = {row.name: row for row in node.table}
    assert cell.pressed == ["safety/stop", "safety/reset"]
    assert found["stop button"].status is Status.GREEN
    assert found["joint_commands"].status is Status.GREEN
    assert found["joints"].found == "31 of 31 commanded joints are measured"
    assert found["imu/data"].status is Status.RED  # 100 Hz in place of 200
    assert found["URDF that runs"].status is Status.GREEN
    assert found["diagnostics"].found == "all 1 well"  # another robot's LiDAR is not ours
    assert found["limiter"].found == "HOLD"


def spin_until(executor: SingleThreadedExecutor, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < end, "the node does not end"
        executor.spin_once(timeout_sec=0.1)
