# SPDX-License-Identifier: Apache-2.0
"""Whole-body motion onto a legged robot, beside inverse kinematics of the kind GMR does, on the same targets.

The person is made up: squats, turns, lifts the feet in turn and swings both arms. The peer is a restatement, on mink:
for each frame two stages (rotations first, then places) of up to ten steps each, until the error falls by less
than 1e-3.
"""

from __future__ import annotations

import time

import mink
import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from bench import teleop_referee
from bench.report import Figure
from humanoid_description import Robot
from humanoid_teleop.operator import BODY_PARTS, PART_INDEX, TRACKED
from humanoid_teleop.recordings.motion import OperatorMotion
from humanoid_teleop.whole_body.retargeter import WholeBody, WholeMotion
from humanoid_teleop.whole_body.targets import WholeTargets

RATE = 30.0  # [Hz]
REPEATS = 3
PEER = "GMR's scheme (restatement)"
FASTER = 0.002  # [s] of GMR's inner step: its model's time step


def person(seconds: float) -> OperatorMotion:
    """The made-up person, 1.75 m."""
    t = np.arange(0.0, seconds, 1.0 / RATE)
    count = len(t)
    at = np.zeros((count, len(BODY_PARTS), 3))
    turns = np.tile(np.array([0.0, 0.0, 0.0, 1.0]), (count, len(BODY_PARTS), 1))
    squat = 0.12 * (1.0 - np.cos(1.1 * t))
    lean = _about("y", 0.8 * squat)
    twist = _about("z", 0.3 * np.sin(0.7 * t)) * lean
    hips = np.stack([-0.5 * squat, 0.03 * np.sin(1.7 * t), 0.93 - squat], axis=1)

    def put(part: str, place: np.ndarray, turn: Rotation | None = None) -> None:
        at[:, PART_INDEX[part]] = place
        if turn is not None:
            turns[:, PART_INDEX[part]] = turn.as_quat()

    put("pelvis", hips, lean)
    put("torso", hips + lean.apply([0.0, 0.0, 0.3]), twist)
    chest = hips + lean.apply([0.0, 0.0, 0.2])
    put("head", chest + twist.apply([0.05, 0.0, 0.5]), twist)
    for side, sign, phase in (("left", 1.0, 0.0), ("right", -1.0, np.pi)):
        shoulder = chest + twist.apply([0.0, 0.19 * sign, 0.3])
        swing = _about("y", -0.5 - 0.5 * np.sin(1.9 * t + phase)) * _about("x", 0.15 * sign)
        bend = swing * _about("y", -0.9 - 0.5 * np.sin(1.3 * t + phase))
        elbow = shoulder + twist.apply(swing.apply([0.0, 0.0, -0.29]))
        forearm = twist * bend
        wrist = elbow + forearm.apply([0.0, 0.0, -0.26])
        put(f"{side}_shoulder", shoulder)
        put(f"{side}_elbow", elbow)
        put(f"{side}_wrist", wrist, forearm * _about("y", np.pi / 2) * _about("x", -sign * 1.57))
        hip = hips + lean.apply([0.0, 0.09 * sign, 0.0])
        lift = 0.12 * np.maximum(np.sin(1.7 * t + phase), 0.0) ** 2
        foot = np.stack([0.0 * t, np.full(count, 0.11 * sign), 0.08 + lift], axis=1)
        line = foot - hip
        length = np.linalg.norm(line, axis=1)[:, None]
        forward = np.array([1.0, 0.0, 0.0]) - line * (line[:, :1] / length**2)
        forward /= np.linalg.norm(forward, axis=1)[:, None]
        put(f"{side}_hip", hip)
        put(f"{side}_knee", hip + 0.5 * line + forward * np.sqrt(np.maximum(0.44**2 - 0.25 * length**2, 0.0)))
        put(f"{side}_foot", foot)
    validity = np.full(len(BODY_PARTS), TRACKED, dtype=np.uint8)
    return OperatorMotion("made up", 1.0 / RATE, at, turns, validity)


def _about(axis: str, angle: np.ndarray | float) -> Rotation:
    """Turns about an axis [rad]."""
    return Rotation.from_rotvec(np.multiply.outer(angle, np.eye(3)["xyz".index(axis)]))


