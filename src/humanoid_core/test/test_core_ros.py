# SPDX-License-Identifier: Apache-2.0
"""The ROS-facing helpers, in one process on a domain of their own."""

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState

from humanoid_core import convert, endpoints, ros
from humanoid_core.endpoints import Endpoint, Qos
from humanoid_core.errors import ConfigError, MessageError

ENDPOINTS = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]


@pytest.fixture(scope="module", autouse=True)
def context(ros_domain):
    rclpy.init()
    yield
    rclpy.try_shutdown()


def node_with(**values):
    return Node("node_of_a_test", parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
def test_every_endpoint_names_a_type_that_exists_and_a_relative_name(endpoint):
    assert ros.message_type(endpoint.type).__name__ == endpoint.type.rsplit("/", 1)[1]
    assert endpoint.name.startswith("/") == (endpoint in (endpoints.CLOCK, endpoints.DIAGNOSTICS))


def test_depth_holds_half_a_second():
    assert endpoints.JOINT_STATES.qos == Qos(depth=250)
    assert endpoints.JOINT_TARGETS.at(source="teleop").name == "joint_targets/teleop"


def test_a_required_parameter_gives_its_value():
    node = node_with(rate=250, names=["a", "b"])
    assert ros.required(node, "rate", "Rate [Hz]", low=1.0, high=1000.0, kind=float) == 250.0
    assert ros.required(node, "names", "Names", kind=list) == ["a", "b"]
    assert ros.optional(node, "speed", 1.0, "Speed factor", low=0.0) == 1.0
    node.destroy_node()


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "found nothing"), ({"rate": 0.0}, "0.0"), ({"rate": "fast"}, "fast"), ({"rate": 5000}, "5000")],
)
def test_a_wrong_parameter_names_node_key_found_expected(given, words):
    node = node_with(**given)
    with pytest.raises(ConfigError, match=words) as caught:
        ros.required(node, "rate", "Rate [Hz]", low=1.0, high=1000.0, kind=float)
    assert caught.value.file == "node_of_a_test"
    assert caught.value.key == "rate"
    node.destroy_node()


def test_an_unknown_parameter_in_the_own_section_is_an_error_and_in_a_wildcard_section_is_not(tmp_path):
    node = node_with()
    ros.optional(node, "rate", 1.0, "Rate [Hz]")
    good = tmp_path / "good.yaml"
    good.write_text(
        "/**: {ros__parameters: {other: !!python/tuple [1]}}\nnode_of_a_test: {ros__parameters: {rate: 2.0}}\n"
    )
    ros.check_parameters(node, ["x", "--ros-args", "--params-file", str(good)])
    bad = tmp_path / "bad.yaml"
    bad.write_text("/**/node_of_a_test: {ros__parameters: {rate: 2.0, limits: {raet: 1}}}\n")
    with pytest.raises(ConfigError, match=r"limits\.raet.*unknown parameter"):
        ros.check_parameters(node, ["x", "--ros-args", "--params-file", str(bad)])
    node.destroy_node()


def test_positions_are_found_by_name():
    message = convert.joint_state(convert.to_stamp(1_500_000_000), ["b", "a"], np.array([2.0, 1.0]))
    assert convert.positions(message, ["a", "b"]).tolist() == [1.0, 2.0]
    assert convert.stamp_ns(message.header.stamp) == 1_500_000_000
    with pytest.raises(MessageError, match="no c"):
        convert.positions(message, ["a", "c"])


@pytest.mark.parametrize(("names", "values"), [(["a", "a"], [1.0, 2.0]), (["a", "b"], [1.0])])
def test_an_ambiguous_joint_state_is_refused(names, values):
    with pytest.raises(MessageError):
        convert.positions(JointState(name=names, position=values), ["a"])


def test_stamps_before_zero_survive():
    assert convert.stamp_ns(convert.to_stamp(-1)) == -1
