# SPDX-License-Identifier: Apache-2.0
"""The whole safety core: sources, arbiter, states and limiter behind one door. Times are handed in.

`now_ns` is the clock that stamps are on (ROS time, which may stand still, jump or be simulated); `steady` [s] never
jumps and is what watchdogs run on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from humanoid_safety.arbiter import Arbiter, SelectionRefused, Source
from humanoid_safety.body_model import BodyModel
from humanoid_safety.lift_gate import LiftGate
from humanoid_safety.limiter import Limiter, Reason
from humanoid_safety.limits import JointLimits
from humanoid_safety.states import State, StateMachine, Stopwatch, Watchdog
from humanoid_safety.targets import NANOSECONDS, Fault, StreamSettings, TargetRefused, TargetStream


@dataclass(frozen=True)
class GateSettings:
    """Everything but the robot.

    Attributes:
        rate: Commands per second [Hz].
        sources: Who may send targets.
        streams: How each source's stream is read, by name.
        deadline_source: Silence of the commanding source that stops the robot [s].
        deadline_operator: Silence of the operator's device after which the dead-man counts as let go [s].
        deadline_heartbeat: Silence of the station that stops the robot [s].
        deadline_robot: Silence of joint_states that stops the robot [s].
        deviation_time: How long measured and commanded position may differ by more than `deviation` [s].
        ramp_speed: A joint that has to catch up with a new source starts with this speed limit [rad/s] ...
        ramp_gain: ... which rises by this much per second [rad/s^2].
        catch_up: Share of the acceleration and jerk limits used to catch up, in (0, 1].
        hottest: Temperature of a joint that stops the robot [deg C].
        highest_current: Current of a joint that stops the robot [A].
        clock_jump: The stamp clock may step by this much between two commands [s].
        late_steps: Steps made up for at once after a late timer.
    """

    rate: float
    sources: tuple[Source, ...]
    streams: Mapping[str, StreamSettings]
    deadline_source: float
    deadline_operator: float
    deadline_heartbeat: float
    deadline_robot: float
    deviation_time: float
    ramp_speed: float
    ramp_gain: float
    catch_up: float
    hottest: float
    highest_current: float
    clock_jump: float
    late_steps: int


@dataclass(frozen=True)
class Command:
    """What is sent to the robot.

    Attributes:
        stamp_ns: The time it is meant for.
        names: Joints that were commanded since the limiter took them over, m of them.
        position: (m,) [rad or m].
        velocity: (m,) [rad/s or m/s].
        source: Who commands; empty while the robot holds or stops.
        fresh: Stamps of the source's targets that this command is the first to use.
    """

    stamp_ns: int
    names: list[str]
    position: np.ndarray
    velocity: np.ndarray
    source: str
    fresh: Sequence[int]


@dataclass(frozen=True)
class SourceReport:
    """A source as the arbiter sees it; the fields of SourceStatus."""

    name: str
    priority: int
    enabled: bool
    alive: bool
    age: float
    grant_left: float
    accepted: int
    refused: int


@dataclass(frozen=True)
class Report:
    """State for operators; arrays are over all joints that may be commanded."""

    state: State
    causes: list[str]
    joint_reasons: np.ndarray
    interference: np.ndarray
    operator_age: float
    robot_age: float


class _Inlet:
    """A source's stream and its counts."""

    def __init__(self, stream: TargetStream) -> None:
        self.stream = stream
        self.heard = Watchdog("targets", 0.0)
        self.accepted = 0
        self.refused: Counter[Fault] = Counter()
        self.last_refusal = ""


