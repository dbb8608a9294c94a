# SPDX-License-Identifier: Apache-2.0
"""Motions of one robot: keeps MoveIt's scene as the scene is reported, plans, and has plans carried out."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pinocchio
from geometry_msgs.msg import PoseStamped
from moveit.core.collision_detection import CollisionRequest, CollisionResult
from moveit.core.planning_scene import PlanningScene
from moveit.core.robot_state import RobotState
from moveit.core.robot_trajectory import RobotTrajectory
from moveit.planning import MoveItPy, PlanningComponent, PlanRequestParameters
from moveit_msgs.msg import MoveItErrorCodes

from humanoid_description import Robot
from humanoid_interfaces.msg import SceneEvent, SceneObjects
from humanoid_planning import scene as scene_objects
from humanoid_planning.errors import PlanningRefused
from humanoid_planning.moveit_config import planned_joints

_OUTSIDE = 0.05  # [rad] a measured position may be so far outside its range; the plan starts at the end of the range
_LOOKS = 25  # places along a motion where its clearance is measured
_CONTACTS = 100
_CODES = {value: name for name, value in vars(MoveItErrorCodes).items() if isinstance(value, int) and name.isupper()}


@dataclass(frozen=True)
class Goal:
    """Where to: exactly one of a named pose, positions by joint, or a link's pose.

    Attributes:
        group: Planning group.
        pose: Name of a pose of the SRDF.
        joints: Positions [rad]; joints of the group that are not named stay.
        link: Link whose pose is given.
        link_pose: Its pose.
        velocity_scaling: Share of the limits; 0: the configuration's.
    """

    group: str
    pose: str = ""
    joints: Mapping[str, float] | None = None
    link: str = ""
    link_pose: PoseStamped | None = None
    velocity_scaling: float = 0.0


@dataclass(frozen=True)
class Planned:
    """A plan.

    Attributes:
        code: MoveItErrorCodes.
        words: What happened.
        planning_time: [s].
        duration: Of the motion [s].
        clearance: Least distance along it [m]; NaN without a motion.
        trajectory: None without a motion.
    """

    code: int
    words: str
    planning_time: float
    duration: float = 0.0
    clearance: float = float("nan")
    trajectory: RobotTrajectory | None = None


class MotionPlanner:
    """Plans among what is in the scene.

    Args:
        moveit: MoveIt for this robot.
        robot: The robot.
    """

    def __init__(self, moveit: MoveItPy, robot: Robot) -> None:
        self._moveit, self._robot = moveit, robot
        self._monitor = moveit.get_planning_scene_monitor()
        self._frame = moveit.get_robot_model().model_frame
        self._components: dict[str, PlanningComponent] = {}
        self._objects: dict[str, str] = {}  # category by name
        self._carried: dict[str, str] = {}  # link by name
        self._lifted: frozenset[str] = frozenset()  # as events say
        self._held: set[str] = set()  # what is carried because of that
        self._places: dict[str, np.ndarray] = {}  # (3,) [m] in the base, by name
        self._palms = [hand.palm_frame for hand in robot.config.hands.values()]
        self._standing = _not_moved(robot)  # feet and wheels are on the floor
        hands = {link for hand in robot.config.hands.values() for link in self._links_of(hand.group)}
        self._hands = hands | set(self._palms)

    def _links_of(self, group: str) -> list[str]:
        found = self._moveit.get_robot_model().get_joint_model_group(group)
        return list(found.link_model_names) if found is not None else []

    # --- the scene ---

    def see(self, objects: SceneObjects, base_from_scene: np.ndarray) -> None:
        """Make MoveIt's scene as it is reported; what is carried stays carried, what was lifted is from now on.

        Args:
            objects: All of them.
            base_from_scene: Pose of the objects' frame in the robot's base, (4, 4).
        """
        now = {item.name: item.category for item in objects.objects}
        lifted = self._lifted & now.keys()
        for name in self._held - lifted:
            self._held.discard(name)
            self.detach(name)
        with self._monitor.read_write() as scene:
            for name in [name for name in self._objects if name not in now]:
                scene.apply_collision_object(scene_objects.removed(name))
            for item in objects.objects:
                if item.name not in self._carried:
                    scene.apply_collision_object(scene_objects.collision_object(item, base_from_scene, self._frame))
            scene.apply_collision_object(scene_objects.floor(base_from_scene, self._frame))
            for link in self._standing:
                scene.allowed_collision_matrix.set_entry(link, scene_objects.FLOOR, True)
        self._objects = now
        self._places = {
            item.name: (base_from_scene @ scene_objects.matrix(item.pose))[:3, 3] for item in objects.objects
        }
        if lifted - self._carried.keys():
            self._take(lifted - self._carried.keys())

    @property
    def carried(self) -> Set[str]:
        """Names of the objects that are attached."""
        return self._carried.keys()

    def heard(self, event: SceneEvent) -> None:
        """What was lifted is carried, from the next `see` on, until it is placed or dropped or the scene is reset."""
        if event.kind == "lifted":
            self._lifted |= {event.object}
        elif event.kind in ("dropped", "placed"):
            self._lifted -= {event.object}
        elif event.kind == "reset":
            self._lifted = frozenset()

    def _take(self, names: Set[str]) -> None:
        """Each is carried by the palm that is nearest."""
        there = {palm: self.current().get_global_link_transform(palm)[:3, 3] for palm in self._palms}
        for name in sorted(names) if there else ():
            self.attach(name, min(there, key=lambda palm: float(np.linalg.norm(there[palm] - self._places[name]))))
            self._held.add(name)

    def attach(self, name: str, link: str) -> None:
        """An object of the scene is carried by a link from now on.

        Raises:
            PlanningRefused: there is no such object.
        """
        touch = sorted(self._hands | {link})
        if not self._monitor.process_attached_collision_object(scene_objects.attached(name, link, touch)):
            raise PlanningRefused(f"no object {name!r} to attach; there are {', '.join(self._objects) or 'none'}")
        self._carried[name] = link

    def detach(self, name: str) -> None:
        """An object that is carried stands where it is from now on.

        Raises:
            PlanningRefused: it is not carried.
        """
        if name not in self._carried:
            raise PlanningRefused(f"{name!r} is not carried")
        message = scene_objects.attached(name, self._carried.pop(name), [])
        message.object.operation = scene_objects.removed(name).operation
        self._monitor.process_attached_collision_object(message)

    # --- plans ---

    def current(self) -> RobotState:
        """Where the robot is: measured, and inside the ranges that plans keep.

        Raises:
            PlanningRefused: a joint is far outside its range.
        """
        with self._monitor.read_only() as scene:
            state = copy.copy(scene.current_state)
        positions = state.joint_positions
        group = [joint for joint in self._robot.config.joints if joint in positions]
        limits = self._robot.limits(group)
        inside = {}
        for joint, low, high in zip(group, limits.lower, limits.upper):
            inside[joint] = float(np.clip(positions[joint], low, high))
            if abs(inside[joint] - positions[joint]) > _OUTSIDE:
                raise PlanningRefused(f"{joint} is at {positions[joint]:.3f}, expected {low:.3f} to {high:.3f} rad")
        state.joint_positions = inside
        state.update()
        return state

    def plan(self, goal: Goal, start: RobotState | None = None, look: bool = True) -> Planned:
        """Plan a motion from where the robot is, or from `start`.

        What a hand touches at the start, a parcel that was just let go, may be touched by it on the way. Without `look`
        the clearance is not measured.

        Raises:
            PlanningRefused: the goal does not make sense, or the robot cannot start.
        """
        component, begin = self._component(goal.group), self.current() if start is None else start
        self._aim(component, goal, begin)
        parameters = PlanRequestParameters(self._moveit, "")
        if goal.velocity_scaling > 0.0:
            parameters.max_velocity_scaling_factor = goal.velocity_scaling
            parameters.max_acceleration_scaling_factor = goal.velocity_scaling
        component.set_start_state(robot_state=begin)
        with self._monitor.read_only() as present:
            scene = copy.deepcopy(present)
        touched = self._allow_touched(scene, begin, goal.group)
        response = component.plan(single_plan_parameters=parameters, planning_scene=scene)
        words = f"touching {', '.join(touched)} at the start" if touched else ""
        code = int(response.error_code.val)
        if not response:
            found = _CODES.get(code, str(code)).lower().replace("_", " ")
            detail = (
                self._contacts(scene, begin, goal.group) if code == MoveItErrorCodes.START_STATE_IN_COLLISION else ""
            )
            return Planned(code, f"{found}{detail}", response.planning_time)
        trajectory = response.trajectory
        clearance = self._clearance(scene, trajectory) if look else float("nan")
        return Planned(code, words, response.planning_time, trajectory.duration, clearance, trajectory)

    def execute(self, trajectory: RobotTrajectory) -> tuple[int, str]:
        """Have a trajectory followed; waits for the end.

        Returns:
            MoveItErrorCodes and words.
        """
        status = self._moveit.execute(trajectory, controllers=[])
        if status:
            return int(MoveItErrorCodes.SUCCESS), ""
        code = MoveItErrorCodes.PREEMPTED if status.status == "PREEMPTED" else MoveItErrorCodes.CONTROL_FAILED
        return int(code), f"execution {status.status.lower()}"

    def stop(self) -> None:
        """End what is executed."""
        self._moveit.get_trajectory_execution_manager().stop_execution()

    def _component(self, group: str) -> PlanningComponent:
        if not self._moveit.get_robot_model().has_joint_model_group(group):
            known = ", ".join(self._moveit.get_robot_model().joint_model_group_names)
            raise PlanningRefused(f"no group {group!r}; there are {known}")
        if group not in self._components:
            self._components[group] = self._moveit.get_planning_component(group)
        return self._components[group]

    def _aim(self, component: PlanningComponent, goal: Goal, begin: RobotState) -> None:
        if sum((bool(goal.pose), bool(goal.joints), bool(goal.link))) != 1:
            raise PlanningRefused("expected exactly one of a named pose, joint positions and a link's pose")
        component.set_start_state(robot_state=begin)
        if goal.pose:
            if not component.set_goal_state(configuration_name=goal.pose):
                known = ", ".join(component.named_target_states)
                raise PlanningRefused(f"{goal.group} has no pose {goal.pose!r}; there are {known}")
        elif goal.joints:
            members = self._moveit.get_robot_model().get_joint_model_group(goal.group).active_joint_model_names
            unknown = [joint for joint in goal.joints if joint not in members]
            if unknown:
                raise PlanningRefused(f"{unknown[0]!r} is no joint of {goal.group}: {', '.join(members)}")
            state = copy.copy(begin)
            state.joint_positions = dict(goal.joints)
            component.set_goal_state(robot_state=state)
        else:
            component.set_goal_state(pose_stamped_msg=goal.link_pose, pose_link=goal.link)

    def _allow_touched(self, scene: PlanningScene, begin: RobotState, group: str) -> list[str]:
        """Let the robot part from the parcels that it touches at the start; gives their names."""
        touched = set()
        for first, second in self._pairs(scene, begin, group):
            parcels = [name for name in (first, second) if self._objects.get(name) == "parcel"]
            if parcels:
                scene.allowed_collision_matrix.set_entry(first, second, True)
                touched.add(parcels[0])
        return sorted(touched)

    def _pairs(self, scene: PlanningScene, state: RobotState, group: str) -> Sequence[tuple[str, str]]:
        request, result = CollisionRequest(), CollisionResult()
        request.joint_model_group_name, request.contacts, request.max_contacts = group, True, _CONTACTS
        scene.check_collision(request, result, state)
        return list(result.contacts)

    def _contacts(self, scene: PlanningScene, state: RobotState, group: str) -> str:
        return "".join(f"; {first} in {second}" for first, second in self._pairs(scene, state, group))

    def _clearance(self, scene: PlanningScene, trajectory: RobotTrajectory) -> float:
        request = CollisionRequest()
        request.joint_model_group_name, request.distance = trajectory.joint_model_group_name, True
        nearest = float("inf")
        for i in np.unique(np.linspace(0, len(trajectory) - 1, _LOOKS).round().astype(int)):
            result = CollisionResult()
            scene.check_collision(request, result, trajectory[int(i)])
            nearest = min(nearest, result.distance)
        return nearest


def _not_moved(robot: Robot) -> list[str]:
    """Links that no planned joint moves."""
    model, planned = robot.pinocchio(), set(planned_joints(robot))
    frames = [frame for frame in model.frames if frame.type == pinocchio.BODY]
    return [f.name for f in frames if not planned & {model.names[joint] for joint in model.supports[f.parentJoint]}]
