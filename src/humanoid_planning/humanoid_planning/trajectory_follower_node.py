# SPDX-License-Identifier: Apache-2.0
"""FollowJointTrajectory in front of the limiter: a trajectory in, joint_targets/planning out under a grant."""

from __future__ import annotations

import math
from typing import Any

from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.task import Future
from sensor_msgs.msg import JointState

import humanoid_description
from humanoid_core import convert, endpoints, ros
from humanoid_interfaces.msg import CommandStatus, SafetyStatus
from humanoid_interfaces.srv import SelectSource
from humanoid_planning.errors import PlanningRefused
from humanoid_planning.follower import End, Follower, FollowerSettings, Seen, Tick
from humanoid_planning.messages import tolerances_of, trajectory_of
from humanoid_planning.moveit_config import ACTION, CONTROLLER, planned_joints

_TICK = 0.02  # [s] between two looks
_SPARE = 2.0  # [s] a grant is longer than the motion, its start and its end

_CODES = {
    End.SUCCEEDED: FollowJointTrajectory.Result.SUCCESSFUL,
    End.CANCELLED: FollowJointTrajectory.Result.SUCCESSFUL,
    End.OFF_PATH: FollowJointTrajectory.Result.PATH_TOLERANCE_VIOLATED,
    End.OFF_GOAL: FollowJointTrajectory.Result.GOAL_TOLERANCE_VIOLATED,
}


class TrajectoryFollowerNode(Node):
    """One trajectory at a time, the newest; stop and the person end it."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("trajectory_follower", **arguments)
        # Parameters
        robot = humanoid_description.load(ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str))
        self._settings = FollowerSettings(
            ros.required(self, "period", "Between targets [s]", 0.002, 0.1, kind=float),
            ros.required(self, "lead", "Targets are sent so long ahead [s]", 0.0, 0.5, kind=float),
            ros.required(self, "start_tolerance", "From the first point [rad]", 0.0, kind=float),
            ros.required(self, "path_tolerance", "From the path [rad]", 0.0, kind=float),
            ros.required(self, "goal_tolerance", "From the goal [rad]", 0.0, kind=float),
            ros.required(self, "goal_time", "To arrive after the end [s]", 0.0, kind=float),
            ros.required(self, "patience", "Wait for the arbiter [s]", 0.0, kind=float),
        )
        # State
        self._joints = planned_joints(robot)
        self._newest: bytes | None = None
        self._source, self._following = "", False
        self._follower: Follower | None = None  # at work
        self._handle: Any = None  # of its goal
        self._done: Future | None = None
        # Outputs before inputs
        self._targets = ros.publisher(self, endpoints.JOINT_TARGETS.at(source=CONTROLLER))
        self._select = ros.client(self, endpoints.COMMAND_SELECT)
        ros.subscribe(self, endpoints.JOINT_STATES, self._on_joint_states, depth=1, raw=True)
        ros.subscribe(self, endpoints.COMMAND_STATUS, self._on_command)
        ros.subscribe(self, endpoints.SAFETY_STATUS, self._on_safety)
        self._server = ActionServer(
            self,
            FollowJointTrajectory,
            f"{CONTROLLER}/{ACTION}",
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self.create_timer(_TICK, self._on_timer, clock=ros.steady_clock())

    # --- inputs ---

    def _on_joint_states(self, message: bytes) -> None:
        self._newest = message

    def _on_command(self, message: CommandStatus) -> None:
        self._source = message.active

    def _on_safety(self, message: SafetyStatus) -> None:
        self._following = message.state == SafetyStatus.ACTIVE

    def _seen(self) -> Seen:
        measured: dict[str, float] = {}
        if self._newest is not None:
            state = deserialize_message(self._newest, JointState)
            measured = dict(zip(state.name, state.position))
        cancelled = self._handle is not None and self._handle.is_cancel_requested
        now = self.get_clock().now().nanoseconds
        return Seen(now, measured, self._source, self._following, cancelled)

    # --- a goal ---

    def _on_goal(self, goal: FollowJointTrajectory.Goal) -> GoalResponse:
        """What makes no sense is rejected, and what is at work goes on."""
        try:
            self._follower_of(goal)
        except PlanningRefused as reason:
            self.get_logger().warning(f"rejected: {reason}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _follower_of(self, goal: FollowJointTrajectory.Goal) -> Follower:
        stamp = goal.trajectory.header.stamp
        tolerances, unknown = tolerances_of(goal, self._joints)
        if unknown:
            self.get_logger().warning(
                f"tolerances of {', '.join(unknown)}, which is not moved here: the usual ones hold"
            )
        return Follower(
            self._joints,
            CONTROLLER,
            trajectory_of(goal.trajectory),
            self._settings,
            self._seen(),
            tolerances,
            stamp.sec * 10**9 + stamp.nanosec,
        )

    async def _execute(self, handle: Any) -> FollowJointTrajectory.Result:
        sent = self._follower.sent_ns if self._follower is not None else 0
        if self._done is not None and not self._done.done():
            self._done.set_result(Tick(end=End.REPLACED, words="Current goal cancelled due to new incoming action."))
        self._handle, self._follower, self._done = handle, None, Future()
        done = self._done
        try:
            follower = self._follower_of(handle.request)
            follower.go_on_after(sent)
            await self._grant(follower.longest(self.get_clock().now().nanoseconds) + _SPARE)
            if not done.done():
                self._follower = follower
            tick: Tick = await done
            if tick.end is not End.REPLACED:
                await self._ask(0.0)
        except PlanningRefused as reason:
            tick = Tick(end=End.LATE_START, words=str(reason))
        if self._handle is handle:
            self._handle = self._follower = self._done = None
        assert tick.end is not None
        {End.SUCCEEDED: handle.succeed, End.CANCELLED: handle.canceled}.get(tick.end, handle.abort)()
        if tick.words:
            self.get_logger().warning(f"{tick.end.value}: {tick.words}")
        code = _CODES.get(tick.end, FollowJointTrajectory.Result.INVALID_GOAL)
        return FollowJointTrajectory.Result(error_code=code, error_string=tick.words)

    async def _grant(self, seconds: float) -> None:
        """Ask the arbiter to let this source through.

        Raises:
            PlanningRefused: it will not.
        """
        if not self._select.service_is_ready():
            raise PlanningRefused("no service command/select: is the limiter there?")
        answer = await self._ask(seconds)
        if not answer.success:
            raise PlanningRefused(answer.message)

    async def _ask(self, seconds: float) -> Any:
        return await self._select.call_async(SelectSource.Request(source=CONTROLLER, grant=math.ceil(seconds) * 1.0))

    def _on_timer(self) -> None:
        if self._follower is None or self._done is None or self._done.done():
            return
        tick = self._follower.tick(self._seen())
        for stamp, position in tick.targets:
            self._targets.publish(convert.joint_state(convert.to_stamp(stamp), self._joints, position))
        if tick.desired is not None and tick.actual is not None:
            feedback = FollowJointTrajectory.Feedback(joint_names=self._joints)
            feedback.header.stamp = self.get_clock().now().to_msg()
            feedback.desired.positions, feedback.actual.positions = tick.desired.tolist(), tick.actual.tolist()
            feedback.error.positions = (tick.desired - tick.actual).tolist()
            self._handle.publish_feedback(feedback)
        if tick.end is not None:
            self._done.set_result(tick)


def main() -> None:
    """Run the node."""
    ros.run(TrajectoryFollowerNode)
