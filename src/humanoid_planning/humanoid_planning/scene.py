# SPDX-License-Identifier: Apache-2.0
"""What stands around the robot, as MoveIt's collision objects: floor, tables, bins, parcels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import Pose
from moveit_msgs.msg import AttachedCollisionObject, CollisionObject
from shape_msgs.msg import SolidPrimitive

from humanoid_core import convert, rotations
from humanoid_interfaces.msg import SceneObject

FLOOR = "floor"
_WALL = 0.01  # [m] of a bin's walls; the twin's are 0.008 m
_FLOOR_SIZE = (6.0, 6.0, 0.1)  # [m]


def matrix(pose: Pose) -> np.ndarray:
    """Homogeneous matrix (4, 4) of a pose."""
    position, quaternion = convert.pose_arrays(pose)
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = rotations.matrix(quaternion), position
    return out


def boxes(item: SceneObject) -> list[tuple[np.ndarray, np.ndarray]]:
    """Solid boxes of an object: edge lengths (3,) [m] and centre (3,) [m] in the object's frame.

    A table reaches to the floor as it is reported. A bin is an open box, its reported size being what is inside its
    walls, on a stand that reaches down to the floor.
    """
    size = np.array((item.size.x, item.size.y, item.size.z))
    if item.category != "bin":
        return [(size, np.zeros(3))]
    x, y, z = size
    under = max(item.pose.position.z - 0.5 * z, _WALL)
    found = [(np.array((x + 2 * _WALL, y + 2 * _WALL, under)), np.array((0.0, 0.0, -0.5 * (z + under))))]
    for side in (-1.0, 1.0):
        found.append((np.array((_WALL, y + 2 * _WALL, z)), np.array((side * 0.5 * (x + _WALL), 0.0, 0.0))))
        found.append((np.array((x, _WALL, z)), np.array((0.0, side * 0.5 * (y + _WALL), 0.0))))
    return found


def collision_object(item: SceneObject, base_from_scene: np.ndarray, frame: str) -> CollisionObject:
    """An object of the scene in the robot's base frame.

    Args:
        item: Pose in the scene's frame.
        base_from_scene: Pose of the scene's frame in the base, (4, 4).
        frame: Name of the base frame.
    """
    message = CollisionObject(id=item.name, operation=CollisionObject.ADD)
    message.header.frame_id = frame
    base_from_item = base_from_scene @ matrix(item.pose)
    message.pose = _pose(base_from_item)
    for size, centre in boxes(item):
        message.primitives.append(SolidPrimitive(type=SolidPrimitive.BOX, dimensions=size.tolist()))
        message.primitive_poses.append(convert.to_pose(centre, np.array((0.0, 0.0, 0.0, 1.0))))
    return message


def floor(base_from_scene: np.ndarray, frame: str) -> CollisionObject:
    """The floor, a box under the origin of the scene."""
    item = SceneObject(name=FLOOR, category=FLOOR)
    item.pose = convert.to_pose(np.array((0.0, 0.0, -0.5 * _FLOOR_SIZE[2])), np.array((0.0, 0.0, 0.0, 1.0)))
    item.size.x, item.size.y, item.size.z = _FLOOR_SIZE
    return collision_object(item, base_from_scene, frame)


def removed(name: str) -> CollisionObject:
    """Takes an object out of the scene."""
    return CollisionObject(id=name, operation=CollisionObject.REMOVE)


def attached(name: str, link: str, touch_links: Iterable[str]) -> AttachedCollisionObject:
    """Fixes an object of the scene to a link: it is carried from now on."""
    message = AttachedCollisionObject(link_name=link, touch_links=list(touch_links))
    message.object.id, message.object.operation = name, CollisionObject.ADD
    return message


def _pose(transform: np.ndarray) -> Pose:
    return convert.to_pose(transform[:3, 3], rotations.quaternion(transform[:3, :3]))
