# SPDX-License-Identifier: Apache-2.0
"""The whole core against a robot that follows commands perfectly, with simulated clocks."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from humanoid_safety import referee
from humanoid_safety.arbiter import Source
from humanoid_safety.gate import Command, GateSettings, SafetyGate
from humanoid_safety.limits import JointLimits
from humanoid_safety.states import State
from humanoid_safety.targets import StreamSettings

JOINTS = ("shoulder", "elbow", "wrist", "finger")
LEGS = ("knee",)
LIMITS = JointLimits(
    JOINTS,
    lower=np.array([-2.0, 0.0, -1.0, 0.0]),
    upper=np.array([2.0, 2.0, 1.0, 1.5]),
    velocity=np.array([6.0, 6.0, 6.0, 12.0]),
    acceleration=np.array([40.0, 40.0, 40.0, 80.0]),
    jerk=np.array([2000.0, 2000.0, 2000.0, 4000.0]),
    torque=np.full(4, 1e3),
)
DEVIATION = np.array([0.5, 0.5, 0.5, math.inf])
STREAM = StreamSettings(period=0.004, oldest=0.3, ahead=0.5, latest=0.04)
SETTINGS = GateSettings(
    rate=500.0,
    sources=(Source("teleop", 100, "dead_man"), Source("planning", 20, "grant")),
    streams={"teleop": STREAM, "planning": STREAM},
    deadline_source=0.1,
    deadline_operator=0.25,
    deadline_heartbeat=0.5,
    deadline_robot=0.1,
    deviation_time=0.2,
    ramp_speed=0.5,
    ramp_gain=1.0,
    catch_up=0.5,
    hottest=80.0,
    highest_current=40.0,
    clock_jump=0.25,
    late_steps=5,
)
START = np.array([0.3, 0.8, -0.2, 0.4])


def bounds_of(limits: JointLimits, rate: float) -> referee.Bounds:
    return referee.Bounds(limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, 1.0 / rate)


class Bench:
    """Gate, perfect robot, station, operator and sources on one simulated steady clock."""

    def __init__(self, settings: GateSettings = SETTINGS, start: np.ndarray = START) -> None:
        self.gate = SafetyGate(LIMITS, LEGS, DEVIATION, settings)
        self.ticks = 0
        self.offset_ns = 1_700_000_000_000_000_000
        self.measured = dict(zip((*JOINTS, *LEGS), [*start, 0.1]))
        self.robot, self.station, self.held = True, True, False  # robot and station alive, dead-man held
        self.operator = True
        self.motions: dict[str, object] = {}  # source -> function of time [s] giving {joint: position}
        self.commands: list[Command] = []
        self.stuck = False

    @property
    def steady(self) -> float:
        return self.ticks / 500.0

    @property
    def now_ns(self) -> int:
        return self.offset_ns + self.ticks * 2_000_000

    def tick(self) -> Command | None:
        gate, now = self.gate, self.steady
        if self.robot:
            gate.joint_state(list(self.measured), np.array(list(self.measured.values())), now)
        if self.station and self.ticks % 25 == 0:
            gate.heartbeat(now)
        if self.operator and self.ticks % 2 == 0:
            gate.operator(self.held, now)
        if self.ticks % 2 == 0:
            for source, motion in self.motions.items():
                target = motion(now)
                gate.targets(source, list(target), np.array(list(target.values())), self.now_ns, self.now_ns, now)
        command = gate.step(self.now_ns, now)
        if command is not None:
            self.commands.append(command)
            if not self.stuck:
                self.measured.update(zip(command.names, command.position))
        self.ticks += 1
        return command

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 500)):
            self.tick()

    def engaged(self) -> "Bench":
        self.run(0.1)
        assert self.gate.engage(True, self.steady) == (True, "ACTIVE")
        return self

    def positions(self, joints=JOINTS) -> np.ndarray:
        return np.array([[dict(zip(c.names, c.position))[joint] for joint in joints] for c in self.commands])

    def violations(self) -> dict[str, float]:
        q = np.vstack([START, self.positions()])
        return referee.violations(q, bounds_of(LIMITS, 500.0))


def wave(t: float) -> dict[str, float]:
    return dict(zip(JOINTS, START + 0.3 * np.sin(2.0 * t + np.arange(4)) * [1, 1, 1, 0.5]))


def still(t: float) -> dict[str, float]:
    return dict(zip(JOINTS, START))


def far(t: float) -> dict[str, float]:
    return dict(zip(JOINTS, (1.5, 1.9, 0.9, 1.4)))


def test_starts_in_hold_and_commands_nothing():
    bench = Bench()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(1.0)
    assert bench.gate.machine.state is State.HOLD
    assert bench.commands == []


def test_targets_do_not_pile_up_while_the_robot_holds():
    bench = Bench()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(10.0)
    bench.engaged().gate.stop("to hold again")
    bench.run(10.0)
    teleop = bench.gate.sources(bench.steady)[0]
    assert (teleop.accepted, teleop.refused) == (5025, 0)


def test_engage_needs_robot_and_station():
    bench = Bench()
    bench.robot = bench.station = False
    bench.run(0.1)
    done, message = bench.gate.engage(True, bench.steady)
    assert not done
    assert "joint states" in message
    assert "heartbeat" in message


def test_engage_starts_at_the_measured_pose_and_catches_up_slowly():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = far, True
    bench.run(0.5)
    assert bench.commands[0].position == pytest.approx(START, abs=1e-3)
    assert np.abs([c.velocity for c in bench.commands]).max() < 1.1  # ramp: 0.5 rad/s and 1 rad/s more per second
    bench.run(4.0)
    assert bench.commands[-1].position == pytest.approx(list(far(0).values()), abs=1e-12)
    assert bench.violations() == {}


def test_follows_the_operator_exactly_one_period_behind():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(6.0)
    command = bench.commands[-1]
    # The mean of the straight connection over the target period that ends one target period ago.
    head = (command.stamp_ns - bench.offset_ns) / 1e9 - 0.004
    knots = (math.floor(head / 0.004 + 1e-6) + np.arange(-1, 2)) * 0.004
    rows = np.array([list(wave(k).values()) for k in knots])
    share = (head - knots[1]) / 0.004
    first, second = rows[0] + share * (rows[1] - rows[0]), rows[1] + share * (rows[2] - rows[1])
    expected = 0.5 * (1.0 - share) * (first + rows[1]) + 0.5 * share * (rows[1] + second)
    assert command.position == pytest.approx(expected, abs=1e-9)
    assert command.source == "teleop"
    assert bench.violations() == {}
    bench.gate.report(bench.steady)
    bench.run(1.0)
    assert not bench.gate.report(bench.steady).interference.any()


def test_only_commanded_joints_are_in_the_output_and_others_are_held():
    bench = Bench().engaged()
    bench.motions["teleop"] = lambda t: {"elbow": 0.8 + 0.1 * math.sin(t)}
    bench.held = True
    bench.run(1.0)
    assert bench.commands[-1].names == ["elbow"]
    # Another source brings the wrist: the elbow stays in the output, held.
    bench.held = False
    bench.run(0.3)
    elbow = bench.commands[-1].position[0]
    bench.gate.select("planning", 10.0, bench.steady)
    bench.motions["planning"] = lambda t: {"wrist": -0.2}
    bench.run(1.0)
    assert bench.commands[-1].names == ["elbow", "wrist"]
    assert bench.commands[-1].position[0] == elbow


def test_leg_joints_are_refused_by_name():
    bench = Bench().engaged()
    bench.held = True
    bench.motions["teleop"] = lambda t: {**wave(t), "knee": 0.2}
    bench.run(0.5)
    assert bench.commands == []
    assert any("knee" in cause for cause in bench.gate.report(bench.steady).causes)


def test_letting_go_of_the_dead_man_stops_and_pressing_again_ramps_in():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(3.0)
    bench.held = False
    bench.run(0.5)
    assert not bench.commands[-1].velocity.any()
    assert bench.commands[-1].source == ""
    bench.motions["teleop"] = far
    bench.held, count = True, len(bench.commands)
    bench.run(0.5)
    assert bench.commands[-1].source == "teleop"
    assert 0.5 < np.abs([command.velocity for command in bench.commands[count:]]).max() < 1.1
    bench.run(3.0)
    assert bench.violations() == {}


def test_hand_over_between_sources_does_not_jump():
    bench = Bench().engaged()
    bench.motions = {"teleop": far, "planning": wave}
    bench.gate.select("planning", 60.0, bench.steady)
    bench.run(3.0)
    assert bench.commands[-1].source == "planning"
    bench.held = True
    bench.tick()
    bench.tick()
    assert bench.commands[-1].source == "teleop"
    bench.run(4.0)
    bench.held = False
    bench.run(1.0)
    assert bench.commands[-1].source == ""  # the grant ended when the person took over
    assert bench.violations() == {}


def test_stop_is_obeyed_by_the_next_command():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(3.0)
    last, before = (command.velocity for command in bench.commands[-2:])
    bench.gate.stop("test")
    after = bench.tick().velocity
    jerk = (after - 2 * before + last) / 0.002**2
    assert jerk == pytest.approx(-np.sign(before) * LIMITS.jerk, rel=1e-6)
    bench.run(0.5)
    assert bench.gate.machine.state is State.E_STOP
    assert not bench.commands[-1].velocity.any()
    assert bench.violations() == {}


def test_emergency_stop_is_latched_until_reset():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(1.0)
    bench.gate.stop("button")
    assert not bench.gate.reset(bench.steady)[0]  # still moving
    bench.run(1.0)
    done, message = bench.gate.engage(True, bench.steady)
    assert not done
    assert "button" in message
    assert bench.gate.engage(False, bench.steady)[0]
    assert bench.gate.machine.state is State.E_STOP
    assert bench.gate.reset(bench.steady) == (True, "HOLD")
    assert bench.gate.engage(True, bench.steady) == (True, "ACTIVE")
    bench.run(3.0)
    assert bench.commands[-1].source == "teleop"
    assert bench.violations() == {}


def test_reset_needs_the_robot_back():
    bench = Bench().engaged()
    bench.gate.stop("button")
    bench.robot = False
    bench.run(1.0)
    done, message = bench.gate.reset(bench.steady)
    assert not done
    assert "joint states" in message


@pytest.mark.parametrize(
    ("what", "deadline", "word"),
    [
        ("robot", SETTINGS.deadline_robot, "joint states"),
        ("station", SETTINGS.deadline_heartbeat, "heartbeat"),
        ("operator", SETTINGS.deadline_operator, "operator frame"),
        ("motions", SETTINGS.deadline_source, "targets from teleop"),
    ],
)
def test_silence_stops_softly_within_its_deadline(what, deadline, word):
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(3.0)
    setattr(bench, what, {} if what == "motions" else False)
    silent = bench.steady
    while bench.gate.machine.state is State.ACTIVE:
        bench.tick()
        assert bench.steady < silent + 2.0
    assert deadline - 0.06 <= bench.steady - silent <= deadline + 0.01
    assert any(word in cause for cause in bench.gate.machine.causes)
    bench.run(0.5)
    assert bench.gate.machine.state is State.HOLD
    assert not bench.commands[-1].velocity.any()
    # It stays there when the lost one is back, and goes on when asked.
    setattr(bench, what, {"teleop": wave} if what == "motions" else True)
    bench.run(0.5)
    assert bench.gate.machine.state is State.HOLD
    assert bench.gate.engage(True, bench.steady)[0]
    bench.run(3.0)
    assert bench.commands[-1].source == "teleop"


def test_twin_slower_than_real_time_stretches_deadlines():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.gate.time_scale(0.25, bench.steady)
    bench.run(1.0)
    bench.robot = False
    bench.run(4 * SETTINGS.deadline_robot - 0.02)
    assert bench.gate.machine.state is State.ACTIVE
    bench.run(0.05)
    assert bench.gate.machine.state is not State.ACTIVE


def test_watchdogs_work_while_the_stamp_clock_stands():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(1.0)
    stopped = bench.now_ns
    for i in range(200):  # no steps: simulated time is paused, only the steady timer looks
        bench.gate.watch(stopped, bench.steady + i / 500)
    assert bench.gate.machine.state is State.SOFT_STOP
    bench.ticks += 200
    bench.offset_ns -= 200 * 2_000_000
    bench.run(1.0)
    assert bench.gate.machine.state is State.HOLD
    assert bench.violations() == {}


@pytest.mark.parametrize("jump", [-10.0, 10.0])
def test_clock_jump_stops_and_can_be_engaged_again(jump):
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(2.0)
    bench.offset_ns += round(jump * 1e9)
    bench.tick()
    assert bench.gate.machine.state is State.SOFT_STOP
    assert any("clock jumped" in cause for cause in bench.gate.machine.causes)
    bench.run(1.0)
    assert bench.gate.engage(True, bench.steady)[0]
    bench.run(3.0)
    assert bench.commands[-1].source == "teleop"
    assert bench.violations() == {}


def test_robot_that_does_not_follow_is_stopped_and_let_go():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = far, True
    bench.run(0.5)
    bench.stuck = True
    bench.run(3.0)
    assert bench.gate.machine.state is State.E_STOP
    assert any("shoulder is at" in cause for cause in bench.gate.machine.causes)
    count = len(bench.commands)
    bench.run(0.5)
    assert len(bench.commands) == count  # nothing is commanded any more
    # Free again: it starts from where it is.
    bench.stuck = False
    assert bench.gate.reset(bench.steady)[0]
    assert bench.gate.engage(True, bench.steady)[0]
    where = np.array([bench.measured[joint] for joint in JOINTS])
    bench.run(0.01)
    assert bench.commands[-1].position == pytest.approx(where, abs=1e-2)


def test_a_blocked_finger_is_no_reason_to_stop():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = lambda t: {"finger": 1.4}, True
    bench.run(0.1)
    bench.stuck = True
    bench.run(3.0)
    assert bench.gate.machine.state is State.ACTIVE


def test_robot_lost_in_hold_is_let_go():
    bench = Bench().engaged()
    bench.motions["teleop"], bench.held = wave, True
    bench.run(1.0)
    bench.gate.engage(False, bench.steady)
    bench.run(0.5)
    bench.robot = False
    bench.run(0.5)
    count = len(bench.commands)
    bench.run(0.5)
    assert len(bench.commands) == count


def test_broken_joint_states_are_not_used():
    bench = Bench().engaged()
    gate = bench.gate
    gate.joint_state(["shoulder"], np.array([0.0]), bench.steady)
    gate.joint_state([*JOINTS], np.array([0.0, np.nan, 0.0, 0.0]), bench.steady)
    gate.joint_state([*JOINTS], np.zeros(3), bench.steady)
    gate.targets("teleop", ["knee"], np.zeros(1), bench.now_ns, bench.now_ns, bench.steady)
    assert gate.refused() == {"joint_states": 3, "teleop: joint that is not handed over": 1}


def test_grant_ends_with_a_stop():
    bench = Bench().engaged()
    bench.motions["planning"] = wave
    bench.gate.select("planning", math.inf, bench.steady)
    bench.run(1.0)
    bench.gate.engage(False, bench.steady)
    bench.run(0.5)
    assert bench.gate.engage(True, bench.steady)[0]
    bench.run(0.5)
    assert bench.commands[-1].source == ""
    bench.gate.select("planning", math.inf, bench.steady)
    bench.run(0.5)
    assert bench.commands[-1].source == "planning"
    bench.gate.stop("button")
    assert bench.tick().source == ""
    bench.run(0.5)
    assert bench.gate.reset(bench.steady)[0]
    assert bench.gate.engage(True, bench.steady)[0]
    bench.run(0.5)
    assert bench.commands[-1].source == ""


@given(st.integers(0, 2**32 - 1), st.sampled_from([250.0, 500.0, 1000.0]))
@settings(max_examples=25, deadline=None, derandomize=True, phases=[Phase.generate])
def test_no_limit_breaks_whatever_arrives(seed, rate):
    """Random messages, stamps, silences, stops, selections and clock jumps; the robot follows perfectly."""
    rng = np.random.default_rng(seed)
    gate = SafetyGate(LIMITS, LEGS, DEVIATION, replace(SETTINGS, rate=rate))
    measured, commands = START.copy(), [START]
    now_ns, steady = 10**18, 5.0
    names_pool = [list(JOINTS), list(JOINTS[::-1]), ["elbow"], ["nose"], [*JOINTS, "knee"], ["elbow", "elbow"], []]
    gate.heartbeat(steady)
    mode = rng.random()
    for _ in range(1500):
        now_ns, steady = now_ns + gate.period_ns, steady + gate.period_ns * 1e-9
        draw = rng.random(9)
        if draw[0] > 0.02:
            gate.joint_state(list(JOINTS), measured, steady)
        gate.heartbeat(steady)
        gate.operator(draw[1] > 0.01, steady)
        if draw[2] < 0.6:
            names = names_pool[int(rng.integers(len(names_pool)))] if draw[3] < 0.1 else list(JOINTS)
            scale = 10.0 ** rng.uniform(-4, 3) if mode < 0.5 else 1.0
            position = rng.normal(0.0, scale, len(names))
            if draw[4] < 0.02 and names:
                position[0] = rng.choice([np.nan, np.inf, -np.inf, 1e300])
            stamp = now_ns - int(rng.normal(0, 1e6 if mode > 0.3 else 1e8))
            gate.targets("teleop" if draw[5] < 0.7 else "planning", names, position, stamp, now_ns, steady)
        if draw[6] < 0.01:
            gate.stop("adversary")
        if draw[7] < 0.05:
            gate.reset(steady)
            gate.engage(bool(rng.random() < 0.9), steady)
            gate.select(str(rng.choice(["planning", "", "teleop"])), float(rng.uniform(0, 2)), steady)
        if draw[8] < 0.002:
            now_ns += int(rng.normal(0, 3e9))
        command = gate.step(now_ns, steady)
        if command is not None:
            measured[[JOINTS.index(name) for name in command.names]] = command.position
            commands.append(measured.copy())
    assert referee.violations(np.array(commands), bounds_of(LIMITS, rate)) == {}
    assert len(commands) > 100
