# SPDX-License-Identifier: Apache-2.0
"""A scripted person who sorts parcels: takes each between both palms, turns, lowers it into its bin. No ROS.

The person only sees the objects and moves hands, chest and head like one, with minimum-jerk strokes (Flash and Hogan,
"The coordination of arm movements", J. Neuroscience 5(7), 1985). What comes out are operator frames in the person's
own proportions; the robot's body is known only through the retargeting's scaling, so that the robot's palms go where
the parcels are.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin

from humanoid_core import rotations
from humanoid_core.task import ObjectState, Task, judge
from humanoid_description import Robot
from humanoid_description.measures import measure
from humanoid_teleop.arms.upper_body import UpperBody
from humanoid_teleop.operator import SIDES, Hand, OperatorFrame
from humanoid_teleop.person.calibration import (
    EYE_HEIGHT,
    FOREARM,
    HALF_SHOULDERS,
    SHOULDER_HEIGHT,
    UPPER_ARM,
    about_z,
    calibrate,
    yaw,
)
from humanoid_teleop.person.mapping import BodyMapping

IDLE, RUNNING, DONE, GIVEN_UP = "idle", "running", "done", "given up"

_PELVIS_HEIGHT = 0.53  # over standing height: Drillis and Contini, as in calibration.py
_SIGN = {"left": 1.0, "right": -1.0}
_PEAK = 1.875  # peak over mean speed of a minimum-jerk stroke
_LIFTED = 0.3  # share of a lift that a parcel must have made to count as held: arms give way under it
_GRASPABLE = 0.2, 1.25  # distances from the chest's axis, over the reach, at which a parcel can be taken
_THUMBS = 0.021  # kept by thumbs from the middle between the hands [m]
_MAX_SKEW = 0.9  # [rad] between a parcel's depth and the direction to it that hands can still take
_TOE = 0.6  # share of the turn of pressed hands that is made up for: hands that feel a parcel press less than at home


def _setting(description: str, low: float, high: float) -> Any:
    """A field with what a node needs to declare it as a parameter."""
    return dataclasses.field(metadata={"description": description, "low": low, "high": high})


@dataclass(frozen=True)
class Settings:
    """How the person moves; the values are in config/scripted_operator.yaml."""

    stature: float = _setting("Standing height of the person [m]", 1.0, 2.3)
    calibration_time: float = _setting("Standing still before engaging [s]", 0.0, 30.0)
    engage_time: float = _setting("Standing still after engaging, while the robot joins [s]", 0.0, 30.0)
    hand_speed: float = _setting("Highest speed of the robot's hands [m/s]", 0.01, 2.0)
    turn_rate: float = _setting("Highest rate of the chest [rad/s]", 0.05, 5.0)
    pace_spread: float = _setting("Share by which each movement is slower or faster", 0.0, 0.5)
    tremor: float = _setting("Of the hands, standard deviation [m]", 0.0, 0.02)
    opening: float = _setting("Between palm and parcel while reaching and after letting go [m]", 0.0, 0.2)
    force: float = _setting("Each palm pushes on a parcel with this, by what the robot's arms yield [N]", 1.0, 500.0)
    inset: float = _setting("Of the middle of the palm from the parcel's near edge [m]", -0.1, 0.2)
    grip_depth: float = _setting("Of the middle of the palm under the parcel's top [m]", -0.1, 0.2)
    lift: float = _setting("Between the table and a lifted parcel [m]", 0.01, 0.5)
    clearance: float = _setting("Between a carried parcel, or a hand, and what it passes over [m]", 0.0, 0.3)
    attempts: int = _setting("At one parcel before giving up", 1, 20)


@dataclass(frozen=True)
class Posture:
    """Where both palms are, about a point between them.

    Attributes:
        turn: Of the chest in the base frame [rad].
        middle: Between the palms, in axes turned with the chest, from its turning axis and the floor (3,) [m].
        skew: Direction of the fingers against the chest's [rad].
        half: Half the distance between the palms [m].
        toe: Of the fingers of both hands towards each other [rad].
    """

    turn: float
    middle: np.ndarray
    skew: float
    half: float
    toe: float = 0.0

    def vector(self) -> np.ndarray:
        """All of it as (7,)."""
        return np.array((self.turn, *self.middle, self.skew, self.half, self.toe))


@dataclass(frozen=True)
class Stroke:
    """One movement: to a posture, in a time [s], as part of a step of the task with an object."""

    goal: Posture
    duration: float
    step: str = ""
    object: str = ""
    engaged: bool = True


@dataclass(frozen=True)
class Label:
    """A finished step: its name, object, and interval [ns]."""

    step: str
    object: str
    start: int
    end: int


def minimum_jerk(share: float) -> float:
    """Place 0..1 at a share 0..1 of the time, with no speed and no acceleration at both ends."""
    x = min(max(share, 0.0), 1.0)
    return x * x * x * (10.0 - x * (15.0 - 6.0 * x))


class ScriptedOperator:
    """A person who does the task whenever asked.

    Args:
        robot: The robot that will follow.
        task: What to do.
        settings: How to move.
        seed: Of pace and tremor.

    Attributes:
        state: IDLE, RUNNING, DONE or GIVEN_UP.
        note: Why given up, or what is being done.

    Raises:
        ConfigError: the robot has no two arms.
        DescriptionError: it has no hands to press with.
    """

    def __init__(self, robot: Robot, task: Task, settings: Settings, seed: int = 0) -> None:
        self.state = IDLE
        self.note = ""
        self._task = task
        self._settings = settings
        self._random = np.random.default_rng(seed)
        self._hands = RobotHands(robot)
        self._person = Person(settings.stature)
        self._rest = self._hands.rest
        resting = OperatorFrame(stamp=0)
        self._person.stand(resting, self._rest.turn)
        for side in SIDES:
            resting.set(f"{side}_wrist", np.array((0.2, _SIGN[side] * 0.2, 1.1)))
            self._person.bend(resting, side)
        self._mapping = BodyMapping(calibrate([resting]), self._hands.reach, self._hands.half_shoulders)
        self._strokes: deque[Stroke] = deque()
        self._from = self._rest
        self._began: int | None = None
        self._labels: list[Label] = []
        self._step: tuple[str, str, int] | None = None
        self._sequence = 0
        self._attempts: dict[str, int] = {}
        self._holding = ""
        self._lifted_from = self._touching = 0.0
        self._engaged = False
        self._shake = np.zeros((2, 3))

    def start(self) -> None:
        """Begin a trial: stand still to be measured, engage, then sort."""
        self.state, self.note = RUNNING, "calibrating"
        self._attempts.clear()
        self._holding = ""
        self._began = None
        self._from = self._rest
        wait = self._settings
        self._strokes = deque(
            [Stroke(self._rest, wait.calibration_time, engaged=False), Stroke(self._rest, wait.engage_time)]
        )

    def stop(self) -> None:
        """Let go of the robot where it is."""
        if self.state == RUNNING:
            self.state, self.note = GIVEN_UP, "stopped"
        self._engaged = False
        self._strokes.clear()

    def labels(self) -> list[Label]:
        """Steps finished since the last call."""
        labels, self._labels = self._labels, []
        return labels

    def frame(self, stamp: int, objects: Sequence[ObjectState]) -> OperatorFrame:
        """The person at a time.

        Args:
            stamp: Not earlier than the last one's [ns].
            objects: The scene as last seen, in the frame `odom`, whose origin is under the robot's base.
        """
        posture = self._posture(stamp, objects)
        frame = OperatorFrame(stamp=stamp, source="scripted", sequence=self._sequence)
        self._sequence += 1
        self._person.stand(frame, posture.turn)
        self._shake += 0.1 * (self._settings.tremor * 4.5 * self._random.normal(size=(2, 3)) - self._shake)
        middle = self._person.shoulders(posture.turn)
        for side, shake in zip(SIDES, self._shake):
            wrist, rotation = self._hands.wrist(side, posture)
            away = self._mapping.operator_wrist(side, wrist, posture.turn)
            frame.set(f"{side}_wrist", middle + away + shake, rotation)
            self._person.bend(frame, side)
        self._person.look(frame, 0.5 * (frame.position("left_wrist") + frame.position("right_wrist")), posture.turn)
        palms = self._hands.measures.palms
        frame.left = Hand(engaged=self._engaged, grip=palms["left"].grip, trigger=0.0)
        frame.right = Hand(engaged=self._engaged, grip=palms["right"].grip, trigger=0.0)
        return frame

    # --- strokes ---

    def _posture(self, stamp: int, objects: Sequence[ObjectState]) -> Posture:
        if self._began is None:
            self._began = stamp
        while self.state == RUNNING:
            if not self._strokes:
                self._plan(objects)
            if not self._strokes:
                break
            stroke = self._strokes[0]
            self._engaged = stroke.engaged
            self._enter(stroke, self._began)
            share = 1e-9 * (stamp - self._began) / max(stroke.duration, 1e-9)
            if share < 1.0:
                a, b = self._from.vector(), stroke.goal.vector()
                v = a + minimum_jerk(share) * (b - a)
                return Posture(v[0], v[1:4], v[4], v[5], v[6])
            self._began += round(1e9 * stroke.duration)
            self._from = stroke.goal
            self._strokes.popleft()
        self._enter(None, stamp)
        return self._from

    def _enter(self, stroke: Stroke | None, now: int) -> None:
        """Close the label of the last step where a new one begins."""
        new = (stroke.step, stroke.object) if stroke is not None else ("", "")
        if self._step is not None and self._step[:2] != new:
            self._labels.append(Label(self._step[0], self._step[1], self._step[2], now))
            self._step = None
        if self._step is None and new[0]:
            self._step = (*new, now)
            self.note = " ".join(new)

    def _add(self, goal: Posture, step: str, item: str, least: float = 0.4, after: Posture | None = None) -> Posture:
        """Queue a stroke to `goal`, as long as hands and chest need."""
        start = after or (self._strokes[-1].goal if self._strokes else self._from)
        settings = self._settings
        change = np.abs(goal.vector() - start.vector())
        hands = float(np.linalg.norm(change[1:4])) + change[5] + 0.2 * change[4]
        needed = _PEAK * max(hands / settings.hand_speed, change[0] / settings.turn_rate)
        pace = 1.0 + settings.pace_spread * float(self._random.uniform(-1.0, 1.0))
        self._strokes.append(Stroke(goal, max(least, needed) * pace, step, item))
        return goal

    def _rise(self, goal: Posture, step: str, item: str) -> None:
        """Raise the hands first where they would otherwise sweep over the table on their way to `goal`."""
        if abs(goal.turn - self._from.turn) > 0.1 and goal.middle[2] > self._from.middle[2] + 0.005:
            self._add(_raised(self._from, goal.middle[2]), step, item)

    # --- the task ---

    def _plan(self, objects: Sequence[ObjectState]) -> None:
        """Decide what to do next from what is seen now."""
        by_name = {item.name: item for item in objects}
        if self._holding:
            parcel = by_name.get(self._holding)
            if parcel is not None and parcel.position[2] > self._lifted_from + _LIFTED * self._settings.lift:
                self._place(parcel, by_name[parcel.goal], objects)
            else:
                self._let_go(self._holding)
            self._holding = ""
            return
        verdict = judge(objects, self._task.success)
        open_ones = [by_name[name] for name, placed in verdict.items() if not placed]
        within = [item for item in open_ones if self._attempts.get(item.name, 0) < self._settings.attempts]
        within = [item for item in within if item.goal in by_name and self._graspable(item)]
        if within:
            self._take(min(within, key=lambda item: (self._attempts.get(item.name, 0), item.name)), objects)
        elif self._from is not self._rest:
            self._rise(self._rest, "", "")
            self._add(self._rest, "", "")
        else:
            self._engaged = False
            self.state = GIVEN_UP if open_ones or not verdict else DONE
            left = ", ".join(item.name for item in open_ones)
            self.note = f"not in its bin: {left}" if left else f"{len(verdict)} parcels in their bins"

    def _graspable(self, item: ObjectState) -> bool:
        measures = self._hands.measures
        away = self._hands.from_axis(item.position) - (0.0, 0.0, float(measures.shoulders[2]))
        near, far = _GRASPABLE[0] * measures.reach, _GRASPABLE[1] * measures.reach
        distance = float(np.hypot(*away[:2]))
        return abs(self._facing(item).skew) <= _MAX_SKEW and near < distance < far and -far < away[2] < 0.0

    def _facing(self, item: ObjectState) -> Posture:
        """Chest towards an object, palms at its sides under its top, touching."""
        settings = self._settings
        position = self._hands.from_axis(item.position)
        turn = math.atan2(position[1], position[0])
        skew = _half_turn(yaw(item.orientation) - turn)
        depth, width, height = item.size
        middle = rotations.matrix(about_z(-turn)) @ position
        middle = middle + np.array((0.0, 0.0, 0.5 * height - settings.grip_depth))
        middle = middle - (0.5 * depth - settings.inset) * np.array((math.cos(skew), math.sin(skew), 0.0))
        return Posture(turn, middle, skew, 0.5 * width)

    def _take(self, parcel: ObjectState, objects: Sequence[ObjectState]) -> None:
        settings, name = self._settings, parcel.name
        self._attempts[name] = self._attempts.get(name, 0) + 1
        touching = self._facing(parcel)
        around = dataclasses.replace(touching, half=touching.half + settings.opening)
        top = parcel.position[2] + 0.5 * parcel.size[2]
        over = _raised(around, top + settings.clearance + self._hands.under)
        self._rise(over, "reach", name)
        self._add(over, "reach", name, 0.8)
        self._add(around, "reach", name)
        half = self._hands.pressed(touching.half, settings.force)
        held = dataclasses.replace(touching, half=half, toe=_TOE * self._hands.turning * (touching.half - half))
        self._add(held, "grasp", name, 0.6)
        self._add(held, "grasp", name, 0.25)
        # Slowly: a stretched arm bends its elbow far for a short way up, and what is thrown slips out of the hands.
        lifted = self._add(_raised(held, held.middle[2] + settings.lift), "lift", name, 1.0)
        self._add(lifted, "lift", name, 0.3)  # the robot is a little behind
        self._holding, self._lifted_from, self._touching = name, float(parcel.position[2]), touching.half

    def _place(self, parcel: ObjectState, goal: ObjectState, objects: Sequence[ObjectState]) -> None:
        settings, name, here = self._settings, parcel.name, self._from
        # From the palms down to the parcel's bottom, as it hangs now.
        below = here.middle[2] - (parcel.position[2] - 0.5 * parcel.size[2])
        target = dataclasses.replace(self._facing(dataclasses.replace(parcel, position=goal.position)), skew=0.0)
        reach = float(np.hypot(*self._hands.from_axis(goal.position)[:2])) - (0.5 * parcel.size[0] - settings.inset)
        rim = goal.position[2] + 0.5 * goal.size[2]
        passed = [
            item.position[2] + 0.5 * item.size[2]
            for item in objects
            if item.category == "parcel" and item.name != name and self._between(item, here.turn, target.turn)
        ]
        height = max(here.middle[2], max([rim, *passed]) + settings.clearance + max(below, self._hands.under))
        high = np.array((reach, 0.0, height))
        if height > here.middle[2] + 1e-3:
            self._add(_raised(here, height), "lift", name)
        over = Posture(target.turn, high, 0.0, here.half, here.toe)
        self._add(over, "carry", name, 0.8)
        floor = goal.position[2] - 0.5 * goal.size[2]
        lowest = max(floor + 0.005 + below, rim + 1.3 * settings.clearance + self._hands.under)
        low = self._add(_raised(over, min(lowest, height)), "place", name)
        opened = dataclasses.replace(low, half=0.5 * parcel.size[1] + settings.opening, toe=0.0)
        self._add(opened, "place", name, 0.5)
        self._add(_raised(opened, max(height, rim + 0.12)), "place", name)

    def _between(self, item: ObjectState, start: float, end: float) -> bool:
        """Whether turning from one direction to the other passes over an object."""
        x, y, _ = self._hands.from_axis(item.position)
        half = math.atan2(0.5 * float(np.hypot(*item.size[:2])) + 0.1, math.hypot(x, y))
        return min(start, end) - half < math.atan2(y, x) < max(start, end) + half

    def _let_go(self, name: str) -> None:
        here = self._from
        opened = dataclasses.replace(here, half=self._touching + self._settings.opening, toe=0.0)
        self._add(opened, "", name)
        self._add(_raised(opened, self._rest.middle[2] + 0.05), "", name)


class RobotHands:
    """What the script must know of the robot: where its palms are on its wrists, its shoulders, and its pose at rest.

    Attributes:
        reach: Of the arms, straight, from shoulder to wrist [m].
        half_shoulders: Half the distance between the shoulders [m].
        measures: The robot as a worker.
        under: From the middle of the palm down to the lowest part of the hand [m].
        stiffness: With which a palm held at home resists being pushed outwards [N/m].
        turning: How far such a palm turns its fingers outwards, over how far it is pushed [rad/m].
        rest: The home pose.
    """

    def __init__(self, robot: Robot) -> None:
        config, body = robot.config, UpperBody(robot)
        self.reach, self.half_shoulders = body.reach, body.half_shoulders
        self.measures = measure(robot)
        model, data = body.model, body.model.createData()
        pin.computeJointJacobians(model, data, body.home)
        pin.updateFramePlacements(model, data)
        self._height = config.base_height
        self._axis = np.array((*self.measures.axis, 0.0))
        self._chest = data.oMf[body.torso].act(body.chest) - self._axis
        self._palm = {side: self.measures.palms[side].position for side in SIDES}
        self._wrist_from_operator = {side: body.arms[side].wrist_from_operator for side in SIDES}
        self.under = max(palm.under for palm in self.measures.palms.values())
        yielding = 1.0 / np.array([config.joints[joint].kp for joint in body.joints])
        compliance, turned, at_home = 0.0, 0.0, {}
        for side in SIDES:
            wrist = body.arms[side].wrist
            at_home[side] = data.oMf[wrist].act(self._palm[side])
            lever = at_home[side] - data.oMf[wrist].translation
            jacobian = pin.getFrameJacobian(model, data, wrist, pin.LOCAL_WORLD_ALIGNED)
            outwards = jacobian[1] + np.cross(jacobian[3:].T, lever)[:, 1]
            compliance += 0.5 * float(outwards @ (yielding * outwards))
            turned += 0.5 * float(jacobian[5] @ (yielding * outwards))
        self.stiffness, self.turning = 1.0 / compliance, turned / compliance
        middle = 0.5 * (at_home["left"] + at_home["right"]) - self._axis + np.array((0.0, 0.0, self._height))
        half = 0.5 * float(at_home["left"][1] - at_home["right"][1])
        self.rest = Posture(0.0, middle * (1.0, 0.0, 1.0), 0.0, half)

    def pressed(self, half: float, force: float) -> float:
        """Half the distance to which palms that touch, `half` apart [m], are asked for to press with a force [N].

        The robot sees no parcel between its hands: their thumbs would stop them before they met.
        """
        nearest = max(palm.thumb for palm in self.measures.palms.values()) + _THUMBS
        return max(half - force / self.stiffness, min(half, nearest))

    def from_axis(self, position: np.ndarray) -> np.ndarray:
        """A point (3,) [m] of the robot's base, measured from the axis that the chest turns about."""
        return np.asarray(position - self._axis)

    def wrist(self, side: str, posture: Posture) -> tuple[np.ndarray, np.ndarray]:
        """Robot's wrist from its chest, base axes (3,) [m], and the operator's wrist axes in the base, xyzw (4,)."""
        sign = _SIGN[side]
        along = posture.turn + posture.skew
        apart = sign * np.array((-math.sin(along), math.cos(along), 0.0))
        palm = rotations.matrix(about_z(posture.turn)) @ posture.middle + posture.half * apart
        along -= sign * posture.toe
        fingers = np.array((math.cos(along), math.sin(along), 0.0))
        outward = sign * np.array((-math.sin(along), math.cos(along), 0.0))
        operator = np.column_stack([fingers, np.cross(outward, fingers), outward])
        base_from_wrist = operator @ self._wrist_from_operator[side].T
        wrist = palm - (0.0, 0.0, self._height) - base_from_wrist @ self._palm[side]
        return wrist - rotations.matrix(about_z(posture.turn)) @ self._chest, rotations.quaternion(operator)


