# SPDX-License-Identifier: Apache-2.0
"""MoveItPy: plans for groups of joints, the planning scene, and execution by the robot's controllers."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from moveit_msgs.msg import AttachedCollisionObject, CollisionObject, MoveItErrorCodes
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import JointState

from moveit import _planner
from moveit._execution import Controllers
from moveit._poses import matrix, pose
from moveit._timing import Limits
from moveit.core.controller_manager import ExecutionStatus
from moveit.core.planning_interface import MotionPlanResponse
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_model import JointModelGroup, RobotModel
from moveit.core.robot_state import RobotState
from moveit.core.robot_trajectory import RobotTrajectory

_NO_JERK_LIMIT = 1e6  # [rad/s3]


class PlanRequestParameters:
    """How to plan; a namespace of the configuration (config_dict) fills it in.

    Args:
        moveit_py: Its configuration.
        ns: Namespace whose `plan_request_params` are taken.
    """

    def __init__(self, moveit_py: MoveItPy, ns: str) -> None:
        given = (moveit_py._config.get(ns, {}) if ns else moveit_py._config).get("plan_request_params", {})
        self.planner_id: str = given.get("planner_id", "")
        self.planning_pipeline: str = given.get("planning_pipeline", "")
        self.planning_attempts: int = given.get("planning_attempts", 1)
        self.planning_time: float = given.get("planning_time", 1.0)
        self.max_velocity_scaling_factor: float = given.get("max_velocity_scaling_factor", 1.0)
        self.max_acceleration_scaling_factor: float = given.get("max_acceleration_scaling_factor", 1.0)


class PlanningSceneMonitor:
    """Keeps the planning scene: joint_states move the robot in it."""

    def __init__(self, node: Node, scene: PlanningScene, topic: str) -> None:
        self.name = "planning_scene_monitor"
        self._node, self._scene, self._topic = node, scene, topic
        self._lock = threading.RLock()
        self._newest: bytes | None = None
        self._came = threading.Condition()
        self._subscription: Any = None
        self.start_state_monitor()

    def start_state_monitor(self) -> None:
        if self._subscription is None:
            self._subscription = self._node.create_subscription(
                JointState, self._topic, self._on_joint_states, QoSProfile(depth=1), raw=True
            )

    def stop_state_monitor(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _on_joint_states(self, message: bytes) -> None:
        with self._came:
            self._newest = message
            self._came.notify_all()

    def wait_for_current_robot_state(self, time: Time, wait_time: float = 1.0) -> bool:
        """Wait for a state that is not older than `time`, at most so long [s]."""

        def new_enough() -> bool:
            if self._newest is None:
                return False
            stamp = deserialize_message(self._newest, JointState).header.stamp
            return stamp.sec * 10**9 + stamp.nanosec >= time.nanoseconds

        with self._came:
            return self._came.wait_for(new_enough, wait_time)

    def _take_state(self) -> None:
        if self._newest is not None:
            message = deserialize_message(self._newest, JointState)
            self._scene.current_state.joint_positions = dict(zip(message.name, message.position))

    @contextmanager
    def read_only(self) -> Iterator[PlanningScene]:
        with self._lock:
            self._take_state()
            yield self._scene

    @contextmanager
    def read_write(self) -> Iterator[PlanningScene]:
        with self._lock:
            self._take_state()
            yield self._scene

    def process_collision_object(self, collision_object_msg: CollisionObject, color_msg: object = None) -> bool:
        with self._lock:
            return self._scene.apply_collision_object(collision_object_msg, color_msg)

    def process_attached_collision_object(self, attached_collision_object_msg: AttachedCollisionObject) -> bool:
        with self._lock:
            self._take_state()
            return self._scene.process_attached_collision_object(attached_collision_object_msg)


class PlanningComponent:
    """Plans for one group of joints.

    Args:
        joint_model_group_name: The group.
        moveit_py_instance: Model, scene, configuration.
    """

    def __init__(self, joint_model_group_name: str, moveit_py_instance: MoveItPy) -> None:
        self._moveit, self.planning_group_name = moveit_py_instance, joint_model_group_name
        group = moveit_py_instance.get_robot_model().get_joint_model_group(joint_model_group_name)
        if group is None:
            raise RuntimeError(f"Could not find joint model group '{joint_model_group_name}'.")
        self._group: JointModelGroup = group
        self._start: RobotState | None = None
        self._goal: RobotState | tuple[PoseStamped, str] | None = None

    @property
    def named_target_states(self) -> list[str]:
        return [name for group, name in self._group._model._states if group == self.planning_group_name]

    def get_named_target_state_values(self, name: str) -> dict[str, float]:
        return dict(self._group._model._states[self.planning_group_name, name])

    def set_start_state_to_current_state(self) -> None:
        self._start = None

    def set_start_state(self, configuration_name: str | None = None, robot_state: RobotState | None = None) -> bool:
        if (configuration_name is None) == (robot_state is None):
            raise ValueError("Must specify either configuration name or robot state")
        state = copy.copy(self.get_start_state() if robot_state is None else robot_state)
        if configuration_name is not None and not state.set_to_default_values(
            self.planning_group_name, configuration_name
        ):
            return False
        self._start = state
        return True

    def get_start_state(self) -> RobotState:
        if self._start is not None:
            return self._start
        with self._moveit.get_planning_scene_monitor().read_only() as scene:
            return copy.copy(scene.current_state)

    def set_goal_state(
        self,
        configuration_name: str | None = None,
        robot_state: RobotState | None = None,
        pose_stamped_msg: PoseStamped | None = None,
        pose_link: str | None = None,
        motion_plan_constraints: list[Any] | None = None,
    ) -> bool:
        if motion_plan_constraints is not None:
            raise NotImplementedError("moveit.planning: constraints are left out of this stand-in")
        if (pose_stamped_msg is None) != (pose_link is None):
            raise ValueError("Must specify both message and corresponding link")
        if sum(given is not None for given in (configuration_name, robot_state, pose_stamped_msg)) != 1:
            raise ValueError("Must specify exactly one of configuration name, robot state and pose msg")
        if configuration_name is not None:
            if configuration_name not in self.named_target_states:
                return False
            state = copy.copy(self.get_start_state())
            state.set_to_default_values(self.planning_group_name, configuration_name)
            self._goal = state
        elif robot_state is not None:
            self._goal = copy.copy(robot_state)
        else:
            assert pose_stamped_msg is not None
            assert pose_link is not None
            self._goal = (pose_stamped_msg, pose_link)
        return True

    def plan(
        self,
        single_plan_parameters: PlanRequestParameters | None = None,
        planning_scene: PlanningScene | None = None,
    ) -> MotionPlanResponse:
        begin = time.perf_counter()
        parameters = single_plan_parameters or PlanRequestParameters(self._moveit, "")
        start = self.get_start_state()
        with self._moveit.get_planning_scene_monitor().read_only() as scene:
            snapshot = copy.copy(planning_scene or scene)
        pipeline = self._moveit._pipeline(parameters.planning_pipeline)
        settings = pipeline["planner_configs"][
            parameters.planner_id or pipeline[self.planning_group_name]["default_planner_config"]
        ]
        response = MotionPlanResponse(None, 0.0, MoveItErrorCodes(), start, parameters.planner_id)
        result = self._plan(parameters, snapshot, start, pipeline, settings, begin + parameters.planning_time)
        if isinstance(result, int):
            response.error_code.val = result
        else:
            response.trajectory = RobotTrajectory(start.robot_model)
            response.trajectory._set(self.planning_group_name, start, result.times, result.rows)
            response.error_code.val = MoveItErrorCodes.SUCCESS
        response.planning_time = time.perf_counter() - begin
        return response

    def _plan(
        self,
        parameters: PlanRequestParameters,
        scene: PlanningScene,
        start: RobotState,
        pipeline: dict[str, Any],
        settings: dict[str, Any],
        end: float,
    ) -> _planner.Plan | int:
        if self._goal is None:
            return int(MoveItErrorCodes.INVALID_GOAL_CONSTRAINTS)
        bounds = [entry[0] for entry in self._group.active_joint_model_bounds]
        columns = self._group._columns
        collisions = scene._collisions(self.planning_group_name, scene._padding)
        collisions.accept(start._q)
        goal = start._q.copy()
        if isinstance(self._goal, RobotState):
            goal[columns] = self._goal._q[columns]
        else:
            found = self._reach(scene, start, collisions, end)
            if found is None:
                return int(MoveItErrorCodes.NO_IK_SOLUTION)
            goal = found
        scale_v, scale_a = parameters.max_velocity_scaling_factor, parameters.max_acceleration_scaling_factor
        limits = Limits(
            np.array([scale_v * b.max_velocity for b in bounds]),
            np.array([scale_a * (b.max_acceleration if b.acceleration_bounded else 1.0) for b in bounds]),
            np.array([scale_a * (b.max_jerk if b.jerk_bounded else _NO_JERK_LIMIT) for b in bounds]),
        )
        request = _planner.Request(
            start._q, goal,
            np.array([b.min_position for b in bounds]), np.array([b.max_position for b in bounds]),
            max(0.0, end - time.perf_counter()), parameters.planning_attempts, float(settings.get("range", 0.0)),
            limits, pipeline.get("resample_dt", 0.1), pipeline.get("path_tolerance", 0.1),
        )  # fmt: skip
        return _planner.plan(request, collisions, settings["type"].removeprefix("geometric::"))

    def _reach(self, scene: PlanningScene, start: RobotState, collisions: Any, end: float) -> np.ndarray | None:
        """A free configuration with a link at the goal's pose: the first one found, from where the robot stands on."""
        assert isinstance(self._goal, tuple)
        message, link = self._goal
        frame = scene.get_frame_transform(message.header.frame_id or scene.planning_frame)
        wanted = pose(frame @ matrix(message.pose))
        state = copy.copy(start)
        while time.perf_counter() < end:
            if not state.set_from_ik(self.planning_group_name, wanted, link, end - time.perf_counter()):
                return None
            if not collisions.collides(state._q):
                return state._q
            state.set_to_random_positions(self._group)
        return None


