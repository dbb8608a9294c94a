# SPDX-License-Identifier: Apache-2.0
"""Public differential inverse kinematics on the same targets: pink (pinocchio) and mink (MuJoCo), used as their
examples show.

Each is given position and speed limits, one step per frame, and equal weights. "barrier" and "coll." keep apart the 21
pairs of links that matter most (both upper arms, forearms and hands against each other, forearms and hands against
pelvis, torso and head); where peers are judged, only those pairs count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import mink
import numpy as np
import pink
import pinocchio as pin
from pink.barriers import SelfCollisionBarrier
from pink.limits import AccelerationLimit

from bench import teleop_referee
from bench.teleop_sets import RATE, Sets, TargetSet
from humanoid_teleop.operator import SIDES

POSITION, ROTATION, TORSO, POSTURE, DAMPING = 1.0, 0.2, 0.2, 1e-3, 1e-6
DISTANCE, WATCHED = 0.015, 0.08  # [m]


class Solver(Protocol):
    """Follows poses."""

    def step(self, targets: TargetSet, index: int) -> np.ndarray:
        """Joint positions (n,) after one step towards frame `index` [rad]."""


@dataclass(frozen=True)
class Followed:
    """Commands (m, n) [rad], CPU time of each step (m,) [s], and in how many steps the solver failed."""

    commands: np.ndarray
    cost: np.ndarray
    failed: int


def follow(solver: Solver, targets: TargetSet, home: np.ndarray) -> Followed:
    """Run a solver over a set; where it raises, the robot stays where it is for that frame."""
    commands, cost, failed, last = [], [], 0, home
    for index in range(len(targets.torso)):
        begin = time.thread_time_ns()
        try:
            last = solver.step(targets, index)
        except (pink.exceptions.PinkError, mink.MinkError, ValueError, np.linalg.LinAlgError):
            failed += 1
        cost.append(time.thread_time_ns() - begin)
        commands.append(last)
    return Followed(np.array(commands), np.array(cost) * 1e-9, failed)


def link_pairs(sets: Sets) -> set[frozenset[str]]:
    """The 21 pairs of links, by name; fewer where the SRDF leaves some out."""
    arms = {}
    for side in SIDES:
        frames = sets.body.model.frames
        entry = sets.robot.config.operator.arms[side]
        elbow = sets.body.model.getJointId(entry.elbow_joint)
        last = sets.body.model.getJointId(sets.robot.config.groups[entry.group][-1])
        before = sets.body.model.parents[elbow]
        arms[side] = [
            next(f.name for f in frames if f.type == pin.BODY and f.parentJoint == j) for j in (before, elbow, last)
        ]
    geometry, torso = sets.body.geometry, sets.body.model.frames[sets.body.torso].parentJoint
    trunk = []
    for joint, count in ((0, 1), (torso, 2)):  # the largest of the base's, and of the torso's (head among them)
        sizes: dict[str, float] = {}
        for item in geometry.geometryObjects:
            item.geometry.computeLocalAABB()
            link = item.name.rsplit("_", 1)[0]
            if item.parentJoint == joint:
                sizes[link] = max(sizes.get(link, 0.0), item.geometry.aabb_radius)
        trunk += sorted(sizes, key=lambda link: -sizes[link])[:count]
    wanted = {frozenset((a, b)) for a in arms["left"] for b in arms["right"]}
    wanted |= {frozenset((link, other)) for side in SIDES for link in arms[side][1:] for other in trunk}
    return {pair for pair in wanted if _pairs(sets, {pair})}


def _pairs(sets: Sets, links: set[frozenset[str]]) -> list[tuple[str, str]]:
    """One pair of geometries for each pair of links: the largest of each."""
    geometry = sets.body.geometry
    best: dict[frozenset[str], tuple[float, tuple[str, str]]] = {}
    for pair in geometry.collisionPairs:
        a, b = geometry.geometryObjects[pair.first], geometry.geometryObjects[pair.second]
        key = frozenset((a.name.rsplit("_", 1)[0], b.name.rsplit("_", 1)[0]))
        if key in links:
            a.geometry.computeLocalAABB()
            b.geometry.computeLocalAABB()
            size = a.geometry.aabb_radius + b.geometry.aabb_radius
            if size > best.get(key, (0.0,))[0]:
                best[key] = size, (a.name, b.name)
    return [names for _, names in best.values()]


class Pink:
    """pink, with DAQP.

    Args:
        sets: The robot.
        acceleration: Keep acceleration limits too.
        barrier: Keep links apart, the six nearest pairs as in pink's examples.
    """

    def __init__(self, sets: Sets, acceleration: bool = False, barrier: bool = False) -> None:
        body = sets.body
        model = body.model.copy()
        model.lowerPositionLimit, model.upperPositionLimit = body.limits.lower, body.limits.upper
        model.velocityLimit = body.limits.velocity
        geometry = body.geometry.copy() if barrier else None
        if geometry is not None:
            geometry.removeAllCollisionPairs()
            for a, b in _pairs(sets, link_pairs(sets)):
                geometry.addCollisionPair(
                    pin.CollisionPair(geometry.getGeometryId(a), geometry.getGeometryId(b)),
                )
        self._configuration = pink.Configuration(
            model,
            model.createData(),
            body.home.copy(),
            collision_model=geometry,
            collision_data=pin.GeometryData(geometry) if geometry is not None else None,
        )
        names = model.frames
        self._wrists = {
            s: pink.tasks.FrameTask(names[body.arms[s].wrist].name, POSITION, ROTATION, lm_damping=DAMPING)
            for s in SIDES
        }
        self._torso = pink.tasks.FrameTask(names[body.torso].name, 0.0, TORSO, lm_damping=DAMPING)
        posture = pink.tasks.PostureTask(POSTURE)
        posture.set_target(body.home)
        self._tasks = [*self._wrists.values(), self._torso, posture]
        self._limits = None
        if acceleration:
            limit = AccelerationLimit(model, body.limits.acceleration)
            self._limits = [pink.limits.ConfigurationLimit(model), pink.limits.VelocityLimit(model), limit]
        count = min(6, len(geometry.collisionPairs)) if geometry is not None else 0
        self._barriers = (
            [SelfCollisionBarrier(count, gain=100.0, safe_displacement_gain=0.0, d_min=DISTANCE)] if count else None
        )

    def step(self, targets: TargetSet, index: int) -> np.ndarray:
        for side, task in self._wrists.items():
            task.set_target(pin.SE3(targets.wrists[side][index]))
        self._torso.set_target(pin.SE3(targets.torso[index]))
        velocity = pink.solve_ik(
            self._configuration,
            self._tasks,
            1.0 / RATE,
            solver="daqp",
            damping=DAMPING,
            limits=self._limits,
            barriers=self._barriers,
            safety_break=False,
        )
        for limit in self._limits or ():
            if isinstance(limit, AccelerationLimit):
                limit.set_last_integration(velocity, 1.0 / RATE)
        self._configuration.integrate_inplace(velocity, 1.0 / RATE)
        return self._configuration.q.copy()


class Mink:
    """mink, with DAQP.

    Args:
        sets: The robot.
        collision: Keep links apart.
    """

    def __init__(self, sets: Sets, collision: bool = False) -> None:
        body = sets.body
        model = teleop_referee.model(sets.robot, body.joints)
        self._order = np.array([model.joint(joint).qposadr[0] for joint in body.joints])
        for joint, low, high in zip(body.joints, body.limits.lower, body.limits.upper):
            model.jnt_range[model.joint(joint).id] = low, high
            model.jnt_limited[model.joint(joint).id] = True
        q = np.empty(model.nq)
        q[self._order] = body.home
        self._configuration = mink.Configuration(model, q)
        names = body.model.frames
        self._wrists = {
            s: mink.FrameTask(names[body.arms[s].wrist].name, "body", POSITION, ROTATION, lm_damping=DAMPING)
            for s in SIDES
        }
        self._torso = mink.FrameTask(names[body.torso].name, "body", 0.0, TORSO, lm_damping=DAMPING)
        posture = mink.PostureTask(model, POSTURE)
        posture.set_target(q)
        self._tasks = [*self._wrists.values(), self._torso, posture]
        speeds = {joint: float(speed) for joint, speed in zip(body.joints, body.limits.velocity)}
        self._limits = [mink.ConfigurationLimit(model, gain=1.0), mink.VelocityLimit(model, speeds)]
        if collision:
            pairs = [([a], [b]) for a, b in _pairs(sets, link_pairs(sets))]
            self._limits.append(
                mink.CollisionAvoidanceLimit(
                    model,
                    pairs,
                    minimum_distance_from_collisions=DISTANCE,
                    collision_detection_distance=WATCHED,
                )
            )

    def step(self, targets: TargetSet, index: int) -> np.ndarray:
        for side, task in self._wrists.items():
            task.set_target(mink.SE3.from_matrix(targets.wrists[side][index]))
        self._torso.set_target(mink.SE3.from_matrix(targets.torso[index]))
        velocity = mink.solve_ik(
            self._configuration, self._tasks, 1.0 / RATE, solver="daqp", damping=DAMPING, limits=self._limits
        )
        self._configuration.integrate_inplace(velocity, 1.0 / RATE)
        return self._configuration.q[self._order]