class Person:
    """The person's own body, standing at the origin of the tracking frame and turning only above the hips.

    Args:
        stature: Standing height [m].
    """

    def __init__(self, stature: float) -> None:
        self._stature = stature
        self._upper, self._fore = UPPER_ARM * stature, FOREARM * stature

    def shoulders(self, turn: float) -> np.ndarray:
        """Middle between the shoulders (3,) [m]; `turn` of the chest [rad] moves it little."""
        return rotations.matrix(about_z(turn)) @ np.array((-0.02, 0.0, SHOULDER_HEIGHT * self._stature))

    def stand(self, frame: OperatorFrame, turn: float) -> None:
        """Write head, torso, pelvis and shoulders."""
        facing = about_z(turn)
        middle = self.shoulders(turn)
        frame.set("head", np.array((0.0, 0.0, EYE_HEIGHT * self._stature)), facing)
        frame.set("torso", middle - (0.0, 0.0, 0.15), facing)
        frame.set("pelvis", np.array((-0.02, 0.0, _PELVIS_HEIGHT * self._stature)))
        for side in SIDES:
            out = np.array((0.0, _SIGN[side] * HALF_SHOULDERS * self._stature, 0.0))
            frame.set(f"{side}_shoulder", middle + rotations.matrix(facing) @ out, facing)

    def bend(self, frame: OperatorFrame, side: str) -> None:
        """Write the elbow from shoulder and wrist: two links in a plane, the elbow down and a little outwards."""
        shoulder, wrist = frame.position(f"{side}_shoulder"), frame.position(f"{side}_wrist")
        line = wrist - shoulder
        length = min(
            max(float(np.linalg.norm(line)), abs(self._upper - self._fore) + 1e-3), self._upper + self._fore - 1e-3
        )
        along = line / max(float(np.linalg.norm(line)), 1e-6)
        shift = (self._upper**2 - self._fore**2 + length**2) / (2 * length)
        out = rotations.matrix(frame.rotation(f"{side}_shoulder"))[:, 1] * _SIGN[side]
        down = np.array((0.0, 0.0, -1.0)) + 0.35 * out
        across = down - along * float(down @ along)
        across /= max(float(np.linalg.norm(across)), 1e-6)
        frame.set(f"{side}_elbow", shoulder + shift * along + math.sqrt(max(self._upper**2 - shift**2, 0.0)) * across)

    def look(self, frame: OperatorFrame, at: np.ndarray, turn: float) -> None:
        """Turn the head with the chest and bow it towards a point (3,) [m]."""
        head = frame.position("head")
        away = rotations.matrix(about_z(-turn)) @ (at - head)
        pitch = math.atan2(-away[2], max(float(away[0]), 0.05))
        bow = np.array((0.0, math.sin(0.5 * pitch), 0.0, math.cos(0.5 * pitch)))
        frame.set("head", head, rotations.multiply(about_z(turn), bow))


def _raised(posture: Posture, height: float) -> Posture:
    return dataclasses.replace(posture, middle=np.array((*posture.middle[:2], height)))


def _half_turn(angle: float) -> float:
    """The same direction of a line, within -pi/2..pi/2."""
    return float(np.mod(angle + 0.5 * np.pi, np.pi) - 0.5 * np.pi)
