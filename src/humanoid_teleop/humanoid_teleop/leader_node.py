# SPDX-License-Identifier: Apache-2.0
"""Operator device: a leader arm or exoskeleton, joint to joint: joint_targets/teleop and operator/frame."""

from __future__ import annotations

import os
from pathlib import Path

from rclpy.node import Node
from sensor_msgs.msg import JointState, Joy
from std_srvs.srv import Trigger

import humanoid_description
from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import MessageError
from humanoid_teleop import operator_messages
from humanoid_teleop.devices.leader import Leader, load_leader, load_offsets, save_offsets
from humanoid_teleop.operator import SIDES, OperatorFrame

SOURCE = "leader"


class LeaderNode(Node):
    """Follows the leader while the pedal is held, or from operator/start to operator/stop."""

    def __init__(self) -> None:
        super().__init__("leader")
        # Parameters
        robot_config = ros.required(self, "robot_config", "Robot configuration file", kind=str)
        urdf = ros.optional(self, "urdf", "", "URDF in place of the robot's own")
        mapping = ros.required(self, "mapping", "Which joint follows which: a file", kind=str)
        calibration = ros.required(self, "calibration", "File of the offsets; empty: leader.yaml in ROS_HOME", kind=str)
        self._tolerance = ros.required(
            self, "join_tolerance", "Engages only where leader and robot are this near [rad]", 0.0, 7.0, kind=float
        )
        # State
        robot = humanoid_description.load(robot_config, urdf)
        home = Path(os.environ.get("ROS_HOME", Path.home() / ".ros"))
        self._file = Path(calibration) if calibration else home / "leader.yaml"
        self._leader = Leader(load_leader(mapping, robot), robot, load_offsets(self._file))
        self._started = self._pedal = self._joined = False
        self._readings: dict[str, float] = {}
        self._robot: dict[str, float] = {}
        self._sequence = 0
        # Outputs before inputs
        self._targets = ros.publisher(self, endpoints.JOINT_TARGETS.at(source="teleop"))
        self._frames = ros.publisher(self, endpoints.OPERATOR_FRAME)
        self._diagnostics = ros.Diagnostics(self)
        ros.service(self, endpoints.OPERATOR_CALIBRATE, self._on_calibrate)
        ros.service(self, endpoints.OPERATOR_START, self._on_start)
        ros.service(self, endpoints.OPERATOR_STOP, self._on_stop)
        ros.subscribe(self, endpoints.JOINT_STATES, self._on_robot, depth=1)
        ros.subscribe(self, endpoints.OPERATOR_PEDAL, self._on_pedal)
        ros.subscribe(self, endpoints.LEADER_STATES, self._on_leader)

    def _on_robot(self, state: JointState) -> None:
        self._robot = dict(zip(state.name, state.position))

    def _on_pedal(self, joy: Joy) -> None:
        self._pedal = any(joy.buttons)

    def _on_start(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._started = response.success = True
        return response

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._started, response.success = False, True
        return response

    def _on_calibrate(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            save_offsets(self._file, self._leader.calibrate(self._readings))
            response.success, response.message = True, f"held as the robot at home; kept in {self._file}"
        except MessageError as error:
            response.success, response.message = False, str(error)
        self._joined = False
        return response

    def _on_leader(self, state: JointState) -> None:
        self._readings = dict(zip(state.name, state.position))
        if not self._leader.calibrated:
            self._diagnostics.update(ros.Diagnostics.WARN, "not calibrated: hold it as the robot stands at home")
            return
        try:
            targets, grips = self._leader.targets(self._readings), self._leader.grips(self._readings)
        except MessageError as error:
            self._joined = False
            self._diagnostics.update(ros.Diagnostics.ERROR, str(error))
            return
        wanted = self._started or self._pedal
        far = [] if self._joined else self._leader.far_joints(targets.tolist(), self._robot, self._tolerance)
        self._joined = wanted and not far
        frame = OperatorFrame(convert.stamp_ns(state.header.stamp), SOURCE, self._sequence)
        self._sequence = (self._sequence + 1) % 2**32
        for side in SIDES:
            hand = frame.hand(side)
            hand.engaged, hand.grip = self._joined, grips.get(side, float("nan"))
        self._frames.publish(operator_messages.to_message(frame))
        self._targets.publish(convert.joint_state(state.header.stamp, self._leader.names, targets))
        if far:
            message = f"leader and robot differ by more than {self._tolerance} rad: {', '.join(far)}"
            self._diagnostics.update(ros.Diagnostics.WARN, message)
        else:
            self._diagnostics.update(ros.Diagnostics.OK, "followed" if self._joined else "ready")


def main() -> None:
    """Run the node."""
    ros.run(LeaderNode)
