# SPDX-License-Identifier: Apache-2.0
"""What each chain that follows is to do in a step: rows of the least-squares problem that arm_solver.py solves.

An arm follows a wrist (place and rotation) and the elbow's direction; the waist and the neck follow a rotation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from humanoid_teleop.compiled import between, compiled, cross, dot, multiply, to_matrix, to_quaternion, turn
from humanoid_teleop.follower import Target, homing, limit, soft_reach
from humanoid_teleop.kinematics import Chain, Frame, Pose, column, locate

ROWS = 7  # wrist 3, rotation 3, elbow 1


class Gains(NamedTuple):
    """Settings of the shaping of motion and the tasks' weights, as in settings.py; `reach_*` in metres."""

    hand_speed: float
    hand_turn_rate: float
    error_rate: float
    rate_smoothing: float
    hand_acceleration: float
    hand_turn_acceleration: float
    reach_soft: float
    reach_hard: float
    rotation_weight: float
    elbow_weight: float
    elbow_rate: float
    damping: float
    error_damping: float


class ArmFrames(NamedTuple):
    """Of one arm.

    Attributes:
        joints: Numbers in q (n,).
        wrist: With the operator's wrist axes.
        elbow: Its place is the elbow.
        torso: The torso frame.
        shoulder: In the torso frame (3,) [m].
        chest: Middle between the shoulders, in the torso frame (3,) [m].
        moves_elbow: (n,) whether the joint moves the elbow.
    """

    joints: np.ndarray
    wrist: Frame
    elbow: Frame
    torso: Frame
    shoulder: np.ndarray
    chest: np.ndarray
    moves_elbow: np.ndarray


class ArmPlace(NamedTuple):
    """Where an arm is, base axes, from the chest.

    Attributes:
        wrist: (3,) [m].
        rotation: Of the operator's wrist axes, quaternion xyzw (4,).
        shoulder: (3,) [m].
        elbow: (3,) [m].
        chest: The chest, from the base's origin (3,) [m].
        rate: Asked of the wrist in the last step (3,) [m/s].
        turn_rate: Likewise (3,) [rad/s].
    """

    wrist: np.ndarray
    rotation: np.ndarray
    shoulder: np.ndarray
    elbow: np.ndarray
    chest: np.ndarray
    rate: np.ndarray
    turn_rate: np.ndarray


class Task(NamedTuple):
    """Rows J v = rate of some joints, weighted.

    Attributes:
        jacobian: (ROWS, n).
        rate: (ROWS,).
        damping: Squared weight of the velocities (1,).
        error: Where to less where, place (3,) [m] and rotation (3,) [rad].
    """

    jacobian: np.ndarray
    rate: np.ndarray
    damping: np.ndarray
    error: np.ndarray


def arm_place() -> ArmPlace:
    """Room for an arm's places."""
    return ArmPlace(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), *(np.zeros(3) for _ in range(5)))


def task(joints: int) -> Task:
    """Room for a task."""
    return Task(np.zeros((ROWS, joints)), np.zeros(ROWS), np.zeros(1), np.zeros(6))


@compiled
def find_arm(arm: ArmFrames, pose: Pose, out: ArmPlace) -> None:
    """Fill `out` (not its rates) for a pose."""
    turned, place = np.empty((3, 3)), np.empty(3)
    locate(pose, arm.torso, turned, place)
    turn(turned, arm.chest, out.chest)
    turn(turned, arm.shoulder, out.shoulder)
    for k in range(3):
        out.shoulder[k] -= out.chest[k]
        out.chest[k] += place[k]
    locate(pose, arm.elbow, turned, out.elbow)
    locate(pose, arm.wrist, turned, out.wrist)
    to_quaternion(turned, out.rotation)
    for k in range(3):
        out.wrist[k] -= out.chest[k]
        out.elbow[k] -= out.chest[k]


