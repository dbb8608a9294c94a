# SPDX-License-Identifier: Apache-2.0
"""A clip onto a robot without ROS: the same core and course in time as the nodes, as fast as the machine can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humanoid_description import Robot
from humanoid_teleop.motion import OperatorMotion
from humanoid_teleop.operator import SIDES
from humanoid_teleop.pacing import Pacer
from humanoid_teleop.playback import Playback
from humanoid_teleop.retargeting import Counts, Retargeter
from humanoid_teleop.settings import Settings

_START = 1_000_000_000  # [ns] stamp of the first frame


@dataclass(frozen=True)
class Retargeted:
    """A robot's motion over m ticks.

    Attributes:
        time: Since the first frame (m,) [s].
        clip_time: Place in the clip (m,) [s].
        moving: Whether the clip was running (m,).
        joints: n names.
        position: (m, n) [rad].
        velocity: (m, n) [rad/s].
        position_error: Wrists left and right against the scaled operator's (m, 2) [m]; NaN while not following.
        rotation_error: Likewise (m, 2) [rad].
        distance: Of the nearest pair of links (m,) [m]; NaN where none is near.
        limit_margin: Smallest distance of a joint to the end of its range (m,) [rad].
        counts: Of frames and steps.
        scale: Robot's arm length over the person's.
    """

    time: np.ndarray
    clip_time: np.ndarray
    moving: np.ndarray
    joints: tuple[str, ...]
    position: np.ndarray
    velocity: np.ndarray
    position_error: np.ndarray
    rotation_error: np.ndarray
    distance: np.ndarray
    limit_margin: np.ndarray
    counts: Counts
    scale: float


def retarget(
    motion: OperatorMotion, robot: Robot, settings: Settings, rate: float = 250.0, speed: float = 1.0
) -> Retargeted:
    """Play a clip to a robot that starts at home.

    Args:
        motion: The clip.
        robot: The robot.
        settings: Of the retargeting.
        rate: Targets per second, besides one for each frame [Hz].
        speed: Seconds of the clip per second.
    """
    retargeter = Retargeter(robot, settings)
    retargeter.start(robot.config.home)
    playback = Playback(motion.duration, speed, loop=False, engage_after=0.5, join=2.5)
    end = playback.engage_after + playback.join + motion.duration / speed
    frame_stamps = _START + np.arange(0, int(end * 1e9), round(1e9 * motion.frame_time / speed))
    tick_stamps = _START + np.arange(0, int(end * 1e9), round(1e9 / rate))
    stamps = np.union1d(frame_stamps, tick_stamps)
    is_frame = np.isin(stamps, frame_stamps)
    limits = retargeter.limits
    pacer = Pacer(round(1e9 / rate))
    rows = []
    sequence = 0
    for stamp, with_frame in zip(stamps.tolist(), is_frame.tolist()):
        elapsed = (stamp - _START) * 1e-9
        place = playback.at(elapsed)
        if with_frame:
            retargeter.update(motion.at(place.time, stamp, sequence, place.engaged))
            sequence += 1
            if not pacer.frame(stamp):
                continue
        elif not pacer.due(stamp):
            continue
        targets = retargeter.tick(stamp)
        body = targets.position[: len(limits.lower)]
        errors = [retargeter.errors[side] for side in SIDES]
        rows.append(
            (
                elapsed,
                place.time,
                place.phase == "moving",
                targets.position,
                targets.velocity,
                [error.position for error in errors],
                [error.rotation for error in errors],
                retargeter.closest[0],
                np.minimum(limits.upper - body, body - limits.lower).min(),
            )
        )
    time, clip_time, moving, position, velocity, position_error, rotation_error, distance, margin = (
        np.array(column) for column in zip(*rows)
    )
    return Retargeted(
        time=time,
        clip_time=clip_time,
        moving=moving,
        joints=retargeter.joints,
        position=position,
        velocity=velocity,
        position_error=position_error,
        rotation_error=rotation_error,
        distance=distance,
        limit_margin=margin,
        counts=retargeter.counts,
        scale=retargeter.scale,
    )
