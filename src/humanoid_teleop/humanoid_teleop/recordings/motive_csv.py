# SPDX-License-Identifier: Apache-2.0
"""CSV exports of OptiTrack Motive (format 1.2x): skeleton bones and rigid bodies, frame by frame.

Format: https://docs.optitrack.com/motive/data-export/data-export-csv. A line of settings; then lines that say for each
column its type, name, id and property (rotation or position); the line of axes, which begins with "Frame"; then the
frames.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from humanoid_core.errors import ConfigError
from humanoid_teleop.mocap.segments import Sample, Segment

_METRES = {"Meters": 1.0, "Centimeters": 0.01, "Millimeters": 0.001}
_KINDS = ("Bone", "Rigid Body")
_AXES = {"Rotation": ("X", "Y", "Z", "W"), "Position": ("X", "Y", "Z")}


def read_motive_csv(path: Path) -> list[Sample]:
    """Every frame; bodies without a pose in a frame are not tracked in it.

    Returns:
        Samples with segments by the name of the bone, without the skeleton's; positions [m].

    Raises:
        ConfigError: it is no such export; names what was found.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(path, "", error, "a CSV export of Motive") from error
    settings = dict(zip(rows[0][::2], rows[0][1::2])) if rows else {}
    if "Format Version" not in settings:
        raise ConfigError(path, "line 1", rows[0][:1] if rows else "nothing", "Format Version: a CSV export of Motive")
    wanted_of = {"Rotation Type": ("Quaternion",), "Coordinate Space": ("Global",), "Length Units": tuple(_METRES)}
    for key, wanted in wanted_of.items():
        if settings.get(key) not in wanted:
            raise ConfigError(path, key, settings.get(key, "nothing"), f"an export with {' or '.join(wanted)}")
    begin = next((number for number, row in enumerate(rows) if row[0] == "Frame"), None)
    heads = {row[1]: row for row in rows[1 : begin or 0] if len(row) > 1 and row[1] in ("Type", "Name")}
    if begin is None or "Type" not in heads or "Name" not in heads:
        raise ConfigError(path, "header", "no lines Type, Name and Frame", "those of an export of bones")
    columns = _columns(heads["Type"], heads["Name"], rows[begin - 1], rows[begin])
    if not columns:
        raise ConfigError(path, "Type", "no column", f"{' or '.join(_KINDS)} with rotation and position")
    return [_sample(path, row, columns, _METRES[settings["Length Units"]]) for row in rows[begin + 1 :]]


def _columns(kinds: list[str], names: list[str], properties: list[str], axes: list[str]) -> dict[str, list[int]]:
    """Columns of rotation x, y, z, w and position x, y, z of each body."""
    places: dict[str, dict[tuple[str, str], int]] = {}
    for column, (kind, name, what, axis) in enumerate(zip(kinds, names, properties, axes)):
        if kind in _KINDS:
            places.setdefault(name.rpartition(":")[2], {})[what, axis] = column
    wanted = [(what, axis) for what, letters in _AXES.items() for axis in letters]
    return {name: [at[key] for key in wanted] for name, at in places.items() if all(key in at for key in wanted)}


def _sample(path: Path, row: list[str], columns: dict[str, list[int]], metres: float) -> Sample:
    try:
        sample = Sample(float(row[1]), int(row[0]))
        for name, places in columns.items():
            words = [row[place] if place < len(row) else "" for place in places]
            if all(words):
                values = np.array(words, dtype=float)
                sample.segments[name] = Segment(metres * values[4:], values[:4])
    except (ValueError, IndexError) as error:
        raise ConfigError(path, f"frame {row[0]}", error, "numbers") from error
    return sample