class MoveItPy:
    """Robot model, planning scene and controllers of one robot.

    Args:
        node_name: Of MoveIt's own node, which is turned in a thread.
        name_space: Of that node.
        config_dict: Parameters, as MoveItConfigsBuilder gives them.
    """

    def __init__(
        self,
        node_name: str = "moveit_py",
        name_space: str = "",
        launch_params_filepaths: list[str] | None = None,
        config_dict: dict[str, Any] | None = None,
        provide_planning_service: bool = True,
        remappings: dict[str, str] | None = None,
    ) -> None:
        if config_dict is None or launch_params_filepaths or remappings:
            raise NotImplementedError("moveit.planning: parameter files and remappings are left out of this stand-in")
        self._config = config_dict
        limits = config_dict.get("robot_description_planning", {})
        self._model = RobotModel._from_text(
            config_dict["robot_description"], config_dict["robot_description_semantic"], limits.get("joint_limits", {})
        )
        if not rclpy.ok():
            rclpy.init()
        simulated = [Parameter("use_sim_time", value=bool(config_dict.get("use_sim_time", False)))]
        self._node = Node(node_name, namespace=name_space, parameter_overrides=simulated, use_global_arguments=False)
        scene = PlanningScene(self._model)
        scene._padding = float(limits.get("default_robot_padding", 0.0))
        options = config_dict.get("planning_scene_monitor_options", {})
        self._monitor = PlanningSceneMonitor(self._node, scene, options.get("joint_state_topic", "joint_states"))
        self._controllers = Controllers(self._node, config_dict.get("moveit_simple_controller_manager", {}))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        executor = EventsExecutor()
        executor.add_node(self._node)
        with contextlib.suppress(ExternalShutdownException):
            while rclpy.ok() and not self._over.is_set():
                executor.spin_until_future_complete(Future(), timeout_sec=0.1)

    def _pipeline(self, name: str) -> dict[str, Any]:
        return self._config[name or self._config["default_planning_pipeline"]]

    def get_robot_model(self) -> RobotModel:
        return self._model

    def get_planning_scene_monitor(self) -> PlanningSceneMonitor:
        return self._monitor

    def get_planning_component(self, planning_component_name: str) -> PlanningComponent:
        return PlanningComponent(planning_component_name, self)

    def execute(self, robot_trajectory: RobotTrajectory, controllers: list[str]) -> ExecutionStatus:
        """Have a trajectory followed, and wait until that is over. No names: a controller of the configuration."""
        return ExecutionStatus(self._controllers.follow(robot_trajectory.get_robot_trajectory_msg(), controllers))

    def get_trajectory_execution_manager(self) -> Controllers:
        return self._controllers

    def shutdown(self) -> None:
        self._over.set()
        self._thread.join(2.0)
        self._node.destroy_node()
