# SPDX-License-Identifier: Apache-2.0
"""The checks of an episode right after its end, then proposed labels: in a process of their own, so that the page never
waits for the processor."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

from humanoid_core.errors import HumanoidError
from humanoid_dataset.catalogue import Catalogue
from humanoid_dataset.catalogue_cli import refresh
from humanoid_dataset.check import write_checks
from humanoid_dataset.checks import judge
from humanoid_dataset.entries import read_entry
from humanoid_dataset.episode import Episode
from humanoid_dataset.proposals import write_proposals
from humanoid_dataset.propose_labels import proposals_of
from humanoid_dataset.results import CheckResult, load_limits

Verdict = dict[str, Any]


def examine(folder: str, catalogue: str, limits: str) -> Verdict:
    """Check an episode, keep the results beside its bag, and bring the catalogue up to date.

    Args:
        folder: Of the episode.
        catalogue: Its file.
        limits: File of the checks' limits; empty: the workspace's own.

    Returns:
        `episode`, `passed`, `failed` (the checks that rejected it, as plain values), `open` (names of checks that could
        not be assessed), `usable`.

    Raises:
        HumanoidError: the results could not be kept.
    """
    verdict = judge(Path(folder), load_limits(limits))
    write_checks(verdict)
    entry = read_entry(Path(folder))
    with Catalogue(catalogue) as kept:
        refused = kept.put([entry])
    if refused:
        raise HumanoidError(refused[0])
    return {
        "episode": entry.id,
        "passed": verdict.passed,
        "outcome": entry.outcome,
        "usable": entry.usable,
        "failed": [_plain(result) for result in verdict.failures],
        "open": [result.name for result in verdict.results if result.status == "not_assessed"],
    }


def propose(folder: str, catalogue: str) -> int:
    """Propose labels of an episode, beside its bag and in the catalogue; how many there are.

    Raises:
        HumanoidError: nothing can be proposed for it.
    """
    found = proposals_of(Episode.open(folder))
    write_proposals(Path(folder), found, catalogue)
    return len(found)


def _plain(result: CheckResult) -> dict[str, Any]:
    return result.as_dict()


def _prepare(catalogue: str, root: str, limits: str) -> int:
    """Bring in what the checks need, and what was recorded while nobody looked; how many episodes were read."""
    load_limits(limits)
    if not Path(root).is_dir():
        return 0
    with Catalogue(catalogue) as kept:
        return int(refresh(kept, Path(root))["read"])


class Examiner:
    """Runs `examine` in one other process, which is ready beforehand.

    Args:
        catalogue: Its file.
        root: Folder of the recordings; read into the catalogue at the beginning.
        limits: File of the checks' limits; empty: the workspace's own.
    """

    def __init__(self, catalogue: Path, root: Path, limits: str = "") -> None:
        self._catalogue, self._limits = str(catalogue), limits
        self._lock = threading.Lock()
        self._pool = _pool()
        self._broken: list[ProcessPoolExecutor] = []
        self.ready: Future[int] = self._pool.submit(_prepare, self._catalogue, str(root), limits)

    def submit(self, folder: str, done: Callable[[Verdict, str], None]) -> None:
        """Have an episode examined; `done` gets the verdict, or an empty one and what went wrong, in some thread."""
        self._submit(folder, done, again=True)

    def stop(self) -> None:
        """Give up what waits, and end the process."""
        with self._lock:
            for pool in (*self._broken, self._pool):
                pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, folder: str, done: Callable[[Verdict, str], None], again: bool) -> None:
        pool = self._pool

        def finish(future: Future[Verdict]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if isinstance(error, BrokenProcessPool) and again:  # somebody killed it: once more, in a new one
                self._renew(pool)
                self._submit(folder, done, again=False)
                return
            done({} if error else future.result(), str(error or ""))
            if not error:
                with suppress(RuntimeError):  # nobody waits for these, and the console may be about to end
                    pool.submit(propose, folder, self._catalogue)

        try:
            future = pool.submit(examine, folder, self._catalogue, self._limits)
        except BrokenProcessPool:
            self._renew(pool)
            future = self._pool.submit(examine, folder, self._catalogue, self._limits)
        future.add_done_callback(finish)

    def _renew(self, broken: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is broken:
                # Kept: in Python 3.12 before 3.12.8 (Ubuntu: 3.12.3) one that nobody holds waits for itself for ever.
                self._broken.append(broken)
                self._pool = _pool()


def _pool() -> ProcessPoolExecutor:
    # spawn: a fork would take the node's locks along, but not the threads that hold them
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_settle)


def _settle() -> None:
    """In the other process: Ctrl-C in a terminal is the node's to act on; it ends with the node, whatever ends that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        assert parent
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
