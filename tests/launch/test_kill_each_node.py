# SPDX-License-Identifier: Apache-2.0
"""kill -9 of each process in turn while a person commands: the robot holds, no limit breaks, work resumes."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from itertools import pairwise

import numpy as np
from sensor_msgs.msg import JointState

from bench.rig import REPOSITORY, ROBOT_CONFIG, Rig, node
from humanoid_core import convert, endpoints, ros
from humanoid_description import load
from humanoid_description.robot import JointLimits
from humanoid_interfaces.msg import SafetyStatus
from humanoid_safety import referee

SETTINGS = REPOSITORY / "src/humanoid_safety/config/safety.yaml"
PERIOD = 0.002
ROBOT = f"robot_config:={ROBOT_CONFIG}"
# As long as they may be: a busy machine is no reason to stop.
PATIENCE = ("deadline_source:=2.0", "deadline_operator:=2.0", "deadline_robot:=2.0", "deadline_heartbeat:=3.0")
PROCESSES = {
    "robot": ["-m", "bench.nodes", "robot", "--ros-args", "-p", ROBOT],
    "targets": ["-m", "bench.nodes", "targets", "--ros-args", "-p", ROBOT],
    "heartbeat": node("humanoid_safety.heartbeat_node", config=str(SETTINGS.with_name("heartbeat.yaml"))),
    "safety": node("humanoid_safety.safety_node", ROBOT, *PATIENCE, config=str(SETTINGS)),
}


class Observer:
    """Every command that was sent, where the robot was last, and what the limiter says."""

    def __init__(self, rig: Rig) -> None:
        self.stamps: list[int] = []
        self.rows: list[np.ndarray] = []
        self.names: list[str] = []
        self.measured: dict[str, float] = {}
        self.state = -1
        ros.subscribe(rig.node, endpoints.JOINT_COMMANDS, self._on_command, depth=10_000)
        ros.subscribe(rig.node, endpoints.JOINT_STATES, self._on_joint_states, depth=1)
        ros.subscribe(rig.node, endpoints.SAFETY_STATUS, self._on_status)

    def _on_command(self, message: JointState) -> None:
        self.names = list(message.name)
        self.stamps.append(convert.stamp_ns(message.header.stamp))
        self.rows.append(np.array(message.position))

    def _on_joint_states(self, message: JointState) -> None:
        self.measured = dict(zip(message.name, message.position))

    def _on_status(self, message: SafetyStatus) -> None:
        self.state = message.state

    def where(self, measured: dict[str, float] | None = None) -> np.ndarray:
        """Position of the joints that are commanded, as measured last or then."""
        return np.array([(measured or self.measured)[name] for name in self.names])

    def stands(self, since: int, commands: int) -> bool:
        """Whether as many commands in a row are the same, all later than the first `since`."""
        return len(self.rows) >= since + commands and not np.ptp(self.rows[-commands:], axis=0).any()

    def broken(self, limits: JointLimits, begins: dict[int, np.ndarray]) -> tuple[Counter[str], int]:
        """Commands over each limit, and how many were judged.

        Where a command is missing (a limiter that was stalled drops time) the differences across the gap say nothing; a
        limiter that begins anew begins at rest where the robot is (`begins`: after which time [ns], that pose).
        """
        at = {int(np.argmax(np.array(self.stamps) > time_ns)): pose for time_ns, pose in begins.items()}
        bounds = referee.Bounds(limits.lower, limits.upper, limits.velocity, limits.acceleration, limits.jerk, PERIOD)
        gaps = {i + 1 for i, gap in enumerate(np.diff(self.stamps)) if abs(gap - 1e9 * PERIOD) > 1e3}
        found, judged = Counter[str](), 0
        for a, b in pairwise(sorted({*gaps, *at, len(self.rows)})):
            rows = np.array([at[a], *self.rows[a:b]] if a in at else self.rows[a:b])
            blind = 1 if a in at else 3
            for name, over in referee.over(rows, bounds).items():
                found[name] += int(over[blind if name != "position" else 0 :].sum())
            judged += max(len(rows) - blind, 0)
        return found, judged


def test_kill_of_each_process_holds_the_robot_and_work_resumes(ros_domain):
    robot = load(ROBOT_CONFIG)
    with Rig(PROCESSES, ros_domain) as rig:
        seen = Observer(rig)

        def holds() -> bool:
            return seen.state == SafetyStatus.HOLD and rig.commanding == ""

        def engage_and_move() -> None:
            first = len(seen.rows)
            rig.engage("teleop")
            rig.until(lambda: len(seen.rows) > first + 250 and np.ptp(seen.rows[first:], axis=0).max() > 0.02, "motion")

        def in_place() -> bool:
            return np.array_equal(seen.where(), seen.rows[-1])

        rig.until(lambda: seen.measured, "joint states")
        start = seen.measured
        begun = time.time_ns()
        engage_and_move()
        begins = {begun: seen.where(start)}
        for victim in PROCESSES:
            rig.kill(victim)
            killed = len(seen.rows)
            if victim == "safety":  # nothing moves a robot that nobody commands
                rig.commanding = ""
                rig.until(in_place, "the robot is where it was commanded last")
            elif victim == "robot":  # the limiter stops softly, then lets go of a robot that it does not see
                rig.until(holds, "HOLD without the robot")
                rig.until(partial(seen.stands, killed, 2), "a stop before that")
            else:
                rig.until(holds, f"HOLD without the {victim}")
                rig.until(partial(seen.stands, killed, 50), f"the robot stands without the {victim}")
                rig.until(in_place, "the robot is where it was commanded last")
            seen.state = -1
            begun = time.time_ns()
            rig.start(victim)
            rig.until(holds, f"HOLD with a new {victim}")
            stood = seen.where()
            engage_and_move()
            if victim in ("robot", "safety"):  # the robot of this rig starts where it started before
                begins[begun] = seen.where(start) if victim == "robot" else stood
        broken, judged = seen.broken(robot.limits(seen.names), begins)
    assert not any(broken.values()), broken
    assert judged > 2000
