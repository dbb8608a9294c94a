# SPDX-License-Identifier: Apache-2.0
"""Operator frames to robot joint targets: the whole of it, for any robot, with no clock and no ROS.

    retargeter = Retargeter(humanoid_description.load(path), load_settings())
    retargeter.start(measured joint positions by name)
    retargeter.update(frame)          # as frames come
    targets = retargeter.tick(stamp)  # as often as targets are wanted

docs/teleoperation.md tells the method and its sources. Here: who follows whom, and when. How the joints then move is
in stepper.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from humanoid_core import rotations
from humanoid_core.errors import HumanoidError
from humanoid_description import Robot
from humanoid_teleop.arms.arm_tasks import SHOULDER, WRIST, turned_target
from humanoid_teleop.arms.limits import JointLimits
from humanoid_teleop.arms.stepper import Stepper
from humanoid_teleop.arms.upper_body import UpperBody
from humanoid_teleop.compiled import multiply
from humanoid_teleop.hands.retargeter import HandRetargeter
from humanoid_teleop.operator import PART_INDEX, SIDES, OperatorFrame
from humanoid_teleop.person.calibration import OperatorCalibration, calibrate
from humanoid_teleop.person.filtering import BAD, JUMPED, FrameGate
from humanoid_teleop.person.follower import FOLLOWING, HOLDING, IDLE, PoseFollower, Target, turn_to_difference
from humanoid_teleop.person.mapping import BodyMapping
from humanoid_teleop.settings import Settings

REST_RATE = 3.0  # [rad/s] at most, when the chest is lost or found
SOFT_START = 0.1  # [s] in which a newly engaged hand takes over the person's speed
STRAYED = 0.1  # [rad] more than a servo sags under gravity
_NO_TURN = np.array([0.0, 0.0, 0.0, 1.0])
_NOWHERE = np.zeros(3)
# Parts that wrists are measured from: where one of them jumps, wrists do.
_ANCHORS = [PART_INDEX[part] for part in ("head", "pelvis", "left_shoulder", "right_shoulder")]

WAITING, CALIBRATING, READY, ENGAGED = "waiting", "calibrating", "ready", "engaged"


@dataclass(frozen=True)
class Targets:
    """What the robot's joints are to do.

    Attributes:
        joints: n names: torso, head, arms, hands.
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
        beyond: How much farther than the arm reaches that is [m]; negative within reach.
        joined: 0..1 how far the arm has joined the person's since it was engaged.
    """

    position: float = math.nan
    rotation: float = math.nan
    beyond: float = math.nan
    joined: float = math.nan


@dataclass
class Counts:
    """Operator frames since the start: used, lost by sequence number, and refused or partly refused; steps that had no
    answer and braked, and steps that were cut back to keep links apart."""

    frames: int = 0
    lost: int = 0
    rejected: int = 0
    failed_steps: int = 0
    guarded_steps: int = 0


class _Arm:
    """What is remembered of one arm."""

    def __init__(self, settings: Settings, wish: Target) -> None:
        self.follower = PoseFollower(settings, settings.smoothing, settings.clutched, wish)
        self.bend = np.zeros(3)
        self.wanted = False  # engaged by the person
        self.released = False  # seen not engaged since the arm last stopped following


class Retargeter:
    """Follows one person with one robot.

    Args:
        robot: The robot.
        settings: See settings.py.
        calibration: The person; None: measured from the first frames.

    Attributes:
        body: Model of what moves.
        joints: Names, in the order of the targets.
        calibration: The person, once known.
    """

    def __init__(self, robot: Robot, settings: Settings, calibration: OperatorCalibration | None = None) -> None:
        self._settings = settings
        self.body = UpperBody(robot)
        self._stepper = Stepper(self.body, settings)
        commanded = [
            side
            for side in SIDES
            if side in robot.config.hands and robot.config.hands[side].group in robot.config.commanded
        ]
        self._hands = {side: HandRetargeter(robot, side, settings) for side in commanded}
        self.joints = self.body.joints + tuple(joint for hand in self._hands.values() for joint in hand.joints)
        self._counts = Counts()
        self._started = False
        # The person
        self._gate = FrameGate(settings.input_speed, settings.input_turn_rate, settings.jump_frames)
        self._frames: list[OperatorFrame] = []
        self.calibration = calibration
        self._mapping = self._make_mapping(calibration) if calibration else None
        self._newest: OperatorFrame | None = None
        # Time
        self._zero: int | None = None  # stamp that times in seconds count from
        self._time: float | None = None
        # Who follows
        wish = self._stepper.wish
        self._arms = {side: _Arm(settings, target) for side, target in zip(self.body.arms, wish.arms, strict=True)}
        self._chest = PoseFollower(settings, settings.chest_smoothing, clutched=False, out=wish.chest)
        self._head = PoseFollower(settings, settings.chest_smoothing, clutched=False, out=wish.head)
        facing = self._stepper.state
        self._torso_home, self._head_home = facing.torso.copy(), facing.head.copy()
        self._facing = np.zeros(4)  # where chest or head is wanted, while that is told
        self._rest = _NO_TURN  # robot's chest against the person's, as far as it turns the arms, quaternion xyzw

    # --- state ---

    @property
    def state(self) -> str:
        """WAITING, CALIBRATING, READY, ENGAGED or HOLDING, for the person."""
        if self._newest is None or not self._started:
            return WAITING
        if self._mapping is None:
            return CALIBRATING
        states = [arm.follower.state for arm in self._arms.values()]
        if FOLLOWING in (*states, self._head.state):
            return ENGAGED
        return HOLDING if HOLDING in states else READY

    @property
    def must_release(self) -> bool:
        """Whether the person holds a dead-man that counts only once it was let go of, as after a restart."""
        return any(arm.wanted and not arm.released and arm.follower.state == IDLE for arm in self._arms.values())

    @property
    def arm_states(self) -> dict[str, str]:
        """IDLE, FOLLOWING or HOLDING by side."""
        return {side: arm.follower.state for side, arm in self._arms.items()}

    @property
    def counts(self) -> Counts:
        """Of frames and steps."""
        self._counts.failed_steps, self._counts.guarded_steps = self._stepper.failed, self._stepper.guarded
        return self._counts

    @property
    def errors(self) -> dict[str, WristError]:
        """By side."""
        return {side: self._error(index, arm) for index, (side, arm) in enumerate(self._arms.items())}

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
        return self._stepper.collision.nearest

    @property
    def at_limit(self) -> list[str]:
        """Joints within 1 mrad of an end of their range."""
        q, limits = self._stepper.state.q, self._stepper.limits
        near = np.minimum(limits.upper - q, q - limits.lower) < 1e-3
        return [self.body.joints[index] for index in np.flatnonzero(near)] if self._started else []

    @property
    def fast(self) -> list[str]:
        """Joints that move as fast as they may."""
        fastest = np.abs(self._stepper.state.v) > 0.99 * self._stepper.limits.velocity
        return [self.body.joints[index] for index in np.flatnonzero(fastest)]

    @property
    def fingertip_errors(self) -> dict[str, float]:
        """By side and finger, such as left_index: how far the tip is from where the person's is [m]."""
        return {
            f"{side}_{finger}": error
            for side, hand in self._hands.items()
            if self._arms[side].follower.state == FOLLOWING
            for finger, error in hand.tip_errors().items()
        }

    @property
    def limits(self) -> JointLimits:
        """Limits kept, of torso, head and arms."""
        return self._stepper.limits

    @property
    def source(self) -> str:
        """Device of the newest operator frame."""
        return self._newest.source if self._newest else ""

    @property
    def started(self) -> bool:
        """Whether the robot's joint positions are known."""
        return self._started

    def strayed(self, positions: Mapping[str, float]) -> bool:
        """Whether the robot was moved by somebody else while nothing is engaged and nothing moves: then `start` again.

        Args:
            positions: Measured joint positions by name [rad].
        """
        state = self._stepper.state
        followers = (self._head, *(arm.follower for arm in self._arms.values()))
        if not self._started or state.v.any() or any(follower.state != IDLE for follower in followers):
            return False
        pairs = zip(self.body.joints, state.q.tolist())
        return any(abs(positions.get(joint, q) - q) > STRAYED for joint, q in pairs)

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
        for follower in (*(arm.follower for arm in self._arms.values()), self._chest, self._head):
            follower.state = IDLE
        for hand in self._hands.values():
            hand.start(positions)
        self._stepper.start(q)
        self._started = True

    def update(self, frame: OperatorFrame) -> None:
        """Take in an operator frame. Frames out of order and poses that cannot be are counted and left out."""
        if self._newest is not None:
            if frame.stamp <= self._newest.stamp:
                self._counts.rejected += 1
                return
            if frame.sequence > self._newest.sequence + 1:
                self._counts.lost += frame.sequence - self._newest.sequence - 1
        if self._zero is None:
            self._zero = frame.stamp
        time = self._seconds(frame.stamp)
        self._newest = frame
        self._counts.frames += 1
        positions, turns, validity, verdicts = self._gate.check(time, frame.positions, frame.rotations, frame.validity)
        seen = verdicts.tolist()
        self._counts.rejected += BAD in seen
        frame = OperatorFrame(
            frame.stamp, frame.source, frame.sequence, positions, turns, validity, frame.left, frame.right
        )
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
        anchors = any(seen[part] == JUMPED for part in _ANCHORS)
        for side, arm in self._arms.items():
            target = body.arms[side]
            if target is not None:
                jumped = anchors or seen[PART_INDEX[f"{side}_wrist"]] == JUMPED
                arm.follower.measured(time, target.wrist, target.rotation, jumped)
                arm.bend = target.elbow
            if side in self._hands:
                self._hands[side].update(frame.hand(side))
        if body.torso is not None:
            multiply(body.torso, self._torso_home, self._facing)
            self._chest.measured(time, _NOWHERE, self._facing, anchors or seen[PART_INDEX["torso"]] == JUMPED)
        if body.head is not None:
            multiply(body.head, self._head_home, self._facing)
            self._head.measured(time, _NOWHERE, self._facing, anchors)

    def tick(self, stamp: int) -> Targets:
        """Targets for a time, in order of time.

        Args:
            stamp: What the targets are meant for [ns].

        Raises:
            HumanoidError: called before `start`.
        """
        if not self._started:
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
        state = self._stepper.state
        if not self._hands:
            return Targets(self.joints, state.q.copy(), state.v.copy())
        hands = self._hands.values()
        position = np.concatenate([state.q, *(hand.position for hand in hands)])
        velocity = np.concatenate([state.v, *(hand.velocity for hand in hands)])
        return Targets(self.joints, position, velocity)

    def _seconds(self, stamp: int) -> float:
        assert self._zero is not None
        return (stamp - self._zero) * 1e-9

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
        stepper, settings = self._stepper, self._settings
        following = self._watch_arms(time)
        self._wish_turn(2, self._chest, time, dt, following and settings.waist and self.body.waist.size > 0)
        self._turn_with_chest(dt)
        looking = (following or self._only_looking) and settings.neck and self.body.neck.size > 0
        self._wish_turn(3, self._head, time, dt, looking)
        for index, (side, arm) in enumerate(self._arms.items()):
            if arm.follower.state == FOLLOWING:
                self._wish_arm(index, side, arm, time, dt)
            else:
                stepper.wish.shares[index] = -1.0
        stepper.step(dt)
        for side, hand in self._hands.items():
            hand.step(dt, follow=self._arms[side].follower.state == FOLLOWING)

    def _watch_arms(self, time: float) -> bool:
        """Engage what asks for it and let go of what is lost; whether an arm follows."""
        for side, arm in self._arms.items():
            follower = arm.follower
            fresh = time - follower.seen <= self._settings.hold_after
            if follower.state == FOLLOWING and not fresh:
                follower.state = HOLDING
            if follower.state != FOLLOWING:
                self._stepper.at_rest(side)
                if fresh and arm.wanted and arm.released:
                    arm.released = False
                    at, back = self._stepper.arms[side], rotations.inverse(self._rest)
                    place = rotations.matrix(self._rest).T @ at.points[WRIST]
                    follower.engage(time, place, rotations.multiply(back, at.rotation))
        return any(arm.follower.state == FOLLOWING for arm in self._arms.values())

    @property
    def _only_looking(self) -> bool:
        """Whether the person holds a dead-man for which no hand was tracked yet, as behind a joystick."""
        return any(arm.wanted and arm.released and arm.follower.state == IDLE for arm in self._arms.values())

    def _wish_turn(self, index: int, follower: PoseFollower, time: float, dt: float, wanted: bool) -> None:
        """Chest or head: engaged with the first arm, let go of with the last; the head also where no arm can follow."""
        wish, state = self._stepper.wish, self._stepper.state
        if not (wanted and time - follower.seen <= self._settings.hold_after):
            follower.state = IDLE
            wish.shares[index] = -1.0
            return
        if follower.state != FOLLOWING:
            follower.engage(time, _NOWHERE, state.torso if index == 2 else state.head)
        follower.target(time, dt)
        wish.shares[index] = min((time - follower.engaged_at) / SOFT_START, 1.0)

    def _turn_with_chest(self, dt: float) -> None:
        """What the waist cannot take over of the chest's rotation turns the arms along with the chest."""
        turns = self._chest.state == FOLLOWING and not self._settings.level
        if turns and self._rest is _NO_TURN:
            self._rest = _NO_TURN.copy()
        if turns:
            wanted = self._stepper.wish.chest.rotation
            turn_to_difference(self._rest, wanted, self._stepper.state.torso, REST_RATE * dt)
        elif self._rest is not _NO_TURN and turn_to_difference(self._rest, _NO_TURN, _NO_TURN, REST_RATE * dt):
            self._rest = _NO_TURN

    def _wish_arm(self, index: int, side: str, arm: _Arm, time: float, dt: float) -> None:
        wish, follower = self._stepper.wish, arm.follower
        target = follower.target(time, dt)
        if self._rest is not _NO_TURN:
            turned_target(self._rest, target)
        if self._settings.clutched:
            self._hold_anchor(follower, side, target)
        wish.bends[index] = arm.bend
        wish.shares[index] = min((time - follower.engaged_at) / SOFT_START, 1.0)
        wish.joined[index] = follower.progress(time)

    def _hold_anchor(self, follower: PoseFollower, side: str, target: Target) -> None:
        """Clutched, the target runs no farther away from the arm's reach than `windup`: the anchor slides."""
        away = target.position - self._stepper.arms[side].points[SHOULDER]
        distance = math.sqrt(float(away @ away))
        excess = distance - self._settings.reach_hard * self.body.arms[side].reach - self._settings.windup
        if excess > 0.0:
            follower.slide(-(rotations.matrix(self._rest).T @ (away * (excess / distance))))

    def _error(self, index: int, arm: _Arm) -> WristError:
        if arm.follower.state != FOLLOWING or self._stepper.wish.shares[index] < 0.0:
            return WristError()
        at, target = self._stepper.state.arms[index], self._stepper.wish.arms[index]
        difference = target.position - at.points[WRIST]
        angle = rotations.angle(at.rotation, target.rotation)
        away = target.position - at.points[SHOULDER]
        reach = self._settings.reach_hard * list(self.body.arms.values())[index].reach
        return WristError(
            math.sqrt(float(difference @ difference)),
            angle,
            math.sqrt(float(away @ away)) - reach,
            float(self._stepper.wish.joined[index]),
        )


def warm_up(robot: Robot, settings: Settings) -> None:
    """Have everything compiled (or read from the cache) that a retargeter runs: the first time takes half a minute."""
    upright = OperatorCalibration(
        0.6, 0.19, 0.2, from_joints=False, heading_from_pelvis=False, chest=True, chest_neutral=_NO_TURN, head=True
    )
    retargeter = Retargeter(robot, settings, upright)
    retargeter.start({})
    for index in range(6):
        frame = OperatorFrame(stamp=10_000_000 * (index + 1), sequence=index)
        frame.set("head", np.array([0.0, 0.0, 1.6]))
        frame.set("torso", np.array([0.0, 0.0, 1.3]))
        for side, y in (("left", 0.2), ("right", -0.2)):
            frame.set(f"{side}_wrist", np.array([0.3, y, 1.2]))
            frame.hand(side).engaged = index > 1
        retargeter.update(frame)
        retargeter.tick(frame.stamp)
