# SPDX-License-Identifier: Apache-2.0
"""One operator onto one robot without ROS or a clock: the live node's core, ticked as the live node ticks it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from humanoid_description import Robot
from humanoid_teleop.operator import SIDES, OperatorFrame
from humanoid_teleop.pacing import Pacer
from humanoid_teleop.person.follower import FOLLOWING
from humanoid_teleop.replay.stream import JOIN
from humanoid_teleop.retargeting import Counts, Retargeter
from humanoid_teleop.settings import Settings


@dataclass(frozen=True)
class Track:
    """A robot's motion over m ticks.

    Attributes:
        stamps: (m,) [ns].
        joints: n names.
        position: (m, n) [rad or m].
        velocity: (m, n) [rad/s or m/s].
        following: Whether each arm follows and has joined the person's, left and right (m, 2).
        position_error: Wrists against the scaled operator's (m, 2) [m]; NaN while not following.
        rotation_error: (m, 2) [rad].
        limits_kept: Lower and upper limits of the first k joints: torso, head and arms (2, k) [rad or m].
        counts: Of frames and steps.
        scale: Robot's arm length over the person's.
        cpu: Time spent per tick, frames included [s].
    """

    stamps: np.ndarray
    joints: tuple[str, ...]
    position: np.ndarray
    velocity: np.ndarray
    following: np.ndarray
    position_error: np.ndarray
    rotation_error: np.ndarray
    limits_kept: np.ndarray
    counts: Counts
    scale: float
    cpu: float


def retarget(
    frames: list[OperatorFrame],
    robot: Robot,
    settings: Settings,
    rate: float = 250.0,
    progress: Callable[[float], None] = lambda share: None,
) -> Track:
    """Let a robot that starts at home follow recorded frames.

    Args:
        frames: In order of their stamps.
        robot: The robot.
        settings: Of the retargeting.
        rate: Targets per second, besides one for each frame [Hz].
        progress: Called now and then with the share that is done.
    """
    retargeter = Retargeter(robot, settings)
    retargeter.start(robot.config.home)
    period = round(1e9 / rate)
    pacer = Pacer(period)
    frame_stamps = {frame.stamp: frame for frame in frames}
    ticks = np.arange(frames[0].stamp, frames[-1].stamp + 1, period)
    stamps = np.union1d(ticks, np.array(list(frame_stamps)))
    followed_since = dict.fromkeys(SIDES, -1)
    rows = []
    begin = time.process_time()
    for number, stamp in enumerate(stamps.tolist()):
        frame = frame_stamps.get(stamp)
        if frame is not None:
            retargeter.update(frame)
        if not (pacer.frame(stamp) if frame is not None else pacer.due(stamp)):
            continue
        targets = retargeter.tick(stamp)
        states, errors = retargeter.arm_states, retargeter.errors
        for side in SIDES:
            if states[side] != FOLLOWING:
                followed_since[side] = -1
            elif followed_since[side] < 0:
                followed_since[side] = stamp
        rows.append(
            (
                stamp,
                targets.position,
                targets.velocity,
                [0 <= followed_since[side] <= stamp - round(JOIN * 1e9) for side in SIDES],
                [errors[side].position for side in SIDES],
                [errors[side].rotation for side in SIDES],
            )
        )
        if number % 500 == 0:
            progress(number / len(stamps))
    spent = time.process_time() - begin
    progress(1.0)
    made, position, velocity, following, position_error, rotation_error = (np.array(column) for column in zip(*rows))
    return Track(
        stamps=made,
        joints=retargeter.joints,
        position=position,
        velocity=velocity,
        following=following,
        position_error=position_error,
        rotation_error=rotation_error,
        limits_kept=np.array([retargeter.limits.lower, retargeter.limits.upper]),
        counts=retargeter.counts,
        scale=retargeter.scale,
        cpu=spent / len(rows),
    )
