# SPDX-License-Identifier: Apache-2.0
"""Writes data sets in LeRobot's formats, v3.0 and v2.1, with GR00T's modality.json, from finished pieces."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from humanoid_dataset.contract import Contract, named_joints
from humanoid_dataset.errors import ExportError
from humanoid_dataset.pieces import Piece
from humanoid_dataset.statistics import Statistics
from humanoid_dataset.video import count_frames, join

CHUNK = 1000  # files in a folder
DATA_MB, VIDEO_MB = 100, 200  # of v3's files, at most
SUBTASK = "annotation.human.subtask"
VALID = "observation.valid"


class DataSet:
    """One data set, written from pieces in order.

    Args:
        root: Where it goes; a folder that is not there yet.
        pieces: Of all episodes.
        contract: That they were made by.
    """

    def __init__(self, root: Path, pieces: list[Piece], contract: Contract) -> None:
        self._root, self._pieces, self._contract = root, pieces, contract
        first = pieces[0].about
        self._cameras: dict[str, list[int]] = first["cameras"]
        for piece in pieces:
            if piece.about["cameras"] != self._cameras or piece.about["robot"] != first["robot"]:
                raise ExportError(
                    f"{piece.about['episode']}: found {piece.about['robot']} with cameras {piece.about['cameras']}, "
                    f"expected {first['robot']} with {self._cameras}, as {first['episode']} has them"
                )
        self._robot: str = first["robot"]
        words = [piece.about["task"] for piece in pieces] + [s for piece in pieces for s in piece.about["subtasks"]]
        self._tasks = list(dict.fromkeys([*words, ""]))  # "": no sub-task
        (root / "meta").mkdir(parents=True)

    def write(self, version: str) -> None:
        """Write everything.

        Args:
            version: "v3.0" or "v2.1".

        Raises:
            ExportError: frames are not rows.
        """
        if version == "v3.0":
            self._write_v3()
        else:
            self._write_v21()
        self._json("meta/info.json", self._info(version))
        self._json("meta/modality.json", self._modality())
        self._json("meta/stats.json", self._joined([piece.about["stats"] for piece in self._pieces]))
        sources = [
            {k: piece.about[k] for k in ("episode", "sha256", "outcome", "begin_ns", "repeated")}
            for piece in self._pieces
        ]
        self._json("meta/sources.json", {"contract_sha256": self._contract.digest, "episodes": sources})

    # --- v3.0: few large files ---

    def _write_v3(self) -> None:
        tasks = pa.table({"task_index": list(range(len(self._tasks))), "task": self._tasks})
        columns = [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": plain, "metadata": None}
            for name, kind, plain in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
        ]
        # Readers look tasks up by the index of the data frame.
        pandas = {"index_columns": ["task"], "column_indexes": [], "pandas_version": "2.0.0", "columns": columns}
        pq.write_table(tasks.replace_schema_metadata({"pandas": json.dumps(pandas)}), self._root / "meta/tasks.parquet")
        rows: list[dict[str, Any]] = [self._episode_row(i, piece) for i, piece in enumerate(self._pieces)]
        for file, group in enumerate(_groups([self._table(i).nbytes for i in range(len(self._pieces))], DATA_MB)):
            path = self._path("data", file, "parquet")
            with pq.ParquetWriter(path, self._table(group[0]).schema) as writer:
                for i in group:
                    writer.write_table(self._table(i))
                    rows[i] |= {"data/chunk_index": file // CHUNK, "data/file_index": file % CHUNK}
        for name in self._cameras:
            key = f"observation.images.{name}"
            parts = [piece.folder / f"{name}.mp4" for piece in self._pieces]
            for file, group in enumerate(_groups([part.stat().st_size for part in parts], VIDEO_MB)):
                path = self._path(f"videos/{key}", file, "mp4")
                join([parts[i] for i in group], path)
                found, expected = count_frames(path), sum(self._pieces[i].rows for i in group)
                if found != expected:
                    raise ExportError(f"{path}: found {found} frames, expected {expected}, one for each row")
                begin = 0
                for i in group:
                    end = begin + self._pieces[i].rows
                    rows[i] |= {
                        f"videos/{key}/chunk_index": file // CHUNK,
                        f"videos/{key}/file_index": file % CHUNK,
                        f"videos/{key}/from_timestamp": begin / self._contract.fps,
                        f"videos/{key}/to_timestamp": end / self._contract.fps,
                    }
                    begin = end
        pq.write_table(pa.Table.from_pylist(rows), self._path("meta/episodes", 0, "parquet"))

    def _episode_row(self, i: int, piece: Piece) -> dict[str, Any]:
        begin = sum(earlier.rows for earlier in self._pieces[:i])
        row = {
            "episode_index": i,
            "tasks": [piece.about["task"]],
            "length": piece.rows,
            "dataset_from_index": begin,
            "dataset_to_index": begin + piece.rows,
            "meta/episodes/chunk_index": 0,
            "meta/episodes/file_index": 0,
        }
        for feature, stats in piece.about["stats"].items():
            row |= {f"stats/{feature}/{name}": value for name, value in stats.items()}
        return row

    # --- v2.1: a file for each episode ---

    def _write_v21(self) -> None:
        self._lines("meta/tasks.jsonl", ({"task_index": i, "task": task} for i, task in enumerate(self._tasks)))
        lengths = [
            {"episode_index": i, "tasks": [piece.about["task"]], "length": piece.rows}
            for i, piece in enumerate(self._pieces)
        ]
        self._lines("meta/episodes.jsonl", iter(lengths))
        stats = ({"episode_index": i, "stats": piece.about["stats"]} for i, piece in enumerate(self._pieces))
        self._lines("meta/episodes_stats.jsonl", stats)
        for i, piece in enumerate(self._pieces):
            folder = self._root / f"data/chunk-{i // CHUNK:03d}"
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(self._table(i), folder / f"episode_{i:06d}.parquet")
            for name in self._cameras:
                folder = self._root / f"videos/chunk-{i // CHUNK:03d}/observation.images.{name}"
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"episode_{i:06d}.mp4"
                shutil.copyfile(piece.folder / f"{name}.mp4", path)
                if count_frames(path) != piece.rows:
                    raise ExportError(f"{path}: found other than {piece.rows} frames, expected one for each row")

    # --- what both have ---

    def _table(self, i: int) -> pa.Table:
        piece = self._pieces[i]
        data, n = piece.data(), piece.rows
        begin = sum(earlier.rows for earlier in self._pieces[:i])
        index = {name: self._tasks.index(name) for name in piece.about["subtasks"]}
        subtasks = np.array([*(index[name] for name in piece.about["subtasks"]), self._tasks.index("")], np.int64)
        columns = {
            "observation.state": _vectors(data["state"]),
            "action": _vectors(data["action"]),
            VALID: pa.array(data["valid"].astype(np.int64)),
            SUBTASK: pa.array(subtasks[data["subtask"]]),
            "timestamp": pa.array((np.arange(n) / self._contract.fps).astype(np.float32)),
            "frame_index": pa.array(np.arange(n)),
            "episode_index": pa.array(np.full(n, i)),
            "index": pa.array(np.arange(begin, begin + n)),
            "task_index": pa.array(np.full(n, self._tasks.index(piece.about["task"]))),
        }
        return pa.table(columns)

    def _info(self, version: str) -> dict[str, Any]:
        fps, count = self._contract.fps, len(self._pieces)
        common = {
            "codebase_version": version,
            "robot_type": self._robot,
            "total_episodes": count,
            "total_frames": sum(piece.rows for piece in self._pieces),
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK,
            "fps": fps,
            "splits": {"train": f"0:{count}"},
        }
        if version == "v3.0":
            paths = {
                "data_files_size_in_mb": DATA_MB,
                "video_files_size_in_mb": VIDEO_MB,
                "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
                "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
            }
        else:
            paths = {
                "total_videos": count * len(self._cameras),
                "total_chunks": -(-count // CHUNK),
                "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
                "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
            }
        return common | paths | {"features": self._features()}

    def _features(self) -> dict[str, Any]:
        fps = self._contract.fps
        features: dict[str, Any] = {}
        for name, joints in (("observation.state", self._contract.state), ("action", self._contract.action)):
            names, _ = named_joints(joints, self._robot)
            features[name] = {"dtype": "float32", "shape": [len(names)], "names": names}
        for name, (height, width) in self._cameras.items():
            codec = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "av1"}.get(self._contract.video.codec, "")
            features[f"observation.images.{name}"] = {
                "dtype": "video",
                "shape": [height, width, 3],
                "names": ["height", "width", "channels"],
                "info": {
                    "video.height": height, "video.width": width, "video.codec": codec or self._contract.video.codec,
                    "video.pix_fmt": "yuvj420p", "video.is_depth_map": False, "video.fps": fps, "video.channels": 3,
                    "has_audio": False,
                },
            }  # fmt: skip
        for name, kind in ((VALID, "int64"), (SUBTASK, "int64"), ("timestamp", "float32"), ("frame_index", "int64"),
                           ("episode_index", "int64"), ("index", "int64"), ("task_index", "int64")):  # fmt: skip
            features[name] = {"dtype": kind, "shape": [1], "names": None}
        return features

    def _modality(self) -> dict[str, Any]:
        """GR00T's names for slices of the vectors, for videos and annotations."""
        found: dict[str, Any] = {}
        for kind, joints in (("state", self._contract.state), ("action", self._contract.action)):
            _, parts = named_joints(joints, self._robot)
            found[kind] = {name: {"start": begin, "end": end} for name, (begin, end) in parts.items()}
        found["video"] = {name: {"original_key": f"observation.images.{name}"} for name in self._cameras}
        found["annotation"] = {
            "human.task_description": {"original_key": "task_index"},
            "human.subtask": {"original_key": SUBTASK},
        }
        return found

    def _joined(self, all_stats: list[dict[str, Any]]) -> dict[str, Any]:
        joined = {}
        for feature, first in all_stats[0].items():
            statistics = Statistics(int(np.size(first["mean"])))
            for stats in all_stats:
                statistics.join(stats[feature])
            joined[feature] = statistics.as_dict(image=".images." in feature)
        return joined

    def _path(self, folder: str, file: int, end: str) -> Path:
        path = self._root / folder / f"chunk-{file // CHUNK:03d}" / f"file-{file % CHUNK:03d}.{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _json(self, name: str, data: Any) -> None:
        (self._root / name).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")

    def _lines(self, name: str, rows: Iterator[dict[str, Any]]) -> None:
        with open(self._root / name, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + os.linesep for row in rows)


def _vectors(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _groups(sizes: list[int], megabytes: int) -> Iterator[list[int]]:
    """Indices of what goes into one file, of at most so many megabytes unless one alone is larger."""
    group: list[int] = []
    for i, size in enumerate(sizes):
        if group and sum(sizes[k] for k in group) + size > megabytes * 1_000_000:
            yield group
            group = []
        group.append(i)
    if group:
        yield group
