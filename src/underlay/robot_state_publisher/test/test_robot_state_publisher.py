# SPDX-License-Identifier: Apache-2.0
"""Kinematics against pinocchio, wire format against rclpy, throttle and topics of the node."""

import numpy as np
import pinocchio
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from robot_state_publisher.kinematics import DescriptionError, Motion, read_joints
from robot_state_publisher.robot_state_publisher_node import RobotStatePublisherNode
from robot_state_publisher.wire import JointStateLayout, TransformWriter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

DOMAIN = 24
JOINTS = {
    "lift": '<joint name="lift" type="prismatic"><parent link="base"/><child link="a"/>'
    '<origin xyz="0.1 -0.2 0.3" rpy="0.4 0.5 -0.6"/><axis xyz="0 2 1"/><limit effort="1" velocity="1"/></joint>',
    "turn": '<joint name="turn" type="revolute"><parent link="a"/><child link="b"/>'
    '<origin xyz="1 2 3" rpy="-1 0.5 2"/><axis xyz="1 1 0"/>'
    '<limit lower="-3" upper="3" effort="1" velocity="1"/></joint>',
    "follow": '<joint name="follow" type="continuous"><parent link="b"/><child link="c"/><axis xyz="0 0 1"/>'
    '<mimic joint="turn" multiplier="-2" offset="0.5"/></joint>',
    "flange": '<joint name="flange" type="fixed"><parent link="c"/><child link="tool"/><origin xyz="0 0 0.5"/></joint>',
}
LINKS = "".join(f'<link name="{name}"/>' for name in ("base", "a", "b", "c", "tool"))
URDF = f'<robot name="test">{LINKS}{"".join(JOINTS.values())}</robot>'


def _state(names: list[str], positions: list[float], ns: int) -> JointState:
    message = JointState(name=names, position=positions)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(ns, 1_000_000_000)
    return message


def test_motion_agrees_with_pinocchio() -> None:
    moving = [joint for joint in read_joints(URDF) if joint.type != "fixed"]
    q = np.array([0.7, -1.2, 2.9])
    model = pinocchio.buildModelFromXML(URDF)
    data = model.createData()
    pinocchio.forwardKinematics(model, data, np.array([q[0], q[1], np.cos(q[2]), np.sin(q[2])]))
    for joint, pose in zip(moving, Motion(moving)(q)):
        expected = data.liMi[model.getJointId(joint.name)]
        assert np.allclose(pinocchio.XYZQUATToSE3(pose).homogeneous, expected.homogeneous)


@pytest.mark.parametrize("urdf", ["<robot", "<robot/>", URDF.replace('child link="a"', 'child link="nowhere"')])
def test_a_broken_description_is_refused(urdf: str) -> None:
    with pytest.raises(DescriptionError):
        read_joints(urdf)


def test_layout_reads_what_rclpy_wrote() -> None:
    raw = serialize_message(_state(["a", "joint_two", "c"], [1.0, 2.0, 3.0], 5_000_000_007))
    layout = JointStateLayout(raw)
    assert layout.names == ["a", "joint_two", "c"]
    assert layout.stamp(raw) == (5, 7)
    assert layout.positions(raw).tolist() == [1.0, 2.0, 3.0]
    assert layout.matches(serialize_message(_state(["a", "joint_two", "c"], [0.0, 0.0, 0.0], 9)))
    assert not layout.matches(serialize_message(_state(["a", "joint_2", "c"], [0.0, 0.0, 0.0], 9)))
    assert not layout.matches(serialize_message(_state(["a", "joint_two", "c"], [0.0], 9)))


def test_writer_writes_what_rclpy_reads() -> None:
    poses = np.arange(14.0).reshape(2, 7)
    raw = TransformWriter([("world", "a"), ("a", "a_longer_name")]).write(-5, 7, poses)
    message = deserialize_message(raw, TFMessage)
    assert [(one.header.frame_id, one.child_frame_id) for one in message.transforms] == [
        ("world", "a"),
        ("a", "a_longer_name"),
    ]
    assert {(one.header.stamp.sec, one.header.stamp.nanosec) for one in message.transforms} == {(-5, 7)}
    assert message.transforms[1].transform.translation.y == 8.0
    assert message.transforms[1].transform.rotation.w == 13.0
    assert len(serialize_message(message)) == len(raw)  # the bytes that align fields may hold anything


class _Bench:
    """The node and a listener in one process; `turn` runs the executor until something is true."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        self.context.init(domain_id=DOMAIN)
        parameters = [Parameter("robot_description", value=URDF)]
        self.node = RobotStatePublisherNode(context=self.context, parameter_overrides=parameters)
        self.ear = rclpy.create_node("ear", context=self.context)
        self.moving: list[TFMessage] = []
        self.fixed: list[TFMessage] = []
        self.descriptions: list[String] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.ear.create_subscription(TFMessage, "/tf", self.moving.append, 10)
        self.ear.create_subscription(TFMessage, "/tf_static", self.fixed.append, latched)
        self.ear.create_subscription(String, "robot_description", self.descriptions.append, latched)
        self.mouth = self.ear.create_publisher(JointState, "joint_states", 10)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.ear)
        self.turn(lambda: self.mouth.get_subscription_count() and self.fixed and self.descriptions)

    def turn(self, done) -> None:
        for _ in range(500):
            if done():
                return
            self.executor.spin_once(timeout_sec=0.02)
        pytest.fail("nothing came within 10 s")

    def close(self) -> None:
        self.executor.shutdown()
        self.ear.destroy_node()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def bench():
    made = _Bench()
    yield made
    made.close()


def test_topics_and_throttle(bench: _Bench) -> None:
    assert bench.descriptions[0].data == URDF
    (flange,) = bench.fixed[0].transforms
    assert (flange.header.frame_id, flange.child_frame_id, flange.transform.translation.z) == ("c", "tool", 0.5)

    start = bench.node.get_clock().now().nanoseconds - 1_000_000_000
    for step in range(20):  # 12 ms apart: every fifth is due at 20 Hz
        bench.node._on_joint_states(serialize_message(_state(["turn"], [0.1], start + step * 12_000_000)))
    bench.mouth.publish(_state(["lift"], [0.2], start))  # joints published apart are throttled apart
    bench.turn(lambda: bench.moving and bench.moving[-1].transforms[0].child_frame_id == "a")
    by_turn = [one for one in bench.moving if one.transforms[0].child_frame_id == "b"]
    stamps = [one.transforms[0].header.stamp for one in by_turn]
    steps = np.diff([stamp.sec * 1_000_000_000 + stamp.nanosec for stamp in stamps])
    assert steps.tolist() == [60_000_000] * 3
    follow = by_turn[0].transforms[1]
    assert follow.child_frame_id == "c"
    assert follow.transform.rotation.z == pytest.approx(np.sin(0.3 / 2))
    (refused,) = bench.node.set_parameters([Parameter("robot_description", value=URDF)])
    assert not refused.successful
