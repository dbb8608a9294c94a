# SPDX-License-Identifier: Apache-2.0
"""Operator frames to robot joint targets: the whole of it, for any robot, with no clock and no ROS.

    retargeter = Retargeter(humanoid_description.load(path), load_settings())
    retargeter.start(measured joint positions by name)
    retargeter.update(frame)          # as frames come
    targets = retargeter.tick(stamp)  # as often as targets are wanted

docs/teleoperation.md tells the method and its sources.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pinocchio as pin

from humanoid_core import rotations
from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_teleop import arm_solver
from humanoid_teleop.arm_solver import ArmTask
from humanoid_teleop.calibration import OperatorCalibration, calibrate
from humanoid_teleop.collision import NearPairs, SelfCollision
from humanoid_teleop.filtering import BAD, JUMPED, InputLimits, PoseGate
from humanoid_teleop.follower import FOLLOWING, HOLDING, IDLE, PoseFollower, Target, homing, limited, soft_reach
from humanoid_teleop.hands import HandRetargeter
from humanoid_teleop.limits import JointLimits, braking_velocity, velocity_box
from humanoid_teleop.mapping import BodyMapping
from humanoid_teleop.operator import LOST, PART_INDEX, SIDES, OperatorFrame
from humanoid_teleop.settings import Settings
from humanoid_teleop.upper_body import Arm, UpperBody

REST_RATE = 3.0  # [rad/s] at most, when the chest is lost or found
_NO_TURN = np.array([0.0, 0.0, 0.0, 1.0])

SOFT_START = 0.1  # [s] in which a newly engaged hand takes over the person's speed
STRAYED = 0.1  # [rad] more than a servo sags under gravity

WAITING, CALIBRATING, READY, ENGAGED = "waiting", "calibrating", "ready", "engaged"


@dataclass(frozen=True)
class Targets:
    """What the robot's joints are to do.

    Attributes:
        joints: n names: torso, arms, hands.
        position: (n,) [rad].
        velocity: (n,) [rad/s].
    """

    joints: tuple[str, ...]
    position: np.ndarray
    velocity: np.ndarray


@dataclass
class WristError:
    """Robot's wrist against the scaled operator's, newest step.

    Attributes:
        position: Against where the operator's wrist is, before soft reach and ramp [m]; NaN unless the arm follows.
        rotation: [rad].
    """

    position: float = math.nan
    rotation: float = math.nan


@dataclass
class Counts:
    """Operator frames since the start: used, lost by sequence number, and refused or partly refused."""

    frames: int = 0
    lost: int = 0
    rejected: int = 0
    failed_steps: int = 0
    guarded_steps: int = 0


class _ArmState:
    """What is remembered of one arm."""

    def __init__(self, arm: Arm, settings: Settings) -> None:
        self.arm = arm
        self.follower = PoseFollower(settings, settings.smoothing, settings.clutched)
        self.gate = PoseGate(InputLimits(settings.input_speed, settings.input_turn_rate, settings.jump_frames))
        self.elbow = np.zeros(3)
        self.wanted = False  # engaged by the person
        self.released = False  # seen not engaged since the arm last stopped following
        self.target: Target | None = None  # of the newest step
        # Of the robot, base axes, from the chest
        self.wrist, self.wrist_turn, self.shoulder = np.zeros(3), _NO_TURN, np.zeros(3)
        self.rate, self.turn_rate = np.zeros(3), np.zeros(3)  # asked of the wrist in the last step


class Retargeter:
    """Follows one person with one robot.

    Args:
        robot: The robot.
        settings: See settings.py.
        calibration: The person; None: measured from the first frames.

    Attributes:
        counts: Of frames and steps.
        calibration: The person, once known.
    """

    def __init__(self, robot: Robot, settings: Settings, calibration: OperatorCalibration | None = None) -> None:
        self._settings = settings
        self.body = UpperBody(robot)
        self._limits = replace(
            self.body.limits,
            velocity=settings.velocity_share * self.body.limits.velocity,
            acceleration=settings.acceleration_share * self.body.limits.acceleration,
        )
        # Half of what the weakest joint of the waist brakes with
        self._waist_braking = 0.5 * float(self._limits.acceleration[self.body.waist].min(initial=math.inf))
        self._data = self.body.model.createData()
        movers = np.concatenate([arm.joints for arm in self.body.arms.values()])
        watched = settings.collision_near, settings.collision_watch, settings.collision_acceleration
        self._collision = SelfCollision(self.body.model, self.body.geometry, movers, *watched)
        commanded = [
            side
            for side in SIDES
            if side in robot.config.hands and robot.config.hands[side].group in robot.config.commanded
        ]
        self._hands = {side: HandRetargeter(robot, side, settings) for side in commanded}
        self.joints = self.body.joints + tuple(joint for hand in self._hands.values() for joint in hand.joints)
        self._posture_weight = settings.posture_weight**2 * self.body.posture_weights
        self._frames: list[OperatorFrame] = []
        self.calibration = calibration
        self._mapping = self._make_mapping(calibration) if calibration else None
        self.counts = Counts()
        self._newest: OperatorFrame | None = None
        self._zero: int | None = None  # stamp that times in seconds count from
        self._q: np.ndarray | None = None
        self._v = np.zeros(len(self.body.joints))
        self._time: float | None = None
        self._near = NearPairs(np.zeros(0, int), np.zeros(0), np.zeros((0, self.body.model.nv)))
        self._arms = {side: _ArmState(arm, settings) for side, arm in self.body.arms.items()}
        self._chest = PoseFollower(settings, settings.chest_smoothing, clutched=False)
        self._torso_turn, self._chest_place = _NO_TURN, np.zeros(3)
        self._rest_matrix = np.eye(3)
        self._rest = _NO_TURN  # robot's chest against the person's, as far as it turns the arms, quaternion xyzw
        limits = InputLimits(settings.input_speed, settings.input_turn_rate, settings.jump_frames)
        self._gates = {
            part: PoseGate(limits) for part in ("head", "torso", "pelvis", "left_shoulder", "right_shoulder")
        }

    # --- state ---

    @property
    def state(self) -> str:
        """WAITING, CALIBRATING, READY, ENGAGED or HOLDING, for the person."""
        if self._newest is None or self._q is None:
            return WAITING
        if self._mapping is None:
            return CALIBRATING
        states = [arm.follower.state for arm in self._arms.values()]
        if FOLLOWING in states:
            return ENGAGED
        return HOLDING if HOLDING in states else READY

    @property
    def arm_states(self) -> dict[str, str]:
        """IDLE, FOLLOWING or HOLDING by side."""
        return {side: arm.follower.state for side, arm in self._arms.items()}

    @property
    def errors(self) -> dict[str, WristError]:
        """By side."""
        return {side: self._error(arm) for side, arm in self._arms.items()}

    @property
    def scale(self) -> float:
        """Robot's arm length over the person's; NaN before calibration."""
        return self._mapping.scale if self._mapping else math.nan

    @property
    def mapping(self) -> BodyMapping | None:
        """From the person to the robot, once calibrated."""
        return self._mapping

    @property
    def closest(self) -> tuple[float, str, str]:
        """Distance [m] of the nearest pair of links, and their names; NaN where none is nearer than watched."""
        return self._collision.nearest

    @property
    def at_limit(self) -> list[str]:
        """Joints within 1 mrad of an end of their range."""
        if self._q is None:
            return []
        near = np.minimum(self._limits.upper - self._q, self._q - self._limits.lower) < 1e-3
        return [self.body.joints[index] for index in np.flatnonzero(near)]

    @property
    def limits(self) -> JointLimits:
        """Limits kept, of torso and arms."""
        return self._limits

    @property
    def source(self) -> str:
        """Device of the newest operator frame."""
        return self._newest.source if self._newest else ""

    @property
    def started(self) -> bool:
        """Whether the robot's joint positions are known."""
        return self._q is not None

    def strayed(self, positions: Mapping[str, float]) -> bool:
        """Whether the robot was moved by somebody else while nothing is engaged and nothing moves: then `start` again.

        Args:
            positions: Measured joint positions by name [rad].
        """
        if self._q is None or self._v.any() or any(state != IDLE for state in self.arm_states.values()):
            return False
        return any(abs(positions.get(joint, q) - q) > STRAYED for joint, q in zip(self.body.joints, self._q.tolist()))

    # --- inputs ---

    def start(self, positions: Mapping[str, float]) -> None:
        """Begin, or begin again while nothing is engaged, where the robot is.

        Args:
            positions: Measured joint positions by name [rad]; a missing joint is taken to be at home.

        Raises:
            HumanoidError: a position is not finite.
        """
        q = np.array([positions.get(joint, home) for joint, home in zip(self.body.joints, self.body.home)], dtype=float)
        if not np.isfinite(q).all():
            raise HumanoidError(f"joint positions to start from: found {q.tolist()}, expected finite numbers")
        self._q, self._v = q, np.zeros(len(q))
        for arm in self._arms.values():
            arm.follower.state = IDLE
        self._chest.state = IDLE
        for hand in self._hands.values():
            hand.start(positions)
        self._update_kinematics()
        self._collision.reset(self._data)
        self._near = self._collision.measure(self._data, self._v)

    def update(self, frame: OperatorFrame) -> None:
        """Take in an operator frame. Frames out of order and poses that cannot be are counted and left out."""
        if self._newest is not None:
            if frame.stamp <= self._newest.stamp:
                self.counts.rejected += 1
                return
            if frame.sequence > self._newest.sequence + 1:
                self.counts.lost += frame.sequence - self._newest.sequence - 1
        if self._zero is None:
            self._zero = frame.stamp
        time = self._seconds(frame.stamp)
        self._newest = frame
        self.counts.frames += 1
        frame, jumped = self._checked(frame, time)
        for side, arm in self._arms.items():
            arm.wanted = frame.hand(side).engaged
            arm.released = arm.released or not arm.wanted
            if not arm.wanted and arm.follower.state != IDLE:
                arm.follower.state = IDLE
        if self._mapping is None:
            self._calibrate(frame)
        if self._mapping is None:
            return
        body = self._mapping.body(frame)
        for side, arm in self._arms.items():
            target = body.arms[side]
            if target is not None:
                arm.follower.measured(time, target.wrist, target.rotation, bool(jumped & {"", f"{side}_wrist"}))
                arm.elbow = target.elbow
            if side in self._hands:
                self._hands[side].update(frame.hand(side))
        if body.torso is not None:
            self._chest.measured(time, np.zeros(3), body.torso, bool(jumped & {"", "torso"}))

    def tick(self, stamp: int) -> Targets:
        """Targets for a time, in order of time.

        Args:
            stamp: What the targets are meant for [ns].

        Raises:
            HumanoidError: called before `start`.
        """
        if self._q is None:
            raise HumanoidError("targets asked for before the robot's joint positions are known")
        if self._zero is None:
            self._zero = stamp
        time = self._seconds(stamp)
        if self._time is None:
            self._time = time
        elapsed = time - self._time
        if elapsed > 0.0:
            # A late tick is made up for in steps of at most max_step; after a long pause the rest of the time is left
            # out.
            steps = min(math.ceil(elapsed / self._settings.max_step - 1e-9), 10)
            dt = min(elapsed / steps, self._settings.max_step)
            for step in range(steps - 1, -1, -1):
                self._step(time - step * dt, dt)
            self._time = time
        hands = self._hands.values()
        position = np.concatenate([self._q, *(hand.position for hand in hands)])
        velocity = np.concatenate([self._v, *(hand.velocity for hand in hands)])
        return Targets(self.joints, position, velocity)

    # --- input ---

    def _seconds(self, stamp: int) -> float:
        assert self._zero is not None
        return (stamp - self._zero) * 1e-9

    def _checked(self, frame: OperatorFrame, time: float) -> tuple[OperatorFrame, set[str]]:
        """Frame without what cannot be, and what jumped; "" among them: what wrists are measured from did."""
        finite = np.isfinite(frame.positions).all(axis=1) & np.isfinite(frame.rotations).all(axis=1)
        norms = np.sqrt(np.einsum("ij,ij->i", frame.rotations, frame.rotations))
        good = finite & (norms > 0.5) & (norms < 2.0)
        validity = np.where(good, frame.validity, LOST)
        bad = bool((validity != frame.validity).any())
        norms[~good] = 1.0
        checked = replace(
            frame,
            positions=np.where(good[:, None], frame.positions, 0.0),
            rotations=np.where(good[:, None], frame.rotations / norms[:, None], (0.0, 0.0, 0.0, 1.0)),
            validity=validity,
        )
        jumped = set()
        gates = {**self._gates, **{f"{side}_wrist": arm.gate for side, arm in self._arms.items()}}
        for part, gate in gates.items():
            index = PART_INDEX[part]
            if validity[index] == LOST:
                continue
            verdict = gate.check(time, checked.positions[index], checked.rotations[index])
            if verdict == BAD:
                validity[index] = LOST
                bad = True
            elif verdict == JUMPED:
                jumped.add(part if part.endswith("_wrist") or part == "torso" else "")
        self.counts.rejected += bad
        return checked, jumped

    def _calibrate(self, frame: OperatorFrame) -> None:
        self._frames.append(frame)
        if len(self._frames) >= self._settings.calibration_frames:
            frames, self._frames = self._frames, []
            self.calibration = calibrate(frames, self._settings.operator_height)
            self._mapping = self._make_mapping(self.calibration)

    def _make_mapping(self, calibration: OperatorCalibration) -> BodyMapping:
        return BodyMapping(calibration, self.body.reach, self.body.half_shoulders)

    # --- one step ---

    def _step(self, time: float, dt: float) -> None:
        assert self._q is not None
        limits = self._limits
        low, high = velocity_box(self._q, self._v, dt, limits)
        brake = np.minimum(np.maximum(braking_velocity(self._v, dt, limits.acceleration), low), high)
        self._watch_inputs(time)
        chest = self._chest.target(time) if self._chest.state == FOLLOWING else None
        self._turn_with_chest(chest, dt)

        v = brake.copy()
        if chest is not None:
            v[self.body.waist] = self._waist(chest, time, dt, low, high)
        tasks = []
        posture = np.zeros(len(v))
        for arm in self._arms.values():
            if arm.follower.state == FOLLOWING:
                tasks.append(self._arm_task(arm, time, dt, v))
                gain = self._settings.posture_rate * arm.follower.progress(time)
                posture[arm.arm.joints] = gain * (self.body.home - self._q)[arm.arm.joints]

        solved = arm_solver.solve(
            tasks,
            posture,
            self._posture_weight,
            self._v,
            self._settings.smoothness**2,
            low,
            high,
            v,
            *self._approach(time, dt),
        )
        if solved is None:
            self.counts.failed_steps += 1
            solved = brake
        self._move(solved, brake, dt)
        for side, hand in self._hands.items():
            hand.step(dt, follow=self._arms[side].follower.state == FOLLOWING)

    def _error(self, arm: _ArmState) -> WristError:
        if arm.follower.state != FOLLOWING or arm.target is None:
            return WristError()
        difference = arm.target.position - arm.wrist
        angle = rotations.angle(arm.wrist_turn, arm.target.rotation)
        return WristError(math.sqrt(float(difference @ difference)), angle)

    def _watch_inputs(self, time: float) -> None:
        """Engage what asks for it and let go of what is lost."""
        for arm in self._arms.values():
            follower = arm.follower
            fresh = time - follower.seen <= self._settings.hold_after
            if follower.state == FOLLOWING and not fresh:
                follower.state = HOLDING
            if follower.state != FOLLOWING:
                arm.target, arm.rate, arm.turn_rate = None, np.zeros(3), np.zeros(3)
                if fresh and arm.wanted and arm.released:
                    arm.released = False
                    back = rotations.inverse(self._rest)
                    follower.engage(time, self._rest_matrix.T @ arm.wrist, rotations.multiply(back, arm.wrist_turn))
        following = any(arm.follower.state == FOLLOWING for arm in self._arms.values())
        fresh = time - self._chest.seen <= self._settings.hold_after
        if not (following and fresh and self._settings.waist and self.body.waist.size):
            self._chest.state = IDLE
        elif self._chest.state != FOLLOWING:
            self._chest.engage(time, np.zeros(3), self._torso_turn)

    def _update_kinematics(self) -> None:
        """Jacobians, and the places that steps need, at the present configuration; base axes, wrists from the chest."""
        model, data = self.body.model, self._data
        pin.computeJointJacobians(model, data, self._q)
        torso = pin.updateFramePlacement(model, data, self.body.torso)
        self._torso_turn = rotations.quaternion(torso.rotation)
        self._chest_place = torso.act(self.body.chest)
        for arm in self._arms.values():
            wrist = pin.updateFramePlacement(model, data, arm.arm.wrist)
            arm.wrist = wrist.translation - self._chest_place
            arm.wrist_turn = rotations.quaternion(wrist.rotation @ arm.arm.wrist_from_operator)
            arm.shoulder = torso.act(arm.arm.shoulder) - self._chest_place

    def _wanted(self, arm: _ArmState, time: float) -> Target:
        """Where the wrist should be: from the chest, base axes [m], and its operator axes."""
        target = arm.follower.target(time)
        if self._rest is _NO_TURN:
            return target
        turn = self._rest_matrix
        return Target(
            turn @ target.position,
            rotations.multiply(self._rest, target.rotation),
            turn @ target.velocity,
            turn @ target.turn_rate,
        )

    def _turn_with_chest(self, chest: Target | None, dt: float) -> None:
        """What the waist cannot take over of the chest's rotation turns the arms along with the chest."""
        rest = _NO_TURN
        if chest is not None and not self._settings.level:
            rest = rotations.multiply(self._torso_turn, rotations.inverse(chest.rotation))
        elif self._rest is _NO_TURN:
            return
        change = _turn(self._rest, rest)
        step = limited(change, REST_RATE * dt)
        self._rest = rest if step is change else rotations.multiply(rotations.exp(step), self._rest)
        self._rest_matrix = rotations.matrix(self._rest)

    def _waist(self, target: Target, time: float, dt: float, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Velocities of the waist's joints towards the person's chest."""
        waist = self.body.waist
        turn = _turn(self._torso_turn, target.rotation)
        rate = target.turn_rate + homing(
            turn - target.turn_rate * dt, self._settings.error_rate, self._waist_braking, dt
        )
        rate = rate * min((time - self._chest.engaged_at) / SOFT_START, 1.0)
        jacobian = self._data.J[3:, waist]
        normal = jacobian.T @ jacobian
        normal.flat[:: len(waist) + 1] += 1e-4
        return np.minimum(np.maximum(np.linalg.solve(normal, jacobian.T @ rate), low[waist]), high[waist])

    def _arm_task(self, arm: _ArmState, time: float, dt: float, v: np.ndarray) -> ArmTask:
        settings, side = self._settings, arm.arm
        columns = side.joints
        wrist, turned, shoulder, chest = arm.wrist, arm.wrist_turn, arm.shoulder, self._chest_place

        # Where to
        target = arm.target = self._wanted(arm, time)
        reach = settings.reach_soft * side.reach, settings.reach_hard * side.reach
        wanted = target.position - shoulder
        reached = soft_reach(wanted, *reach)
        position, ahead = target.position, target.velocity
        if reached is not wanted:
            position = shoulder + reached
            ahead = (soft_reach(wanted + dt * ahead, *reach) - reached) / dt
        if settings.clutched:
            beyond = target.position - position
            excess = beyond - limited(beyond, settings.windup)
            if excess.any():
                arm.follower.slide(-(self._rest_matrix.T @ excess))
        ahead, ahead_turn = limited(ahead, settings.hand_speed), limited(target.turn_rate, settings.hand_turn_rate)
        error, error_turn = position - wrist, _turn(turned, target.rotation)
        rate = ahead + homing(error - ahead * dt, settings.error_rate, settings.hand_acceleration, dt)
        rate_turn = ahead_turn + homing(
            error_turn - ahead_turn * dt, settings.error_rate, settings.hand_turn_acceleration, dt
        )
        # Frames correct the prediction in small jumps: taken over within about one frame.
        share = 1.0 - math.exp(-dt / settings.rate_smoothing) if settings.rate_smoothing > 0.0 else 1.0
        share *= min((time - arm.follower.engaged_at) / SOFT_START, 1.0)
        arm.rate = arm.rate + share * (limited(rate, settings.hand_speed) - arm.rate)
        arm.turn_rate = arm.turn_rate + share * (limited(rate_turn, settings.hand_turn_rate) - arm.turn_rate)
        rate, rate_turn = arm.rate, arm.turn_rate

        # How: Jacobian of a point p from that of the base's origin, J_p = J_v - [p]x J_w
        jacobian = self._data.J
        point = wrist + chest
        arm_part = jacobian[:, columns]
        rows = np.empty((7, len(columns)))
        rows[:3] = arm_part[:3] - _skew(point) @ arm_part[3:]
        rows[3:6] = settings.rotation_weight * arm_part[3:]
        waist = self.body.waist
        if waist.size:
            # The wrist is wanted relative to the chest, its rotation in the base.
            moving = jacobian[3:, waist] @ v[waist]
            rate = rate - _crossed(moving, wrist)
            rate_turn = rate_turn - moving
        rates = np.empty(7)
        rates[:3], rates[3:6] = rate, settings.rotation_weight * rate_turn
        rows[6], rates[6] = self._elbow_task(arm, time, shoulder + chest, point, arm_part)
        size = float(error @ error) ** 0.5
        damping = settings.damping**2 + (settings.error_damping * min(size, 0.3)) ** 2
        return ArmTask(columns, rows, rates, damping)

    def _elbow_task(
        self, arm: _ArmState, time: float, shoulder: np.ndarray, wrist: np.ndarray, jacobian: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Weighted row (7,) and rate: turn the elbow about the line from shoulder to wrist to where the person's is."""
        none = np.zeros(jacobian.shape[1]), 0.0
        settings = self._settings
        bend = math.sqrt(float(arm.elbow @ arm.elbow))
        weight = settings.elbow_weight * min(bend / 0.15, 1.0) * arm.follower.progress(time)
        if weight < 1e-6:
            return none
        elbow = pin.updateFramePlacement(self.body.model, self._data, arm.arm.elbow).translation
        line = wrist - shoulder
        length = math.sqrt(float(line @ line))
        if length < 1e-3:
            return none
        line = line / length
        across = elbow - shoulder
        across = across - line * float(line @ across)
        radius = math.sqrt(float(across @ across))
        wanted = arm.elbow - line * float(line @ arm.elbow)
        if radius < 5e-3 or float(wanted @ wanted) < 1e-6:
            return none
        angle = math.atan2(float(line @ _crossed(across, wanted)), float(across @ wanted))
        tangent = _crossed(line, across) / radius
        row = (tangent @ jacobian[:3] + _crossed(elbow, tangent) @ jacobian[3:]) * arm.arm.moves_elbow
        rate = radius * min(max(settings.elbow_rate * angle, -4.0), 4.0)
        return weight * row, weight * rate

    def _approach(self, time: float, dt: float) -> tuple[np.ndarray, np.ndarray]:
        """Gradients (k, n) of the near pairs' distances and how fast each may shrink (k,) [m/s]."""
        near = self._near
        if not self._settings.collision or not near.pairs.size:
            return near.gradients[:0], near.distances[:0]
        room = near.distances - self._settings.collision_distance
        step = self._settings.collision_acceleration * dt
        speed = np.sqrt(step * step + 2.0 * self._settings.collision_acceleration * np.maximum(room, 0.0)) - step
        # Links that are too near part, once the arms have joined the person: engaging moves nothing.
        joined = max(arm.follower.progress(time) * (arm.follower.state == FOLLOWING) for arm in self._arms.values())
        return near.gradients, np.where(room < 0.0, joined * self._settings.collision_recovery * room, speed)

    def _move(self, v: np.ndarray, brake: np.ndarray, dt: float) -> None:
        """Take the step, or brake where it would bring links that are too near nearer still."""
        start = self._q
        assert start is not None
        before = self._near
        self._place(start, v, dt)
        if self._settings.collision and self._worse(before):
            self.counts.guarded_steps += 1
            self._collision.moved(v, dt)
            self._place(start, brake, dt)

    def _worse(self, before: NearPairs) -> bool:
        """Whether a pair inside the hard distance came closer in the last step."""
        hard = 0.5 * self._settings.collision_distance
        if not self._near.distances.size or self._near.distances[0] >= hard:
            return False
        known = dict(zip(before.pairs.tolist(), before.distances.tolist()))
        for pair, distance in zip(self._near.pairs.tolist(), self._near.distances.tolist()):
            if distance < hard and distance < known.get(pair, math.inf) - 1e-5:
                return True
        return False

    def _place(self, start: np.ndarray, v: np.ndarray, dt: float) -> None:
        q = start + v * dt
        inside = (start >= self._limits.lower) & (start <= self._limits.upper)
        q = np.where(inside, np.minimum(np.maximum(q, self._limits.lower), self._limits.upper), q)
        self._q, self._v = q, v
        self._update_kinematics()
        self._collision.moved(v, dt)
        self._near = self._collision.measure(self._data, v)


def _turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rotation vector (3,), in the frame that both are given in, that takes quaternion a to b."""
    return rotations.log(rotations.multiply(b, rotations.inverse(a)))


def _skew(p: np.ndarray) -> np.ndarray:
    x, y, z = p.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _crossed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
