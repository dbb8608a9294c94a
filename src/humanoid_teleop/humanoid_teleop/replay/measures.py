# SPDX-License-Identifier: Apache-2.0
"""How well a robot followed a person: errors, limits, clearance, smoothness against the person's.

Sources: SPARC (spectral arc length of the speed profile, nearer to 0 is smoother) and LDLJ (log dimensionless jerk,
likewise): Balasubramanian, Melendez-Calderon, Roby-Brami, Burdet, "On the analysis of movement smoothness", J.
NeuroEngineering and Rehabilitation 12:112, 2015, with its cut-off of 10 Hz and amplitude threshold of 0.05. Both, and
the jerk, after the same low-pass of 10 Hz for person and robot, so that neither noise of the device nor the rate of
its frames counts.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pinocchio as pin
from scipy import signal

from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_description.self_collision import SelfCollision
from humanoid_teleop.operator import SIDES, OperatorFrame
from humanoid_teleop.person.calibration import about_z, yaw
from humanoid_teleop.replay.stream import seconds
from humanoid_teleop.replay.track import Track

RATE = 100.0  # [Hz] of the paths that smoothness is judged on
CUT_OFF = 10.0  # [Hz]
AT_LIMIT = 1e-3  # [rad or m] from the end of its range a joint is at it
CLEARANCE_RATE = 50.0  # [Hz] at which distances between links are measured
CLEARANCE_WITHIN = 0.2  # [m] distances above are not told apart
_LEAST = 1.0  # [s] of following that figures need


def figures(track: Track, frames: list[OperatorFrame], robot: Robot) -> dict[str, Any]:
    """All figures of one robot, as JSON knows them: lengths in mm, angles in degrees, shares in percent."""
    joined = track.following.any(axis=1)
    body = track.position[:, : track.limits_kept.shape[1]]
    margin = np.minimum(track.limits_kept[1] - body, body - track.limits_kept[0])
    at_limit = margin < AT_LIMIT
    names = track.joints[: body.shape[1]]
    limits = robot.limits(track.joints)
    steps = np.diff(track.stamps)[:, None] * 1e-9
    speed = np.abs(np.diff(track.position, axis=0)) / steps
    outside = (track.position < limits.lower - 1e-12) | (track.position > limits.upper + 1e-12)
    too_fast = speed > limits.velocity * (1.0 + 1e-9) + 1e-9
    distance, first, second = _clearance(track, robot)
    busy = {name: _share(column[joined]) for name, column in zip(names, at_limit.T) if column[joined].any()}
    return {
        "robot": robot.config.name,
        "title": robot.config.title,
        "scale": _rounded(track.scale),
        "seconds": _rounded((track.stamps[-1] - track.stamps[0]) * 1e-9),
        "seconds_followed": _rounded(float(np.diff(track.stamps, prepend=track.stamps[0])[joined].sum()) * 1e-9),
        "wrist_error_mm": _spread(track.position_error[track.following] * 1e3),
        "wrist_error_deg": _spread(np.degrees(track.rotation_error[track.following])),
        "sides": {side: _side(track, frames, robot, column) for column, side in enumerate(SIDES)},
        "at_joint_limit_percent": _share(at_limit[joined].any(axis=1)),
        "joints_at_limit_percent": dict(sorted(busy.items(), key=lambda item: -item[1])),
        "clearance_mm": _rounded(1e3 * distance),
        "clearance_between": [first, second],
        "peak_speed_percent": _rounded(100.0 * float((speed / limits.velocity).max(initial=0.0))),
        "ticks_outside_limits": int(outside.any(axis=1).sum() + too_fast.any(axis=1).sum()),
        "ticks": len(track.stamps),
        "cpu_us_per_tick": _rounded(1e6 * track.cpu),
        "counts": asdict(track.counts),
    }


def _side(track: Track, frames: list[OperatorFrame], robot: Robot, column: int) -> dict[str, Any]:
    side, rows = SIDES[column], track.following[:, column]
    if rows.sum() < 2 or np.ptp(track.stamps[rows]) < _LEAST * 1e9:
        return {"followed": False}
    begin, end = track.stamps[rows][[0, -1]]
    # One stretch: from joining to the end; where the arm let go in between, its halt is part of the path.
    times = np.arange(0.0, (end - begin) * 1e-9, 1.0 / RATE)
    ticks = (track.stamps >= begin) & (track.stamps <= end)
    made = _robot_path(track, robot, side, np.flatnonzero(ticks))
    path = _resampled((track.stamps[ticks] - begin) * 1e-9, made, times)
    person_times, person_path = _person_path(frames, side)
    offset = (begin - frames[0].stamp) * 1e-9
    person = track.scale * _resampled(person_times - offset, person_path, times)
    return {
        "followed": True,
        "wrist_error_mm": _spread(track.position_error[rows, column] * 1e3),
        "wrist_error_deg": _spread(np.degrees(track.rotation_error[rows, column])),
        "robot": smoothness(path),
        "person": smoothness(person),
    }


def smoothness(path: np.ndarray) -> dict[str, float | None]:
    """Of a path (m, 3) [m] at RATE: SPARC, LDLJ and root mean square jerk [m/s3] behind a low-pass of CUT_OFF."""
    low = signal.butter(4, CUT_OFF, fs=RATE, output="sos")
    smooth = signal.sosfiltfilt(low, path, axis=0)
    velocity = np.gradient(smooth, 1.0 / RATE, axis=0)
    jerk = np.gradient(np.gradient(velocity, 1.0 / RATE, axis=0), 1.0 / RATE, axis=0)
    inner = slice(10, -10)  # derivatives at the ends are one-sided
    jerk, speed = np.linalg.norm(jerk[inner], axis=1), np.linalg.norm(velocity[inner], axis=1)
    rms = float(np.sqrt((jerk**2).mean()))
    if speed.max() < 1e-3:
        return {"sparc": None, "ldlj": None, "rms_jerk": _rounded(rms)}
    duration = len(speed) / RATE
    ldlj = -np.log(duration**3 / speed.max() ** 2 * (jerk**2).sum() / RATE)
    return {"sparc": _rounded(_sparc(speed)), "ldlj": _rounded(float(ldlj)), "rms_jerk": _rounded(rms)}


def _sparc(speed: np.ndarray) -> float:
    size = 2 ** (int(np.ceil(np.log2(len(speed)))) + 4)
    frequency = np.fft.rfftfreq(size, 1.0 / RATE)
    spectrum = np.abs(np.fft.rfft(speed, size))
    spectrum /= spectrum.max()
    inside = np.flatnonzero((frequency <= CUT_OFF) & (spectrum >= 0.05))
    part = slice(0, inside[-1] + 1)
    frequency, spectrum = frequency[part] / frequency[inside[-1]], spectrum[part]
    return -float(np.hypot(np.diff(frequency), np.diff(spectrum)).sum())


def _person_path(frames: list[OperatorFrame], side: str) -> tuple[np.ndarray, np.ndarray]:
    """Times (k,) [s] and places (k, 3) [m] of a wrist, from between the shoulders or the head, in the heading frame."""
    times, places = [], []
    for time, frame in zip(seconds(frames), frames):
        both = frame.has("left_shoulder") and frame.has("right_shoulder")
        if not frame.has(f"{side}_wrist") or not (both or frame.has("head")):
            continue
        middle = 0.5 * (frame.position("left_shoulder") + frame.position("right_shoulder"))
        heading = yaw(frame.rotation("pelvis")) if frame.has("pelvis") else 0.0
        away = frame.position(f"{side}_wrist") - (middle if both else frame.position("head"))
        times.append(time)
        places.append(rotations.matrix(about_z(-heading)) @ away)
    return np.array(times), np.array(places)


def _robot_path(track: Track, robot: Robot, side: str, rows: np.ndarray) -> np.ndarray:
    """Places of a wrist from the robot's chest, base axes (len(rows), 3) [m]."""
    model = robot.pinocchio()
    data, q = model.createData(), robot.home()
    index = robot.index(track.joints)
    chest = robot.frame_id(robot.config.operator.torso_frame)
    middle = 0.5 * (robot.arm("left").shoulder + robot.arm("right").shoulder)
    wrist = robot.frame_id(robot.config.operator.arms[side].wrist_frame)
    out = np.empty((len(rows), 3))
    for place, row in enumerate(rows):
        q[index] = track.position[row]
        pin.forwardKinematics(model, data, q)
        torso = pin.updateFramePlacement(model, data, chest)
        out[place] = pin.updateFramePlacement(model, data, wrist).translation - torso.act(middle)
    return out


