# SPDX-License-Identifier: Apache-2.0
"""Operator frames to joint targets: joint_targets/teleop and teleop/status."""

from __future__ import annotations

import dataclasses
import gc
import math
import time
import typing

from rclpy.node import Node
from sensor_msgs.msg import JointState

import humanoid_description
from humanoid_core import convert, endpoints, ros
from humanoid_core.errors import HumanoidError
from humanoid_interfaces.msg import BodyError, OperatorFrame, StageTrace, TeleopStatus
from humanoid_teleop import operator_messages, retargeting
from humanoid_teleop.pacing import Pacer
from humanoid_teleop.person.calibration import OperatorCalibration
from humanoid_teleop.quality import reasons
from humanoid_teleop.retargeting import Retargeter
from humanoid_teleop.settings import Settings

SOURCE = "teleop"
STATES = {
    retargeting.WAITING: TeleopStatus.WAITING,
    retargeting.CALIBRATING: TeleopStatus.CALIBRATING,
    retargeting.READY: TeleopStatus.READY,
    retargeting.ENGAGED: TeleopStatus.ENGAGED,
    retargeting.HOLDING: TeleopStatus.HOLDING,
}
MESSAGES = {
    retargeting.WAITING: "waiting for the operator's frames and the robot's joint states",
    retargeting.CALIBRATING: "measuring the person: stand upright and look ahead",
    retargeting.READY: "hold the dead-man to engage",
    retargeting.ENGAGED: "following",
    retargeting.HOLDING: "tracking lost: let go of the dead-man and hold it again",
}
HELD_BEFORE = "the dead-man was held before the robot was ready: let go of it and hold it again"


