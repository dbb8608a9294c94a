# SPDX-License-Identifier: Apache-2.0
"""Turns what a crash left behind into an episode: keeps every intact chunk, cuts off the torn end, writes the summary
anew.

Works in place, so that a full disk can be recovered, and can be cut off itself at any point and run again.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from mcap.data_stream import RecordBuilder
from mcap.records import Metadata, MetadataIndex

from humanoid_core.errors import ConfigError, HumanoidError
from humanoid_recorder.bag_metadata import TopicCountInBag, metadata_yaml, serialized_metadata
from humanoid_recorder.counters import lost_in
from humanoid_recorder.errors import BagError, StorageError
from humanoid_recorder.folders import Staging, is_locked
from humanoid_recorder.mcap_file import index_bytes, tail_bytes
from humanoid_recorder.scan import Scan, scan
from humanoid_recorder.sidecar import (
    FILE,
    BagReport,
    Episode,
    TopicReport,
    metadata_of,
    read_episode,
    write_episode,
)
from humanoid_recorder.sqlite_bag import SUFFIX, scan_sqlite
from humanoid_recorder.writers import EPISODE_METADATA, METADATA_FILE, file_sha256, write_durably

Progress = Callable[[int], None]


class Logger(Protocol):
    """As much of a logger as is needed here."""

    def warning(self, message: str) -> object: ...
    def error(self, message: str) -> object: ...


def recover(part: Path, progress: Progress | None = None) -> Path:
    """Make an episode of a staging folder; gives its final folder.

    Args:
        part: A folder `<episode_id>.part`.
        progress: Gets the bytes of each step.

    Raises:
        EpisodeError: a recorder is filling it.
        BagError: there is no bag in it.
        StorageError: the disk refuses.
    """
    staging = Staging(part)
    try:
        bag = _find_bag(part)
        before = _read_sidecar(part)
        found = examine(bag, progress)
        cut = 0 if found.finished else found.size - found.good_end
        if not found.finished:
            _mend(bag, found, before)
        elif before is not None and before.state == "finished" and (part / METADATA_FILE).exists():
            return staging.finish()  # it was whole: only the last rename was missing
        bag = _move_up(part, bag)
        write_durably(part / METADATA_FILE, metadata_yaml(_serialized(bag.name, found, _ros_distro(before))))
        write_episode(part, _episode(staging.episode_id, before, bag, found, cut))
        return staging.finish()
    except OSError as error:
        raise StorageError(part, error.strerror, "a folder that can be read and written") from error
    finally:
        staging.release()


def examine(bag: Path, progress: Progress | None = None) -> Scan:
    """What is intact in a bag, of either format.

    Raises:
        BagError: nothing is.
    """
    return scan_sqlite(bag, progress) if bag.suffix == SUFFIX else scan(bag, progress)


def recover_all(parts: Iterable[Path], logger: Logger) -> None:
    """Recover what an earlier run left behind; what another process is recording is left alone."""
    for part in parts:
        if is_locked(part):
            continue
        try:
            logger.warning(f"recovered an episode that was cut off: {recover(part)}")
        except HumanoidError as error:
            logger.error(f"could not recover: {error}")


def topic_reports(found: Scan, before: Iterable[TopicReport]) -> list[TopicReport]:
    """What can be said of each topic from the bag alone; expectations come from earlier reports where these have it."""
    known = {topic.name: topic for topic in before}
    reports = []
    for number, channel in sorted(found.summary.channels.items()):
        offers = channel.metadata.get("offered_qos_profiles", "").count("reliability:")
        lost = lost_in(found.numbers.get(number, []))
        count = found.summary.counts.get(number, 0)
        first, last = found.first.get(number, 0), found.last.get(number, 0)
        old = known.get(channel.topic)
        schema = found.summary.schemas.get(channel.schema_id)
        reports.append(
            TopicReport(
                name=channel.topic,
                type=schema.name if schema else "",
                required=old.required if old else False,
                expected_rate=old.expected_rate if old else 0.0,
                max_gap=old.max_gap if old else 0.0,
                publishers=offers,
                received=count,
                written=count,
                repeated=0,
                lost=lost,
                dropped=0,
                bytes=found.payload.get(number, 0),
                rate=round((count - 1) * 1e9 / (last - first), 3) if last > first else 0.0,
                longest_gap=round(found.gap.get(number, 0) * 1e-9, 6),
                gaps=0,
                first_ns=first,
                last_ns=last,
            )
        )
    return reports


def _find_bag(part: Path) -> Path:
    bags = sorted(part.glob("*.mcap")) or sorted(part.glob("*/*.mcap")) or sorted(part.glob(f"*{SUFFIX}"))
    if not bags:
        raise BagError(part, f"no .mcap or {SUFFIX} file", "a bag to recover")
    return bags[0]


def _move_up(part: Path, bag: Path) -> Path:
    """Bring a bag that rosbag2 wrote into a folder of its own to where an episode has it."""
    if bag.parent == part:
        return bag
    target = part / f"{bag.parent.name}.mcap"
    os.rename(bag, target)
    for file in bag.parent.iterdir():
        file.unlink()
    bag.parent.rmdir()
    return target


def _read_sidecar(part: Path) -> Episode | None:
    try:
        return read_episode(part)
    except ConfigError:
        return None  # the crash came before it was written: the bag alone has to do


def _ros_distro(before: Episode | None) -> str:
    return before.software.get("ros", "unknown") if before else "unknown"


def _serialized(name: str, found: Scan, ros_distro: str) -> str:
    summary = found.summary
    topics = []
    for number, channel in sorted(summary.channels.items()):
        schema = summary.schemas.get(channel.schema_id)
        topics.append(
            TopicCountInBag(
                channel.topic,
                schema.name if schema else "",
                channel.metadata.get("offered_qos_profiles", "[]") or "[]",
                channel.metadata.get("topic_type_hash", ""),
                summary.counts.get(number, 0),
            )
        )
    storage = "sqlite3" if name.endswith(SUFFIX) else "mcap"
    return serialized_metadata(name, summary.start, summary.end, topics, ros_distro, storage)


def _mend(bag: Path, found: Scan, before: Episode | None) -> None:
    """Cut off what is torn, then add the last chunk's missing indices, the metadata and the summary."""
    summary = found.summary
    offset = found.good_end
    added = b""
    for channel, entries in found.unindexed.items():
        data = index_bytes(channel, entries)
        summary.chunks[-1].message_index_offsets[channel] = offset + len(added)
        summary.chunks[-1].message_index_length += len(data)
        added += data
    records = {
        "rosbag2": {"serialized_metadata": _serialized(bag.name, found, _ros_distro(before))},
        EPISODE_METADATA: {**(metadata_of(before) if before else {}), "recovered": "true"},
    }
    for name, values in records.items():
        builder = RecordBuilder()
        Metadata(name=name, metadata=values).write(builder)
        data = bytes(builder.end())
        summary.metadata.append(MetadataIndex(length=len(data), name=name, offset=offset + len(added)))
        added += data
    added += tail_bytes(summary, offset + len(added))
    fd = os.open(bag, os.O_WRONLY)
    try:
        os.ftruncate(fd, offset)
        os.lseek(fd, offset, os.SEEK_SET)
        rest = memoryview(added)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _episode(episode_id: str, before: Episode | None, bag: Path, found: Scan, cut: int) -> Episode:
    summary = found.summary
    started = datetime.fromtimestamp(bag.stat().st_mtime, timezone.utc).isoformat(timespec="milliseconds")
    base = before or Episode(
        episode_id=episode_id,
        robot=bag.parents[2].name,
        task="",
        instruction="",
        operator="",
        scene="",
        tags={},
        state="recovered",
        clock="system",
        start_ns=summary.start,
        started=started,
        software={},
        backend="",
    )
    reports = topic_reports(found, before.topics if before else [])
    problems = [f"recovered after the recorder was cut off; {cut} torn bytes at the end were left out ({found.reason})"]
    if before is None:
        problems.append(f"{FILE} was not written yet: task, operator and scene are unknown")
    problems += [f"{report.name}: {report.lost} messages lost on the way here" for report in reports if report.lost]
    end = max(summary.end, base.start_ns)
    return dataclasses.replace(
        base,
        state="recovered",
        end_ns=end,
        duration=round((end - base.start_ns) * 1e-9, 6),
        bag=BagReport(bag.name, file_sha256(bag), bag.stat().st_size, summary.messages),
        topics=reports,
        lost=sum(report.lost for report in reports),
        problems=problems,
    )
