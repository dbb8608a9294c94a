# SPDX-License-Identifier: Apache-2.0
"""Command line: one recorded operator onto many robots, without ROS running.

ros2 run humanoid_teleop replay_motion clip.bvh --robots unitree_g1 agibot_g2 --out out/replay/clip

Each robot is worked on in a process of its own, and its results depend on nothing but the stream and its own files.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import yaml
from PIL import Image

import humanoid_description
from humanoid_core.errors import ConfigError, HumanoidError
from humanoid_description.sources import known_robots
from humanoid_teleop.replay import measures, output, stream
from humanoid_teleop.replay.track import retarget
from humanoid_teleop.replay.whole import replay_whole
from humanoid_teleop.settings import load_settings


@dataclass(frozen=True)
class Job:
    """One robot's part of a replay.

    Attributes:
        robot: Name or path of its configuration.
        source: What it follows.
        out: Folder to write its bag to.
        urdf: In place of its own; "": its own.
        params: Of the retargeting; "": those that ship.
        changes: Settings in place of theirs.
        rate: Targets per second [Hz].
        columns: How many pictures; 0: none.
    """

    robot: str
    source: stream.Source
    out: Path
    urdf: str
    params: str
    changes: dict[str, Any]
    rate: float
    columns: int


@dataclass(frozen=True)
class Result:
    """What came of a job: its figures, pictures, and the stamps [ns] that those show."""

    figures: dict[str, Any]
    pictures: list[Image.Image]
    instants: np.ndarray


def work(job: Job, progress: Queue[tuple[str, float]]) -> Result:
    """Replay to one robot; writes its bag. Runs in a process of its own."""
    robot = humanoid_description.load(humanoid_description.find_config(job.robot), job.urdf)
    settings = load_settings(job.params, **job.changes)
    frames = stream.read(job.source)
    track = retarget(frames, robot, settings, job.rate, lambda share: progress.put((job.robot, 0.9 * share)))
    output.write_bag(job.out, track, robot)
    found = measures.figures(track, frames, robot)
    progress.put((job.robot, 0.95))
    shown = output.instants(track.stamps, track.following, max(job.columns, 1))
    pictures = output.robot_row(robot, track, shown) if job.columns else []
    progress.put((job.robot, 1.0))
    return Result(found, pictures, shown)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="replay_motion", description="Replay a recorded operator to many robots.")
    parser.add_argument("stream", type=Path, help="bag with operator/frame, or BVH file")
    parser.add_argument("--robots", nargs="+", help="names or paths of robot configurations (default: all robots)")
    parser.add_argument("--out", type=Path, help="new folder for the results (default: out/replay/<stream>-<time>)")
    parser.add_argument("--jobs", type=int, default=0, help="processes (default: one per robot, up to the cores)")
    parser.add_argument("--rate", type=float, default=250.0, help="targets per second (default: %(default)s)")
    parser.add_argument("--topic", default="", help="of the operator frames, where a bag has several")
    parser.add_argument(
        "--engage",
        choices=("recorded", "always"),
        default="recorded",
        help="bags: the dead-man as recorded, or held from half a second on (default: %(default)s)",
    )
    parser.add_argument("--start", type=float, default=0.0, help="where in the stream to begin [s]")
    parser.add_argument("--duration", type=float, default=0.0, help="how much of it to play [s] (default: all)")
    parser.add_argument("--speed", type=float, default=1.0, help="BVH: seconds of the clip per second")
    parser.add_argument("--skeleton", default="", help="BVH: skeleton mapping (default: by the file's joint names)")
    parser.add_argument("--skeletons", default="", help="BVH: folder of mappings (default: config/motions/skeletons)")
    parser.add_argument("--params", default="", help="parameter file of the retargeting (default: the one that ships)")
    parser.add_argument("--urdf", default="", help="URDF or xacro in place of the robot's own; with one robot only")
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="settings instead, as operator_height=1.75",
    )
    parser.add_argument(
        "--whole-body",
        action="store_true",
        help="BVH: base pose and all joints of robots with legs, frame by frame, as a reference",
    )
    parser.add_argument("--columns", type=int, default=8, help="instants in the picture (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        print(replay(options))
    except HumanoidError as error:
        sys.exit(f"replay_motion: {error}")


def replay(options: argparse.Namespace) -> str:
    """Do what the command line asks for; the table.

    Raises:
        HumanoidError: the stream, a robot or a folder is not what it should be.
    """
    names = options.robots or known_robots()
    for name in names:
        humanoid_description.find_config(name)
    if options.urdf and len(names) != 1:
        raise ConfigError("--urdf", "", f"{len(names)} robots", "one robot, with --robots")
    source = stream.Source(
        path=options.stream,
        topic=options.topic,
        engage=options.engage,
        skeleton=options.skeleton,
        skeletons=options.skeletons,
        start=options.start,
        duration=options.duration,
        speed=options.speed,
    )
    frames = [] if options.whole_body else stream.read(source)
    changes = _settings(options.set)
    folder = options.out or Path("out") / "replay" / f"{options.stream.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(folder, "--out", "a folder with files in it", "a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    if options.whole_body:
        return replay_whole(source, names, options.urdf, folder, options.columns)
    jobs = [
        Job(
            robot=name,
            source=source,
            out=folder / Path(name).stem,
            urdf=options.urdf,
            params=options.params,
            changes=changes,
            rate=options.rate,
            columns=options.columns,
        )
        for name in names
    ]
    results = _run(jobs, options.jobs or multiprocessing.cpu_count())
    figures = [result.figures for result in results]
    text = output.table(str(options.stream), figures)
    (folder / "comparison.txt").write_text(text + "\n", encoding="utf-8")
    report = {"stream": str(options.stream), "frames": len(frames), "robots": figures}
    (folder / "comparison.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if options.columns:
        at = results[0].instants
        rows = [("operator", output.person_row(frames, at))]
        rows += [(result.figures["robot"], result.pictures) for result in results]
        times = ((at - frames[0].stamp) * 1e-9).tolist()
        output.strip(rows, times).save(folder / "comparison.png", optimize=True)
    return f"{text}\n\nwritten to {folder}"


def _settings(texts: list[str]) -> dict[str, Any]:
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("--set", name, "no value", "NAME=VALUE")
        changes[name] = yaml.safe_load(value)
    load_settings(**changes)  # a wrong one is told before any robot begins
    return changes


def _run(jobs: list[Job], processes: int) -> list[Result]:
    """All jobs, in their order; progress goes to the error output."""
    context = multiprocessing.get_context("spawn")  # nothing of this process but the job
    with context.Manager() as manager, ProcessPoolExecutor(min(processes, len(jobs)), context) as pool:
        progress: Any = manager.Queue()
        futures: dict[Future[Result], str] = {pool.submit(work, job, progress): job.robot for job in jobs}
        shares = {Path(job.robot).stem: 0.0 for job in jobs}
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            _show(progress, shares)
            for future in done:
                if future.exception() is not None:
                    pool.shutdown(wait=True, cancel_futures=True)
                    future.result()
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return [future.result() for future in futures]


def _show(progress: Any, shares: dict[str, float]) -> None:
    before = dict(shares)
    while True:
        try:
            robot, share = progress.get_nowait()
        except Empty:
            break
        shares[Path(robot).stem] = share
    if sys.stderr.isatty():
        line = "  ".join(f"{name} {100 * share:3.0f} %" for name, share in shares.items())
        print(f"\r{line}", end="", file=sys.stderr, flush=True)
        return
    for name, share in shares.items():  # a line per quarter in a log
        if int(4 * share) > int(4 * before[name]):
            print(f"{name} {100 * share:.0f} %", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
