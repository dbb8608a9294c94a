# SPDX-License-Identifier: Apache-2.0
"""An episode as rows at a fixed rate, aligned by the core that the live time synchronisation runs.

Row k stands for an instant, a multiple of the period. Measured joints are interpolated, commands hold until the next
one, pictures are the nearest ones. Rows begin when every stream has begun and end when the first one ends, inside what
the operator recorded (pre-roll apart). A stream that is missing in between is never bridged silently: the episode is
refused, or, within `missing` of the contract, the row repeats the one before and says valid = 0.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from humanoid_dataset import bag
from humanoid_dataset.contract import Contract, Joints, named_joints
from humanoid_dataset.entries import Entry, LabelEntry, read_entry
from humanoid_dataset.errors import ExportError
from humanoid_sync.batch import Batch, Column, align
from humanoid_sync.frames import Flag
from humanoid_sync.recording import Recording
from humanoid_sync.streams import Plan, Stream

_JOINTS = "sensor_msgs/msg/JointState"
_PICTURES = ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image")
_RAW = "sensor_msgs/msg/Image"  # too large to be kept: read once more when it is encoded
_HEAD = 12  # bytes that hold a stamp


@dataclass(frozen=True)
class Rows:
    """One episode at a fixed rate.

    Attributes:
        entry: What is known of the episode.
        instants: (n,) [ns].
        state: (n, joints) [rad or m].
        action: (n, joints) [rad or m].
        valid: (n,) bool; False where a stream had a gap and the row before is repeated.
        subtasks: Sub-task label of each row; empty where none was given.
        pictures: By camera, stamp of the picture of each row, (n,) [ns].
        topics: By camera, the full name of the topic with its pictures.
        kept: By camera, its compressed pictures, serialized, in order of arrival; a camera with raw ones has none.
    """

    entry: Entry
    instants: np.ndarray
    state: np.ndarray
    action: np.ndarray
    valid: np.ndarray
    subtasks: list[str]
    pictures: dict[str, np.ndarray]
    topics: dict[str, str]
    kept: dict[str, list[bytes]]


def bag_of(folder: Path) -> Path:
    """The one MCAP file of an episode.

    Raises:
        ExportError: there is none, or more than one.
    """
    bags = sorted(folder.glob("*.mcap"))
    if len(bags) != 1:
        raise ExportError(f"{folder}: found {len(bags)} MCAP files, expected one")
    return bags[0]


def take(folder: Path, contract: Contract) -> Rows:
    """Align an episode.

    Raises:
        ExportError: it lacks what the contract asks for, or has gaps beyond what it allows.
        HumanoidError: it cannot be read.
    """
    entry = read_entry(folder)
    path = bag_of(folder)
    try:
        found = bag.read_index(path)
        types = {full: topic.type for full, topic in found.items()}
        topics = _topics(types, contract, folder)
        whole = {name: types[full] != _RAW for name, full in topics.items()}
        heads: dict[str, list[tuple[int, bytes]]] = {}
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for name, full in topics.items():
                topic, unpacked = found[full], dict[int, bytes]()
                if not topic.heavy:
                    payloads = topic.payloads()
                elif whole[name]:
                    payloads = [bag.heavy_payload(data, topic, i, unpacked) for i in range(len(topic.starts))]
                else:
                    payloads = [topic.payload(i)[:_HEAD] for i in range(len(topic.starts))]
                heads[name] = list(zip(topic.received.tolist(), payloads))
    except bag.Untrue as reason:
        raise ExportError(
            f"{folder}: found a bag without a true index ({reason}), expected a whole one (`recover` it first)"
        ) from reason
    except OSError as error:
        raise ExportError(f"{folder}: found {error}, expected a bag that can be read") from error
    heads["action"] = _settled(heads["action"])
    for name, full in topics.items():
        if len(heads[name]) < 2:
            raise ExportError(f"{folder}: found {len(heads[name])} messages of {full}, expected a stream")
    plan = _plan(heads, types, topics, contract)
    recording = Recording.of(plan)
    merged = sorted((at, i, name) for name, found in heads.items() for i, (at, _) in enumerate(found))
    for at, i, name in merged:
        recording.add(name, heads[name][i][1], at)
    batch = align(plan, recording, look_ahead=True)
    return _rows(entry, batch, heads, topics, contract, folder)


def _settled(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Joint messages from where they name the joints that the last one names: at first not all may be commanded."""
    if not found:
        return found
    part = _part(found[-1][1])
    return found[next(i for i, (_, payload) in enumerate(found) if payload.startswith(part, _HEAD)) :]


def _topics(types: dict[str, str], contract: Contract, folder: Path) -> dict[str, str]:
    """Full topic of "state", "action" and each camera."""
    ends = [topic.removesuffix(contract.state.topic) for topic in types if topic.endswith(f"/{contract.state.topic}")]
    if len(ends) != 1:
        raise ExportError(f"{folder}: found {len(ends)} topics {contract.state.topic}, expected one robot's")
    found = {"state": ends[0] + contract.state.topic, "action": ends[0] + contract.action.topic}
    cameras = contract.cameras or {
        topic.removeprefix(f"{ends[0]}camera/").split("/")[0]: "/".join(topic.removeprefix(ends[0]).split("/")[:3])
        for topic in sorted(types)
        if topic.startswith(f"{ends[0]}camera/") and topic.split("/color/")[-1].startswith("image_raw")
    }
    for name, topic in cameras.items():
        options = [f"{ends[0]}{topic}/image_raw/compressed", f"{ends[0]}{topic}/image_raw", f"{ends[0]}{topic}"]
        found[name] = next((option for option in options if types.get(option) in _PICTURES), options[0])
    missing = sorted(full for full in found.values() if full not in types)
    if missing:
        raise ExportError(f"{folder}: found no {', '.join(missing)}, expected what the contract asks for")
    return found


