# SPDX-License-Identifier: Apache-2.0
"""Why messages may get lost on the way: what Fast DDS's shared memory looks like from this process.

A process maps its own segment, and those of the processes that it hears. A message that does not fit its sender's
segment travels in pieces over UDP, and most of a best-effort image is lost that way. The segment's size is set by the
profile in config/transport/fastdds.xml, which our launch files use.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

SMALL = 16 << 20  # [bytes]; Fast DDS's own default is 512 KiB, ours 64 MiB
_SEGMENT = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .* (/\S*/fastrtps_[0-9a-f]+)$", re.MULTILINE)
_PROFILE = "config/transport/fastdds.xml"


def mapped_segments(maps: str) -> dict[str, int]:
    """Size of each shared-memory segment of Fast DDS by path [bytes].

    Args:
        maps: Text of /proc/<pid>/maps.
    """
    sizes: dict[str, int] = {}
    for begin, end, path in _SEGMENT.findall(maps):
        sizes[path] = sizes.get(path, 0) + int(end, 16) - int(begin, 16)
    return sizes


def causes(segments: dict[str, int], free: int) -> list[str]:
    """What is wrong with the transport, as sentences that say what to do; none where all is well.

    Args:
        segments: As `mapped_segments` gives them.
        free: Free bytes in the shared-memory file system.
    """
    if not segments:
        return [f"no shared memory is in use: every message goes through UDP; start with {_PROFILE}"]
    found = []
    small = [size for size in segments.values() if size < SMALL]
    if small:
        found.append(
            f"{len(small)} of {len(segments)} processes here have a shared-memory segment of {min(small) / 2**20:.1f} "
            f"MiB: larger messages get lost where they are best effort; start them with {_PROFILE} (64 MiB)"
        )
    if free < SMALL:
        found.append(f"/dev/shm has {free / 2**20:.0f} MiB free: enlarge it, for example to 1 GiB")
    return found


def look(rmw: str) -> list[str]:
    """`causes` for this process.

    Args:
        rmw: Name of the middleware; nothing is known of others than Fast DDS.
    """
    if "fastrtps" not in rmw:
        return []
    status = os.statvfs("/dev/shm")
    return causes(mapped_segments(Path("/proc/self/maps").read_text()), status.f_bavail * status.f_frsize)
