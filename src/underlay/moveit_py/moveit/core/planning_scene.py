# SPDX-License-Identifier: Apache-2.0
"""PlanningScene: the robot's state, what stands around it, what it carries, and what touches what."""

from __future__ import annotations

import copy
from collections.abc import Callable

import coal
import numpy as np
from moveit_msgs.msg import AttachedCollisionObject, CollisionObject
from shape_msgs.msg import SolidPrimitive

from moveit._collision import Attached, Collisions, Shapes, link_shapes
from moveit._poses import matrix
from moveit.core.collision_detection import AllowedCollisionMatrix, CollisionRequest, CollisionResult
from moveit.core.robot_model import RobotModel
from moveit.core.robot_state import RobotState
from moveit.core.robot_trajectory import RobotTrajectory

_FORMS: dict[int, Callable[..., coal.CollisionGeometry]] = {
    SolidPrimitive.BOX: coal.Box,
    SolidPrimitive.SPHERE: coal.Sphere,
    SolidPrimitive.CYLINDER: lambda height, radius: coal.Cylinder(radius, height),
}


class _Version:
    """Of a scene: each object is another one."""


class PlanningScene:
    """An empty scene in the robot's model frame.

    Args:
        robot_model: The robot.
    """

    def __init__(self, robot_model: RobotModel) -> None:
        self.name = "(noname)"
        self.robot_model = robot_model
        self.current_state = RobotState(robot_model)
        self.allowed_collision_matrix = AllowedCollisionMatrix()
        self._links: dict[str, Shapes] | None = None
        self._world: dict[str, Shapes] = {}
        self._attached: dict[str, Attached] = {}
        self._padding = 0.0
        self._version = _Version()  # another one after every change
        self._cache: dict[
            tuple[str, float], tuple[_Version, Collisions]
        ] = {}  # by group and padding; shared with copies

    def __copy__(self) -> PlanningScene:
        other = PlanningScene(self.robot_model)
        other.name, other._links, other._padding = self.name, self._links, self._padding
        other.current_state = copy.copy(self.current_state)
        other.allowed_collision_matrix._entries = dict(self.allowed_collision_matrix._entries)
        other._world, other._attached = dict(self._world), dict(self._attached)
        other._version, other._cache = self._version, self._cache
        return other

    def __deepcopy__(self, memo: dict[int, object]) -> PlanningScene:
        return self.__copy__()

    @property
    def planning_frame(self) -> str:
        return self.robot_model.model_frame

    # --- what is there ---

    def apply_collision_object(self, collision_object_msg: CollisionObject, color_msg: object = None) -> bool:
        self._changed()
        name = collision_object_msg.id
        if collision_object_msg.operation == CollisionObject.REMOVE:
            if not name:
                self._world.clear()
                return True
            return self._world.pop(name, None) is not None
        if collision_object_msg.operation != CollisionObject.ADD:
            raise NotImplementedError("moveit: moving and appending to collision objects is left out of this stand-in")
        self._world[name] = self._shapes(collision_object_msg, self.planning_frame)
        return True

    def process_attached_collision_object(self, object: AttachedCollisionObject) -> bool:
        """Attach (an object of the world by its name alone), or detach into the world."""
        self._changed()
        name = object.object.id
        if object.object.operation == CollisionObject.REMOVE:
            for one in [name] if name else [n for n, body in self._attached.items() if body.link == object.link_name]:
                body = self._attached.pop(one, None)
                if body is None:
                    return False
                place = self.current_state.get_global_link_transform(body.link)
                self._world[one] = [(form, place @ pose) for form, pose in body.shapes]
            return True
        if object.object.primitives:
            shapes = self._shapes(object.object, object.link_name)
            self._world.pop(name, None)
        elif name in self._world:
            link_from_model = np.linalg.inv(self.current_state.get_global_link_transform(object.link_name))
            shapes = [(form, link_from_model @ pose) for form, pose in self._world.pop(name)]
        else:
            return False
        self._attached[name] = Attached(object.link_name, shapes, frozenset(object.touch_links))
        return True

    def _changed(self) -> None:
        self._version = _Version()

    def remove_all_collision_objects(self) -> None:
        self._changed()
        self._world.clear()

    def _shapes(self, message: CollisionObject, frame: str) -> Shapes:
        """Shapes of a message in a link's frame, or in the model's."""
        if message.meshes or message.planes:
            raise NotImplementedError("moveit: meshes and planes are left out of this stand-in")
        given = self.current_state.get_frame_transform(message.header.frame_id or frame)
        here = np.linalg.inv(self.current_state.get_frame_transform(frame)) @ given @ matrix(message.pose)
        poses = [matrix(pose) for pose in message.primitive_poses] or [np.eye(4)]
        shapes = []
        for primitive, pose in zip(message.primitives, poses):
            if primitive.type not in _FORMS:
                raise NotImplementedError(f"moveit: primitives of type {primitive.type} are left out of this stand-in")
            shapes.append((_FORMS[primitive.type](*primitive.dimensions), here @ pose))
        return shapes

    def knows_frame_transform(self, frame_id: str) -> bool:
        return frame_id in (self.planning_frame, *self._world) or frame_id in {
            f.name for f in self.robot_model._pin.frames
        }

    def get_frame_transform(self, frame_id: str) -> np.ndarray:
        if frame_id in self._world:
            return self._world[frame_id][0][1]
        return self.current_state.get_frame_transform(frame_id)

    # --- what touches ---

    def _collisions(self, group: str, padding: float, matrix: AllowedCollisionMatrix | None = None) -> Collisions:
        kept = self._cache.get((group, padding))
        same = kept is not None and kept[0] is self._version and matrix is None
        if kept and same and self.allowed_collision_matrix._entries == kept[1].entries:
            kept[1].strict()
            return kept[1]
        if self._links is None:
            self._links = link_shapes(self.robot_model)
        found = self.robot_model.get_joint_model_group(group)
        if group and found is None:
            raise RuntimeError(f"Group '{group}' not found in model '{self.robot_model.name}'")
        columns = np.arange(self.robot_model._pin.nq) if found is None else found._columns
        allowed = self.allowed_collision_matrix if matrix is None else matrix
        made = Collisions(self.robot_model, self._links, self._world, self._attached, allowed, columns, padding)
        if matrix is None:
            self._cache[group, padding] = (self._version, made)
        return made

    def is_state_colliding(
        self, *, robot_state: RobotState | None = None, joint_model_group_name: str = "", verbose: bool = False
    ) -> bool:
        result = CollisionResult()
        self.check_collision(CollisionRequest(joint_model_group_name), result, robot_state)
        return result.collision

    def is_state_valid(self, robot_state: RobotState, joint_model_group_name: str, verbose: bool = False) -> bool:
        return not self.is_state_colliding(robot_state=robot_state, joint_model_group_name=joint_model_group_name)

    def is_path_valid(
        self,
        trajectory: RobotTrajectory,
        joint_model_group_name: str,
        verbose: bool = False,
        invalid_index: list[int] | None = None,
    ) -> bool:
        collisions = self._collisions(joint_model_group_name, 0.0)
        bad = [i for i in range(len(trajectory)) if collisions.collides(trajectory[i]._q)]
        if invalid_index is not None:
            invalid_index[:] = bad
        return not bad

    def check_collision(
        self,
        collision_request: CollisionRequest,
        collision_result: CollisionResult,
        state: RobotState | None = None,
        acm: AllowedCollisionMatrix | None = None,
    ) -> None:
        collisions = self._collisions(collision_request.joint_model_group_name, 0.0, acm)
        q = (state or self.current_state)._q
        collision_result.collision = collisions.collides(q)
        if collision_request.distance:
            nearest = collisions.distances(q)
            collision_result.distance = nearest[0][0] if nearest else float("inf")
        if collision_request.contacts and collision_result.collision:
            pairs = collisions.touching(q)[: collision_request.max_contacts]
            collision_result.contacts = {(a, b): [-distance] for distance, a, b in pairs}
            collision_result.contact_count = len(pairs)