def _plan(
    heads: dict[str, list[tuple[int, bytes]]], types: dict[str, str], topics: dict[str, str], contract: Contract
) -> Plan:
    streams = []
    for name, found in heads.items():
        arrivals = np.array([at for at, _ in found])
        period = float(np.median(np.diff(arrivals))) * 1e-9 or 1e-3
        values = name in ("state", "action")
        streams.append(
            Stream(
                name,
                topics[name],
                types[topics[name]],
                1.0 / period,
                {"state": "linear", "action": "previous"}.get(name, "nearest"),  # type: ignore[arg-type]
                tolerance=max(contract.tolerance, 0.55 * period),
                max_gap=max(contract.tolerance, 1.05 * period),
                values=values,
            )
        )
    return Plan(rate=float(contract.fps), deadline=0.15, streams=streams)


def _rows(
    entry: Entry,
    batch: Batch,
    heads: dict[str, list[tuple[int, bytes]]],
    topics: dict[str, str],
    contract: Contract,
    folder: Path,
) -> Rows:
    columns = {column.name: column for column in batch.columns}
    lost = int(Flag.MISSING | Flag.INTERPOLATED_GAP)
    there = {name: (column.first >= 0) & (column.flags & lost == 0) for name, column in columns.items()}
    inside = batch.instants >= entry.start_ns
    if entry.duration > 0:
        inside &= batch.instants <= entry.start_ns + round(entry.duration * 1e9)
    begun = [np.flatnonzero(mask & inside) for mask in there.values()]
    if not all(len(found) for found in begun):
        raise ExportError(f"{folder}: found streams that never meet, expected all of them at some instant")
    window = slice(max(int(found[0]) for found in begun), min(int(found[-1]) for found in begun) + 1)
    valid = np.logical_and.reduce([mask[window] for mask in there.values()])
    if len(valid) < 2:
        raise ExportError(f"{folder}: found {len(valid)} rows with all streams, expected some")
    gaps = 1.0 - float(valid.mean())
    if gaps > contract.missing:
        worst = min(there, key=lambda name: int(there[name][window].sum()))
        count = int((~there[worst][window]).sum())
        raise ExportError(
            f"{folder}: found {topics[worst]} missing in {count} of {len(valid)} rows, "
            f"expected at most {100 * contract.missing:g} %"
        )
    source = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), 0))  # of a row with a gap, the one before
    first = int(np.argmax(valid))
    source = source[first:]
    rows = source + window.start
    instants = batch.instants[window.start + first : window.stop]
    state = _vector(columns["state"], heads["state"], contract.state, entry.robot, folder)[rows]
    measured = dict(zip(_names(heads["state"][0][1])[0], columns["state"].values.T))
    action = _vector(columns["action"], heads["action"], contract.action, entry.robot, folder, measured)[rows]
    pictures = {
        name: batch.samples[name].sources[column.first[rows]]
        for name, column in columns.items()
        if name not in ("state", "action")
    }
    cameras = {name: topics[name] for name in pictures}
    kept = {name: [payload for _, payload in heads[name]] for name in pictures if len(heads[name][0][1]) > _HEAD}
    subtasks = _subtasks(entry.labels, instants)
    return Rows(entry, instants, state, action, valid[first:], subtasks, pictures, cameras, kept)


def _vector(
    column: Column,
    found: list[tuple[int, bytes]],
    joints: Joints,
    robot: str,
    folder: Path,
    measured: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> np.ndarray:
    """Positions of the contract's joints in all frames, (frames, joints); where nobody commands one, as measured."""
    names, _ = _names(found[0][1])
    part = _part(found[0][1])
    if not all(payload.startswith(part, _HEAD) for _, payload in found):
        raise ExportError(f"{folder}: found {joints.topic} with changing joints, expected the same in all messages")
    wanted, _ = named_joints(joints, robot)
    missing = [name for name in wanted if name not in names and name not in measured]
    if missing:
        raise ExportError(
            f"{folder}: found no {', '.join(missing[:4])} in {joints.topic}, expected the contract's joints"
        )
    return np.column_stack(
        [column.values[:, names.index(name)] if name in names else measured[name] for name in wanted]
    )


def _part(payload: bytes) -> bytes:
    """What names the joints in a serialized JointState."""
    return payload[_HEAD : _names(payload)[1]]


def _names(payload: bytes) -> tuple[list[str], int]:
    """Joint names in a serialized JointState, and where they end."""

    def string(at: int) -> tuple[str, int]:
        at += (4 - at) % 4
        (length,) = struct.unpack_from("<I", payload, at)
        return payload[at + 4 : at + 3 + length].decode(), at + 4 + length

    _, at = string(_HEAD)
    at += (4 - at) % 4
    (count,) = struct.unpack_from("<I", payload, at)
    at += 4
    names = []
    for _ in range(count):
        name, at = string(at)
        names.append(name)
    return names, at


def _subtasks(labels: list[LabelEntry], instants: np.ndarray) -> list[str]:
    """Label of the newest interval around each instant."""
    found = np.full(len(instants), -1)
    intervals = sorted((label for label in labels if label.end_ns > label.start_ns), key=lambda label: label.start_ns)
    intervals = [label for label in intervals if label.label != "sync_warning"]
    for i, label in enumerate(intervals):
        found[(instants >= label.start_ns) & (instants < label.end_ns)] = i
    return [intervals[i].label if i >= 0 else "" for i in found.tolist()]
