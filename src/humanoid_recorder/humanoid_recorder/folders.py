# SPDX-License-Identifier: Apache-2.0
"""Where episodes live: `<out>/<robot>/<date>/<episode_id>/`, staged beside it as `<episode_id>.part` until it is whole.

A staging folder is locked by the process that fills it, so that another one (or the next start) can tell a running
recording from what a crash left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from humanoid_core.errors import ConfigError
from humanoid_recorder.errors import EpisodeError, StorageError

STAGING = ".part"
_LOCK = ".lock"
_RESERVE = ".reserve"
_MAX_TEXT = 16_384
_ROBOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_robot_name(name: str) -> str:
    """The name, if it can be a folder.

    Raises:
        ConfigError: it cannot.
    """
    if not _ROBOT.fullmatch(name):
        raise ConfigError(
            "recorder",
            "robot_name",
            repr(name),
            "1 to 64 letters, digits, '_', '-', '.', beginning with a letter or digit",
        )
    return name


def check_text(what: str, text: str) -> str:
    """The text, if it can be stored.

    Raises:
        EpisodeError: it is longer than 16 KiB or holds a NUL.
    """
    if len(text) > _MAX_TEXT:
        raise EpisodeError(f"{what}: found {len(text)} characters, expected at most {_MAX_TEXT}")
    if "\0" in text:
        raise EpisodeError(f"{what}: found a NUL character, expected text")
    return text


def new_id(task: str, wall: datetime) -> str:
    """An episode id: time (UTC), task, and four random digits, safe as a file name whatever the task is called."""
    slug = re.sub(r"[^a-z0-9]+", "_", task.lower()).strip("_")[:40] or "episode"
    return f"{wall:%Y%m%dT%H%M%SZ}_{slug}_{secrets.token_hex(2)}"


class Staging:
    """The folder of an episode that is not whole yet.

    Args:
        path: `<episode_id>.part`; made by `create`, or found by `leftovers`.

    Raises:
        EpisodeError: another process is filling it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.final = path.with_suffix("")
        self._take_lock()

    def _take_lock(self) -> None:
        self._lock = open(self.path / _LOCK, "w")  # noqa: SIM115  (held as long as the folder is ours)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise EpisodeError(f"{self.path}: another recorder is filling it") from error

    @classmethod
    def create(cls, out: Path, robot: str, episode_id: str, wall: datetime) -> Staging:
        """Make the staging folder of a new episode.

        Raises:
            StorageError: the folder cannot be made, or the episode exists.
        """
        day = out / robot / f"{wall:%Y-%m-%d}"
        path = day / f"{episode_id}{STAGING}"
        if (day / episode_id).exists():
            raise StorageError(day / episode_id, "an episode of this name", "a new name")
        try:
            day.mkdir(parents=True, exist_ok=True)
            path.mkdir()
            return cls(path)
        except OSError as error:
            raise StorageError(path, error.strerror, "a folder that can be made and written") from error

    @classmethod
    def beside(cls, folder: Path, name: str) -> Staging:
        """Make the staging folder of an episode that is made of others, beside one of them.

        Raises:
            StorageError: the folder cannot be made.
        """
        path = folder.resolve().parent / f"{name}{STAGING}"
        try:
            path.mkdir()
            return cls(path)
        except OSError as error:
            raise StorageError(path, error.strerror, "a folder that can be made and written") from error

    @property
    def episode_id(self) -> str:
        return self.final.name

    def gone(self) -> bool:
        """Whether somebody has removed or moved the folder."""
        try:
            return not os.path.samestat(os.stat(self.path / _LOCK), os.fstat(self._lock.fileno()))
        except OSError:
            return True

    def restore(self) -> None:
        """Make a folder anew that is gone.

        Raises:
            StorageError: that is not possible.
        """
        self._lock.close()
        try:
            self.path.mkdir(parents=True)
            self._take_lock()
        except OSError as error:
            raise StorageError(self.path, error.strerror, "a folder that can be made again") from error

    def reserve(self, size: int) -> None:
        """Hold room that `free_reserve` gives back when the disk is full, so that the episode can still be ended.

        Raises:
            StorageError: there is no such room.
        """
        try:
            fd = os.open(self.path / _RESERVE, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.posix_fallocate(fd, 0, size)
            finally:
                os.close(fd)
        except OSError as error:
            self.free_reserve()
            raise StorageError(self.path, error.strerror, f"room for {size} bytes") from error

    def free_reserve(self) -> bool:
        """Give back what `reserve` held; False where it held nothing."""
        try:
            (self.path / _RESERVE).unlink()
        except OSError:
            return False
        return True

    def sync(self) -> None:
        """Have the disk store that the folder is there, and what it holds."""
        for folder in (self.path, self.path.parent):
            _sync_folder(folder)

    def finish(self) -> Path:
        """Give the folder its final name, durably; gives the new path. Where that is taken it gets a number behind it.

        Raises:
            StorageError: the system refuses.
        """
        self.free_reserve()
        final, number = self.final, 1
        while final.exists():
            number += 1
            final = self.final.with_name(f"{self.final.name}_{number}")
        try:
            _sync_folder(self.path)
            (self.path / _LOCK).unlink()
            os.rename(self.path, final)
            _sync_folder(final.parent)
        except OSError as error:
            raise StorageError(final, error.strerror, "a folder that can be renamed") from error
        finally:
            self.release()
        return final

    def discard(self, reason: str) -> None:
        """Delete the episode; a line in discarded.jsonl beside it remembers that it was.

        Raises:
            StorageError: the system refuses.
        """
        line = json.dumps({"episode_id": self.episode_id, "reason": reason}, ensure_ascii=False)
        try:
            shutil.rmtree(self.path)
            with open(self.path.parent / "discarded.jsonl", "a", encoding="utf-8") as stream:
                stream.write(line + "\n")
        except OSError as error:
            raise StorageError(self.path, error.strerror, "a folder that can be deleted") from error
        finally:
            self.release()

    def remove(self) -> None:
        """Delete the folder, if it is still there, and let go of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Let go of the lock; whatever is in the folder stays for recovery."""
        self._lock.close()


def leftovers(out: Path, robot: str = "*") -> Iterator[Path]:
    """Staging folders below `out`, of one robot or all: what crashes left, and what is being recorded."""
    yield from sorted(out.glob(f"{robot}/*/*{STAGING}"))


def is_locked(part: Path) -> bool:
    """Whether a process is filling a staging folder."""
    try:
        with open(part / _LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def free_bytes(path: Path) -> int:
    """Bytes that this user may still write where `path` is or will be.

    Raises:
        StorageError: there is no such place.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError as error:
        raise StorageError(path, error.strerror, "a folder") from error


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
