# SPDX-License-Identifier: Apache-2.0
"""Why messages may get lost on the way: what Fast DDS's shared memory looks like from this process.

A process maps its own segment, and those of the processes that it hears. A message that does not fit its sender's
segment travels in pieces over UDP, and most of a best-effort image is lost that way. The segment's size is set by the
profile in config/transport/fastdds.xml, which our launch files use.

Only who publishes something that is recorded matters: a service call from a terminal comes from a small segment, too,
and fits it. Whose segment it is stands in /proc/locks, since Fast DDS locks a file beside each; which processes
publish a topic stands in their GUIDs, bytes 4 and 5 of which are the low half of the process id.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SMALL = 16 << 20  # [bytes]; Fast DDS's own default is 512 KiB, ours 64 MiB
_SEGMENT = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) .* (/\S*/fastrtps_[0-9a-f]+)$", re.MULTILINE)
_LOCK = re.compile(r"^\d+: FLOCK +ADVISORY +WRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ", re.MULTILINE)
_PROFILE = "config/transport/fastdds.xml"
_TOPICS_NAMED = 3


@dataclass(frozen=True)
class Segment:
    """A process's shared memory.

    Attributes:
        size: [bytes].
        pid: The process; 0 where that is not known.
        topics: Recorded topics that it publishes.
    """

    size: int
    pid: int = 0
    topics: tuple[str, ...] = ()


def mapped_segments(maps: str) -> dict[str, int]:
    """Size of each shared-memory segment of Fast DDS by path [bytes].

    Args:
        maps: Text of /proc/<pid>/maps.
    """
    sizes: dict[str, int] = {}
    for begin, end, path in _SEGMENT.findall(maps):
        sizes[path] = sizes.get(path, 0) + int(end, 16) - int(begin, 16)
    return sizes


def lock_holders(locks: str) -> dict[int, int]:
    """Process that holds an exclusive lock, by the file's inode.

    Args:
        locks: Text of /proc/locks.
    """
    return {int(inode): int(pid) for pid, inode in _LOCK.findall(locks)}


def largest(owned: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Largest segment [bytes] of each process, from pairs of process and size.

    Where discovery is limited to this machine, rmw_fastrtps adds a transport with a small segment to the profile's;
    messages travel in the profile's.
    """
    sizes: dict[int, int] = {}
    for pid, size in owned:
        sizes[pid] = max(size, sizes.get(pid, 0))
    return sizes


def process_half(gid: Iterable[int]) -> int:
    """Low 16 bits of the id of the process that an endpoint of Fast DDS is in."""
    (half,) = struct.unpack_from("<H", bytes(gid), 4)
    return int(half)


def causes(segments: Iterable[Segment], free: int, name_of: Callable[[int], str]) -> list[str]:
    """What is wrong with the transport, as sentences that say what to do; none where all is well.

    Args:
        segments: Those that this process maps.
        free: Free bytes in the shared-memory file system.
        name_of: Name of a process.
    """
    segments = list(segments)
    if not segments:
        return [f"no shared memory is in use: every message goes through UDP; start with {_PROFILE}"]
    found = []
    for segment in segments:
        if segment.size < SMALL and segment.topics:
            more = len(segment.topics) - _TOPICS_NAMED
            topics = ", ".join(segment.topics[:_TOPICS_NAMED]) + (f" and {more} more" if more > 0 else "")
            found.append(
                f"{name_of(segment.pid)} publishes {topics} through a shared-memory segment of "
                f"{segment.size / 2**20:.1f} MiB: larger messages get lost where they are best effort; start it with "
                f"FASTRTPS_DEFAULT_PROFILES_FILE={_PROFILE} (64 MiB)"
            )
    if free < SMALL:
        found.append(f"/dev/shm has {free / 2**20:.0f} MiB free: enlarge it, for example to 1 GiB")
    return found


def look(rmw: str, publishers: Mapping[str, Iterable[Iterable[int]]]) -> list[str]:
    """`causes` for this process.

    Args:
        rmw: Name of the middleware; nothing is known of others than Fast DDS.
        publishers: GIDs of the publishers of each recorded topic.
    """
    if "fastrtps" not in rmw:
        return []
    topics: dict[int, list[str]] = {}
    for topic, gids in publishers.items():
        for half in {process_half(gid) for gid in gids}:
            topics.setdefault(half, []).append(topic)
    holders = lock_holders(Path("/proc/locks").read_text())
    owned = [
        (holders.get(_inode(f"{path}_el"), 0), size)
        for path, size in mapped_segments(Path("/proc/self/maps").read_text()).items()
    ]
    segments = [Segment(size, pid, tuple(sorted(topics.get(pid & 0xFFFF, ())))) for pid, size in largest(owned).items()]
    status = os.statvfs("/dev/shm")
    return causes(segments, status.f_bavail * status.f_frsize, process_name)


def process_name(pid: int) -> str:
    """What a person knows a process by: its node, or what it was started as; and its id."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it has ended meanwhile
        words = ["one that has ended"]
    nodes = [word.removeprefix("__node:=") for word in words if word.startswith("__node:=")]
    started = " ".join([Path(words[0]).name, *words[1:3]])[:80].strip()
    return f"{nodes[0] if nodes else started} (process {pid})"


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:  # its process has ended meanwhile
        return 0
