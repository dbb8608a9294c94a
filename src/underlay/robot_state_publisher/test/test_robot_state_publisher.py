# SPDX-License-Identifier: Apache-2.0
"""Transforms across each kind of joint, throttle and topics of the node."""

import os

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot_state_publisher.kinematics import Kinematics
from robot_state_publisher.robot_state_publisher_node import RobotStatePublisherNode
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

LIMIT = '<limit lower="-3" upper="3" effort="1" velocity="1"/>'
URDF = f"""
<robot name="test">
  <link name="base"/><link name="a"/><link name="b"/><link name="c"/><link name="tool"/><link name="box"/>
  <joint name="lift" type="prismatic"><parent link="base"/><child link="a"/>
    <origin xyz="0.1 -0.2 0.3" rpy="0 0 1.5707963267948966"/><axis xyz="2 0 0"/>{LIMIT}</joint>
  <joint name="turn" type="revolute"><parent link="a"/><child link="b"/>
    <origin xyz="1 2 3" rpy="0 0 0.5"/><axis xyz="0 0 1"/>{LIMIT}</joint>
  <joint name="follow" type="continuous"><parent link="b"/><child link="c"/><axis xyz="0 0 1"/>
    <mimic joint="turn" multiplier="-2" offset="0.5"/></joint>
  <joint name="flange" type="fixed"><parent link="c"/><child link="tool"/><origin xyz="0 0 0.5"/></joint>
  <joint name="loose" type="floating"><parent link="base"/><child link="box"/></joint>
</robot>"""


def test_links_stand_where_the_joints_put_them() -> None:
    kinematics = Kinematics(URDF)
    moved = kinematics.moving({"lift": 0.5, "turn": 0.2, "unknown": 9.0})
    assert {link.name: link.parent for link, _ in moved} == {"a": "base", "b": "a", "c": "b"}
    found = {link.name: pose for link, pose in moved}
    assert found["a"][:3] == pytest.approx([0.1, 0.3, 0.3])  # along the unit axis, in the turned frame
    assert found["b"][:3] == pytest.approx([1, 2, 3])
    assert found["b"][3:] == pytest.approx([0, 0, np.sin(0.7 / 2), np.cos(0.7 / 2)])
    assert found["c"][3:] == pytest.approx([0, 0, np.sin(0.1 / 2), np.cos(0.1 / 2)])  # 0.5 - 2 * 0.2
    ((_, led),) = kinematics.moving({"follow": 3.0})  # a follower's own position comes first
    assert led[3:] == pytest.approx([0, 0, np.sin(1.5), np.cos(1.5)])


@pytest.mark.parametrize("urdf", ["<robot", "<robot/>", URDF.replace('child link="a"', 'child link="nowhere"')])
def test_a_broken_description_is_refused(urdf: str) -> None:
    with pytest.raises(ValueError, match="does not contain a valid URDF model"):
        Kinematics(urdf)


class _Bench:
    """The node and a listener in one process; `turn` runs the executor until something is true."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        self.context.init(domain_id=int(os.environ["ROS_DOMAIN_ID"]))
        parameters = [Parameter("robot_description", value=URDF)]
        self.node = RobotStatePublisherNode(context=self.context, parameter_overrides=parameters)
        self.ear = rclpy.create_node("ear", context=self.context)
        self.moving: list[TransformStamped] = []
        self.fixed: list[TransformStamped] = []
        self.descriptions: list[String] = []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.ear.create_subscription(TFMessage, "/tf", lambda message: self.moving.extend(message.transforms), 100)
        self.ear.create_subscription(
            TFMessage, "/tf_static", lambda message: self.fixed.extend(message.transforms), latched
        )
        self.ear.create_subscription(String, "robot_description", self.descriptions.append, latched)
        self.mouth = self.ear.create_publisher(JointState, "joint_states", 100)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.ear)
        self.turn(lambda: self.mouth.get_subscription_count() and self.fixed and self.descriptions)

    def say(self, joint: str, position: float, ns: int) -> None:
        message = JointState(name=[joint], position=[position])
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(ns, 1_000_000_000)
        self.node._on_joint_states(message)

    def turn(self, done) -> None:
        for _ in range(500):
            if done():
                return
            self.executor.spin_once(timeout_sec=0.02)
        pytest.fail("nothing came within 10 s")

    def stamps(self, child: str) -> list[int]:
        stamps = [one.header.stamp for one in self.moving if one.child_frame_id == child]
        return [stamp.sec * 1_000_000_000 + stamp.nanosec for stamp in stamps]


@pytest.fixture
def bench():
    made = _Bench()
    yield made
    made.executor.shutdown()
    made.ear.destroy_node()
    made.node.destroy_node()
    made.context.try_shutdown()


def test_topics_and_throttle(bench: _Bench) -> None:
    assert bench.descriptions[0].data == URDF
    (flange,) = bench.fixed
    assert (flange.header.frame_id, flange.child_frame_id, flange.transform.translation.z) == ("c", "tool", 0.5)
    start = bench.node.get_clock().now().nanoseconds - 1_000_000_000
    for step in range(20):  # 12 ms apart: every fifth is due at 20 Hz
        bench.say("turn", 0.1, start + step * 12_000_000)
    bench.mouth.publish(JointState())  # nothing in it: nothing to be done
    bench.say("lift", 0.2, start)  # joints published apart are throttled apart
    bench.turn(lambda: bench.stamps("a"))
    assert np.diff(bench.stamps("b")).tolist() == [60_000_000] * 3
    assert bench.stamps("c") == bench.stamps("b")
    (refused,) = bench.node.set_parameters([Parameter("robot_description", value=URDF)])
    assert not refused.successful


def test_all_is_published_anew_when_time_jumps_back(bench: _Bench) -> None:
    start = bench.node.get_clock().now().nanoseconds
    bench.say("turn", 0.1, start)
    bench.node._last_callback = start + 3_600_000_000_000  # the clock was an hour ahead
    bench.say("turn", 0.1, start + 1)
    bench.say("turn", 0.1, start + 2)
    bench.turn(lambda: len(bench.stamps("b")) == 2)
    assert bench.stamps("b") == [start, start + 1]
