# SPDX-License-Identifier: Apache-2.0
"""Follows a joint trajectory: targets for the limiter ahead of time, and whether the robot keeps up. No ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from humanoid_planning.errors import PlanningRefused

NANOSECONDS = 1_000_000_000
_AT_REST = 1e-6  # [rad/s] rounding
_BRAKE = 0.3  # [s] in which a cancelled motion comes to rest along its path


@dataclass(frozen=True)
class FollowerSettings:
    """How to follow.

    Attributes:
        period: Between targets [s].
        lead: Targets are sent so long before the time they are meant for [s].
        start_tolerance: The robot may be so far from the first point [rad].
        path_tolerance: ... and from where it should be on the way [rad].
        goal_tolerance: ... and at the end [rad].
        goal_time: How long after the end that may take [s].
        patience: Wait so long for the arbiter to let this source through [s].
    """

    period: float
    lead: float
    start_tolerance: float
    path_tolerance: float
    goal_tolerance: float
    goal_time: float
    patience: float


@dataclass(frozen=True)
class Tolerances:
    """What a goal asks for itself, as the stock joint_trajectory_controller takes it.

    Attributes:
        path: By joint [rad]; 0: the setting, below 0: none.
        goal: Likewise, at the end.
        goal_time: [s]; 0: the setting, below 0: none.
    """

    path: Mapping[str, float] = field(default_factory=dict)
    goal: Mapping[str, float] = field(default_factory=dict)
    goal_time: float = 0.0


def _chosen(asked: float, usual: float) -> float:
    return usual if asked == 0.0 else asked if asked > 0.0 else float("inf")


class End(Enum):
    """How following ended."""

    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    REPLACED = "replaced"
    LATE_START = "not let through"
    OFF_PATH = "off the path"
    OFF_GOAL = "off the goal"


@dataclass(frozen=True)
class Seen:
    """What is known when `tick` is called.

    Attributes:
        now_ns: Time of the stamps.
        measured: Positions by joint [rad].
        source: Who commands; empty: nobody.
        following: Whether the limiter follows (ACTIVE).
        cancelled: Whether the motion is to end early.
    """

    now_ns: int
    measured: Mapping[str, float]
    source: str
    following: bool
    cancelled: bool = False


@dataclass
class Tick:
    """What is to be done: targets (stamp, positions (n,)) to send, the state to report, and how it ended."""

    targets: list[tuple[int, np.ndarray]] = field(default_factory=list)
    desired: np.ndarray | None = None
    actual: np.ndarray | None = None
    end: End | None = None
    words: str = ""


class Trajectory:
    """Points in time, in between cubic where velocities are known, else straight.

    Args:
        joints: n names.
        times: (m,) [s] from the start, rising.
        positions: (m, n) [rad or m].
        velocities: (m, n), or None. The last ones have to be 0.

    Raises:
        PlanningRefused: the numbers do not make a trajectory.
    """

    def __init__(
        self, joints: Sequence[str], times: np.ndarray, positions: np.ndarray, velocities: np.ndarray | None
    ) -> None:
        shape = (len(times), len(joints))
        if not len(times) or not joints or len(set(joints)) != len(joints):
            raise PlanningRefused(
                f"{len(times)} points of {len(joints)} joints; expected some of each, each joint once"
            )
        if positions.shape != shape or (velocities is not None and velocities.shape != shape):
            raise PlanningRefused(f"positions {positions.shape}; expected {shape}")
        if not (np.isfinite(times).all() and np.isfinite(positions).all()):
            raise PlanningRefused("times and positions must be finite numbers")
        if times[0] < 0.0 or (np.diff(times) <= 0.0).any():
            raise PlanningRefused("times must rise, from 0 or later")
        if velocities is not None and (not np.isfinite(velocities).all() or np.abs(velocities[-1]).max() > _AT_REST):
            raise PlanningRefused("velocities must be finite numbers, and 0 at the end")
        self.joints, self.times, self.positions, self.velocities = list(joints), times, positions, velocities

    @property
    def duration(self) -> float:
        """[s]."""
        return float(self.times[-1])

    def at(self, t: float) -> np.ndarray:
        """Positions at t [s], (n,); the ends are held."""
        i = int(np.searchsorted(self.times, t, side="right"))
        if i == 0:
            return self.positions[0]
        if i == len(self.times):
            return self.positions[-1]
        gap = self.times[i] - self.times[i - 1]
        u = (t - self.times[i - 1]) / gap
        first, last = self.positions[i - 1], self.positions[i]
        if self.velocities is None:
            return first + u * (last - first)
        v0, v1 = gap * self.velocities[i - 1], gap * self.velocities[i]
        rest = last - first
        return first + u * v0 + u**2 * (3 * rest - 2 * v0 - v1) + u**3 * (v0 + v1 - 2 * rest)


class Follower:
    """Follows one trajectory: holds its start until it is let through, moves, waits for the robot to arrive.

    Every target names the same joints: those that the trajectory leaves out stay where they were measured.

    Args:
        joints: All joints that targets name.
        name: This source, as the arbiter calls it.
        trajectory: What to follow.
        settings: How.
        seen: What is known at the start.
        tolerances: What the goal asks for in place of the settings.
        start_ns: Not before this time of the stamps; 0: at once.

    Raises:
        PlanningRefused: an unknown joint, nothing is measured, the robot is not where the trajectory begins, or the
            trajectory would be over already.
    """

    def __init__(
        self,
        joints: Sequence[str],
        name: str,
        trajectory: Trajectory,
        settings: FollowerSettings,
        seen: Seen,
        tolerances: Tolerances = Tolerances(),
        start_ns: int = 0,
    ) -> None:
        unknown = [joint for joint in trajectory.joints if joint not in joints]
        if unknown:
            raise PlanningRefused(f"joint {unknown[0]!r} is not one of {', '.join(joints)}")
        absent = [joint for joint in joints if joint not in seen.measured]
        if absent:
            raise PlanningRefused(f"nothing is known of where {absent[0]} is")
        self.joints, self._name, self._trajectory, self._settings = list(joints), name, trajectory, settings
        self._columns = np.array([self.joints.index(joint) for joint in trajectory.joints])
        self._still = np.array([seen.measured[joint] for joint in joints])
        off = np.abs(self._still[self._columns] - trajectory.positions[0])
        if off.max() > settings.start_tolerance:
            worst = trajectory.joints[int(off.argmax())]
            raise PlanningRefused(f"{worst} is {off.max():.3f} rad from where the trajectory begins")
        if start_ns and start_ns + trajectory.duration * NANOSECONDS < seen.now_ns:
            raise PlanningRefused("the trajectory ends in the past")
        self._path = np.array([_chosen(tolerances.path.get(j, 0.0), settings.path_tolerance) for j in joints])
        self._goal = np.array([_chosen(tolerances.goal.get(j, 0.0), settings.goal_tolerance) for j in joints])
        self._goal_time = _chosen(tolerances.goal_time, settings.goal_time)
        self._asked_ns = seen.now_ns
        self._start_ns = start_ns
        self._began_ns: int | None = None  # stamp of the trajectory's start
        self._braking_ns: int | None = None
        self._next_ns = seen.now_ns

    @property
    def sent_ns(self) -> int:
        """Stamp of the last target."""
        return self._next_ns - round(self._settings.period * NANOSECONDS)

    def go_on_after(self, stamp_ns: int) -> None:
        """Send targets for times after this only: those before were sent by another, whose place this one takes."""
        self._next_ns = max(self._next_ns, stamp_ns + round(self._settings.period * NANOSECONDS))

    @property
    def progress(self) -> float:
        """Share of the trajectory that was sent, 0 to 1."""
        if self._began_ns is None:
            return 0.0
        return min(1.0, self._place(self._next_ns) / max(self._trajectory.duration, 1e-9))

    def longest(self, now_ns: int) -> float:
        """How long following may take from now on [s], but for a goal that asks for endless time to arrive."""
        wait = max(0, self._start_ns - now_ns) / NANOSECONDS
        late = self._goal_time if np.isfinite(self._goal_time) else self._settings.goal_time
        return wait + self._settings.patience + self._trajectory.duration + late

    def tick(self, seen: Seen) -> Tick:
        """Go on; called every few milliseconds."""
        settings, tick = self._settings, Tick()
        if self._began_ns is not None and (not seen.following or seen.source != self._name):
            who = "the limiter stopped" if not seen.following else f"{seen.source or 'nobody'} commands"
            return Tick(end=End.PREEMPTED, words=who)
        if self._began_ns is None and seen.following and seen.source == self._name:
            self._began_ns = max(self._next_ns, self._start_ns)
        if self._began_ns is None and seen.now_ns - self._asked_ns > settings.patience * NANOSECONDS:
            why = f"{seen.source or 'nobody'} commands" if seen.following else "the limiter is not engaged"
            return Tick(end=End.LATE_START, words=f"not let through within {settings.patience} s: {why}")
        if seen.cancelled and self._braking_ns is None:
            if self._began_ns is None:
                return Tick(end=End.CANCELLED, words="cancelled before it began")
            self._braking_ns = self._next_ns
        until = seen.now_ns + round(settings.lead * NANOSECONDS)
        while self._next_ns <= until:
            tick.targets.append((self._next_ns, self._position(self._next_ns)))
            self._next_ns += round(settings.period * NANOSECONDS)
        tick.desired = self._position(seen.now_ns)
        tick.actual = np.array([seen.measured.get(joint, np.nan) for joint in self.joints])
        self._judge(tick, seen.now_ns)
        return tick

    def _judge(self, tick: Tick, now_ns: int) -> None:
        assert tick.desired is not None
        assert tick.actual is not None
        off = np.abs(tick.actual - tick.desired)
        over = self._over_ns()
        if self._began_ns is not None and (off > self._path).any():
            tick.end, tick.words = End.OFF_PATH, f"{self._worst(off - self._path, off)} from where it should be"
        elif over is not None and now_ns >= over:
            if (off <= self._goal).all():
                tick.end = End.CANCELLED if self._braking_ns is not None else End.SUCCEEDED
            elif now_ns - over > self._goal_time * NANOSECONDS:
                tick.end, tick.words = End.OFF_GOAL, f"{self._worst(off - self._goal, off)} from the goal"

    def _worst(self, beyond: np.ndarray, off: np.ndarray) -> str:
        i = int(beyond.argmax())
        return f"{self.joints[i]} is {off[i]:.3f} rad"

    def _over_ns(self) -> int | None:
        """Stamp of the last target that moves."""
        if self._began_ns is None:
            return None
        end = self._began_ns + round(self._trajectory.duration * NANOSECONDS)
        return end if self._braking_ns is None else min(end, self._braking_ns + round(_BRAKE * NANOSECONDS))

    def _place(self, stamp_ns: int) -> float:
        """Time along the trajectory [s]: while braking its rate falls from 1 to 0 as a smoothstep."""
        assert self._began_ns is not None
        if self._braking_ns is None or stamp_ns <= self._braking_ns:
            return (stamp_ns - self._began_ns) / NANOSECONDS
        u = min(1.0, (stamp_ns - self._braking_ns) / NANOSECONDS / _BRAKE)
        return (self._braking_ns - self._began_ns) / NANOSECONDS + _BRAKE * (u - u**3 + 0.5 * u**4)

    def _position(self, stamp_ns: int) -> np.ndarray:
        position = self._still.copy()
        place = 0.0 if self._began_ns is None or stamp_ns < self._began_ns else self._place(stamp_ns)
        position[self._columns] = self._trajectory.at(place)
        return position
