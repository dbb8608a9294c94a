# SPDX-License-Identifier: Apache-2.0
"""The catalogue: what a centre has recorded, in one SQLite file on the station.

The bags stay the truth. Everything here is read from `episode.yaml`, `metadata.yaml` and `checks.json` beside them and
can be built again at any time; deleting the file loses nothing. Several programs may write at once (write-ahead log,
short transactions): the recorder's station, a checker, somebody who corrects labels.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from humanoid_dataset.entries import Entry
from humanoid_dataset.errors import CatalogueError

VERSION = 1  # of the tables; another one is built anew
_WAIT = 20.0  # [s] for another writer
_SUMMED = "outcome, verdict, usable, duration, bytes"
GROUPS = ("task", "robot", "operator", "day", "outcome", "verdict")
_TABLES = """
CREATE TABLE IF NOT EXISTS episodes (
  id TEXT PRIMARY KEY, folder TEXT NOT NULL, robot TEXT NOT NULL, task TEXT NOT NULL, instruction TEXT NOT NULL,
  operator TEXT NOT NULL, scene TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT NOT NULL, note TEXT NOT NULL,
  started TEXT NOT NULL, day TEXT NOT NULL, start_ns INTEGER NOT NULL, duration REAL NOT NULL, bytes INTEGER NOT NULL,
  messages INTEGER NOT NULL, sha256 TEXT NOT NULL, lost INTEGER NOT NULL, dropped INTEGER NOT NULL,
  verdict TEXT NOT NULL, usable INTEGER NOT NULL, tags TEXT NOT NULL, problems TEXT NOT NULL,
  changed_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checks (
  episode TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, measured REAL, bound REAL, unit TEXT NOT NULL,
  detail TEXT NOT NULL, PRIMARY KEY (episode, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS labels (
  episode TEXT NOT NULL, number INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
  label TEXT NOT NULL, author TEXT NOT NULL, tool TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (episode, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tags (
  episode TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (episode, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_folder ON episodes (folder);
CREATE INDEX IF NOT EXISTS by_started ON episodes (started);
CREATE INDEX IF NOT EXISTS by_operator ON episodes (operator, started);
CREATE INDEX IF NOT EXISTS by_robot ON episodes (robot, started);
CREATE INDEX IF NOT EXISTS by_task ON episodes (task, started);
CREATE INDEX IF NOT EXISTS by_outcome ON episodes (outcome, started);
CREATE INDEX IF NOT EXISTS by_verdict ON episodes (verdict, started);
CREATE INDEX IF NOT EXISTS failures ON checks (name, episode) WHERE status = 'failed';
CREATE INDEX IF NOT EXISTS by_label ON labels (label, episode);
CREATE INDEX IF NOT EXISTS by_tag ON tags (name, value, episode);
CREATE TABLE IF NOT EXISTS label_counts (label TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS label_in AFTER INSERT ON labels BEGIN
  INSERT INTO label_counts VALUES (new.label, 1) ON CONFLICT DO UPDATE SET count = count + 1; END;
CREATE TRIGGER IF NOT EXISTS label_out AFTER DELETE ON labels BEGIN
  UPDATE label_counts SET count = count - 1 WHERE label = old.label; END;
"""
# An index that holds all a sum needs, for each way to group.
_TABLES += "".join(f"CREATE INDEX IF NOT EXISTS sums_{by} ON episodes ({by}, {_SUMMED});\n" for by in GROUPS)


@dataclass(frozen=True)
class Filter:
    """Which episodes; what is empty does not restrict.

    Attributes:
        robot: Robot's name.
        task: Task's name.
        operator: Who drove.
        outcome: success, failure or unsure.
        verdict: passed, failed or unchecked.
        since: First day, YYYY-MM-DD.
        until: Last day, YYYY-MM-DD.
        label: Has this label.
        check: Failed this check.
        tag: Has this tag, `name=value`.
        text: Occurs in note, instruction or identifier.
        usable: Only those that a training set may take: finished, successful and not rejected.
    """

    robot: str = ""
    task: str = ""
    operator: str = ""
    outcome: str = ""
    verdict: str = ""
    since: str = ""
    until: str = ""
    label: str = ""
    check: str = ""
    tag: str = ""
    text: str = ""
    usable: bool = False

    def clause(self) -> tuple[str, list[Any]]:
        """SQL condition and its values."""
        parts, values = [], []
        for name in ("robot", "task", "operator", "outcome", "verdict"):
            if getattr(self, name):
                parts.append(f"{name} = ?")
                values.append(getattr(self, name))
        for name, condition in (
            ("since", "day >= ?"),
            ("until", "day <= ?"),
            ("label", "id IN (SELECT episode FROM labels WHERE label = ?)"),
            ("check", "id IN (SELECT episode FROM checks WHERE status = 'failed' AND name = ?)"),
        ):
            if getattr(self, name):
                parts.append(condition)
                values.append(getattr(self, name))
        if self.tag:
            parts.append("id IN (SELECT episode FROM tags WHERE name = ? AND value = ?)")
            values += self.tag.partition("=")[::2]
        if self.text:
            parts.append("instr(lower(id || ' ' || note || ' ' || instruction), lower(?)) > 0")
            values.append(self.text)
        if self.usable:
            parts.append("usable")
        return " AND ".join(parts) or "1", values


@dataclass(frozen=True)
class Sum:
    """Episodes that have something in common."""

    key: str
    episodes: int
    hours: float
    usable: int
    usable_hours: float
    success: int
    failure: int
    rejected: int
    bytes: int


class Catalogue:
    """One catalogue file. Each thread and process opens its own.

    Args:
        path: Of the file; made where it is missing, with its folder.

    Raises:
        CatalogueError: it is no catalogue, or one of another version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise CatalogueError(
                    f"{path}: found version {version}, expected {VERSION}; delete it and build it again"
                )
            if not version:
                with self._writing():
                    for statement in _statements(_TABLES):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version={VERSION}")
        except (sqlite3.Error, OSError) as error:
            raise CatalogueError(f"{path}: found {error}, expected a catalogue or a place for one") from error

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # --- writing ---

    def put(self, entries: Iterable[Entry]) -> list[str]:
        """Add episodes, or replace what was known of them.

        Returns:
            What was refused, in words: an identifier that another folder has, which is still there.
        """
        with self._writing():
            return [fault for entry in entries if (fault := self._put(entry))]

    def remove(self, episodes: Iterable[str]) -> None:
        """Forget episodes."""
        with self._writing():
            for episode in episodes:
                self._drop(episode)

    def known(self, root: str) -> dict[str, tuple[str, int]]:
        """Folders at or below a root: identifier, and when its files changed last [ns]."""
        low, high = root.rstrip("/") + "/", root.rstrip("/") + "0"  # "0" follows "/"
        rows = self._all("SELECT folder, id, changed_ns FROM episodes WHERE folder >= ? AND folder < ?", [low, high])
        rows += self._all("SELECT folder, id, changed_ns FROM episodes WHERE folder = ?", [root.rstrip("/")])
        return {row["folder"]: (row["id"], row["changed_ns"]) for row in rows}

    def _put(self, entry: Entry) -> str:
        (twin,) = self._db.execute("SELECT max(folder) FROM episodes WHERE id = ?", [entry.id]).fetchone()
        if twin is not None and twin != entry.folder and Path(twin).is_dir():
            return f"{entry.folder}: found identifier {entry.id}, which {twin} has too, expected another one"
        self._drop(entry.id)
        row = {name: getattr(entry, name) for name in _COLUMNS} | {
            "tags": json.dumps(entry.tags, ensure_ascii=False),
            "problems": json.dumps(entry.problems, ensure_ascii=False),
        }
        marks = ", ".join("?" * len(row))
        self._db.execute(f"INSERT INTO episodes ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        self._db.executemany(
            "INSERT INTO checks VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(entry.id, c.name, c.status, c.measured, c.bound, c.unit, c.detail) for c in entry.checks],
        )
        self._db.executemany(
            "INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (entry.id, i, label.start_ns, label.end_ns, label.label, label.author, label.tool, label.note)
                for i, label in enumerate(entry.labels)
            ],
        )
        self._db.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(entry.id, *tag) for tag in entry.tags.items()])
        return ""

    def _drop(self, episode: str) -> None:
        self._db.execute("DELETE FROM episodes WHERE id = ?", [episode])
        for table in ("checks", "labels", "tags"):
            self._db.execute(f"DELETE FROM {table} WHERE episode = ?", [episode])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise CatalogueError(f"{self.path}: found {error}, expected to write within {_WAIT:g} s") from error

    # --- reading ---

    def find(self, which: Filter | None = None, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
        """Episodes, newest first."""
        clause, values = (which or Filter()).clause()
        order = "ORDER BY started DESC, id DESC"
        page = f"SELECT id FROM episodes WHERE {clause} {order} LIMIT ? OFFSET ?"  # whole rows only of this page
        rows = self._all(f"SELECT * FROM episodes WHERE id IN ({page}) {order}", [*values, limit, offset])
        return [_plain(row) for row in rows]

    def count(self, which: Filter | None = None) -> int:
        """How many episodes."""
        clause, values = (which or Filter()).clause()
        return int(self._all(f"SELECT count(*) AS n FROM episodes WHERE {clause}", values)[0]["n"])

    def sums(self, by: str, which: Filter | None = None) -> list[Sum]:
        """Episodes counted by one of GROUPS.

        Raises:
            CatalogueError: there is no such grouping.
        """
        if by not in GROUPS:
            raise CatalogueError(f"by: found {by!r}, expected one of {', '.join(GROUPS)}")
        clause, values = (which or Filter()).clause()
        rows = self._all(
            f"SELECT {by} AS key, count(*) AS episodes, sum(duration) / 3600.0 AS hours, sum(usable) AS usable, "
            "sum(usable * duration) / 3600.0 AS usable_hours, sum(outcome = 'success') AS success, "
            "sum(outcome = 'failure') AS failure, sum(verdict = 'failed') AS rejected, sum(bytes) AS bytes "
            f"FROM episodes WHERE {clause} GROUP BY {by} ORDER BY {by}",
            values,
        )
        return [Sum(**dict(row)) for row in rows]

    def variations(self, task: str, tag: str) -> dict[str, int]:
        """Usable episodes of a task by the value of a tag, such as the light."""
        rows = self._all(
            "SELECT tags.value AS value, sum(usable) AS usable FROM tags JOIN episodes ON episodes.id = tags.episode "
            "WHERE tags.name = ? AND task = ? GROUP BY tags.value ORDER BY tags.value",
            [tag, task],
        )
        return {row["value"]: row["usable"] for row in rows}

    def failures(self) -> dict[str, int]:
        """Rejected episodes by the check that did it, most frequent first."""
        text = "SELECT name, count(*) AS n FROM checks WHERE status = 'failed' GROUP BY name ORDER BY n DESC, name"
        return {row["name"]: row["n"] for row in self._all(text, [])}

    def labels(self) -> dict[str, int]:
        """How often each label was given, most frequent first."""
        text = "SELECT label, count FROM label_counts WHERE count > 0 ORDER BY count DESC, label"
        return {row["label"]: row["count"] for row in self._all(text, [])}

    def show(self, episode: str) -> dict[str, Any]:
        """All that is known of one episode, `checks` and `labels` included.

        Raises:
            CatalogueError: there is none of this identifier.
        """
        rows = self._all("SELECT * FROM episodes WHERE id = ?", [episode])
        if not rows:
            raise CatalogueError(
                f"{episode}: found no such episode in {self.path}, expected an identifier that it lists"
            )
        checks = self._all("SELECT * FROM checks WHERE episode = ?", [episode])
        labels = self._all("SELECT * FROM labels WHERE episode = ? ORDER BY start_ns, number", [episode])
        return _plain(rows[0]) | {"checks": [_bare(row) for row in checks], "labels": [_bare(row) for row in labels]}

    def _all(self, text: str, values: Sequence[Any]) -> list[sqlite3.Row]:
        try:
            return self._db.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise CatalogueError(f"{self.path}: found {error}, expected a whole catalogue") from error


_COLUMNS = [field.name for field in fields(Entry) if field.name not in ("checks", "labels")]


def _statements(script: str) -> Iterator[str]:
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _plain(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    return found | {"tags": json.loads(found["tags"]), "problems": json.loads(found["problems"])}


def _bare(row: sqlite3.Row) -> dict[str, Any]:
    return {key: value for key, value in dict(row).items() if key not in ("episode", "number")}
