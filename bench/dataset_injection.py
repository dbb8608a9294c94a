# SPDX-License-Identifier: Apache-2.0
"""Takes an episode that is whole and gives it a defect, in memory: as the recorder would have recorded it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from humanoid_dataset.bag import Topic
from humanoid_dataset.episode import Episode

_ABOUT_PICTURES = ("pictures", "depth", "camera motion")  # what `Episode.once` keeps of them
_STAMP = slice(4, 12)  # of a message that begins with a header: seconds and nanoseconds


class Spoilt(Episode):
    """An episode as it would have been with a defect. Make it with `Spoilt.like`, change it, then take it `fresh`."""

    pictures: dict[str, dict[int, bytes]]
    touched: set[str]  # topics
    _looked: dict[str, Any]  # what the clean episode's pictures showed

    @classmethod
    def like(cls, clean: Episode) -> Spoilt:
        """The same as an episode that is whole, and free to be changed."""
        made = cls(clean.folder, copy.deepcopy(clean.sidecar), copy.deepcopy(clean.metadata))
        made._namespace = clean._namespace
        made._topics = {name: dataclasses.replace(topic) for name, topic in clean.topics.items()}
        made.pictures = {}
        made.touched = set()
        made._looked = {key: found for key, found in clean._made.items() if key.startswith(_ABOUT_PICTURES)}
        return made

    def fresh(self) -> Spoilt:
        """Ready to be judged, with what a recorder would have noted of it: it did not see anything wrong."""
        counts = {topic.name: len(topic.starts) for topic in self._topics.values()}
        listed = self.metadata.get("topics_with_message_count", [])
        for entry in listed:
            entry["message_count"] = counts.get(entry["topic_metadata"]["name"], 0)
        kept = {topic.name: topic for topic in self._topics.values() if len(topic.starts)}
        self._topics, self.streams = {}, {}
        self._columns, self._tables = {}, {}
        same = not any(topic.startswith("camera/") for topic in self.touched)  # then nobody need look at them again
        self._made = {
            key: found
            for key, found in self._looked.items()
            if same and (key != "camera motion" or "joint_states" not in self.touched)
        }
        self._take(kept)
        return self

    def digests(self) -> dict[str, str]:
        bag = self.sidecar.get("bag") or {}
        return {bag["file"]: bag["sha256"]} if bag else {}

    def payloads(self, wanted: Mapping[str, Iterable[int]]) -> dict[str, list[bytes]]:
        indices = {topic: sorted(set(chosen)) for topic, chosen in wanted.items()}
        found = super().payloads(indices)
        for topic, made in self.pictures.items():
            for at, index in enumerate(indices.get(topic, ())):
                found[topic][at] = made.get(index, found[topic][at])
        return found

    def ends(self, topic: str, size: int) -> list[bytes]:
        found = super().ends(topic, size)
        for index, data in self.pictures.get(topic, {}).items():
            found[index] = data[-size:]
        return found

    # What defects are made of

    def _touch(self, name: str) -> Topic:
        self.touched.add(name)
        return self._topics[name]

    def own(self, name: str) -> Topic:
        """A topic with bytes of its own, that may be changed."""
        topic = self._touch(name)
        sizes = np.minimum(topic.sizes, 64) if topic.heavy else topic.sizes
        parts = [topic.data[a : a + n] for a, n in zip(topic.starts.tolist(), sizes.tolist())]
        topic.data = np.concatenate([*parts, np.zeros(64, np.uint8)])
        topic.starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
        return topic

    def keep(self, name: str, rows: np.ndarray) -> None:
        """Leave only some messages of a topic, by index or mask."""
        topic = self._touch(name)
        for field in ("received", "sequence", "sizes", "starts", "chunks", "offsets"):
            setattr(topic, field, getattr(topic, field)[rows])

    def restamp(self, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Give a topic's messages other stamps [ns]."""
        topic = self.own(name)
        seconds, nanoseconds = np.divmod(change(topic.stamps()), 1_000_000_000)
        times = np.stack([seconds, nanoseconds], axis=1).astype("<u4").view(np.uint8)
        topic.data[topic.starts[:, None] + np.arange(_STAMP.start, _STAMP.stop)] = times

    def edit(self, name: str, path: str, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        """Change a field of a topic's messages.

        Args:
            name: Topic.
            path: Of the field, see `columns.Columns`.
            change: Takes indices of messages (m,) and values (m, k), gives the new values.
        """
        tables = self.columns(name)
        topic = self.own(name)
        for table in tables:
            if path in table.layout.fields:
                offset, kind, count = table.layout.fields[path]
                values = np.ascontiguousarray(change(table.index, table.array(path).copy()), dtype=kind)
                places = topic.starts[table.index][:, None] + offset + np.arange(kind.itemsize * count)
                topic.data[places] = values.view(np.uint8).reshape(len(table), -1)

    def joint(self, name: str, joints: list[str], change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        """Change positions of some joints: `change` takes seconds since the first message (m,), and values (m, k)."""
        stamps = (self._topics[name].stamps() - self._topics[name].stamps()[0]) * 1e-9
        names = [self.columns(name)[0].text(f"name[{i}]") for i in range(self.columns(name)[0].count("name"))]
        at = [names.index(joint) for joint in joints]

        def all_of_them(index: np.ndarray, values: np.ndarray) -> np.ndarray:
            values[:, at] = change(stamps[index], values[:, at])
            return values

        self.edit(name, "position", all_of_them)

    def show(self, name: str, rows: np.ndarray, make: Callable[[bytes], bytes]) -> None:
        """Put other bytes in place of pictures: `make` takes a serialized message and gives one of the same kind."""
        topic = self._touch(name)
        topic.sizes = topic.sizes.copy()
        chosen = sorted(rows.tolist())
        for index, data in zip(chosen, super().payloads({name: chosen})[name]):
            self.pictures.setdefault(name, {})[index] = make(data)
            topic.sizes[index] = len(self.pictures[name][index])

    def swap(self, a: str, b: str) -> None:
        """Exchange the contents of two topics with pictures, as two cables that were exchanged do: stamps stay."""
        first, second = self._topics[a], self._topics[b]
        size = min(len(first.starts), len(second.starts))
        self.keep(a, np.arange(size))
        self.keep(b, np.arange(size))
        for field in ("sizes", "chunks", "offsets"):
            one, other = getattr(first, field), getattr(second, field)
            setattr(first, field, other)
            setattr(second, field, one)


def picture(message: bytes, data: bytes) -> bytes:
    """A serialized CompressedImage with another picture in it."""
    begin, head = _begin(message)
    return message[: begin - head - 4] + (head + len(data)).to_bytes(4, "little") + message[begin - head : begin] + data


def contents(message: bytes) -> bytes:
    """The picture in a serialized CompressedImage."""
    begin, head = _begin(message)
    return message[begin : begin - head + int.from_bytes(message[begin - head - 4 : begin - head], "little")]


def _begin(message: bytes) -> tuple[int, int]:
    """Where a picture begins, and how many bytes of the data stand before it: a depth picture has a header of 12."""
    jpeg = message.find(b"\xff\xd8\xff")
    return (jpeg, 0) if 0 <= jpeg < 200 else (message.find(b"\x89PNG"), 12)


def copied_labels(episode: Spoilt) -> list[dict[str, Any]]:
    """Labels of the sidecar that are intervals, to be changed."""
    found: list[dict[str, Any]] = [one for one in episode.sidecar.get("annotations") or [] if one.get("end_ns")]
    return found
