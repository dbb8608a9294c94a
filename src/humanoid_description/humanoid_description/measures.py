# SPDX-License-Identifier: Apache-2.0
"""A robot measured as a worker is: how high its shoulders are, how far it reaches, with what its hands press."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from humanoid_description.config import SIDES, Hand
from humanoid_description.errors import DescriptionError
from humanoid_description.robot import Robot
from humanoid_description.shapes import Shape, collision_shapes

_FLAT = 0.004  # what lies this much behind the foremost point of a hand still presses [m]
_HAND = 0.4  # share of the way from wrist to fingertips from which on a hand presses: before it are the wrist's motors
_GRAIN = 0.002  # distance of the points that a shape's surface is sampled with [m]
_UPRIGHT = 0.9  # cosine: the chest turns about a joint whose axis is this upright


@dataclass(frozen=True)
class Palm:
    """What a hand, held as for pressing, touches a flat wall with: palm and fingers, the thumb over the upper edge.

    Attributes:
        position: Middle of what touches, in the wrist frame (3,) [m].
        size: Of what touches, along the fingers and across them (2,) [m].
        under: From the middle down to the lowest part of the hand, the thumb up [m].
        thumb: How far anything of the hand, thumb included, stands out beyond what touches [m].
        grip: Grip value that holds the hand so: 0 open, 1 closed.
    """

    position: np.ndarray
    size: np.ndarray
    under: float
    thumb: float
    grip: float


@dataclass(frozen=True)
class Measures:
    """A robot in its home pose; z from the floor, x and y from the base.

    Attributes:
        shoulders: Middle between the shoulders (3,) [m].
        half_shoulders: Half the distance between them [m].
        axis: Where the upright axis stands about which the chest turns (2,) [m].
        reach: From the shoulder to the middle of the palm, arm straight [m].
        palms: By side.
    """

    shoulders: np.ndarray
    half_shoulders: float
    axis: np.ndarray
    reach: float
    palms: dict[str, Palm]


def measure(robot: Robot) -> Measures:
    """Measure a robot with two arms.

    Raises:
        ConfigError: it has no two arms.
        DescriptionError: a hand has no collision shape.
    """
    model = robot.pinocchio()
    data = model.createData()
    pin.computeJointJacobians(model, data, robot.home())
    pin.updateFramePlacements(model, data)
    arms = [robot.arm(side) for side in SIDES]
    torso = data.oMf[robot.frame_id(arms[0].torso_frame)]
    left, right = (torso.act(arm.shoulder) for arm in arms)
    shoulders = 0.5 * (left + right)
    palms = {side: palm(robot, side) for side in SIDES}
    wrist_to_palm = np.mean([np.linalg.norm(item.position) for item in palms.values()])
    return Measures(
        shoulders=shoulders + (0.0, 0.0, robot.config.base_height),
        half_shoulders=0.5 * float(np.linalg.norm(left - right)),
        axis=_turning_axis(robot, model, data, shoulders[:2]),
        reach=float(np.mean([arm.upper_length + arm.fore_length for arm in arms]) + wrist_to_palm),
        palms=palms,
    )


def palm(robot: Robot, side: str) -> Palm:
    """Measure a hand, from its collision shapes, open or closed: whichever is nearer to its pose for pressing.

    Raises:
        ConfigError: the configuration has no such arm.
        DescriptionError: the hand has no collision shape.
    """
    config, arm = robot.config, robot.arm(side)
    model = robot.pinocchio()
    data = model.createData()
    hand = config.hands.get(side)
    grip, pose = _nearest_to_press(hand) if hand is not None else (0.0, {})
    pin.framesForwardKinematics(model, data, robot.q(dict(config.home) | pose))
    wrist = robot.frame_id(arm.wrist_frame)
    carrier = int(model.frames[wrist].parentJoint)
    operator_from_base = (data.oMf[wrist] * pin.SE3(arm.wrist_from_operator, np.zeros(3))).inverse()
    fingers = (
        [finger for finger in config.hands[side].fingers.values() if finger.joints] if side in config.hands else []
    )
    # A gripper has nothing but its thumb and presses with that, closed.
    thumbs = {int(model.getJointId(f.joints[0])) for f in fingers if "thumb" in f.follows and len(fingers) > 1}
    points: list[np.ndarray] = []
    thumb_points = [np.zeros((4, 0))]
    for shape in collision_shapes(robot.urdf):
        frame = robot.frame_id(shape.link)
        moving = set(model.supports[model.frames[frame].parentJoint])
        if carrier in moving:
            base_from_shape = data.oMf[frame].homogeneous @ shape.link_from_shape
            found = operator_from_base.homogeneous @ base_from_shape @ _surface(shape)
            (thumb_points if thumbs & moving else points).append(found)
    if not points:
        raise DescriptionError(config.name, f"no collision shape beyond {arm.wrist_frame}", "a hand to press with")
    flesh, thumb = np.concatenate(points, axis=1)[:3], np.concatenate(thumb_points, axis=1)[:3]
    flesh = flesh[:, flesh[0] > _HAND * flesh[0].max()]
    flat = flesh[:, flesh[2] < flesh[2].min() + _FLAT]
    low, high = flat.min(axis=1), flat.max(axis=1)
    middle = np.array((*(0.5 * (low + high))[:2], low[2]))
    # The thumb up, y of the operator's wrist points down on the left hand and up on the right one.
    down = 1.0 if side == "left" else -1.0
    return Palm(
        position=arm.wrist_from_operator @ middle,
        size=(high - low)[:2],
        under=float((down * (flesh[1] - middle[1])).max()),
        thumb=float(max(0.0, (middle[2] - thumb[2]).max(initial=0.0))),
        grip=grip,
    )


def _nearest_to_press(hand: Hand) -> tuple[float, dict[str, float]]:
    """Grip value and pose, open or closed, that is nearer to the hand's pose for pressing."""
    apart = [sum((pose[joint] - hand.press[joint]) ** 2 for joint in pose) for pose in (hand.open, hand.closed)]
    return (0.0, dict(hand.open)) if apart[0] <= apart[1] else (1.0, dict(hand.closed))


