# SPDX-License-Identifier: Apache-2.0
"""The twin's core without ROS: how fast its physics runs for each robot, what sensors and pictures cost, and how often
the scripted person succeeds with each robot: as many trials as `--seconds` says (100 for the figures of the README)."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.report import Figure
from bench.rig import REPOSITORY, ROBOT_CONFIG
from bench.trials import trial
from humanoid_description import load
from humanoid_robots import scene
from humanoid_robots.rendering import Renderer, views_of
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin

SCENE = REPOSITORY / "config" / "scenes" / "parcel_sorting.yaml"
FIRST_SEED = 1000  # evaluation's own: nothing was tuned on these beyond the first dozen
ROBOTS = sorted((REPOSITORY / "config" / "robots").glob("*.yaml"))


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = load(ROBOT_CONFIG)
    place, task = scene.load_with_task(SCENE)
    begin = time.perf_counter()
    twin = Twin(robot, place, task, load_settings(lidar=False))
    build = time.perf_counter() - begin
    without = _speed(twin, seconds)
    with_lidar = _speed(Twin(robot, place, task, load_settings()), seconds)
    views = views_of(robot.config)
    renderer = Renderer(
        twin.plant.model, max(v.imager.width for v in views), max(v.imager.height for v in views), shadows=False
    )
    renderer.pose(twin.plant.configuration)
    pictures = {f"{view.camera} {view.stream}": _cost(lambda view=view: renderer.view(view)) for view in views}  # type: ignore[misc]
    renderer.close()
    figures = {
        "building robot and scene": Figure(build),
        "physics and touch, CPU": Figure(without),
        "the same with LiDAR, CPU": Figure(with_lidar),
        "head colour image, CPU": Figure(1e3 * pictures["head color"]),
        "head depth image, CPU": Figure(1e3 * pictures["head depth"]),
        "wrist colour image, CPU": Figure(1e3 * pictures["left_wrist color"]),
    }
    seeds = range(FIRST_SEED, FIRST_SEED + max(1, round(seconds)))
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for file in ROBOTS:
            own = load(file)
            twin = Twin(own, place, task, load_settings(lidar=False))
            figures[f"physics, {own.config.name}, CPU"] = Figure(_physics(twin, seconds))
            figures[f"the same with sensors, {own.config.name}, CPU"] = Figure(_speed(twin, seconds))
            successes = pool.starmap(_sorted, [(file, seed) for seed in seeds], chunksize=1)
            figures[f"sorting succeeds, {own.config.name}"] = Figure(100.0 * sum(successes) / len(seeds))
    return figures


def _sorted(file: Path, seed: int) -> bool:
    """Whether a trial succeeds."""
    place, task = scene.load_with_task(SCENE)
    assert task is not None
    return trial(load(file), place, task, seed).success


def _physics(twin: Twin, seconds: float) -> float:
    """Simulated seconds per second of CPU of servos and physics alone, while the arms move."""
    plant, rate = twin.plant, twin.settings.control_rate
    home = plant.handles.home
    elbows = [twin.joints.index(arm.elbow_joint) for arm in twin.robot.config.operator.arms.values()]
    wanted, zero = home.copy(), np.zeros_like(home)
    begin = time.thread_time()
    for i in range(round(seconds * rate)):
        wanted[elbows] = home[elbows] * (1.1 + 0.1 * np.sin(2 * np.pi * 0.5 * i / rate))
        plant.begin(wanted, zero, zero)
        plant.finish()
    return seconds / (time.thread_time() - begin)


def _speed(twin: Twin, seconds: float) -> float:
    """Simulated seconds per second of CPU of the whole twin without pictures, while the arms move."""
    joints = [arm.elbow_joint for arm in twin.robot.config.operator.arms.values()]
    home = np.array([twin.robot.config.home[joint] for joint in joints])
    begin = time.thread_time()
    for i in range(round(seconds * twin.settings.control_rate)):
        twin.command(joints, home * (1.1 + 0.1 * np.sin(2 * np.pi * 0.5 * i / twin.settings.control_rate)))
        twin.step()
    return seconds / (time.thread_time() - begin)


def _cost(draw: Callable[[], object], times: int = 20) -> float:
    """CPU time of one call over all threads [s]: OSMesa draws with several."""
    draw()
    begin = time.process_time()
    for _ in range(times):
        draw()
    return (time.process_time() - begin) / times