def _clearance(track: Track, robot: Robot) -> tuple[float, str, str]:
    """Smallest distance between links [m], and which; measured on the whole robot, not by the retargeting itself.

    Fingers may touch each other and their palm: pairs within one hand are left out, and so are links that nothing here
    moves against each other.
    """
    collision = SelfCollision(robot)
    index, q = robot.index(track.joints), robot.home()
    hand_of, movers = _hands(robot), _movers(robot, track.joints)
    best = (np.inf, "", "")
    due = track.stamps[0]
    for stamp, position in zip(track.stamps, track.position):
        if stamp < due:
            continue
        due = stamp + round(1e9 / CLEARANCE_RATE)
        q[index] = position
        for near in collision.closer_than(q, min(best[0], CLEARANCE_WITHIN)):
            apart = movers[near.first] != movers[near.second]
            if apart and hand_of.get(near.first, "a") != hand_of.get(near.second, "b"):
                best = (near.distance, near.first, near.second)
                break
    return best


def _hands(robot: Robot) -> dict[str, str]:
    """Side of each link that belongs to a hand, the link before the fingers included."""
    model = robot.pinocchio()
    sides = {}
    for side, hand in robot.config.hands.items():
        own = {int(model.getJointId(joint)) for joint in robot.group(hand.group)}
        own |= {int(model.getJointId(joint)) for joint, mimic in robot.mimics.items() if mimic.joint in hand.open}
        own |= {int(model.frames[robot.frame_id(hand.palm_frame)].parentJoint)}
        sides.update({frame.name: side for frame in model.frames if frame.parentJoint in own})
    return sides


def _movers(robot: Robot, joints: tuple[str, ...]) -> dict[str, frozenset[int]]:
    """Which of some joints, and of those that mimic them, move each link."""
    model = robot.pinocchio()
    followers = {joint for joint, mimic in robot.mimics.items() if mimic.joint in joints}
    moving = {int(model.getJointId(joint)) for joint in {*joints, *followers}}
    return {frame.name: frozenset(moving.intersection(model.supports[frame.parentJoint])) for frame in model.frames}


def _resampled(times: np.ndarray, places: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.column_stack([np.interp(at, times, column) for column in places.T])


def _spread(values: np.ndarray) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    if not known.size:
        return {"median": None, "p95": None, "worst": None}
    return {
        "median": _rounded(float(np.median(known))),
        "p95": _rounded(float(np.percentile(known, 95))),
        "worst": _rounded(float(known.max())),
    }


def _share(values: np.ndarray) -> float:
    return float(f"{100.0 * values.mean():.6g}") if values.size else 0.0


def _rounded(value: float) -> float | None:
    """Six significant digits; what is not finite is null in JSON."""
    return float(f"{value:.6g}") if np.isfinite(value) else None
