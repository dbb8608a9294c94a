# SPDX-License-Identifier: Apache-2.0
"""The console: from the end of an episode to its verdict; every page with a hundred thousand episodes."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import hall
from bench.dataset import EPISODES, many_entries
from bench.dataset_world import write_trial
from bench.report import BenchError, Figure
from humanoid_console.archive import Archive
from humanoid_console.verdicts import Examiner, Verdict, examine
from humanoid_core import task
from humanoid_dataset.catalogue import Catalogue

_LENGTH = 45.0  # [s]
_TRIES = 3  # other programs disturb: the best of so many counts


def measure(seconds: float) -> dict[str, Figure]:
    """Figures of the area."""
    return verdict() | pages()


def verdict() -> dict[str, Figure]:
    """An episode of 45 s with three cameras of 640x480, checked and catalogued as after a stop on the page."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trial = write_trial(root / "episodes" / "robot" / "day" / "trial", _LENGTH)
        catalogue = root / "catalogue.sqlite"
        cpu = float("inf")
        for _ in range(_TRIES):
            begin = time.process_time()
            examine(str(trial), str(catalogue), "")
            cpu = min(cpu, time.process_time() - begin)
        examiner = Examiner(catalogue, root / "episodes")
        examiner.ready.result()
        wall = min(_wait(examiner, trial) for _ in range(_TRIES))
        examiner.stop()
    return {
        "end of an episode of 45 s to its verdict": Figure(wall),
        "end of an episode of 45 s to its verdict, CPU": Figure(cpu),
    }


def _wait(examiner: Examiner, trial: Path) -> float:
    """Seconds until the page would have the verdict."""
    there = threading.Event()
    errors: list[str] = []

    def done(_: Verdict, error: str) -> None:
        errors.append(error)
        there.set()

    begin = time.perf_counter()
    examiner.submit(str(trial), done)
    if not there.wait(120.0) or errors[0]:
        raise BenchError(f"no verdict: {errors}")
    return time.perf_counter() - begin


def pages() -> dict[str, Figure]:
    """What the page asks for, with a hundred thousand episodes in the catalogue and today's of fifty collectors."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = root / "catalogue.sqlite"
        with Catalogue(file) as made:
            rest = iter(many_entries(EPISODES))
            while batch := list(itertools.islice(rest, 200)):
                made.put(batch)
        today = hall.fill(file, root / "episodes", hall.NOON)
        archive = Archive(file, root / "episodes")
        job = task.load("config/tasks/parcel_sorting.yaml")
        asked: dict[str, Callable[[], Any]] = {
            "workload screen": lambda: archive.workload(hall.NOON, hall.live()),
            "next trial": lambda: archive.trial(job),
            "sign in": archive.people,
            "newest episodes": lambda: archive.episodes({"limit": 100}),
            "newest episodes of a task": lambda: archive.episodes({"limit": 100, "task": "task_4"}),
        }
        times = {}
        for name, ask in asked.items():
            found = []
            for _ in range(_TRIES):
                begin = time.perf_counter()
                ask()
                found.append(time.perf_counter() - begin)
            times[name] = min(found)
        archive.close()
    worst = max(times, key=lambda name: times[name])
    print(
        f"{today} episodes of two weeks beside; " + ", ".join(f"{name} {1e3 * t:.0f} ms" for name, t in times.items())
    )
    return {
        "100,000 episodes, slowest page": Figure(1e3 * times[worst]),
        "100,000 episodes, workload screen": Figure(1e3 * times["workload screen"]),
    }
