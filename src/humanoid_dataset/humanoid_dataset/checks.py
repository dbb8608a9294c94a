# SPDX-License-Identifier: Apache-2.0
"""All checks, in the order in which people read them, and how they are run on an episode folder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from humanoid_core.errors import HumanoidError
from humanoid_dataset import clock_checks, motion_checks, picture_checks, sense_checks, stream_checks, task_checks
from humanoid_dataset.behaviour import behaviour
from humanoid_dataset.episode import Episode
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.results import CheckLimits, CheckResult
from humanoid_dataset.robot import RobotFacts, robot_facts

Check = Callable[[Episode, CheckLimits, RobotFacts], CheckResult]

CHECKS: tuple[Check, ...] = (
    stream_checks.intact,
    stream_checks.topics,
    stream_checks.duration,
    stream_checks.rates,
    stream_checks.gaps,
    clock_checks.missed_samples,
    stream_checks.loss,
    stream_checks.operator_frames,
    stream_checks.monotonic,
    clock_checks.stamp_age,
    clock_checks.clock_drift,
    clock_checks.clock_uncertainty,
    stream_checks.skew,
    stream_checks.sync_complete,
    motion_checks.finite,
    motion_checks.joint_names,
    motion_checks.position_limits,
    motion_checks.velocity_limits,
    motion_checks.acceleration_limits,
    motion_checks.emergency_stop,
    motion_checks.tracking_error,
    motion_checks.tracking_lag,
    sense_checks.joint_order,
    sense_checks.joints_frozen,
    sense_checks.measured_limits,
    sense_checks.measured_jumps,
    sense_checks.imu_gravity,
    picture_checks.torn_pictures,
    picture_checks.picture_size,
    picture_checks.black_pictures,
    picture_checks.blank_pictures,
    picture_checks.frozen_pictures,
    picture_checks.camera_lag,
    picture_checks.camera_order,
    picture_checks.depth_valid,
    task_checks.task_done,
    task_checks.labels,
)


@dataclass(frozen=True)
class Verdict:
    """All results of one episode.

    Attributes:
        folder: Of the episode.
        name: Of the episode.
        results: One per check.
        episode: As opened; None where it could not be.
        robot: What was known about the robot.
        behaviour: How the person worked; it never rejects. See `behaviour.FIGURES`.
    """

    folder: Path
    name: str
    results: list[CheckResult]
    episode: Episode | None
    robot: RobotFacts
    behaviour: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether no check failed; checks that could not be assessed do not count."""
        return all(result.status != "failed" for result in self.results)

    @property
    def failures(self) -> list[CheckResult]:
        """The checks that failed."""
        return [result for result in self.results if result.status == "failed"]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        checks = [result.as_dict() for result in self.results]
        figures = {name: value if math.isfinite(value) else None for name, value in self.behaviour.items()}
        about = {"episode": self.name, "folder": str(self.folder), "passed": self.passed}
        return about | {"checks": checks, "behaviour": figures}


def meaning(check: Check) -> str:
    """What a check looks at, in one sentence: the first line of its docstring."""
    return (check.__doc__ or "").strip().splitlines()[0]


def judge(folder: Path | str, limits: CheckLimits, robot_config: Path | str = "") -> Verdict:
    """Open an episode and run every check on it. What is wrong with the episode is in the verdict, never raised.

    Args:
        folder: Of the episode.
        limits: Thresholds.
        robot_config: Path of the robot's configuration; empty: that of the robot recorded, if it is at hand.

    Raises:
        ConfigError: `robot_config` is given and is not usable.
    """
    folder = Path(folder)
    try:
        episode = Episode.open(folder)
        robot = robot_facts(episode, robot_config)
    except EpisodeError as reason:
        first = CheckResult(CHECKS[0].__name__, "failed", 1.0, 0.0, "faults", str(reason))
        rest = [CheckResult(check.__name__, "not_assessed", detail="the episode does not open") for check in CHECKS[1:]]
        return Verdict(folder, folder.name, [first, *rest], None, RobotFacts())
    results = [_run(check, episode, limits, robot) for check in CHECKS]
    try:
        figures = behaviour(episode, limits.behaviour, robot)
    except HumanoidError:
        figures = {}  # a message that does not decode: the checks fail on it
    return Verdict(folder, episode.name, results, episode, robot, figures)


def _run(check: Check, episode: Episode, limits: CheckLimits, robot: RobotFacts) -> CheckResult:
    try:
        return check(episode, limits, robot)
    except HumanoidError as reason:  # a message that does not decode: the data are at fault
        return CheckResult(check.__name__, "failed", detail=str(reason))