def _turning_axis(robot: Robot, model: pin.Model, data: pin.Data, otherwise: np.ndarray) -> np.ndarray:
    """Place of the topmost upright joint of the torso (2,) [m]; `otherwise` where the chest cannot turn."""
    for joint in reversed(robot.config.groups.get("torso", ())):
        index = int(model.getJointId(joint))
        axis = pin.getJointJacobian(model, data, index, pin.LOCAL_WORLD_ALIGNED)[3:, model.joints[index].idx_v]
        if abs(axis[2]) > _UPRIGHT:
            return np.array(data.oMi[index].translation[:2])
    return otherwise


def _surface(shape: Shape) -> np.ndarray:
    """Points on a shape, in its own frame, homogeneous (4, n)."""
    if shape.kind == "box":
        steps = [np.linspace(-0.5, 0.5, max(2, round(edge / _GRAIN) + 1)) * edge for edge in shape.size]
        ends = [np.array((-0.5, 0.5)) * edge for edge in shape.size]
        faces = []
        for axis in range(3):
            grid = np.meshgrid(*[ends[i] if i == axis else steps[i] for i in range(3)], indexing="ij")
            faces.append(np.stack([part.ravel() for part in grid]))
        points = np.concatenate(faces, axis=1)
    else:
        radius = shape.size[0]
        half = 0.5 * shape.size[1] if len(shape.size) > 1 else 0.0
        around = np.linspace(0.0, 2 * np.pi, 49)
        along = np.linspace(-half, half, max(2, round(2 * half / _GRAIN) + 1))
        if shape.kind == "cylinder":
            radii, heights = np.full(len(along), radius), along
        else:
            tilt = np.linspace(0.0, 0.5 * np.pi, 13)
            radii = np.concatenate([radius * np.cos(tilt)[::-1], np.full(len(along), radius), radius * np.cos(tilt)])
            heights = np.concatenate([-half - radius * np.sin(tilt)[::-1], along, half + radius * np.sin(tilt)])
        points = np.stack(
            [
                np.outer(np.cos(around), radii).ravel(),
                np.outer(np.sin(around), radii).ravel(),
                np.tile(heights, len(around)),
            ]
        )
    return np.vstack([points, np.ones(points.shape[1])])
