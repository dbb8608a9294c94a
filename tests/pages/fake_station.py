# SPDX-License-Identifier: Apache-2.0
"""The console's page with everything behind it but ROS: a robot that records by copying an episode that is there."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

from humanoid_console.console_server import Answer, ConsoleServer
from humanoid_console.desk import Desk, Places
from humanoid_console.trial import Trial
from humanoid_console.verdicts import Verdict
from humanoid_core import task
from humanoid_core.pairing import Pairing

ROOT = Path(__file__).parents[2]


class FakeStation:
    """Serves the page.

    Args:
        folder: For certificate, catalogue and recordings.
        template: Folder of the episode that every recording is a copy of.
        preflight: Program that prints the pre-flight table.
    """

    def __init__(self, folder: Path, template: Path, preflight: tuple[str, ...] = ()) -> None:
        self.recordings, self._template = folder / "episodes", template
        self.recordings.mkdir(parents=True, exist_ok=True)
        self.asked: list[str] = []
        self.verdicts: list[Verdict] = []
        self._begin: float | None = None
        self._request: dict[str, Any] = {}
        self._ended = threading.Event()
        self._server: ConsoleServer | None = None
        self.pairing = Pairing(None, lambda _: None)
        tasks = [task.load(path) for path in sorted((ROOT / "config/tasks").glob("*.yaml"))]
        places = Places(folder / "catalogue.sqlite", self.recordings, "", preflight)
        self.desk = Desk(
            places, tasks, "parcel_sorting", self, self.show, lambda verdict, _: self.verdicts.append(verdict)
        )
        self._server = ConsoleServer("127.0.0.1", 0, folder, self.pairing, self.desk)
        self.url = f"https://127.0.0.1:{self._server.port}/"
        self.show(robot="unitree_g1", model="unitree_g1", safety="hold", teleop="ready", **self.desk.shown)
        self.show(sync={"streams": 13, "frames": 900, "warnings": []})
        self._ticking = threading.Thread(target=self._tick, daemon=True)
        self._ticking.start()

    def stop(self) -> None:
        """Close everything."""
        self._ended.set()
        self._ticking.join()
        if self._server:
            self._server.stop()
        self.desk.stop()

    def show(self, **values: Any) -> None:
        """Values for every page."""
        if self._server:
            self._server.set_status(**values)

    def picture(self, jpeg: bytes) -> None:
        """The head camera's newest picture."""
        if self._server:
            self._server.set_picture(0, jpeg)

    def _tick(self) -> None:
        while not self._ended.wait(0.2):
            self._tell()

    def _tell(self, state: str = "") -> None:
        begin = self._begin
        seconds = 0.0 if begin is None else time.monotonic() - begin
        facts = {"duration": round(seconds, 1), "task": "", "episode": "", "message": "", "megabytes": 0.0}
        counts = {"free_gb": 812.4, "lost": 0, "dropped": 0}
        self.show(recording={"recorder": state or ("idle" if begin is None else "recording"), **facts, **counts})

    # --- what the desk asks of a robot ---

    def start(self, trial: Trial, operator: str, answer: Answer) -> None:
        """Begin to record."""
        self._request = {"task": trial.task.name, "operator": operator, "tags": dict(trial.tags)}
        self._begin = time.monotonic()
        self._tell()
        answer(True, "", None)

    def command(self, name: str, arguments: dict[str, Any], answer: Answer) -> None:
        """Note it; the end of a recording makes an episode."""
        self.asked.append(name)
        if name not in ("end", "redo"):
            self.show(safety={"engage": "active", "stop": "soft_stop", "reset": "hold"}.get(name, "hold"))
            answer(True, "", None)
            return
        wall = datetime.now(timezone.utc)
        identifier = f"{wall:%Y%m%dT%H%M%SZ}_{self._request['task']}_{secrets.token_hex(2)}"
        folder = self.recordings / "unitree_g1" / f"{wall:%Y-%m-%d}" / identifier
        if name == "end":
            self.desk.stopping()
            shutil.copytree(self._template, folder)
            path = folder / "episode.yaml"
            data = yaml.safe_load(path.read_text(encoding="utf-8")) | self._request
            data |= {"episode_id": identifier, "outcome": arguments["outcome"], "note": arguments.get("note", "")}
            data |= {"started": wall.isoformat(timespec="milliseconds"), "annotations": data.get("annotations") or []}
            path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
            (folder / "checks.json").unlink(missing_ok=True)
        self._begin = None
        self._tell()
        answer(True, "", None)
        self.desk.ended(identifier, str(folder), discarded=name == "redo")
