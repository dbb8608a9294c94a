# SPDX-License-Identifier: Apache-2.0
"""Planned motions: actions plan_and_move, go_home and reset_scene_pose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from moveit.planning import MoveItPy
from moveit_msgs.msg import MoveItErrorCodes
from nav_msgs.msg import Odometry
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.task import Future

import humanoid_description
from humanoid_core import endpoints, ros
from humanoid_core.errors import HumanoidError
from humanoid_interfaces.action import GoHome, PlanAndMove, ResetScenePose
from humanoid_interfaces.msg import SceneEvent, SceneObjects
from humanoid_interfaces.srv import ResetScene
from humanoid_planning import moveit_config
from humanoid_planning.planner import Goal, MotionPlanner, Planned
from humanoid_planning.scene import matrix

_LOOK = 0.05  # [s] between two looks at what the working thread has done
_HOME = "home"


class PlanningNode(Node):
    """One motion at a time, planned and awaited in a thread of its own; the node goes on listening."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__("planning", **arguments)
        # Parameters
        self._robot = humanoid_description.load(
            ros.required(self, "robot_config", "Robot configuration (YAML)", kind=str),
            ros.optional(self, "urdf", "", "URDF or xacro in place of the configuration's"),
        )
        folder = moveit_config.folder_of(self._robot.config.name)
        self._group = ros.required(self, "home_group", "Group that go_home moves", kind=str)
        parameters = moveit_config.read(folder, self._robot)
        parameters["use_sim_time"] = self.get_parameter("use_sim_time").value
        self._planning_time = ros.required(self, "planning_time", "Longest time for a plan [s]", 0.05, 60.0, kind=float)
        parameters["plan_request_params"]["planning_time"] = self._planning_time
        # State
        self._moveit = MoveItPy("moveit", self.get_namespace(), config_dict=parameters)
        self._planner = MotionPlanner(self._moveit, self._robot)
        self._objects: bytes | None = None
        self._odometry: bytes | None = None
        self._busy: Any = None  # handle of the goal at work
        self._finished: list[tuple[Future, Any]] = []
        self._stopping = False
        self._worker: threading.Thread | None = None
        # Inputs
        self._reset = ros.client(self, endpoints.SCENE_RESET)
        ros.subscribe(self, endpoints.SCENE_OBJECTS, self._on_objects, depth=1, raw=True)
        ros.subscribe(self, endpoints.SCENE_EVENTS, self._on_event)
        ros.subscribe(self, endpoints.ODOMETRY, self._on_odometry, depth=1, raw=True)
        self._servers = [
            ActionServer(
                self,
                kind,
                name,
                execute,
                goal_callback=lambda _: GoalResponse.REJECT if self._busy else GoalResponse.ACCEPT,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
            )
            for kind, name, execute in (
                (PlanAndMove, "plan_and_move", self._plan_and_move),
                (GoHome, "go_home", self._go_home),
                (ResetScenePose, "reset_scene_pose", self._reset_scene_pose),
            )
        ]
        self.create_timer(_LOOK, self._on_timer, clock=ros.steady_clock())

    def _on_objects(self, message: bytes) -> None:
        self._objects = message

    def _on_event(self, event: SceneEvent) -> None:
        self._planner.heard(event)

    def _on_odometry(self, message: bytes) -> None:
        self._odometry = message

    # --- actions ---

    async def _plan_and_move(self, handle: Any) -> PlanAndMove.Result:
        asked = handle.request
        goal = Goal(
            asked.group,
            asked.pose,
            dict(zip(asked.joint_names, asked.joint_positions)),
            asked.hand_link,
            asked.hand_pose,
            asked.velocity_scaling,
        )
        return await self._carry_out(handle, PlanAndMove, goal, asked.plan_only)

    async def _go_home(self, handle: Any) -> GoHome.Result:
        goal = Goal(self._group, _HOME, velocity_scaling=handle.request.velocity_scaling)
        return await self._carry_out(handle, GoHome, goal, handle.request.plan_only)

    async def _reset_scene_pose(self, handle: Any) -> ResetScenePose.Result:
        asked = handle.request

        async def rearrange() -> tuple[bool, str]:
            if not self._reset.service_is_ready():
                return True, "no scene/reset here: arrange the scene by hand"
            answer = await self._reset.call_async(ResetScene.Request(scene=asked.scene, seed=asked.seed))
            return answer.success, answer.message

        return await self._carry_out(handle, ResetScenePose, Goal(self._group, _HOME), False, rearrange)

    async def _carry_out(
        self, handle: Any, kind: Any, goal: Goal, plan_only: bool, then: Callable[[], Any] | None = None
    ) -> Any:
        self._busy, self._stopping = handle, False
        try:
            handle.publish_feedback(kind.Feedback(state="planning"))
            planned = await self._elsewhere(lambda: self._look_and_plan(goal))
            code, words = planned.code, planned.words
            if planned.trajectory is not None and not plan_only and not handle.is_cancel_requested:
                handle.publish_feedback(kind.Feedback(state="moving"))
                code, words = await self._elsewhere(lambda: self._planner.execute(planned.trajectory))
            if code == MoveItErrorCodes.SUCCESS and then is not None:
                handle.publish_feedback(kind.Feedback(state="setting up", progress=1.0))
                good, words = await then()
                code = code if good else MoveItErrorCodes.FAILURE
        except HumanoidError as reason:
            planned, code, words = Planned(0, "", 0.0), MoveItErrorCodes.FAILURE, str(reason)
        finally:
            self._busy = None
        success = code == MoveItErrorCodes.SUCCESS and not handle.is_cancel_requested
        (handle.succeed if success else handle.canceled if handle.is_cancel_requested else handle.abort)()
        self.get_logger().info(
            f"{goal.pose or goal.link or 'joints'}: {'done' if success else 'failed'}, planned in "
            f"{planned.planning_time:.3f} s, {planned.duration:.2f} s long, {planned.clearance:.3f} m clear {words}"
        )
        return kind.Result(
            success=success,
            error_code=int(code),
            message=words,
            planning_time=planned.planning_time,
            duration=planned.duration,
            clearance=planned.clearance,
        )

    def _look_and_plan(self, goal: Goal) -> Planned:
        if self._objects is not None:
            scene_from_base = np.eye(4)
            scene_from_base[2, 3] = self._robot.config.base_height
            if self._odometry is not None:
                scene_from_base = matrix(deserialize_message(self._odometry, Odometry).pose.pose)
            self._planner.see(deserialize_message(self._objects, SceneObjects), np.linalg.inv(scene_from_base))
        return self._planner.plan(goal)

    # --- the working thread ---

    def _elsewhere(self, work: Callable[[], Any]) -> Future:
        """Do something that takes time in a thread; the future is completed by this node's own timer."""
        future = Future()

        def run() -> None:
            try:
                self._finished.append((future, work()))
            except HumanoidError as reason:
                self._finished.append((future, reason))

        self._worker = threading.Thread(target=run, daemon=True)
        self._worker.start()
        return future

    def destroy_node(self) -> None:
        """A plan and MoveIt's own node are waited for: no thread inside a library may outlive the interpreter."""
        self._planner.stop()
        if self._worker is not None:
            self._worker.join(2.0 * self._planning_time)
        self._moveit.shutdown()
        super().destroy_node()

    def _on_timer(self) -> None:
        if self._busy is not None and self._busy.is_cancel_requested and not self._stopping:
            self._stopping = True
            self._planner.stop()
        while self._finished:
            future, answer = self._finished.pop(0)
            if isinstance(answer, HumanoidError):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def main() -> None:
    """Run the node."""
    ros.run(PlanningNode)
