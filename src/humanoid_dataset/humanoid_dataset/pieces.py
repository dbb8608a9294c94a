# SPDX-License-Identifier: Apache-2.0
"""One episode's part of a data set, made apart from all others: so that episodes run in parallel, and an export that
was cut off goes on where it was. A piece is a folder that gets its name when it is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from humanoid_dataset.contract import Contract
from humanoid_dataset.errors import ExportError
from humanoid_dataset.rows import Rows, take
from humanoid_dataset.statistics import Statistics
from humanoid_dataset.video import write_videos

VERSION = 1  # of what a piece holds; pieces of another one are made again
_DATA, _ABOUT = "rows.npz", "piece.json"


@dataclass(frozen=True)
class Piece:
    """A finished piece.

    Attributes:
        folder: With the videos of an episode, `<camera>.mp4`.
        rows: How many.
        about: Episode, task, sizes of pictures, statistics.
    """

    folder: Path
    rows: int
    about: dict[str, Any]

    def data(self) -> dict[str, np.ndarray]:
        """Its arrays: state, action, valid, subtask (index into `about["subtasks"]`, -1: none)."""
        with np.load(self.folder / _DATA) as kept:
            return dict(kept)


def key_of(folder: Path, contract: Contract, kind: str) -> str:
    """Name of an episode's piece: another one as soon as the episode, the contract or this program differ."""
    sidecar = folder / "episode.yaml"
    said = sidecar.read_bytes() if sidecar.exists() else str(folder.resolve()).encode()  # with the bag's SHA-256
    text = b"\n".join((str(VERSION).encode(), kind.encode(), contract.digest.encode(), said))
    return f"{folder.name}_{hashlib.sha256(text).hexdigest()[:12]}"


def find_piece(place: Path) -> Piece | None:
    """A finished piece; None where there is none."""
    if not (place / _ABOUT).exists():
        return None
    about = json.loads((place / _ABOUT).read_text())
    return Piece(place, about["rows"], about)


def make_piece(folder: Path, contract: Contract, kind: str, place: Path) -> Piece:
    """Turn an episode into a piece; one that is there already is taken.

    Raises:
        HumanoidError: the episode cannot be used.
    """
    found = find_piece(place)
    if found is not None:
        return found
    staged = place.with_name(place.name + ".part")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        rows = take(folder, contract)
        about = _about(rows)
        if kind == "hdf5":
            _write_hdf5(rows, staged / "episode.hdf5", contract)
        else:
            cameras = write_videos(folder, rows, staged, contract.fps, contract.video)
            about["cameras"] = {name: list(camera.size) for name, camera in cameras.items()}
            for name, camera in cameras.items():
                about["stats"][f"observation.images.{name}"] = camera.statistics.as_dict(image=True)
            subtask = [about["subtasks"].index(name) if name else -1 for name in rows.subtasks]
            np.savez(
                staged / _DATA,
                state=rows.state.astype(np.float32),
                action=rows.action.astype(np.float32),
                valid=rows.valid,
                subtask=np.array(subtask, np.int64),
            )
        (staged / _ABOUT).write_text(json.dumps(about))
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    staged.rename(place)
    return Piece(place, about["rows"], about)


def _about(rows: Rows) -> dict[str, Any]:
    stats = {}
    for name, values in (("observation.state", rows.state), ("action", rows.action)):
        statistics = Statistics(values.shape[1])
        statistics.add(values)
        stats[name] = statistics.as_dict()
    entry = rows.entry
    return {
        "rows": len(rows.instants),
        "episode": entry.id,
        "robot": entry.robot,
        "task": entry.instruction or entry.task or "no instruction",
        "outcome": entry.outcome,
        "sha256": entry.sha256,
        "begin_ns": int(rows.instants[0]),
        "repeated": int((~rows.valid).sum()),
        "subtasks": sorted({name for name in rows.subtasks if name}),
        "cameras": {name: [] for name in rows.pictures},
        "stats": stats,
    }


def _write_hdf5(rows: Rows, path: Path, contract: Contract) -> None:
    """As ALOHA has it: qpos, action, JPEGs padded to one length with `compress_len`; robomimic's names as links."""
    raw = sorted(set(rows.pictures) - set(rows.kept))
    if raw:
        raise ExportError(f"{rows.entry.id}: found raw pictures of {', '.join(raw)}, expected compressed ones for HDF5")
    with h5py.File(path, "w") as file:
        file.attrs.update(sim=False, compress=True, fps=contract.fps, episode=rows.entry.id, sha256=rows.entry.sha256)
        file.attrs["instruction"] = rows.entry.instruction
        file["/observations/qpos"] = rows.state.astype(np.float32)
        file["/action"] = rows.action.astype(np.float32)
        file["/timestamp"] = np.arange(len(rows.instants)) / contract.fps
        file["/valid"] = rows.valid
        file["/subtask"] = np.array([name.encode() for name in rows.subtasks])
        lengths = []
        for name, stamps in rows.pictures.items():
            by_stamp = {int(np.frombuffer(p, "<i4", 1, 4)[0]) * 10**9 + int(np.frombuffer(p, "<u4", 1, 8)[0]): p
                        for p in rows.kept[name]}  # fmt: skip
            jpegs = [by_stamp[stamp][by_stamp[stamp].find(b"\xff\xd8") :] for stamp in stamps.tolist()]
            lengths.append([len(jpeg) for jpeg in jpegs])
            longest = max(lengths[-1])
            made = file.create_dataset(f"/observations/images/{name}", (len(jpegs), longest), "u1", chunks=(1, longest))
            for i, jpeg in enumerate(jpegs):
                made[i, : len(jpeg)] = np.frombuffer(jpeg, np.uint8)
            if made.shape[0] != len(rows.instants):
                raise ExportError(f"{path.name}: found {made.shape[0]} pictures, expected {len(rows.instants)}")
        file["/compress_len"] = np.array(lengths)
        demo = file.create_group("/data/demo_0")
        demo.attrs["num_samples"] = len(rows.instants)
        demo["actions"] = h5py.SoftLink("/action")
        demo["obs/qpos"] = h5py.SoftLink("/observations/qpos")
        for name in rows.pictures:
            demo[f"obs/{name}_image"] = h5py.SoftLink(f"/observations/images/{name}")
