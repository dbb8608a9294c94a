# SPDX-License-Identifier: Apache-2.0
"""Checks an episode on the disk against what its sidecar, index and checksums say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from mcap.exceptions import McapError
from mcap.reader import make_reader

from humanoid_core.errors import ConfigError
from humanoid_recorder.errors import BagError
from humanoid_recorder.recovery import examine
from humanoid_recorder.sidecar import read_episode
from humanoid_recorder.writers import METADATA_FILE, file_sha256


def verify(folder: Path, progress: Callable[[int], None] | None = None) -> list[str]:
    """Everything that is wrong with an episode; empty where nothing is.

    Args:
        folder: The episode.
        progress: Gets the bytes of each step; in all twice the size of the bag.
    """
    try:
        episode = read_episode(folder)
    except ConfigError as error:
        return [str(error)]
    if episode.state == "recording" or episode.bag is None:
        return [f"{folder}: found state {episode.state!r}, expected a finished episode (run recover)"]
    bag = folder / episode.bag.file
    if not bag.is_file():
        return [f"{bag}: found no file, expected the bag"]
    wrong = []
    size = bag.stat().st_size
    if size != episode.bag.bytes:
        wrong.append(f"{bag}: found {size} bytes, expected {episode.bag.bytes}")
    digest = file_sha256(bag, progress)
    if digest != episode.bag.sha256:
        wrong.append(f"{bag}: found SHA-256 {digest}, expected {episode.bag.sha256}")
    try:
        found = examine(bag, progress)
    except BagError as error:
        return [*wrong, str(error)]
    if not found.finished:
        wrong.append(f"{bag}: found {found.reason}, expected a finished file")
    counts = {channel.topic: found.summary.counts.get(number, 0) for number, channel in found.summary.channels.items()}
    for topic in episode.topics:
        if counts.get(topic.name, 0) != topic.written:
            wrong.append(f"{topic.name}: found {counts.get(topic.name, 0)} messages, expected {topic.written}")
    if bag.suffix == ".mcap":
        wrong += _check_index(bag, found.summary.messages, len(found.summary.chunks))
    wrong += _check_metadata(folder, found.summary.messages)
    return wrong


def _check_index(bag: Path, messages: int, chunks: int) -> list[str]:
    try:
        with open(bag, "rb") as stream:
            summary = make_reader(stream).get_summary()
    except (McapError, EOFError, ValueError) as error:
        return [f"{bag}: found an unreadable summary ({error}), expected an index"]
    if summary is None or summary.statistics is None:
        return [f"{bag}: found no summary, expected an index"]
    if summary.statistics.message_count != messages or len(summary.chunk_indexes) != chunks:
        there = f"{summary.statistics.message_count} messages in {len(summary.chunk_indexes)} chunks"
        return [f"{bag}: found an index of {there}, expected {messages} in {chunks}"]
    return []


def _check_metadata(folder: Path, messages: int) -> list[str]:
    path = folder / METADATA_FILE
    try:
        with open(path, encoding="utf-8") as stream:
            count = yaml.safe_load(stream)["rosbag2_bagfile_information"]["message_count"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        return [f"{path}: found {type(error).__name__}, expected rosbag2's metadata"]
    return [] if count == messages else [f"{path}: found {count} messages, expected {messages}"]
