# SPDX-License-Identifier: Apache-2.0
"""What the console knows and decides: who collects, which trial is next, what became of the last one. No ROS in here.

Slow work (catalogue, bags, programs) is done in one thread of its own, one thing after the other.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from humanoid_console.archive import Archive
from humanoid_console.console_server import Answer
from humanoid_console.errors import ConsoleError
from humanoid_console.trial import Trial
from humanoid_console.verdicts import Examiner, Verdict
from humanoid_core.errors import HumanoidError
from humanoid_core.task import Task

_LONGEST = 2000  # characters of a note
_NAME = 60  # ... of a person's name
_PREFLIGHT = 120.0  # [s]


@dataclass(frozen=True)
class Places:
    """Where things are.

    Attributes:
        catalogue: File of the catalogue.
        recordings: Folder of the recordings.
        limits: File of the checks' limits; empty: the workspace's own.
        preflight: Program that prints the pre-flight table as JSON, and its arguments; empty: none.
    """

    catalogue: Path
    recordings: Path
    limits: str = ""
    preflight: tuple[str, ...] = ()


class Robot(Protocol):
    """What the desk asks of the robot and its recorder; answers may come from any thread."""

    def start(self, trial: Trial, operator: str, answer: Answer) -> None:
        """Begin to record a trial."""

    def command(self, name: str, arguments: dict[str, Any], answer: Answer) -> None:
        """Engage, stop, reset, end the episode, ..."""


class Desk:
    """Answers the page's questions.

    Args:
        places: Where things are.
        tasks: What there is to do, for this robot.
        task: Name of the task to begin with.
        robot: Carries out.
        show: Shows values on every page.
        judged: Told each verdict (empty where the checks failed to run), and what went wrong.
    """

    def __init__(
        self,
        places: Places,
        tasks: Sequence[Task],
        task: str,
        robot: Robot,
        show: Callable[..., None],
        judged: Callable[[Verdict, str], None],
    ) -> None:
        self._places, self._robot, self._on_show, self._judged = places, robot, show, judged
        self._tasks = {one.name: one for one in tasks}
        if task not in self._tasks:
            raise ConsoleError(f"task: found {task!r}, expected one of {', '.join(self._tasks)}")
        self._task, self._skip = task, 0
        self.shown: dict[str, Any] = {
            "operator": "",
            "tasks": [{"name": one.name, "steps": list(one.steps), "translations": one.translations} for one in tasks],
        }
        self.operator = ""
        self.trial: Trial | None = None
        self.live: dict[str, dict[str, Any]] = {}
        self._stopped: float | None = None  # when the episode was told to end [s, steady]
        self._verdict: Any = None  # of the one before
        self._child: subprocess.Popen[str] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="archive")
        self._programs = ThreadPoolExecutor(1, thread_name_prefix="programs")
        self._archive: Archive = self._worker.submit(Archive, places.catalogue, places.recordings).result()
        self._examiner = Examiner(places.catalogue, places.recordings, places.limits)
        self._examiner.ready.add_done_callback(self._on_ready)
        self._plan()

    def stop(self) -> None:
        """Let go of everything."""
        child = self._child
        if child is not None and child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
        self._programs.shutdown(wait=True, cancel_futures=True)
        self._examiner.stop()
        self._worker.submit(self._archive.close)
        self._worker.shutdown(wait=True)

    def _show(self, **values: Any) -> None:
        self.shown.update(values)
        self._on_show(**values)

    # --- the page asks ---

    def ask(self, name: str, arguments: dict[str, Any], answer: Answer) -> None:
        """Answer a question of the page."""
        quick: dict[str, Callable[[dict[str, Any]], Any]] = {
            "sign_in": self._sign_in,
            "sign_out": self._sign_out,
            "task": self._choose,
            "skip": self._skip_trial,
        }
        slow: dict[str, Callable[[dict[str, Any]], Any]] = {
            "people": lambda _: self._archive.people(),
            "episodes": self._archive.episodes,
            "episode": lambda given: self._archive.opened(str(given["episode"])),
            "save": self._save,
            "picture": lambda given: self._archive.picture(
                str(given["episode"]), str(given["camera"]), int(given["index"])
            ),
            "workload": lambda _: self._archive.workload(datetime.datetime.now(datetime.timezone.utc), dict(self.live)),
        }
        if name in quick:
            _answered(lambda: quick[name](arguments), answer)
        elif name in slow:
            self._worker.submit(_answered, lambda: slow[name](arguments), answer)
        elif name == "preflight":
            self._programs.submit(_answered, self._preflight, answer)
        elif name == "start":
            self.start(answer)
        else:
            self._robot.command(name, arguments, answer)

    def _sign_in(self, given: dict[str, Any]) -> None:
        name = " ".join(str(given["name"]).split())
        if not name or len(name) > _NAME or not name.isprintable():
            raise ConsoleError(f"name: expected 1 to {_NAME} characters")
        self.operator = name
        self._show(operator=name)

    def _sign_out(self, _: dict[str, Any]) -> None:
        self.operator = ""
        self._show(operator="")

    def _choose(self, given: dict[str, Any]) -> None:
        if given["name"] not in self._tasks:
            raise ConsoleError(f"task: found {str(given['name'])[:80]!r}, expected one of {', '.join(self._tasks)}")
        self._task, self._skip = str(given["name"]), 0
        self._plan()

    def _skip_trial(self, _: dict[str, Any]) -> None:
        self._skip += 1
        self._plan()

    def _save(self, given: dict[str, Any]) -> dict[str, Any]:
        labels = given["labels"]
        if not self.operator and not given.get("author"):
            raise ConsoleError("labels: sign in first, so that they have an author")
        author = str(given.get("author") or self.operator)[:_NAME]
        return self._archive.save(str(given["episode"]), labels, author, str(given["revision"]))

    def start(self, answer: Answer) -> None:
        """Begin the trial that is planned."""
        if not self.operator:
            answer(False, "sign in first", None)
        elif self.trial is None:
            answer(False, "the plan is not there yet", None)
        else:
            self._robot.start(self.trial, self.operator, answer)

    def start_as(self, operator: str, task: str, answer: Answer) -> None:
        """Begin the next trial as a script asks: signs in and chooses a task where these are given.

        Raises:
            ConsoleError: the name is none, there is no such task, or nobody is signed in.
        """
        if operator:
            self._sign_in({"name": operator})
        if not self.operator:
            raise ConsoleError("operator_name: found nothing, and nobody is signed in")
        if task and task != self._task:
            self._choose({"name": task})
        self._worker.submit(self.start, answer)  # behind the plan, which is made in the same thread

    def _plan(self) -> None:
        def work() -> None:
            try:
                self.trial = self._archive.trial(self._tasks[self._task], self._skip)
            except HumanoidError as error:
                self._show(problem=str(error))
                return
            self._show(trial=self.trial.as_dict())

        self._worker.submit(work)

    def _preflight(self) -> dict[str, Any]:
        """The pre-flight table, from the program that makes it."""
        if not self._places.preflight:
            raise ConsoleError("no pre-flight program is set")
        command = list(self._places.preflight)
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        try:
            text, _err = self._child.communicate(timeout=_PREFLIGHT)
            # `ros2 run` adds a line of its own where the program's exit status says that something is red.
            table: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0]
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.communicate()
            raise ConsoleError(f"{' '.join(command[:4])}: no answer within {_PREFLIGHT:g} s") from None
        except ValueError as error:
            raise ConsoleError(
                f"{' '.join(command[:4])}: found no table, exit code {self._child.returncode}"
            ) from error
        table["at"] = time.time()
        self._show(preflight=table)
        return table

    # --- the robot tells ---

    def stopping(self) -> None:
        """The episode is being ended: from here on the verdict is waited for."""
        if self._stopped is None:
            self._stopped, self._verdict = time.monotonic(), self.shown.get("verdict")
            self._show(verdict={"state": "waiting"})

    def goes_on(self) -> None:
        """The episode could not be ended."""
        self._stopped = None
        self._show(verdict=self._verdict)

    def ended(self, episode: str, folder: str, discarded: bool) -> None:
        """An episode has ended, whoever ended it."""
        begin = self._stopped or time.monotonic()
        self._stopped, self._skip = None, 0
        if discarded:
            self._show(verdict={"state": "redo", "episode": episode})
            self._plan()
            return
        self._show(verdict={"state": "checking", "episode": episode})

        def done(verdict: Verdict, error: str) -> None:
            seconds = time.monotonic() - begin
            state = "unknown" if error else "passed" if verdict["passed"] else "rejected"
            self._show(verdict={"state": state, "episode": episode, "seconds": seconds, "error": error, **verdict})
            self._judged({**verdict, "seconds": seconds} if verdict else {}, error)
            self._plan()

        self._examiner.submit(folder, done)

    def _on_ready(self, future: Future[int]) -> None:
        error = None if future.cancelled() else future.exception()
        if error:
            self._show(problem=str(error))
        elif not future.cancelled():
            self._plan()


def note_of(arguments: dict[str, Any]) -> str:
    """A note that a page sends, cut to what is sensible."""
    return str(arguments.get("note", ""))[:_LONGEST]


def _answered(work: Callable[[], Any], answer: Answer) -> None:
    try:
        value = work()
    except (HumanoidError, KeyError, TypeError, ValueError) as error:
        answer(False, str(error) if isinstance(error, HumanoidError) else f"found no such question: {error!r}", None)
    else:
        answer(True, "", value)
