# SPDX-License-Identifier: Apache-2.0
"""A recording in columns: every stream's samples in order of arrival, and their stamps in host time."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from humanoid_sync.aligner import clock_models
from humanoid_sync.clock_model import ClockModel
from humanoid_sync.readers import stamps_ns
from humanoid_sync.streams import Plan


@dataclass
class Messages:
    """One topic as it was read, in order of arrival.

    Attributes:
        order: Place of each among all messages of the recording.
        arrivals: [ns].
        payloads: CDR bytes; of streams without values, at least the first 12.
    """

    order: array = field(default_factory=lambda: array("q"))
    arrivals: array = field(default_factory=lambda: array("q"))
    payloads: list[bytes] = field(default_factory=list)

    def add(self, order: int, arrival: int, payload: bytes) -> None:
        self.order.append(order)
        self.arrivals.append(arrival)
        self.payloads.append(payload)


@dataclass
class Recording:
    """What was recorded: streams by name, pairs of clocks by name as (order, device stamp, arrival) [ns]."""

    streams: dict[str, Messages]
    pairs: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    length: int = 0  # messages, pairs included

    @classmethod
    def of(cls, plan: Plan) -> Recording:
        """An empty one."""
        return cls({stream.name: Messages() for stream in plan.streams}, {name: [] for name in plan.clocks})

    def add(self, name: str, payload: bytes, arrival: int) -> None:
        """The next message, of a stream; without a time of arrival (simulated time had not begun) it is left out."""
        if arrival <= 0:
            return
        self.streams[name].add(self.length, arrival, payload)
        self.length += 1

    def add_pair(self, clock: str, device: int, arrival: int) -> None:
        """The next message, a pair of a clock."""
        self.pairs[clock].append((self.length, device, arrival))
        self.length += 1


@dataclass(frozen=True)
class Samples:
    """A stream in columns, (n,) each, in order of arrival: place among all messages, arrival, device or host stamp as
    it came, stamp in host time [ns], its uncertainty [s]; and the messages."""

    order: np.ndarray
    arrivals: np.ndarray
    sources: np.ndarray
    stamps: np.ndarray
    doubts: np.ndarray
    payloads: list[bytes]


def in_host_time(plan: Plan, recording: Recording) -> tuple[dict[str, Samples], dict[str, ClockModel]]:
    """Every stream's stamps in host time, as the live core would have converted each on arrival.

    Returns:
        Samples by stream, and the clock models as they ended.

    Raises:
        MessageError: a message cannot be read.
    """
    raw = {}
    for stream in plan.streams:
        found = recording.streams[stream.name]
        order, arrivals = (np.array(column, dtype=np.int64) for column in (found.order, found.arrivals))  # copies
        raw[stream.name] = (order, arrivals, stamps_ns(found.payloads, stream.stamp), found.payloads)
    models = clock_models(plan)
    histories = {}
    for name, model in models.items():
        columns = np.array(recording.pairs[name], dtype=np.int64).reshape(-1, 3)
        if plan.clocks[name].pairs == "streams":
            own = [raw[stream.name] for stream in plan.streams if stream.clock == name]
            parts = [columns, *(np.stack([order, sources, arrivals], axis=1) for order, arrivals, sources, _ in own)]
            columns = np.concatenate(parts)
            columns = columns[np.argsort(columns[:, 0], kind="stable")]
        histories[name] = _History(model, columns)
    early, late = -round(plan.host_tolerance * 1e9), round(plan.host_latency * 1e9)
    samples = {}
    for stream in plan.streams:
        order, arrivals, sources, payloads = raw[stream.name]
        if stream.clock:
            stamps, doubts = histories[stream.clock].convert(order, sources, arrivals)
        else:
            ages = arrivals - sources
            stamps = sources
            doubts = np.where((ages >= early) & (ages <= late), 0.0, np.nan)
        stamps = stamps - round(stream.latency * 1e9)
        samples[stream.name] = Samples(order, arrivals, sources, stamps, doubts, payloads)
    return samples, models


class _History:
    """A clock model's line after each pair, so that many stamps can be converted at once.

    Args:
        model: Fresh; takes the pairs.
        pairs: (n, 3): place among all messages, device stamp, arrival [ns].
    """

    def __init__(self, model: ClockModel, pairs: np.ndarray) -> None:
        self._model, self._order, self._arrivals = model, pairs[:, 0], pairs[:, 2]
        changed, self._lines, self._devices = model.add_all(pairs[:, 1], pairs[:, 2])
        self._version = np.repeat(np.arange(len(changed)), np.diff([*changed, len(pairs)]))

    def convert(self, order: np.ndarray, sources: np.ndarray, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As ClockModel.to_host at the time of each message; a message's own pair counts."""
        pair = np.searchsorted(self._order, order, side="right") - 1
        known = pair >= 0
        stamps, doubts = sources.copy(), np.full(len(sources), np.nan)
        if not known.any():
            return stamps, doubts
        pair, device, arrived = pair[known], sources[known], arrivals[known]
        if self._model.wraps:
            expected = self._devices[pair] + arrived - self._arrivals[pair]
            half = self._model.wraps // 2
            device = expected + (device - expected + half) % self._model.wraps - half
        version = self._version[pair]
        columns = list(zip(*self._lines))
        at, base = (np.array(column, dtype=np.int64)[version] for column in columns[:2])
        offset, slope, doubt, slope_doubt = (np.array(column)[version] for column in columns[2:])
        apart = device - at
        stamps[known] = device + base + np.rint(offset + slope * apart).astype(np.int64)
        doubts[known] = (doubt + slope_doubt * np.abs(apart)) * 1e-9
        return stamps, doubts
