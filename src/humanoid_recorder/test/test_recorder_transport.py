# SPDX-License-Identifier: Apache-2.0
"""The self-check of the transport: it names the cause, and sees the segment of a process that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from recording_rig import SECOND, make, traffic

from humanoid_recorder.settings import Request
from humanoid_recorder.transport_check import SMALL, causes, mapped_segments

ROOT = Path(__file__).parents[3]
MAPS = """\
7fcc424f7000-7fcc467f8000 rw-s 00000000 00:1b 12 /dev/shm/fastrtps_95cf1a4643b846fe
7fcc467f8000-7fcc467f9000 rw-s 00000000 00:1b 13 /dev/shm/fastrtps_port7411
7fcc50000000-7fcc50086000 rw-s 00000000 00:1b 14 /dev/shm/fastrtps_1d46e14bdefc786a
7fcc60000000-7fcc60086000 r-xp 00000000 00:1b 15 /usr/lib/libfastrtps.so.2.14
"""


def test_small_segments_are_named_with_what_to_do() -> None:
    sizes = mapped_segments(MAPS)
    assert sizes == {"/dev/shm/fastrtps_95cf1a4643b846fe": 70258688, "/dev/shm/fastrtps_1d46e14bdefc786a": 548864}
    (cause,) = causes(sizes, 1 << 30)
    assert "1 of 2 processes" in cause
    assert "0.5 MiB" in cause
    assert "fastdds.xml" in cause
    assert causes({"a": 64 << 20}, 1 << 30) == []
    assert "enlarge" in causes({"a": 64 << 20}, 1 << 20)[0]
    assert "UDP" in causes({}, 1 << 30)[0]


PROCESS = """
from pathlib import Path
import rclpy
from humanoid_recorder.transport_check import mapped_segments
rclpy.init()
node = rclpy.create_node("a")
print(max(mapped_segments(Path("/proc/self/maps").read_text()).values()))
"""


@pytest.mark.parametrize("shipped", [True, False])
def test_the_shipped_profile_makes_a_segment_that_is_large_enough(shipped: bool) -> None:
    environment = dict(os.environ)
    environment.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
    if shipped:
        environment["FASTRTPS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config" / "transport" / "fastdds.xml")
    said = subprocess.run(
        [sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert (int(said.stdout) >= max(SMALL, 64 << 20)) == shipped


def test_the_cause_stands_beside_the_loss(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    recorder.causes = ["a small segment"]
    recorder.topics["/joint_states"].best_effort = True
    for gap in (False, True):
        recorder.start(Request("a"), 10 * SECOND)
        recorder.receive([a for a in traffic(100) if not gap or a.sequence != 50])
        problems = "\n".join(recorder.stop("success", "", 11 * SECOND).problems)
        assert ("a small segment" in problems) == gap
        assert ("best effort" in problems) == gap