class SafetyGate:
    """Joint targets in, joint commands out.

    Args:
        limits: Limits of the n joints that may be commanded.
        others: The robot's other joints, which may not be commanded (legs).
        deviation: Allowed difference of measured and commanded position, (n,) [rad]; infinite where a joint may be
            blocked (fingers around an object).
        settings: Everything else.
        body: The robot's bodies; None: joint limits only.
        lift: The robot's torso lift, moved by a speed.
    """

    def __init__(
        self,
        limits: JointLimits,
        others: Sequence[str],
        deviation: np.ndarray,
        settings: GateSettings,
        body: BodyModel | None = None,
        lift: LiftGate | None = None,
    ) -> None:
        n = len(limits.names)
        self.limits = limits
        self.settings = settings
        self.lift = lift
        self._index = {joint: i for i, joint in enumerate(limits.names)}
        self._deviation = deviation
        self.period_ns = round(NANOSECONDS / settings.rate)
        self.limiter = Limiter(limits, 1.0 / settings.rate, settings.catch_up, body)
        self.arbiter = Arbiter(settings.sources)
        self.machine = StateMachine()
        self._time = Stopwatch()
        self._inlets = {
            source.name: _Inlet(TargetStream(limits.names, others, settings.streams[source.name], self.period_ns))
            for source in settings.sources
        }
        self._operator = Watchdog("operator frame", settings.deadline_operator)
        self._heartbeat = Watchdog("heartbeat of the station", settings.deadline_heartbeat)
        self._robot = Watchdog("joint states", settings.deadline_robot)
        self._measured = np.full(n, np.nan)
        self._measured_names: list[str] = []
        self._measured_columns = np.zeros(0, dtype=int)
        self._measured_refused = 0
        self._deviates_since: float | None = None
        self._robot_complaints: list[str] = []  # of the robot itself
        self._commanded = np.zeros(n, dtype=bool)
        self._asked = np.zeros(n, dtype=bool)
        self._with_lift = self._without_lift = self._asked  # what a source asks for, with the lift's joints and without
        self._where = np.zeros(0, dtype=int)
        self._names: list[str] = []
        self._ramp_step = 0
        self._last_ns: int | None = None
        self._last_steady: float | None = None

    # --- inputs ---

    def targets(
        self, source: str, names: Sequence[str], position: np.ndarray, stamp_ns: int, now_ns: int, steady: float
    ) -> str:
        """Take a message of a source.

        Returns:
            "" if it was taken, otherwise why it was refused.
        """
        inlet = self._inlets[source]
        now = self._time.at(steady)
        self._check_clock(now_ns, steady)
        silence = inlet.heard.age(now)
        if silence > self.settings.deadline_source:
            if source == self.arbiter.active:
                self._soft_stop(f"no targets from {source} for {silence:.2f} s")
            inlet.stream.restart()
        try:
            inlet.stream.push(names, position, stamp_ns, now_ns)
        except TargetRefused as refusal:
            inlet.refused[refusal.fault] += 1
            inlet.last_refusal = str(refusal)
            return inlet.last_refusal
        inlet.heard.beat(now)
        inlet.accepted += 1
        return ""

    def joint_state(self, names: Sequence[str], position: np.ndarray, steady: float) -> None:
        """Take the measured positions; a message that is broken or lacks a joint is counted and not used."""
        now = self._time.at(steady)
        if names != self._measured_names:
            found = {name: i for i, name in enumerate(names)}
            if any(joint not in found for joint in self._index):
                self._measured_refused += 1
                return
            self._measured_names = list(names)
            self._measured_columns = np.array([found[joint] for joint in self._index])
        if len(position) != len(names) or not np.isfinite(position).all():
            self._measured_refused += 1
            return
        self._measured = position[self._measured_columns]
        self.limiter.others(names, position)
        self.limiter.track(self._measured, ~self._commanded)
        self._robot.beat(now)
        self._watch_deviation(now)

    def robot_status(
        self, faults: Sequence[str], names: Sequence[str], temperatures: np.ndarray, currents: np.ndarray
    ) -> None:
        """Take what the robot says about itself: faults, and per joint temperature [deg C] and current [A] or NaN."""
        complaints = [f"robot: {fault}" for fault in faults]
        for values, limit, unit in (
            (temperatures, self.settings.hottest, "deg C"),
            (np.abs(currents), self.settings.highest_current, "A"),
        ):
            complaints += [f"{name} at {value:.0f} {unit}" for name, value in zip(names, values) if value > limit]
        self._robot_complaints = complaints
        for complaint in complaints:
            self._soft_stop(complaint)

    def lean(self, margin: float) -> None:
        """Take that the centre of mass is too near the edge of the support polygon, by its margin [m]."""
        self._soft_stop(f"centre of mass {1e3 * margin:.0f} mm inside the support polygon")

    def operator(self, held: bool, steady: float) -> None:
        """Take the dead-man's state from a frame of the operator."""
        self._operator.beat(self._time.at(steady))
        self.arbiter.dead_man(held)

    def heartbeat(self, steady: float) -> None:
        """Take a sign of life of the station."""
        self._heartbeat.beat(self._time.at(steady))

    def following(self, steady: float) -> tuple[str, float]:
        """The source that is followed, empty where none is, and the robot's time [s]: what else passes is for it."""
        now = self._time.at(steady)
        return (self.arbiter.active if self.machine.state is State.ACTIVE else ""), now

    def time_scale(self, scale: float, steady: float) -> None:
        """Take the twin's simulated seconds per steady second."""
        self._time.set_scale(scale, steady)

    def select(self, source: str, grant: float, steady: float) -> tuple[bool, str]:
        """Choose a source; see `Arbiter.select`."""
        try:
            return True, self.arbiter.select(source, grant, self._time.at(steady))
        except SelectionRefused as refusal:
            return False, str(refusal)

    def engage(self, wanted: bool, steady: float) -> tuple[bool, str]:
        """Follow sources from now on, or stop at the limits and hold."""
        if not wanted:
            self._soft_stop("disengaged")
            return True, f"{self.machine.state.name}"
        refusal = self.machine.engage(self._obstacles(self._time.at(steady)))
        return not refusal, refusal or "ACTIVE"

    def stop(self, cause: str) -> None:
        """Emergency stop: decelerate at the limits from the next command on, and stay."""
        self.machine.emergency_stop(cause)
        self._let_go()

    def reset(self, steady: float) -> tuple[bool, str]:
        """Leave the emergency stop for HOLD."""
        now = self._time.at(steady)
        obstacles = [] if self.limiter.still else ["still moving"]
        if self._robot.late(now):
            obstacles.append(self._robot.complaint(now))
        refusal = self.machine.reset(obstacles)
        return not refusal, refusal or self.machine.state.name

    # --- output ---

    def watch(self, now_ns: int, steady: float) -> None:
        """Look at every watchdog. Called with each step, and by a steady timer while the stamp clock stands still."""
        now = self._time.at(steady)
        self._check_clock(now_ns, steady)
        if self._operator.late(now):
            self.arbiter.person_lost()
        if self.machine.state is State.ACTIVE:
            for watchdog in (self._robot, self._heartbeat):
                if watchdog.late(now):
                    self._soft_stop(watchdog.complaint(now))
            active = self.arbiter.active
            if active and self._inlets[active].heard.age(now) > self.settings.deadline_source:
                self._soft_stop(f"no targets from {active} for {self._inlets[active].heard.age(now):.2f} s")
            if active and self.arbiter.sources[active].enable == "dead_man" and self._operator.late(now):
                self._soft_stop(self._operator.complaint(now))
        elif self.machine.state is State.HOLD and self._robot.late(now):
            # Where the robot is is not known: whoever drives it holds it.
            self._release()

    def step(self, now_ns: int, steady: float) -> Command | None:
        """One command, for time `now_ns`.

        Args:
            now_ns: Time of this step; steps are `period_ns` apart.
            steady: Steady time [s].

        Returns:
            The command; None while no joint was ever commanded.
        """
        self.watch(now_ns, steady)
        if self.machine.state is State.ACTIVE:
            position, fresh = self._follow(now_ns, self._time.at(steady))
        else:
            position, fresh = self.limiter.stop(), ()
            self.machine.settle(self.limiter.still)
        if not self._names:
            return None
        return Command(
            now_ns,
            self._names,
            position[self._where],
            self.limiter.velocity[self._where],
            self.arbiter.active,
            fresh,
        )

    def pose(self) -> np.ndarray:
        """Where the joints that may be commanded are commanded to be, else measured, (n,) [rad]; NaN where neither."""
        return np.where(self._commanded, self.limiter.position, self._measured)

    def report(self, steady: float) -> Report:
        """State and what was taken from requests since the last report."""
        now = self._time.at(steady)
        causes = list(self.machine.causes)
        if self.machine.state is State.HOLD:
            causes += [obstacle for obstacle in self._obstacles(now) if obstacle not in causes]
        reasons, taken = self.limiter.reasons.copy(), self.limiter.taken.copy()
        self.limiter.forget()
        for source, inlet in self._inlets.items():
            if inlet.last_refusal:
                causes.append(f"{source}: {sum(inlet.refused.values())} targets refused, last: {inlet.last_refusal}")
                inlet.last_refusal = ""
                if source == self.arbiter.active:
                    reasons[self._asked] |= np.uint32(Reason.INVALID)
        return Report(self.machine.state, causes, reasons, taken, self._heartbeat.age(now), self._robot.age(now))

    def sources(self, steady: float) -> list[SourceReport]:
        """Every source as the arbiter sees it."""
        now = self._time.at(steady)
        alive = self._alive(now)
        return [
            SourceReport(
                name,
                source.priority,
                self.arbiter.enabled(name, now),
                alive[name],
                self._inlets[name].heard.age(now) if self._inlets[name].accepted else -1.0,
                self.arbiter.grant_left(name, now),
                self._inlets[name].accepted,
                sum(self._inlets[name].refused.values()),
            )
            for name, source in self.arbiter.sources.items()
        ]

    def refused(self) -> dict[str, int]:
        """How many messages were refused, per source and reason."""
        counts = {"joint_states": self._measured_refused} if self._measured_refused else {}
        for source, inlet in self._inlets.items():
            counts |= {f"{source}: {fault.value}": count for fault, count in inlet.refused.items()}
        return counts

    # --- inside ---

    def _follow(self, now_ns: int, now: float) -> tuple[np.ndarray, Sequence[int]]:
        """One step towards the commanding source's request, or towards rest without one."""
        before = self.arbiter.active
        active = self.arbiter.decide(self._alive(now), now)
        if not active:
            return self.limiter.stop(), ()
        stream = self._inlets[active].stream
        if active != before and self.lift is not None:
            self.lift.rest()
        lifted = self._lifted(active, stream.asked, now)
        asked = stream.asked if lifted is None else self._with_lift
        if active != before or asked is not self._asked:
            self._take_over(asked)
        request = stream.sample(now_ns)
        if lifted is not None and self.lift is not None:
            request = request.copy()
            request[self.lift.joints] = lifted
        self._ramp_step += 1
        speed = self.settings.ramp_speed + self.settings.ramp_gain * self._ramp_step / self.settings.rate
        return self.limiter.follow(request, speed), stream.fresh

    def _lifted(self, active: str, asked: np.ndarray, now: float) -> np.ndarray | None:
        """Where the lift's joints should be, where a source moves the lift by a speed and not by its joints."""
        if self.lift is None or asked[self.lift.joints].any():
            return None
        lifted = self.lift.step(active, now, self.pose())
        if lifted is not None and self._without_lift is not asked:
            self._without_lift, self._with_lift = asked, asked.copy()
            self._with_lift[self.lift.joints] = True
        return lifted

    def _take_over(self, asked: np.ndarray) -> None:
        """Another source, or other joints of the same: joints not commanded so far start where they are measured."""
        new = asked & ~self._commanded
        if new.any():
            self.limiter.place(self._measured, new)
            self._commanded = self._commanded | new
            self._where = np.flatnonzero(self._commanded)
            self._names = [self.limits.names[i] for i in self._where]
        self._asked = asked
        self._ramp_step = 0
        self.limiter.begin(asked)

    def _alive(self, now: float) -> dict[str, bool]:
        return {
            name: inlet.stream.ready and inlet.heard.age(now) <= self.settings.deadline_source
            for name, inlet in self._inlets.items()
        }

    def _obstacles(self, now: float) -> list[str]:
        """What speaks against following a source now."""
        silent = [dog.complaint(now) for dog in (self._robot, self._heartbeat) if dog.late(now)]
        return [*silent, *self._robot_complaints]

    def _watch_deviation(self, now: float) -> None:
        """Compare measured with commanded positions."""
        apart = self._commanded & (np.abs(self._measured - self.limiter.position) > self._deviation)
        if not apart.any():
            self._deviates_since = None
            return
        if self._deviates_since is None:
            self._deviates_since = now
        if now - self._deviates_since < self.settings.deviation_time:
            return
        if self.machine.state in (State.ACTIVE, State.SOFT_STOP):
            worst = int(np.argmax(np.where(apart, np.abs(self._measured - self.limiter.position), -1.0)))
            self.stop(
                f"{self.limits.names[worst]} is at {self._measured[worst]:.2f}, "
                f"commanded {self.limiter.position[worst]:.2f}"
            )
        elif self.limiter.still:
            # Holding a pose the robot is not in would pull it back at once when it can: let go, start from where it is.
            self._release()

    def _release(self) -> None:
        """Command no joint any more; the next one that is asked for starts where it is measured."""
        self._commanded = np.zeros_like(self._commanded)
        self._asked = np.zeros_like(self._asked)
        self._where, self._names = np.zeros(0, dtype=int), []
        self._deviates_since = None

    def _soft_stop(self, cause: str) -> None:
        self.machine.soft_stop(cause)
        self._let_go()

    def _let_go(self) -> None:
        """Nobody commands any more, and no grant outlives a stop."""
        self.arbiter.active = ""
        self.arbiter.revoke()

    def _check_clock(self, now_ns: int, steady: float) -> None:
        """A stamp clock that jumps makes every buffered stamp meaningless."""
        if self._last_ns and self._last_steady is not None:  # 0: before the first of a simulated clock
            step = (now_ns - self._last_ns) / NANOSECONDS
            allowed = self.settings.clock_jump + max(0.0, steady - self._last_steady)
            if step < -self.settings.clock_jump or step > allowed:
                for inlet in self._inlets.values():
                    inlet.stream.restart()
                self._soft_stop(f"clock jumped by {step:.3f} s")
        self._last_ns, self._last_steady = now_ns, steady
