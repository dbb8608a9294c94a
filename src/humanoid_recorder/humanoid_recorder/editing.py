# SPDX-License-Identifier: Apache-2.0
"""New episodes out of old ones: a piece of one, or several as one. The old ones stay as they are."""

from __future__ import annotations

import dataclasses
import heapq
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from mcap.exceptions import McapError
from mcap.reader import McapReader, make_reader
from mcap.records import Channel, Message, Schema

from humanoid_recorder.errors import BagError, EpisodeError
from humanoid_recorder.folders import Staging
from humanoid_recorder.recovery import topic_reports
from humanoid_recorder.scan import scan
from humanoid_recorder.selection import Wanted, group_of
from humanoid_recorder.sidecar import BagReport, Episode, Label, metadata_of, read_episode, write_episode
from humanoid_recorder.writers import McapWriter, Topic

Progress = Callable[[int], None]
_LATCHED = "durability: transient_local"


def trim(folder: Path, begin: float, end: float, progress: Progress | None = None) -> Path:
    """Cut a piece out of an episode, into a new one beside it; gives its folder.

    Latched messages from before the piece stand at its beginning.

    Args:
        folder: The episode.
        begin: From here on [s after its start]; negative: of its pre-roll.
        end: Up to here [s after its start].
        progress: Gets the bytes of each step, in all those of the payload.

    Raises:
        EpisodeError: nothing is left.
        BagError: the bag cannot be read.
        ConfigError: episode.yaml cannot.
        StorageError: the disk refuses.
    """
    episode = read_episode(folder)
    window = episode.start_ns + round(begin * 1e9), episode.start_ns + round(end * 1e9)
    if not episode.start_ns - round(episode.pre_roll * 1e9) <= window[0] < window[1]:
        raise EpisodeError(f"found {begin:g} s to {end:g} s, expected a piece of {episode.duration:g} s")
    start_ns = max(window[0], episode.start_ns)
    changed = dataclasses.replace(
        episode,
        start_ns=start_ns,
        end_ns=min(window[1], episode.end_ns),
        pre_roll=max(0.0, (start_ns - window[0]) * 1e-9),
        annotations=[label for label in map(lambda label: _clipped(label, window), episode.annotations) if label],
        tags={**episode.tags, "trimmed": f"{begin:g} s to {end:g} s of {episode.episode_id}"},
    )
    return _write([folder], [episode], changed, f"{folder.name}_trim", window, progress)


def merge(folders: list[Path], progress: Progress | None = None) -> Path:
    """Make one episode of several, beside the first; gives its folder. Messages stand in the order of their arrival.

    Args:
        folders: At least two episodes: one after the other, or of several robots at the same time.
        progress: Gets the bytes of each step, in all those of the payload.

    Raises:
        EpisodeError: they do not fit: different clocks, or a topic with different types.
        BagError: a bag cannot be read.
        ConfigError: an episode.yaml cannot.
        StorageError: the disk refuses.
    """
    episodes = [read_episode(folder) for folder in folders]
    if len(folders) < 2 or len({episode.clock for episode in episodes}) > 1:
        raise EpisodeError(
            f"found {len(folders)} episodes with clocks {[e.clock for e in episodes]}, expected one kind"
        )
    first = min(episodes, key=lambda episode: episode.start_ns)
    labels = sorted((label for e in episodes for label in e.annotations), key=lambda label: label.start_ns)
    changed = dataclasses.replace(
        first,
        end_ns=max(episode.end_ns for episode in episodes),
        annotations=labels,
        tags={**first.tags, "merged": json.dumps([episode.episode_id for episode in episodes])},
        problems=[f"{episode.episode_id}: {problem}" for episode in episodes for problem in episode.problems],
        missing=sorted({name for episode in episodes for name in episode.missing}),
    )
    return _write(folders, episodes, changed, f"{folders[0].name}_merge", None, progress)