@compiled
def arm_task(
    model: Chain,
    pose: Pose,
    arm: ArmFrames,
    at: ArmPlace,
    target: Target,
    bend: np.ndarray,
    waist_rate: np.ndarray,
    share: float,
    elbow_share: float,
    gains: Gains,
    dt: float,
    out: Task,
) -> None:
    """Fill `out` for one arm.

    Args:
        model: The chain.
        pose: Where it is.
        arm: The arm.
        at: Where that is; its rates are updated.
        target: Where the wrist is wanted at the end of the step, from the chest, base axes.
        bend: From the line between shoulder and wrist to where the person's elbow is (3,), over the arm's length.
        waist_rate: Turn rate of the chest in the step (3,) [rad/s].
        share: 0..1 of the wanted rate that is taken on (soft start).
        elbow_share: 0..1 of the elbow's weight.
        gains: Settings.
        dt: Length of the step [s].
        out: Rows, in the order of the arm's joints.
    """
    wanted, reached, ahead, position = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        wanted[k] = target.position[k] - at.shoulder[k]
        ahead[k] = target.velocity[k]
    if soft_reach(wanted, gains.reach_soft, gains.reach_hard, reached):
        # The shortened target's own velocity: the same shortening of where it was a step ago
        for k in range(3):
            wanted[k] -= dt * target.velocity[k]
        soft_reach(wanted, gains.reach_soft, gains.reach_hard, position)
        for k in range(3):
            ahead[k] = (reached[k] - position[k]) / dt
    error, rotation_error, rest = out.error[:3], out.error[3:], np.empty(3)
    for k in range(3):
        error[k] = at.shoulder[k] + reached[k] - at.wrist[k]
    between(at.rotation, target.rotation, rotation_error)
    limit(ahead, gains.hand_speed)
    turning = target.turn_rate.copy()
    limit(turning, gains.hand_turn_rate)
    for k in range(3):
        rest[k] = error[k] - ahead[k] * dt
    gain = homing(rest, gains.error_rate, gains.hand_acceleration, dt)
    for k in range(3):
        ahead[k] += gain * rest[k]
        rest[k] = rotation_error[k] - turning[k] * dt
    gain = homing(rest, gains.error_rate, gains.hand_turn_acceleration, dt)
    for k in range(3):
        turning[k] += gain * rest[k]
    limit(ahead, gains.hand_speed)
    limit(turning, gains.hand_turn_rate)
    if gains.rate_smoothing > 0.0:
        share *= 1.0 - math.exp(-dt / gains.rate_smoothing)
    for k in range(3):
        at.rate[k] += share * (ahead[k] - at.rate[k])
        at.turn_rate[k] += share * (turning[k] - at.turn_rate[k])
    # The wrist is wanted relative to the chest, its rotation in the base.
    cross(waist_rate, at.wrist, ahead)
    point, elbow, linear, angular = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        out.rate[k] = at.rate[k]
        out.rate[3 + k] = gains.rotation_weight * (at.turn_rate[k] - waist_rate[k])
        point[k] = at.wrist[k] + at.chest[k]
        elbow[k] = at.elbow[k] + at.chest[k]
    tangent = np.empty(3)
    weight = _elbow(at, bend, elbow_share * gains.elbow_weight, gains.elbow_rate, tangent, out.rate)
    for i in range(arm.joints.shape[0]):
        column(model, pose, arm.joints[i], point, linear, angular)
        for k in range(3):
            out.jacobian[k, i] = linear[k]
            out.jacobian[3 + k, i] = gains.rotation_weight * angular[k]
        out.jacobian[6, i] = 0.0
        if weight > 0.0 and arm.moves_elbow[i]:
            column(model, pose, arm.joints[i], elbow, linear, angular)
            out.jacobian[6, i] = weight * dot(tangent, linear)
    size = min(math.sqrt(dot(error, error)), 0.3)
    out.damping[0] = gains.damping**2 + (gains.error_damping * size) ** 2


@compiled
def _elbow(
    at: ArmPlace, bend: np.ndarray, weight: float, elbow_rate: float, tangent: np.ndarray, rate: np.ndarray
) -> float:
    """Turn the elbow about the line from shoulder to wrist to where the person's is: the way, and the weight of it."""
    rate[6] = 0.0
    weight *= min(math.sqrt(dot(bend, bend)) / 0.15, 1.0)
    line, across, wanted = np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        line[k] = at.wrist[k] - at.shoulder[k]
        across[k] = at.elbow[k] - at.shoulder[k]
    length = math.sqrt(dot(line, line))
    if weight < 1e-6 or length < 1e-3:
        return 0.0
    for k in range(3):
        line[k] /= length
    along, along_bend = dot(line, across), dot(line, bend)
    for k in range(3):
        across[k] -= along * line[k]
        wanted[k] = bend[k] - along_bend * line[k]
    radius = math.sqrt(dot(across, across))
    if radius < 5e-3 or dot(wanted, wanted) < 1e-6:
        return 0.0
    cross(across, wanted, tangent)
    angle = math.atan2(dot(line, tangent), dot(across, wanted))
    cross(line, across, tangent)
    for k in range(3):
        tangent[k] /= radius
    rate[6] = weight * radius * min(max(elbow_rate * angle, -4.0), 4.0)
    return weight


@compiled
def turning_rate(at: np.ndarray, target: Target, error_rate: float, braking: float, dt: float, out: np.ndarray) -> None:
    """Turn rate (3,) [rad/s] of a frame at quaternion `at` (4,) towards a target rotation."""
    rest = np.empty(3)
    between(at, target.rotation, rest)
    for k in range(3):
        rest[k] -= target.turn_rate[k] * dt
    gain = homing(rest, error_rate, braking, dt)
    for k in range(3):
        out[k] = target.turn_rate[k] + gain * rest[k]


@compiled
def turned_target(rest: np.ndarray, target: Target, out: Target) -> None:
    """out = target turned by a rotation (3, 3) of its own quaternion (4,) `rest`."""
    turned, q = np.empty((3, 3)), np.empty(4)
    to_matrix(rest, turned)
    turn(turned, target.position, out.position)
    turn(turned, target.velocity, out.velocity)
    turn(turned, target.turn_rate, out.turn_rate)
    q[:] = target.rotation
    multiply(rest, q, out.rotation)
