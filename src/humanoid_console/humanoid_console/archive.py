# SPDX-License-Identifier: Apache-2.0
"""What the page asks of recorded episodes: lists, labels, pictures. Episodes go by the catalogue's identifiers only: no
path ever comes from a page."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from humanoid_console.errors import ConsoleError
from humanoid_console.trial import Trial, next_trial
from humanoid_console.workload import Redos, summarise
from humanoid_core.task import HARD_CASE, Task
from humanoid_dataset.catalogue import Catalogue, Filter
from humanoid_dataset.entries import LabelEntry
from humanoid_dataset.episode import Episode
from humanoid_dataset.labels import Labels, read_labels, replace_labels

TOOL = "console 1"  # and its version, of labels corrected here
_OPEN = 2  # episodes kept open
_PAGE = 200  # episodes in one answer, at most
_TODAY = 20_000  # ... of a day
_HISTORY = 14  # [days]
_RAW = {"rgb8": cv2.COLOR_RGB2BGR, "bgr8": None, "mono8": None}


class Archive:
    """Answers from the catalogue and the bags. To be used in one thread.

    Args:
        catalogue: Its file.
        root: Folder of the recordings, for what was redone.
    """

    def __init__(self, catalogue: Path, root: Path) -> None:
        self._catalogue = Catalogue(catalogue)
        self._file = catalogue
        self._redos = Redos(root)
        self._open: OrderedDict[str, Episode] = OrderedDict()

    def close(self) -> None:
        """Let go of the files."""
        self._catalogue.close()

    # --- the plan ---

    def trial(self, task: Task, skip: int = 0) -> Trial:
        """The next trial of a task."""
        done = sum(one.usable for one in self._catalogue.sums("task", Filter(task=task.name)))
        names = [*task.variations, *([HARD_CASE] if task.hard_cases else [])]
        return next_trial(task, done, {name: self._catalogue.variations(task.name, name) for name in names}, skip)

    def people(self) -> list[str]:
        """Who has collected, those with most episodes first."""
        sums = sorted(self._catalogue.sums("operator"), key=lambda one: -one.episodes)
        return [one.key for one in sums if one.key][:60]

    # --- episodes ---

    def episodes(self, which: dict[str, Any]) -> dict[str, Any]:
        """Newest episodes; `which` has a filter's values, `limit` and `offset`.

        Raises:
            ConsoleError: there is no such filter.
        """
        given = dict(which)
        limit, offset = min(_PAGE, max(0, int(given.pop("limit", 50)))), max(0, int(given.pop("offset", 0)))
        unknown = set(given) - set(Filter.__dataclass_fields__)
        if unknown:
            raise ConsoleError(f"filter: found {', '.join(sorted(unknown))}, expected what Filter has")
        usable = bool(given.pop("usable", False))
        wanted = Filter(usable=usable, **{key: str(value) for key, value in given.items()})
        rows = self._catalogue.find(wanted, limit, offset)
        shown = ("id", "started", "robot", "task", "operator", "outcome", "verdict", "duration", "note", "usable")
        return {"count": self._catalogue.count(wanted), "rows": [{key: row[key] for key in shown} for row in rows]}

    def opened(self, episode: str) -> dict[str, Any]:
        """What the label page shows of an episode: labels, cameras, when each of their pictures was taken.

        Raises:
            HumanoidError: there is none of this identifier, or it cannot be read.
        """
        folder, record = self._folder(episode), self._catalogue.show(episode)
        opened = self._episode(episode)
        labels = read_labels(folder)
        cameras = {}
        for topic in opened.matching(prefix="camera/"):
            stream = opened.streams[topic]
            if "/color/" in topic and stream.type.endswith("Image") and len(stream):
                seconds = (stream.stamps - labels.start_ns) * 1e-9
                cameras[topic] = [round(float(at), 4) for at in seconds]
        checks = [{key: check[key] for key in ("name", "status", "detail")} for check in record["checks"]]
        keys = ("id", "robot", "task", "operator", "outcome", "verdict", "note", "started", "tags")
        return {key: record[key] for key in keys} | {
            "duration": (labels.end_ns - labels.start_ns) * 1e-9,
            "cameras": cameras,
            "checks": [check for check in checks if check["status"] == "failed"],
            **_plain(labels),
        }

    def save(self, episode: str, labels: list[Any], author: str, revision: str) -> dict[str, Any]:
        """Put corrected labels in place, in the sidecar and the catalogue; times are seconds since the start.

        Raises:
            HumanoidError: a label is none, or somebody else changed them meanwhile.
        """
        folder = self._folder(episode)
        begin = read_labels(folder).start_ns
        entries = [
            LabelEntry(
                int(label["start_ns"]) if "start_ns" in label else begin + round(float(label["start"]) * 1e9),
                int(label["end_ns"]) if "end_ns" in label else begin + round(float(label["end"]) * 1e9),
                str(label["label"]),
                author,
                TOOL,
                str(label.get("note", "")),
            )
            for label in labels
        ]
        return _plain(replace_labels(folder, entries, author, TOOL, revision, self._file, confirm=True))

    def picture(self, episode: str, camera: str, index: int) -> bytes:
        """One picture of an episode as JPEG or PNG.

        Raises:
            HumanoidError: there is no such episode, camera or picture.
        """
        opened = self._episode(episode)
        stream = opened.streams.get(camera)
        if stream is None or not camera.startswith("camera/") or not 0 <= index < len(stream):
            raise ConsoleError(f"{episode}: found no picture {index} of {camera[:80]}")
        (message,) = opened.heavy({camera: [index]})[camera]
        if stream.type.endswith("CompressedImage"):
            return bytes(message.data)
        if message.encoding not in _RAW:
            raise ConsoleError(f"{camera}: found encoding {message.encoding}, expected {', '.join(_RAW)}")
        rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
        image = rows[:, : message.width * (1 if message.encoding == "mono8" else 3)].reshape(
            message.height, message.width, -1
        )
        code = _RAW[message.encoding]
        done, jpeg = cv2.imencode(".jpg", image if code is None else cv2.cvtColor(image, code))
        if not done:
            raise ConsoleError(f"{camera}: found a picture that cannot be shown")
        return jpeg.tobytes()

    def _folder(self, episode: str) -> Path:
        return Path(self._catalogue.show(episode)["folder"])

    def _episode(self, episode: str) -> Episode:
        if episode not in self._open:
            self._open[episode] = Episode.open(self._folder(episode))
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(episode)
        return self._open[episode]

    # --- the hall ---

    def workload(self, now: datetime.datetime, live: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """What the workload screen shows.

        Args:
            now: UTC.
            live: What each robot says right now, by its name.
        """
        today = f"{now:%Y-%m-%d}"
        rows = self._catalogue.find(Filter(since=today, until=today), _TODAY)
        since = f"{now - datetime.timedelta(days=_HISTORY - 1):%Y-%m-%d}"
        history = self._catalogue.sums("day", Filter(since=since, until=today))
        waiting = self._catalogue.count(Filter(verdict="unchecked", since=since))
        reasons: dict[str, int] = {}
        for row in rows:
            if row["verdict"] == "failed":
                for check in self._catalogue.show(row["id"])["checks"]:
                    if check["status"] == "failed":
                        reasons[check["name"]] = reasons.get(check["name"], 0) + 1
        found = summarise(now, rows, history, live, self._redos.of(today))
        return found | {"rejected_by": reasons, "unchecked": waiting}


def _plain(labels: Labels) -> dict[str, Any]:
    """Labels for the page: times in seconds since the start, and as they stand, so that nothing is rounded."""
    found = [
        {
            "start": (one.start_ns - labels.start_ns) * 1e-9,
            "end": (one.end_ns - labels.start_ns) * 1e-9 if one.end_ns else None,
            "start_ns": str(one.start_ns),
            "end_ns": str(one.end_ns),
            "label": one.label,
            "author": one.author,
            "tool": one.tool,
            "note": one.note,
        }
        for one in labels.labels
    ]
    return {"labels": found, "revision": labels.revision}
