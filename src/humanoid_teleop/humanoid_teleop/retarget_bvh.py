# SPDX-License-Identifier: Apache-2.0
"""Command line: a motion-capture file onto a robot, without ROS.

ros2 run humanoid_teleop retarget_bvh clip.bvh --robot unitree_g1 --out motion.npz --picture motion.png
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

import humanoid_description
from humanoid_core.errors import HumanoidError
from humanoid_teleop import motion
from humanoid_teleop.bvh import read_bvh
from humanoid_teleop.offline import Retargeted, retarget
from humanoid_teleop.operator import SIDES
from humanoid_teleop.settings import load_settings


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Retarget a motion-capture file to a robot.")
    parser.add_argument("file", help="BVH file")
    parser.add_argument(
        "--robot", default="unitree_g1", help="name of a robot, or its configuration (default: %(default)s)"
    )
    parser.add_argument("--robot-config", default="", help="robot configuration, the same as --robot with a path")
    parser.add_argument("--urdf", default="", help="URDF or xacro in place of the robot's own")
    parser.add_argument("--params", default="", help="parameter file of the retargeting (default: the one that ships)")
    parser.add_argument("--skeleton", default="", help="skeleton mapping (default: by the file's joint names)")
    parser.add_argument(
        "--skeletons", default="", help="folder of skeleton mappings (default: config/motions/skeletons)"
    )
    parser.add_argument("--rate", type=float, default=250.0, help="targets per second (default: %(default)s)")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="seconds of the clip per second (default: %(default)s)"
    )
    parser.add_argument("--start", type=float, default=0.0, help="where in the clip to begin [s]")
    parser.add_argument("--duration", type=float, default=0.0, help="how much of it to play [s] (default: all)")
    parser.add_argument("--no-collision", action="store_true", help="let links of the robot overlap")
    parser.add_argument("--out", default="", help="write the motion to this .npz")
    parser.add_argument("--picture", default="", help="draw the person and the robot side by side to this .png")
    options = parser.parse_args(arguments)
    try:
        _run(options)
    except HumanoidError as error:
        sys.exit(f"error: {error}")


def _run(options: argparse.Namespace) -> None:
    clip = read_bvh(options.file)
    skeletons = motion.load_skeletons(options.skeletons or motion.skeletons_folder())
    name, skeleton = motion.choose_skeleton(clip, skeletons, options.skeleton)
    person = motion.operator_motion(clip, skeleton, options.start, options.duration)
    config = options.robot_config or humanoid_description.find_config(options.robot)
    robot = humanoid_description.load(config, options.urdf)
    settings = load_settings(options.params, **({"collision": False} if options.no_collision else {}))
    begin = time.process_time()
    result = retarget(person, robot, settings, options.rate, options.speed)
    spent = time.process_time() - begin
    print(f"{options.file}: skeleton {name}, {person.duration:.2f} s at {1.0 / clip.frame_time:.1f} Hz")
    print(summary(result))
    print(f"{1e6 * spent / len(result.time):.0f} us of one core per target, frames included")
    if options.out:
        arrays = {key: value for key, value in vars(result).items() if isinstance(value, np.ndarray)}
        arrays["joints"], arrays["scale"] = np.array(result.joints), np.array(result.scale)
        np.savez_compressed(options.out, allow_pickle=False, **arrays)
    if options.picture:
        from humanoid_teleop import pictures  # only here: matplotlib takes a second to load

        pictures.side_by_side(person, robot, result, options.picture)


def summary(result: Retargeted) -> str:
    """A few lines: how well the wrists follow, and how near the robot comes to its limits and to itself."""
    lines = [
        f"scale {result.scale:.3f}; wrists against the scaled person's, while the clip runs (median / 95 % / worst):"
    ]
    for column, side in enumerate(SIDES):
        figures = []
        for errors, factor, unit in ((result.position_error, 1e3, "mm"), (result.rotation_error, 57.29578, "deg")):
            values = errors[result.moving, column] * factor
            values = values[np.isfinite(values)]
            if not values.size:
                figures.append(f"never followed [{unit}]")
                continue
            figures.append(f"{np.median(values):6.1f} / {np.percentile(values, 95):6.1f} / {values.max():6.1f} {unit}")
        lines.append(f"  {side:5s}  {figures[0]}   {figures[1]}")
    distances = result.distance[np.isfinite(result.distance)]
    nearest = f"{1e3 * distances.min():.1f} mm" if distances.size else "nowhere near"
    counts = result.counts
    lines.append(f"  nearest links {nearest}, nearest joint limit {1e3 * result.limit_margin.min():.1f} mrad")
    lines.append(
        f"  {counts.frames} frames, {counts.rejected} refused, {counts.failed_steps} steps unsolved, "
        f"{counts.guarded_steps} stopped short of a collision"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
