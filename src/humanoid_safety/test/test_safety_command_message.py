# SPDX-License-Identifier: Apache-2.0
"""What is written by hand is what ROS reads."""

import numpy as np
from rclpy.serialization import deserialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import JointState

from humanoid_core import convert
from humanoid_safety.command_message import CommandSerializer
from humanoid_safety.gate import Command

STRICT, TYPE = get_typestore(Stores.ROS2_JAZZY), "sensor_msgs/msg/JointState"


def test_bytes_are_those_of_the_message():
    rng, serializer = np.random.default_rng(0), CommandSerializer()
    for names in (
        ["a"],
        ["elbow", "left_shoulder_pitch_joint"],
        [f"joint_{i}" * (i % 3 + 1) for i in range(31)],
        ["b"],
    ):
        for _ in range(3):
            n, stamp = len(names), int(rng.integers(0, 2 * 10**18))
            command = Command(stamp, names, rng.normal(size=n), rng.normal(size=n), "teleop", ())
            data = serializer.serialize(command)
            expected = convert.joint_state(convert.to_stamp(stamp), names, command.position, command.velocity)
            assert deserialize_message(data, JointState) == expected
            # Strict readers want the message to end where it ends: with the number of efforts.
            assert data.endswith(command.velocity.tobytes() + bytes(4))
            assert bytes(STRICT.serialize_cdr(STRICT.deserialize_cdr(data, TYPE), TYPE)[-8 * n :]) == data[-8 * n :]
