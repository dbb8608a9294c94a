# SPDX-License-Identifier: Apache-2.0
"""Shared memory before the nodes start: room for every process's segment, and none left over from a crash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
SEGMENT = 64 * 2**20  # [bytes] as in config/transport/fastdds.xml
PROCESSES = 12  # of a whole robot with its station


def free_bytes(place: Path = SHARED_MEMORY) -> int:
    """Bytes free in the shared-memory file system; 0 where there is none."""
    try:
        status = os.statvfs(place)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def shortage(free: int, processes: int = PROCESSES) -> str:
    """What to do where `free` [bytes] is too little for the segments of that many processes; "" where it will do."""
    needed = processes * SEGMENT
    if free >= needed:
        return ""
    return (
        f"shared memory: {free / 2**20:.0f} MiB free in {SHARED_MEMORY}, {needed / 2**20:.0f} MiB wanted for "
        f"{processes} processes; large images may get lost. "
        f"Enlarge it: mount -o remount,size=1G {SHARED_MEMORY} (in a container: --shm-size=1g)"
    )


def remove_stale_segments() -> None:
    """Let Fast DDS's own tool remove segments whose process is gone."""
    tool = shutil.which("fastdds")
    if tool:
        subprocess.run([tool, "shm", "clean"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