class GmrLike:
    """Two stages of differential inverse kinematics on mink and DAQP, weights as ours."""

    def __init__(self, robot: Robot, whole: WholeBody) -> None:
        spec = mujoco.MjSpec.from_string(teleop_referee.fixed_urdf(robot, whole.robot.joints, collisions=False))
        frames, self._tasks = whole.robot.model.frames, whole.robot.tasks
        root = spec.body(robot.config.base_frame)
        root.add_freejoint()
        model = spec.compile()
        model.opt.timestep = FASTER
        self._configuration = mink.Configuration(model)
        self._joints = np.array([model.joint(joint).qposadr[0] for joint in whole.robot.joints])
        self._stages = [
            [
                mink.FrameTask(frames[task.frame].name, "body", place * task.position, task.rotation, lm_damping=1e-3)
                for task in self._tasks
            ]
            for place in (0.1, 1.0)
        ]
        self._limits = [mink.ConfigurationLimit(model)]

    def follow(self, targets: WholeTargets) -> tuple[np.ndarray, np.ndarray]:
        """Joint positions (m, n) and errors of places (m, tasks)."""
        configuration, positions, errors = self._configuration, [], []
        configuration.data.qpos[:3] = targets.positions[0, 0]
        for place, turned in zip(targets.positions, targets.rotations):
            for stage in self._stages:
                for task, at, facing in zip(stage, place, turned):
                    task.set_target(mink.SE3.from_rotation_and_translation(mink.SO3.from_matrix(facing), at))
                before = self._error(stage)
                for _ in range(10):
                    velocity = mink.solve_ik(
                        configuration, stage, FASTER, solver="daqp", damping=0.5, limits=self._limits
                    )
                    configuration.integrate_inplace(velocity, FASTER)
                    now = self._error(stage)
                    if before - now < 1e-3:
                        break
                    before = now
            positions.append(configuration.q[self._joints].copy())
            errors.append([np.linalg.norm(task.compute_error(configuration)[:3]) for task in self._stages[1]])
        return np.array(positions), np.array(errors)

    def _error(self, stage: list[mink.FrameTask]) -> float:
        return float(np.linalg.norm(np.concatenate([task.compute_error(self._configuration) for task in stage])))


def measure(robot: Robot, seconds: float) -> dict[str, Figure]:
    """Figures of whole-body motion."""
    motion = person(seconds)
    ours, spent = _timed(WholeBody(robot, collision=False), motion)
    whole = WholeBody(robot)
    apart, spent_apart = _timed(whole, motion)
    peer = GmrLike(robot, whole)
    begin = time.thread_time()
    theirs, their_errors = peer.follow(ours.targets)
    spent_by_peer = time.thread_time() - begin
    placed = [i for i, task in enumerate(whole.robot.tasks) if task.position]
    settled = round(RATE)
    count = len(ours.base)

    def fastest(positions: np.ndarray) -> float:
        return float(np.abs(np.diff(positions[1:], axis=0)).max() * RATE)

    def error(errors: np.ndarray) -> float:
        return 1e3 * float(errors[settled:, placed].mean())

    shapes = whole.robot.geometry.geometryObjects
    links = {
        frozenset(shapes[i].name.rsplit("_", 1)[0] for i in (pair.first, pair.second))
        for pair in whole.robot.geometry.collisionPairs
    }
    referee = teleop_referee.Referee(robot, whole.robot.joints)
    return {
        "whole body, frames per CPU second": Figure(count / spent, {PEER: count / spent_by_peer}),
        "whole body, mean error of places": Figure(error(ours.error), {PEER: error(their_errors)}),
        "whole body, fastest joint": Figure(fastest(ours.position), {PEER: fastest(theirs)}),
        "whole body, smallest distance of links": Figure(
            1e3 * referee.clearance(ours.position, links), {PEER: 1e3 * referee.clearance(theirs, links)}
        ),
        "whole body, links kept apart: frames per CPU second": Figure(count / spent_apart),
        "whole body, links kept apart: mean error of places": Figure(error(apart.error)),
        "whole body, links kept apart: fastest joint": Figure(fastest(apart.position)),
        "whole body, links kept apart: smallest distance of links": Figure(
            1e3 * referee.clearance(apart.position, links)
        ),
    }


def _timed(whole: WholeBody, motion: OperatorMotion) -> tuple[WholeMotion, float]:
    """The motion made, and the CPU time that took once everything is compiled [s]."""
    made, costs = whole.retarget(motion), []
    for _ in range(REPEATS):
        begin = time.thread_time()
        made = whole.retarget(motion)
        costs.append(time.thread_time() - begin)
    return made, min(costs)
