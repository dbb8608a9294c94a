# SPDX-License-Identifier: Apache-2.0
"""CPU time of the retargeting core, without ROS."""

from __future__ import annotations

import gc
import time

import numpy as np

from bench import motion
from bench.report import Figure
from bench.rig import ROBOT_CONFIG
from humanoid_description import load
from humanoid_safety import referee
from humanoid_teleop.retargeting import Retargeter
from humanoid_teleop.settings import load_settings

RATE = 250
SETTLE = 2.0  # [s] left out: calibration and engaging


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = load(ROBOT_CONFIG)
    retargeter = Retargeter(robot, load_settings())
    retargeter.start(dict(zip(robot.joints, robot.home())))
    period = round(1e9 / RATE)
    count = round((seconds + SETTLE) * RATE)
    frames = [motion.person(i / RATE, 10**9 + i * period, i) for i in range(count)]
    ticks, updates, positions = [], [], []
    gc.collect()
    gc.freeze()
    for frame in frames:
        begin = time.thread_time_ns()
        retargeter.update(frame)
        middle = time.thread_time_ns()
        targets = retargeter.tick(frame.stamp)
        ticks.append(time.thread_time_ns() - middle)
        updates.append(middle - begin)
        positions.append(targets.position)
    gc.unfreeze()
    settled = round(SETTLE * RATE)
    cost = np.array(ticks[settled:]) * 1e-3
    limits = robot.limits(targets.joints)
    over = referee.over(np.array(positions), limits.lower, limits.upper, limits.velocity, limits.acceleration, 1 / RATE)
    return {
        "tick, median CPU": Figure(float(np.median(cost))),
        "tick, p99 CPU": Figure(float(np.percentile(cost, 99))),
        "tick, p99.9 CPU": Figure(float(np.percentile(cost, 99.9))),
        "operator frame, median CPU": Figure(float(np.median(updates[settled:])) * 1e-3),
        "ticks over the limits": Figure(float(over.sum())),
    }
