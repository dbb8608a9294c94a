# SPDX-License-Identifier: Apache-2.0
"""The writers there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from humanoid_recorder.sqlite_bag import SqliteWriter
from humanoid_recorder.writers import BagWriter, McapWriter, Rosbag2Writer

BACKENDS: dict[str, Callable[[Path, str, float, str], BagWriter]] = {
    "mcap": McapWriter,
    "sqlite3": SqliteWriter,
    "rosbag2": Rosbag2Writer,
}
