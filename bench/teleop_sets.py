# SPDX-License-Identifier: Apache-2.0
"""Seeded target sets for one robot: where its wrists and torso are asked to be, and the person who asks for it.

Each set is a list of poses at `RATE`; the person has the robot's own proportions, so that the retargeting's mapping is
the identity and everybody, ours and peers, is asked for the same poses.

    reach      a feasible path, made in joint space: wrists move at 0.12 m/s on average
    fast       the same path three times as fast
    overreach  hands leave in all directions up to 0.12 m past the straight arm and come back
    noisy      reach with noise of 1 mm and 0.3 deg, frames that repeat, freezes of 0.1 s and jumps of up to 0.3 m
    cross      both hands pass through each other in front of the chest, at one height
    delayed    reach with noise of 1 mm, as a device shows it that is 45 ms late

All begin at the robot's home pose: `REST` seconds there, then `JOIN` seconds from there into the motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from humanoid_core import rotations
from humanoid_description import Robot
from humanoid_teleop.arms.upper_body import UpperBody
from humanoid_teleop.operator import SIDES, TRACKED, OperatorFrame
from humanoid_teleop.person.calibration import OperatorCalibration

RATE = 90.0  # [Hz]
NAMES = ("reach", "fast", "overreach", "noisy", "cross", "delayed")
DELAY = 0.045  # [s] of the set `delayed`
PERSON = {"head": 0.25, "pelvis": 0.9}  # [m] head over the shoulders, pelvis over the floor: only there to be tracked
REST, JOIN = 1.5, 2.0  # [s]
_MEAN_SPEED = 0.12  # [m/s]
_CLEARANCE = 0.0155  # [m] between links on the feasible path
_SIGN = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class TargetSet:
    """Poses asked for in m frames, base frame of the robot.

    Attributes:
        name: Of the set.
        wrists: By side: robot's wrist frame, (m, 4, 4).
        elbows: By side, (m, 3) [m].
        torso: The torso frame, (m, 4, 4).
        clean: By side: where the wrists should really be, (m, 3) [m]; the targets without noise and delay.
        shown: When each frame's poses were true (m,) [s]; frame i is at i / RATE.
    """

    name: str
    wrists: dict[str, np.ndarray]
    elbows: dict[str, np.ndarray]
    torso: np.ndarray
    clean: dict[str, np.ndarray]
    shown: np.ndarray


class Sets:
    """Makes the sets of one robot.

    Args:
        robot: The robot.
        seconds: Length of each set.
    """

    def __init__(self, robot: Robot, seconds: float, seed: int = 1) -> None:
        self.robot = robot
        self.body = UpperBody(robot)
        self.count = round(seconds * RATE)
        self._seed = seed
        self._data = self.body.model.createData()
        arms = self.body.arms.values()
        self.home = {
            "torso": self._placed(self.body.home, self.body.torso),
            **{side: self._placed(self.body.home, arm.wrist) for side, arm in zip(SIDES, arms)},
        }
        span = np.arange(0.0, 40.0, 1.0 / RATE)
        self._speed, self._size = 1.0, 0.35
        while self._clearance(span) < _CLEARANCE and self._size > 0.1:
            self._seed += 1
            self._size *= 0.995
        wrist = np.array([self._placed(self._path(t), self.body.arms["left"].wrist)[:3, 3] for t in span])
        self._speed = _MEAN_SPEED / float(np.linalg.norm(np.diff(wrist, axis=0), axis=1).mean() * RATE)

    def make(self, name: str) -> TargetSet:
        """One of NAMES."""
        times = np.arange(self.count) / RATE
        if name == "overreach":
            return self._stretched(times)
        if name == "cross":
            return self._crossed(times)
        shown = times - DELAY if name == "delayed" else times
        truth = self._feasible(times, 3.0 if name == "fast" else 1.0)
        made = truth if name != "delayed" else self._feasible(shown)
        if name in ("noisy", "delayed"):
            made = self._disturbed(made, breaks=name == "noisy")
        clean = {side: truth[0][side][:, :3, 3] for side in SIDES}
        return TargetSet(name, *made, clean, shown)

    def calibration(self) -> OperatorCalibration:
        """A person with the robot's proportions."""
        return OperatorCalibration(
            arm=self.body.reach,
            half_shoulders=self.body.half_shoulders,
            shoulder_drop=PERSON["head"],
            from_joints=True,
            heading_from_pelvis=True,
            chest=True,
            chest_neutral=np.array([0.0, 0.0, 0.0, 1.0]),
        )

    def frame(self, targets: TargetSet, index: int, engaged: bool = True, stamp: int = 0) -> OperatorFrame:
        """What the person's device shows of a frame."""
        frame = OperatorFrame(stamp, "bench", index)
        torso = targets.torso[index]
        frame.set("pelvis", np.array([0.0, 0.0, PERSON["pelvis"]]))
        lean = torso[:3, :3] @ self.home["torso"][:3, :3].T
        frame.set("torso", torso[:3, 3], rotations.quaternion(lean))
        frame.set("head", torso[:3, :3] @ self.body.chest + torso[:3, 3] + [0.0, 0.0, PERSON["head"]])
        for side, arm in self.body.arms.items():
            wrist = targets.wrists[side][index]
            frame.set(f"{side}_shoulder", torso[:3, :3] @ arm.shoulder + torso[:3, 3])
            frame.set(f"{side}_elbow", targets.elbows[side][index])
            turn = wrist[:3, :3] @ arm.wrist_from_operator
            frame.set(f"{side}_wrist", wrist[:3, 3], rotations.quaternion(turn), TRACKED)
            frame.hand(side).engaged = engaged
        return frame

    # --- paths ---

    def _path(self, t: float) -> np.ndarray:
        """Joint positions (n,): sums of slow sines, well inside the ranges."""
        rng, body = np.random.default_rng(self._seed), self.body
        n = len(body.home)
        arms = ~np.isin(np.arange(n), body.waist)
        middle = np.clip(body.home + 0.5 * arms * rng.uniform(-1, 1, n), body.limits.lower, body.limits.upper)
        room = 0.7 * np.minimum(body.limits.upper - middle, middle - body.limits.lower)
        size = np.minimum(room, np.where(arms, self._size, 0.2 * self._size))
        rate, phase = rng.uniform(0.5, 1.2, (2, n)), rng.uniform(0.0, 2.0 * np.pi, (2, n))
        s = self._speed * t
        return middle + size * (0.65 * np.sin(rate[0] * s + phase[0]) + 0.35 * np.sin(1.7 * rate[1] * s + phase[1]))

    def _clearance(self, times: np.ndarray) -> float:
        """Smallest distance between links on the path [m]."""
        model, geometry = self.body.model, self.body.geometry
        results, nearest = pin.GeometryData(geometry), np.inf
        for t in times[:: round(RATE / 5)].tolist():
            pin.updateGeometryPlacements(model, self._data, geometry, results, self._path(t))
            pin.computeDistances(geometry, results)
            nearest = min(nearest, min(result.min_distance for result in results.distanceResults))
            if nearest < _CLEARANCE:
                break
        return nearest

    def _feasible(
        self, times: np.ndarray, faster: float = 1.0
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        wrists = {side: np.empty((len(times), 4, 4)) for side in SIDES}
        elbows = {side: np.empty((len(times), 3)) for side in SIDES}
        torso = np.empty((len(times), 4, 4))
        for i, t in enumerate(times.tolist()):
            q = self.body.home + _joined(t) * (self._path(faster * t) - self.body.home)
            torso[i] = self._placed(q, self.body.torso)
            for side, arm in self.body.arms.items():
                wrists[side][i] = self._data.oMf[arm.wrist].homogeneous
                elbows[side][i] = self._data.oMf[arm.elbow].translation
        return wrists, elbows, torso

    def _stretched(self, times: np.ndarray) -> TargetSet:
        rng = np.random.default_rng(self._seed + 1)
        wrists, elbows, torso = self._resting(len(times))
        for side, arm in self.body.arms.items():
            shoulder = torso[0] @ [*arm.shoulder, 1.0]
            phase = rng.uniform(0.0, 2.0 * np.pi, 2)
            up, out = 0.7 * np.sin(0.53 * times + phase[0]), 0.2 + 0.6 * np.sin(0.37 * times + phase[1])
            way = np.stack([np.cos(up) * np.cos(out), _SIGN[side] * np.cos(up) * np.sin(out), np.sin(up) - 0.2], axis=1)
            way /= np.linalg.norm(way, axis=1)[:, None]
            length = arm.reach + 0.12 - 0.5 * (arm.reach + 0.12 - 0.6 * arm.reach) * (1.0 + np.cos(1.3 * times))
            wrists[side][:, :3, 3] = self._from_home(side, times, shoulder[:3] + length[:, None] * way)
            elbows[side] = _hanging(shoulder[:3], wrists[side][:, :3, 3], 0.5 * arm.reach)
        return TargetSet("overreach", wrists, elbows, torso, {s: wrists[s][:, :3, 3] for s in SIDES}, times)

    def _crossed(self, times: np.ndarray) -> TargetSet:
        wrists, elbows, torso = self._resting(len(times))
        middle = torso[0] @ [*self.body.chest, 1.0]
        for side, arm in self.body.arms.items():
            shoulder = torso[0] @ [*arm.shoulder, 1.0]
            across = 0.05 + 0.17 * np.cos(0.8 * times)
            height = middle[2] - 0.45 * arm.reach + 0.05 * np.sin(0.31 * times)
            path = np.stack(
                [np.full(len(times), middle[0] + 0.6 * arm.reach), _SIGN[side] * across + middle[1], height]
            )
            wrists[side][:, :3, 3] = self._from_home(side, times, path.T)
            elbows[side] = _hanging(shoulder[:3], wrists[side][:, :3, 3], 0.5 * arm.reach)
        return TargetSet("cross", wrists, elbows, torso, {s: wrists[s][:, :3, 3] for s in SIDES}, times)

    def _from_home(self, side: str, times: np.ndarray, path: np.ndarray) -> np.ndarray:
        """A path (m, 3) that begins at the home pose's wrist [m]."""
        joined = np.array([_joined(t) for t in times.tolist()])[:, None]
        return self.home[side][:3, 3] * (1.0 - joined) + joined * path

    def _resting(self, count: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Everything as at home, wrists turned as there."""
        wrists = {side: np.tile(self.home[side], (count, 1, 1)) for side in SIDES}
        elbows = {side: np.zeros((count, 3)) for side in SIDES}
        return wrists, elbows, np.tile(self.home["torso"], (count, 1, 1))

    def _disturbed(
        self, clean: tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray], breaks: bool
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        rng = np.random.default_rng(self._seed + 2)
        wrists = {side: values.copy() for side, values in clean[0].items()}
        for values in wrists.values():
            values[:, :3, 3] += rng.normal(0.0, 1e-3, (len(values), 3))
            if not breaks:
                continue
            for i, turn in enumerate(rng.normal(0.0, np.radians(0.3), (len(values), 3))):
                values[i, :3, :3] = rotations.matrix(rotations.exp(turn)) @ values[i, :3, :3]
            i = 60
            while i < len(values) - 210:
                kind, i = rng.integers(3), i + int(rng.integers(60, 200))
                if kind == 0:  # a frame comes twice
                    values[i : i + 1] = values[i - 1 : i]
                elif kind == 1:  # frozen for 0.1 s
                    values[i : i + 9] = values[i - 1]
                else:  # an optical tracker takes something else for the hand
                    values[i : i + 2, :3, 3] += rng.uniform(-0.3, 0.3, 3)
        return wrists, clean[1], clean[2]

    def _placed(self, q: np.ndarray, frame: int) -> np.ndarray:
        pin.framesForwardKinematics(self.body.model, self._data, q)
        return self._data.oMf[frame].homogeneous.copy()


def _hanging(shoulder: np.ndarray, wrists: np.ndarray, bone: float) -> np.ndarray:
    """Elbows (m, 3) of arms of two equal bones that hang down, for wrists (m, 3) [m]."""
    line = wrists - shoulder
    length = np.linalg.norm(line, axis=1)[:, None]
    down = np.array([0.0, 0.0, -1.0]) + line * (line[:, 2:] / length**2)
    down /= np.maximum(np.linalg.norm(down, axis=1)[:, None], 1e-6)
    return shoulder + 0.5 * line + down * np.sqrt(np.maximum(bone**2 - 0.25 * length**2, 0.0))


def _joined(time: float) -> float:
    """Share of the motion, 0..1, smooth up to acceleration."""
    x = min(max((time - REST) / JOIN, 0.0), 1.0)
    return x * x * x * (10.0 - x * (15.0 - 6.0 * x))
