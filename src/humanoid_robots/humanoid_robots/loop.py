# SPDX-License-Identifier: Apache-2.0
"""The thread that lets simulated time run: jobs, commands, one control period after the other. No ROS here."""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable

from humanoid_robots.pacing import Pace, Patience
from humanoid_robots.readings import Reading
from humanoid_robots.settings import Settings
from humanoid_robots.twin import START_NS, Twin

Job = Callable[[], None]


class SimulationLoop:
    """Runs a twin in a thread of its own, at its pace.

    Args:
        settings: Speed and patience.
        clock: Told simulated time [ns] before each period.
        deliver: Gets each reading.
        lost: Called when the commander kept time waiting too long.
        failed: Called with what ended the thread.

    Attributes:
        patience: Told of each command's stamp by whoever receives it.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[int], None],
        deliver: Callable[[Reading], None],
        lost: Job,
        failed: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._clock, self._deliver, self._lost, self._failed = clock, deliver, lost, failed
        self.patience = Patience(settings.patience, settings.commands_behind)
        self._pace = Pace(settings.time_scale)
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._newest: dict[str, Job] = {}
        self._later: list[tuple[int, int, Job]] = []  # a heap by time; equal times in the order of their coming
        self._count = itertools.count()
        self._running = threading.Event()
        self._thread = threading.Thread()

    @property
    def alive(self) -> bool:
        """Whether time runs."""
        return self._thread.is_alive()

    @property
    def speed(self) -> float:
        """Simulated seconds per wall second over the last second; 0 while halted."""
        return self._pace.measured if self.alive else 0.0

    def start(self, twin: Twin) -> None:
        """Let a twin's time run."""
        self._running.set()
        self._pace = Pace(self._settings.time_scale)
        self._thread = threading.Thread(target=self._run, args=(twin,), name="physics")
        self._thread.start()

    def halt(self) -> None:
        """Halt time after the present period."""
        self._running.clear()
        if self.alive:
            self._thread.join()

    def do(self, job: Job) -> None:
        """Have something done between two periods, from any thread; returns when it is done, or when time is halted."""
        done = threading.Event()

        def and_tell() -> None:
            job()
            done.set()

        self._jobs.put(and_tell)
        while not done.wait(0.1) and self.alive:
            continue

    def at(self, stamp: int, job: Job) -> None:
        """Have something done before the first period that begins at `stamp` [ns] or later, from any thread."""
        heapq.heappush(self._later, (stamp, next(self._count), job))

    def command(self, kind: str, apply: Job) -> None:
        """Have a command applied before the next period, from any thread; of several of a kind only the newest is."""
        self._newest[kind] = apply

    def _run(self, twin: Twin) -> None:
        try:
            while self._running.is_set():
                while not self._jobs.empty():
                    self._jobs.get()()
                self._clock(twin.now)
                while self._later and self._later[0][0] <= twin.now:
                    heapq.heappop(self._later)[2]()
                if not self.patience.wait(twin.now):
                    self._lost()
                for kind in list(self._newest):
                    self._newest.pop(kind)()
                for reading in twin.step():
                    self._deliver(reading)
                time.sleep(self._pace.wait(1e-9 * (twin.now - START_NS), time.monotonic(), twin.attainable))
        except Exception as error:  # nobody waits for this thread
            self._failed(error)