def _clipped(label: Label, window: tuple[int, int]) -> Label | None:
    if not window[0] <= label.start_ns < window[1] and not label.start_ns < window[0] < label.end_ns:
        return None
    end = min(label.end_ns, window[1]) if label.end_ns else 0
    return dataclasses.replace(label, start_ns=max(label.start_ns, window[0]), end_ns=end)


def _write(
    folders: list[Path],
    episodes: list[Episode],
    episode: Episode,
    name: str,
    window: tuple[int, int] | None,
    progress: Progress | None,
) -> Path:
    if any(e.bag is None or not e.bag.file.endswith(".mcap") for e in episodes):
        raise EpisodeError("found an episode that is not finished, or no MCAP file, expected finished MCAP episodes")
    staging = Staging.beside(folders[0], name)
    writer = McapWriter(staging.path, f"{staging.episode_id}_0", 1.0, episode.software.get("ros", "unknown"))
    try:
        with ExitStack() as files:
            bags = [folder / e.bag.file for folder, e in zip(folders, episodes) if e.bag]
            readers = [make_reader(files.enter_context(open(bag, "rb")), validate_crcs=True) for bag in bags]
            _copy(readers, writer, window, progress or (lambda _: None))
        length = round((episode.end_ns - episode.start_ns) * 1e-9, 6)
        episode = dataclasses.replace(episode, episode_id=staging.episode_id, duration=length, dropped=0)
        bag = writer.close(metadata_of(episode))
        if not bag.messages:
            raise EpisodeError("found no message in that piece, expected some")
        reports = topic_reports(scan(staging.path / bag.file), [topic for e in episodes for topic in e.topics])
        written = BagReport(bag.file, bag.sha256, bag.bytes, bag.messages)
        lost = sum(report.lost for report in reports)
        write_episode(staging.path, dataclasses.replace(episode, bag=written, topics=reports, lost=lost))
        return staging.finish()
    except (McapError, EOFError, ValueError) as error:
        raise BagError(folders[0], error, "bags that can be read (run verify)") from error
    finally:
        writer.abandon()
        staging.remove()  # nothing is there any more where it went well


def _copy(readers: list[McapReader], writer: McapWriter, window: tuple[int, int] | None, progress: Progress) -> None:
    types: dict[str, str] = {}
    held: dict[str, Message] = {}  # latched, from before the window
    for schema, channel, message in heapq.merge(*(_messages(reader) for reader in readers), key=_log_time):
        progress(len(message.data))
        if types.setdefault(channel.topic, schema.name) != schema.name:
            raise EpisodeError(f"{channel.topic}: found {schema.name}, expected {types[channel.topic]} as before")
        writer.add_topic(_topic(schema, channel))
        if window and message.log_time < window[0]:
            if _LATCHED in channel.metadata.get("offered_qos_profiles", ""):
                held[channel.topic] = message
            continue
        if window and message.log_time >= window[1]:
            break
        for topic, old in held.items():
            writer.write(topic, old.data, window[0] if window else 0, old.publish_time, old.sequence)
        held.clear()
        writer.write(channel.topic, message.data, message.log_time, message.publish_time, message.sequence)
        writer.flush_due()


def _messages(reader: McapReader) -> Iterator[tuple[Schema, Channel, Message]]:
    for schema, channel, message in reader.iter_messages():
        if schema is None:
            raise EpisodeError(f"{channel.topic}: found no schema, expected the definition of its messages")
        yield schema, channel, message


def _log_time(entry: tuple[Schema, Channel, Message]) -> int:
    return entry[2].log_time


def _topic(schema: Schema, channel: Channel) -> Topic:
    said = channel.metadata
    group = group_of(Wanted(channel.topic), schema.name)
    qos, type_hash = said.get("offered_qos_profiles", "[]"), said.get("topic_type_hash", "")
    return Topic(channel.topic, schema.name, type_hash, schema.data.decode(), qos, group)
