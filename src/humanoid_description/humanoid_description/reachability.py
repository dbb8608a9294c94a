# SPDX-License-Identifier: Apache-2.0
"""Do the hands get where work is done? Inverse kinematics by damped least squares, inside the joint limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from humanoid_description.robot import Robot

AROUND = 0.05  # edge of the cube around the home pose that a hand must cover without turning, halved [m]
EXACT = 1e-3  # a target is reached when the hand is this close [m, rad]
_ROUNDS, _STEP, _DAMPING = 200, 0.2, 0.02


def misses(robot: Robot) -> list[tuple[str, float]]:
    """How far the hands stay away from where they should get, by target, worst distance [m] each.

    Targets: the corners of a cube around each hand's place in the home pose, the hand as it is turned there, and for
    both hands the point midway between them, however turned. Torso and arms move, but for the joints of a lift.
    """
    config = robot.config
    lift = config.operator.lift.joints if config.operator.lift else ()
    waist = [joint for joint in config.groups.get("torso", ()) if joint not in lift and "torso" in config.commanded]
    places = _places(robot)
    found = []
    for side, hand in config.hands.items():
        joints = [*waist, *config.groups[config.operator.arms[side].group]]
        here = places[side]
        corners = AROUND * (2.0 * np.indices((2, 2, 2)).reshape(3, 8).T - 1.0)
        cube = [pin.SE3(here.rotation, here.translation + corner) for corner in corners]
        worst = max(_miss(robot, hand.gripper_frame, joints, target, turned=True) for target in cube)
        found.append((f"{side} hand, {200 * AROUND:.0f} cm cube around home", worst))
        if len(places) > 1:
            middle = np.mean([place.translation for place in places.values()], axis=0)
            target = pin.SE3(here.rotation, middle)
            missed = _miss(robot, hand.gripper_frame, joints, target, turned=False)
            found.append((f"{side} hand, midway between both", missed))
    return found


def _places(robot: Robot) -> dict[str, pin.SE3]:
    """Grasp frames of the hands at home, by side."""
    model = robot.pinocchio()
    data = model.createData()
    pin.framesForwardKinematics(model, data, robot.home())
    return {
        side: data.oMf[robot.frame_id(hand.gripper_frame)].copy()
        for side, hand in robot.config.hands.items()
        if side in robot.config.operator.arms
    }


def _miss(robot: Robot, frame: str, joints: Sequence[str], target: pin.SE3, turned: bool) -> float:
    """Distance that is left when the joints have brought a frame as near to a target as they can [m].

    Args:
        robot: The robot, at home.
        frame: What is brought there.
        joints: What moves.
        target: Where to, in the base frame.
        turned: Whether the target's orientation counts, too; 1 rad is taken for 1 m.
    """
    model = robot.pinocchio(joints)
    data, place = model.createData(), model.getFrameId(frame, pin.BODY)
    low, high = model.lowerPositionLimit, model.upperPositionLimit
    q = np.clip(robot.home()[robot.index(tuple(model.names)[1:])], low, high)
    best = np.inf
    for _ in range(_ROUNDS):
        pin.framesForwardKinematics(model, data, q)
        jacobian = pin.computeFrameJacobian(model, data, q, place, pin.LOCAL)
        error = pin.log6(data.oMf[place].actInv(target)).vector
        if not turned:
            jacobian = jacobian[:3]
            error = data.oMf[place].actInv(target.translation)
        best = min(best, float(np.linalg.norm(error)))
        if best < EXACT:
            break
        square = jacobian @ jacobian.T + (_DAMPING * min(1.0, best)) ** 2 * np.eye(len(error))
        q = np.clip(q + np.clip(jacobian.T @ np.linalg.solve(square, error), -_STEP, _STEP), low, high)
    return best
