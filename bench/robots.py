# SPDX-License-Identifier: Apache-2.0
"""The twin's core without ROS: how fast its physics runs, and what sensors and pictures cost."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.report import Figure
from bench.rig import REPOSITORY, ROBOT_CONFIG
from humanoid_description import load
from humanoid_robots import scene
from humanoid_robots.rendering import Renderer, views_of
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    robot = load(ROBOT_CONFIG)
    place, task = scene.load_with_task(REPOSITORY / "config" / "scenes" / "parcel_sorting.yaml")
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
    return {
        "building robot and scene": Figure(build),
        "physics and touch, CPU": Figure(without),
        "the same with LiDAR, CPU": Figure(with_lidar),
        "head colour image, CPU": Figure(1e3 * pictures["head color"]),
        "head depth image, CPU": Figure(1e3 * pictures["head depth"]),
        "wrist colour image, CPU": Figure(1e3 * pictures["left_wrist color"]),
    }


def _speed(twin: Twin, seconds: float) -> float:
    """Simulated seconds per second of CPU, while the arms move."""
    joints = ["left_elbow_joint", "right_elbow_joint"]
    begin = time.thread_time()
    for i in range(round(seconds * twin.settings.control_rate)):
        wanted = -0.3 + 0.2 * np.sin(2 * np.pi * 0.5 * i / twin.settings.control_rate)
        twin.command(joints, np.full(2, wanted))
        twin.step()
    return seconds / (time.thread_time() - begin)


def _cost(draw: Callable[[], object], times: int = 20) -> float:
    """CPU time of one call over all threads [s]: OSMesa draws with several."""
    draw()
    begin = time.process_time()
    for _ in range(times):
        draw()
    return (time.process_time() - begin) / times