class RetargetingNode(Node):
    """Steps on each operator frame, and on a timer where frames come slower than `rate`."""

    def __init__(self) -> None:
        super().__init__("retargeting")
        # Parameters
        robot_config = ros.required(self, "robot_config", "Robot configuration, a file of config/robots", kind=str)
        urdf = ros.optional(self, "urdf", "", "URDF or xacro in place of the robot's own")
        rate = ros.required(self, "rate", "Targets per second at least [Hz]", 1.0, 1000.0, kind=float)
        trace = ros.required(self, "trace", "Publish when each frame passed", kind=bool)
        kinds = typing.get_type_hints(Settings)
        values = {
            field.name: ros.required(self, field.name, **field.metadata, kind=kinds[field.name])
            for field in dataclasses.fields(Settings)
        }
        # State
        robot = humanoid_description.load(robot_config, urdf)
        settings = Settings(**values)
        retargeting.warm_up(robot, settings)
        self._robot, self._settings, self._rate = robot, settings, rate
        self._begin(None)
        self._time_back = ros.on_time_back(self, lambda: self._begin(self._retargeter.calibration))
        self._solve_time = 0.0
        body = self._retargeter.body
        self._arm_joints = {
            side: [body.joints[index] for index in (*body.waist, *arm.joints)] for side, arm in body.arms.items()
        }
        self._measured: dict[str, float] | None = None
        # Outputs before inputs
        self._targets = ros.publisher(self, endpoints.JOINT_TARGETS.at(source=SOURCE))
        self._status = ros.publisher(self, endpoints.TELEOP_STATUS)
        self._traces = ros.publisher(self, endpoints.TRACE) if trace else None
        self._diagnostics = ros.Diagnostics(self, robot.config.name)
        ros.subscribe(self, endpoints.JOINT_STATES, self._on_joint_states, depth=1, reliable=False)
        ros.subscribe(self, endpoints.OPERATOR_FRAME, self._on_frame, depth=1)
        self.create_timer(1.0 / rate, self._on_timer)
        self.create_timer(0.1, self._on_status_timer)
        # What is alive now stays: the collector need not look at it again in the middle of a movement.
        gc.collect()
        gc.freeze()

    def _begin(self, calibration: OperatorCalibration | None) -> None:
        """Know nothing but the person, as at the start."""
        self._retargeter = Retargeter(self._robot, self._settings, calibration)
        self._pacer = Pacer(round(1e9 / self._rate))
        self._frame_stamp: int | None = None  # of the newest frame, its own [ns]
        self._frame_arrival = 0  # the same, when it came, ROS time [ns]
        self._guarded = 0  # steps, at the last status

    def _on_joint_states(self, message: JointState) -> None:
        self._measured = dict(zip(message.name, message.position))
        retargeter = self._retargeter
        if (retargeter.state == retargeting.WAITING and not retargeter.started) or retargeter.strayed(self._measured):
            self._start(self._measured)

    def _start(self, measured: dict[str, float]) -> None:
        try:
            self._retargeter.start(measured)
        except HumanoidError as reason:
            self.get_logger().error(f"cannot start: {reason}", throttle_duration_sec=1.0)

    def _on_frame(self, message: OperatorFrame) -> None:
        received, now = time.time_ns(), self.get_clock().now().nanoseconds
        if not now:  # simulated time has not begun here: how old the frame is cannot be told
            return
        frame = operator_messages.from_message(message)
        try:
            self._retargeter.update(frame)
        except HumanoidError as reason:
            self.get_logger().error(f"frame {frame.sequence} refused: {reason}", throttle_duration_sec=1.0)
            return
        self._frame_stamp, self._frame_arrival = frame.stamp, now
        if self._pacer.frame(frame.stamp) and self._retargeter.started:
            self._step(frame.stamp)
        if self._traces is not None:
            trace = StageTrace(
                stage="retargeting", source_stamp=message.header.stamp, received=convert.to_stamp(received)
            )
            trace.header.stamp = convert.to_stamp(time.time_ns())
            self._traces.publish(trace)

    def _on_timer(self) -> None:
        """Fill in between frames, at the pace of their stamps."""
        if not self._retargeter.started:
            return
        now = self.get_clock().now().nanoseconds
        stamp = now if self._frame_stamp is None else self._frame_stamp + now - self._frame_arrival
        if self._pacer.due(stamp):
            self._step(stamp)

    def _step(self, stamp: int) -> None:
        begin = time.perf_counter()
        targets = self._retargeter.tick(stamp)
        self._solve_time = time.perf_counter() - begin
        self._targets.publish(
            convert.joint_state(convert.to_stamp(stamp), targets.joints, targets.position, targets.velocity)
        )

    def _on_status_timer(self) -> None:
        retargeter, now = self._retargeter, self.get_clock().now().nanoseconds
        state, counts, errors = retargeter.state, retargeter.counts, retargeter.errors
        guarded, self._guarded = counts.guarded_steps > self._guarded, counts.guarded_steps
        said = HELD_BEFORE if state == retargeting.READY and retargeter.must_release else MESSAGES[state]
        why = reasons(errors, retargeter.at_limit, retargeter.fast, retargeter.closest, guarded, self._arm_joints)
        distance, link_a, link_b = retargeter.closest
        message = TeleopStatus(
            state=STATES[state],
            message=f"{said}{'. ' if why else ''}{why}",
            source=retargeter.source,
            scale=retargeter.scale,
            errors=[
                *(
                    BodyError(name=f"{side}_wrist", position=e.position, orientation=e.rotation)
                    for side, e in errors.items()
                ),
                *(
                    BodyError(name=f"{finger}_tip", position=error, orientation=math.nan)
                    for finger, error in retargeter.fingertip_errors.items()
                ),
            ],
            joints_at_limit=retargeter.at_limit,
            closest_distance=distance,
            closest_link_a=link_a,
            closest_link_b=link_b,
            frame_age=math.nan if self._frame_stamp is None else (now - self._frame_stamp) * 1e-9,
            solve_time=self._solve_time,
            frames=counts.frames,
            frames_lost=counts.lost,
            frames_rejected=counts.rejected,
        )
        message.header.stamp = convert.to_stamp(now)
        self._status.publish(message)
        level = ros.Diagnostics.WARN if state == retargeting.HOLDING else ros.Diagnostics.OK
        self._diagnostics.update(level, said, **dataclasses.asdict(counts), solve_time=f"{self._solve_time:.6f}")


def main() -> None:
    ros.run(RetargetingNode)
