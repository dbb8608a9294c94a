# SPDX-License-Identifier: Apache-2.0
"""A clip's whole body onto legged robots: a file of base poses and joint positions per robot, and a table."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from PIL import Image

import humanoid_description
from humanoid_core import rotations
from humanoid_core.errors import ConfigError
from humanoid_description import Robot
from humanoid_description.pictures import Scene
from humanoid_teleop.operator import SIDES
from humanoid_teleop.person.calibration import about_z, yaw
from humanoid_teleop.recordings import motion
from humanoid_teleop.recordings.bvh import read_bvh
from humanoid_teleop.replay import output
from humanoid_teleop.replay.stream import Source
from humanoid_teleop.whole_body.retargeter import WholeBody, WholeMotion

BASE = ("base_x", "base_y", "base_z", "base_qx", "base_qy", "base_qz", "base_qw")
SETTLED = 0.5  # [s] of the clip before errors count: the joints come from home within their speed
_HEADS = (
    "robot",
    "frames",
    "place mm med / p95",
    "feet mm p95",
    "slide mm/s p95",
    "fastest %",
    "links mm",
    "balance mm p95",
    "frames/s",
)


def replay_whole(source: Source, robots: list[str], urdf: str, folder: Path, columns: int) -> str:
    """Write `<robot>.csv` for each robot, `whole_body.json`, `.txt` and, of some instants, `.png`; the table.

    Raises:
        HumanoidError: no clip, a clip without whole body, or a robot without legs.
    """
    if source.path.suffix.lower() != ".bvh":
        raise ConfigError(source.path, "--whole-body", source.path.suffix or "no suffix", "a BVH file")
    clip = read_bvh(str(source.path))
    skeletons = motion.load_skeletons(source.skeletons or motion.skeletons_folder())
    _, skeleton = motion.choose_skeleton(clip, skeletons, source.skeleton)
    person = motion.operator_motion(clip, skeleton, source.start, source.duration)
    instants = np.linspace(0.0, person.duration, columns + 2)[1:-1]
    frames = [person.at(instant, round(1e9 * instant), 0, engaged=True) for instant in instants.tolist()]
    results, rows = [], [("operator", output.person_row(frames, np.array([frame.stamp for frame in frames])))]
    for name in robots:
        robot = humanoid_description.load(humanoid_description.find_config(name), urdf)
        whole = WholeBody(robot)
        whole.retarget(person)  # what is compiled is not counted
        begin = time.thread_time()
        made = whole.retarget(person)
        spent = time.thread_time() - begin
        write(folder / f"{Path(name).stem}.csv", made)
        rows.append((Path(name).stem, pictures(robot, made, instants)))
        results.append({"robot": Path(name).stem, **figures(whole, made), "frames_per_second": len(made.base) / spent})
    text = _table(str(source.path), results)
    (folder / "whole_body.txt").write_text(text + "\n", encoding="utf-8")
    report = {"clip": str(source.path), "period": person.frame_time, "robots": results}
    (folder / "whole_body.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if columns:
        output.strip(rows, instants.tolist()).save(folder / "whole_body.png", optimize=True)
    return f"{text}\n\nwritten to {folder}"


def pictures(robot: Robot, made: WholeMotion, times: np.ndarray) -> list[Image.Image]:
    """The robot at some times [s], seen as the person is: over the place where its base is, from ahead."""
    scene, q, index, shown = Scene(robot), robot.home(), robot.index(made.joints), []
    for instant in times.tolist():
        row = min(round(instant / made.period), len(made.base) - 1)
        q[index] = made.position[row]
        turned = rotations.multiply(about_z(-yaw(made.base[row, 3:])), made.base[row, 3:])
        base = np.array([0.0, 0.0, made.base[row, 2], *turned])
        shown.append(scene.picture(q, output.WIDTH, output.HEIGHT, output.VIEW, frames=False, base=base))
    return shown


def write(file: Path, made: WholeMotion) -> None:
    """A line per frame: time [s], base place [m] and quaternion xyzw in the world, joints [rad], feet that stand."""
    names = ("time", *BASE, *made.joints, *(f"{side}_foot_stands" for side in SIDES))
    times = made.period * np.arange(len(made.base))[:, None]
    rows = np.hstack([times, made.base, made.position, made.targets.stands])
    np.savetxt(file, rows, "%.9g", ",", header=",".join(names), comments="")


def figures(whole: WholeBody, made: WholeMotion) -> dict[str, Any]:
    """What a motion is worth, by names as in the table."""
    tasks = [task.name for task in whole.robot.tasks]
    first = min(round(SETTLED / made.period), len(made.base) - 1)
    placed = [i for i, task in enumerate(whole.robot.tasks) if task.position]
    feet = [tasks.index(f"{side}_foot") for side in SIDES]
    error = 1e3 * made.error[first:]
    speed = np.abs(np.diff(made.position, axis=0)) / made.period
    return {
        "frames": len(made.base),
        "place_mm": {"median": _share(error[:, placed], 50), "p95": _share(error[:, placed], 95)},
        "feet_mm_p95": _share(error[:, feet], 95),
        "slide_mm_s_p95": _share(1e3 * foot_slides(whole, made), 95),
        "fastest_percent": _share(100.0 * speed / whole.problem.velocity, 100),
        "links_mm": _share(1e3 * made.distance, 0),
        "balance_mm_p95": _share(1e3 * made.balance[first:], 95),
    }


def foot_slides(whole: WholeBody, made: WholeMotion) -> np.ndarray:
    """How fast feet that stand move over the floor, by frames that begin and end standing (k,) [m/s]."""
    model = whole.robot.model
    data, slides = model.createData(), []
    tasks = {task.name: task.frame for task in whole.robot.tasks}
    places = np.empty((len(made.base), 2, 3))
    for i, (base, q) in enumerate(zip(made.base, made.position)):
        pin.framesForwardKinematics(model, data, q)
        for foot, side in enumerate(SIDES):
            places[i, foot] = base[:3] + rotations.matrix(base[3:]) @ data.oMf[tasks[f"{side}_foot"]].translation
    for foot in range(2):
        stands = made.targets.stands[:, foot]
        both = stands[1:] & stands[:-1]
        slides.append(np.linalg.norm(np.diff(places[:, foot, :2], axis=0), axis=1)[both] / made.period)
    return np.concatenate(slides)


def _share(values: np.ndarray, percent: float) -> float | None:
    """A percentile of what is known; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else None


def _table(source: str, results: list[dict[str, Any]]) -> str:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f}"

    lines = [_HEADS]
    for result in results:
        place = result["place_mm"]
        lines.append(
            (
                result["robot"],
                str(result["frames"]),
                f"{number(place['median'])} / {number(place['p95'])}",
                *(number(result[key]) for key in ("feet_mm_p95", "slide_mm_s_p95", "fastest_percent", "links_mm")),
                number(result["balance_mm_p95"]),
                f"{result['frames_per_second']:.0f}",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    written = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
    notes = (
        f"{source}. Place: of pelvis, feet, knees, wrists and elbows against the scaled person's, after {SETTLED} s.\n"
        "Slide: of feet that stand. Fastest: of joint speed limits. Links: smallest distance, '-' where never near.\n"
        "Balance: centre of mass outside the standing feet. Frames/s: of one core."
    )
    return "\n".join([*written, "", notes])
