# SPDX-License-Identifier: Apache-2.0
"""What each chain that follows is to do in a step: rows of the least-squares problem that arm_solver.py solves.

An arm follows a wrist (place and rotation) and the elbow's direction; the waist and the neck follow a rotation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from humanoid_teleop.arms.kinematics import Chain, Frame, Pose, column, locate
from humanoid_teleop.compiled import between, compiled, cross, dot, multiply, to_matrix, to_quaternion, turn
from humanoid_teleop.person.follower import Target, homing, limit, soft_reach

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
        moves_elbow: (n,) whether the joint moves the elbow.
        wrist: With the operator's wrist axes.
        elbow: Its place is the elbow.
        shoulder: In the torso frame (3,) [m].
    """

    joints: np.ndarray
    moves_elbow: np.ndarray
    wrist: Frame
    elbow: Frame
    shoulder: np.ndarray


# Rows of ArmPlace.points
WRIST, SHOULDER, ELBOW, CHEST, RATE, TURN_RATE = range(6)


class ArmPlace(NamedTuple):
    """Where an arm is, base axes.

    Attributes:
        points: (6, 3): wrist, shoulder and elbow from the chest [m]; the chest from the base's origin [m]; velocity
            [m/s] and turn rate [rad/s] asked of the wrist in the last step.
        rotation: Of the operator's wrist axes, quaternion xyzw (4,).
    """

    points: np.ndarray
    rotation: np.ndarray


class Program(NamedTuple):
    """Room for the quadratic program of a step over the joints of both arms: see arm_solver.py.

    Attributes:
        hessian: (m, m).
        gradient: (m,).
        rows: (k, m) of the near pairs.
        lower: (m + k,) of joints, then rows.
        upper: (m + k,).
        columns: Joint number of each variable (m,).
    """

    hessian: np.ndarray
    gradient: np.ndarray
    rows: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    columns: np.ndarray


def arm_place() -> ArmPlace:
    """Room for an arm's places."""
    return ArmPlace(np.zeros((6, 3)), np.array([0.0, 0.0, 0.0, 1.0]))


@compiled
def find_arm(arm: ArmFrames, torso: Frame, chest: np.ndarray, pose: Pose, out: ArmPlace) -> None:
    """Fill `out` (not its rates) for a pose; `chest`: middle between the shoulders in the torso frame (3,) [m]."""
    turned, place, points = np.empty((3, 3)), np.empty(3), out.points
    locate(pose, torso, turned, place)
    turn(turned, chest, points[CHEST])
    turn(turned, arm.shoulder, points[SHOULDER])
    for k in range(3):
        points[SHOULDER, k] -= points[CHEST, k]
        points[CHEST, k] += place[k]
    locate(pose, arm.elbow, turned, points[ELBOW])
    locate(pose, arm.wrist, turned, points[WRIST])
    to_quaternion(turned, out.rotation)
    for k in range(3):
        points[WRIST, k] -= points[CHEST, k]
        points[ELBOW, k] -= points[CHEST, k]


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
    jacobian: np.ndarray,
    rates: np.ndarray,
) -> float:
    """Rows J v = rate of one arm's joints, weighted: wrist, its rotation, elbow.

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
        jacobian: Out: (ROWS, n).
        rates: Out: (ROWS,).

    Returns:
        Squared weight of the velocities themselves: damping.
    """
    points = at.points
    wanted, reached, ahead, position = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        wanted[k] = target.position[k] - points[SHOULDER, k]
        ahead[k] = target.velocity[k]
    if soft_reach(wanted, gains.reach_soft, gains.reach_hard, reached):
        # The shortened target's own velocity: the same shortening of where it was a step ago
        for k in range(3):
            wanted[k] -= dt * target.velocity[k]
        soft_reach(wanted, gains.reach_soft, gains.reach_hard, position)
        for k in range(3):
            ahead[k] = (reached[k] - position[k]) / dt
    error, rotation_error, rest = np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        error[k] = points[SHOULDER, k] + reached[k] - points[WRIST, k]
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
        points[RATE, k] += share * (ahead[k] - points[RATE, k])
        points[TURN_RATE, k] += share * (turning[k] - points[TURN_RATE, k])
    # The wrist is wanted relative to the chest, its rotation in the base.
    cross(waist_rate, points[WRIST], ahead)
    point, elbow, linear, angular = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        rates[k] = points[RATE, k]
        rates[3 + k] = gains.rotation_weight * (points[TURN_RATE, k] - waist_rate[k])
        point[k] = points[WRIST, k] + points[CHEST, k]
        elbow[k] = points[ELBOW, k] + points[CHEST, k]
    tangent = np.empty(3)
    weight = _elbow(at, bend, elbow_share * gains.elbow_weight, gains.elbow_rate, tangent, rates)
    for i in range(arm.joints.shape[0]):
        column(model, pose, arm.joints[i], point, linear, angular)
        for k in range(3):
            jacobian[k, i] = linear[k]
            jacobian[3 + k, i] = gains.rotation_weight * angular[k]
        jacobian[6, i] = 0.0
        if weight > 0.0 and arm.moves_elbow[i]:
            column(model, pose, arm.joints[i], elbow, linear, angular)
            jacobian[6, i] = weight * dot(tangent, linear)
    size = min(math.sqrt(dot(error, error)), 0.3)
    return gains.damping**2 + (gains.error_damping * size) ** 2


@compiled
def _elbow(
    at: ArmPlace, bend: np.ndarray, weight: float, elbow_rate: float, tangent: np.ndarray, rate: np.ndarray
) -> float:
    """Turn the elbow about the line from shoulder to wrist to where the person's is: the way, and the weight of it."""
    points = at.points
    rate[6] = 0.0
    weight *= min(math.sqrt(dot(bend, bend)) / 0.15, 1.0)
    line, across, wanted = np.empty(3), np.empty(3), np.empty(3)
    for k in range(3):
        line[k] = points[WRIST, k] - points[SHOULDER, k]
        across[k] = points[ELBOW, k] - points[SHOULDER, k]
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
def turned_target(turn_: np.ndarray, target: Target) -> None:
    """Turn a target by a quaternion (4,)."""
    turned = np.empty((3, 3))
    to_matrix(turn_, turned)
    turn(turned, target.position, target.position)
    turn(turned, target.velocity, target.velocity)
    turn(turned, target.turn_rate, target.turn_rate)
    multiply(turn_, target.rotation, target.rotation)
