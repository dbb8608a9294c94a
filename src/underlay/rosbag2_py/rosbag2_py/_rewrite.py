# SPDX-License-Identifier: Apache-2.0
"""Converts, merges and filters bags."""

import dataclasses
import datetime
import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rosbag2_py import _qos
from rosbag2_py._options import RecordOptions
from rosbag2_py._player import make_reader
from rosbag2_py._reader import SequentialReader
from rosbag2_py._recorder import make_writer
from rosbag2_py._storage import ConverterOptions, StorageOptions
from rosbag2_py._writer import SequentialWriter


def _options(node: dict[str, Any]) -> tuple[StorageOptions, RecordOptions]:
    node = dict(node)
    everything = node.pop("all", False)
    given = {
        **({"all_topics": True, "all_services": True} if everything else {}),
        **({"exclude_regex": node.pop("exclude")} if "exclude" in node else {}),
        **({"exclude_service_events": node.pop("exclude_services")} if "exclude_services" in node else {}),
        **node,
    }
    if "topic_polling_interval" in given:
        given["topic_polling_interval"] = datetime.timedelta(**given["topic_polling_interval"])
    overrides = given.get("topic_qos_profile_overrides") or {}
    given["topic_qos_profile_overrides"] = {name: _qos.decode(qos).profile for name, qos in overrides.items()}
    storage = {one.name: given.pop(one.name) for one in dataclasses.fields(StorageOptions) if one.name in given}
    return StorageOptions(**storage), RecordOptions(**given)


def _messages(reader: SequentialReader) -> Iterator[tuple[str, bytes, int]]:
    while reader.has_next():
        yield reader.read_next()


def bag_rewrite(input_options: list[StorageOptions], output_config_file: str) -> None:
    """Write each output bag from the messages of all inputs, in order of receive time.

    Args:
        input_options: The bags to read.
        output_config_file: YAML with a list `output_bags` of storage and record options.

    Raises:
        RuntimeError: the file lacks that list, or there is nothing to read or write.
    """
    config = yaml.safe_load(Path(output_config_file).read_text())
    if not isinstance(config, dict) or "output_bags" not in config:
        raise RuntimeError("Output bag config YAML file must have top-level key 'output_bags'")
    if not isinstance(config["output_bags"], list):
        raise RuntimeError(
            "Top-level key 'output_bags' must contain a list of StorageOptions/RecordOptions dicts."
        )
    outputs = [_options(node) for node in config["output_bags"]]
    if not input_options or not outputs:
        raise RuntimeError("Must provide at least one input and one output bag to rewrite.")
    readers = [make_reader(options) for options in input_options]
    definitions = {one.topic_type: one for reader in readers for one in reader.get_all_message_definitions()}
    takers: dict[str, list[SequentialWriter]] = {}
    writers = []
    for storage, record in outputs:
        writer = make_writer(record)
        writer.open(storage, ConverterOptions())
        writer._known_definitions = definitions
        writers.append(writer)
        for reader in readers:
            for topic in reader.get_all_topics_and_types():
                if record.takes(topic.name, topic.type) and writer not in takers.get(topic.name, []):
                    writer.create_topic(topic)
                    takers.setdefault(topic.name, []).append(writer)
    for topic, message, stamp in heapq.merge(*map(_messages, readers), key=lambda one: one[2]):
        for writer in takers.get(topic, []):
            writer.write(topic, message, stamp)
    for writer in writers:
        writer.close()
