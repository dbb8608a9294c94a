# SPDX-License-Identifier: Apache-2.0
"""The self-check of the transport: it names the cause, and sees the segment of a process that runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from recording_rig import SECOND, make, traffic
from std_msgs.msg import String

from humanoid_recorder.settings import Request
from humanoid_recorder.transport_check import (
    SMALL,
    Segment,
    causes,
    largest,
    lock_holders,
    look,
    mapped_segments,
    process_half,
)

ROOT = Path(__file__).parents[3]
MAPS = """\
7fcc424f7000-7fcc467f8000 rw-s 00000000 00:1b 12 /dev/shm/fastrtps_95cf1a4643b846fe
7fcc467f8000-7fcc467f9000 rw-s 00000000 00:1b 13 /dev/shm/fastrtps_port7411
7fcc50000000-7fcc50086000 rw-s 00000000 00:1b 14 /dev/shm/fastrtps_1d46e14bdefc786a
7fcc60000000-7fcc60086000 r-xp 00000000 00:1b 15 /usr/lib/libfastrtps.so.2.14
"""


LOCKS = """\
1: FLOCK  ADVISORY  WRITE 23084 fe:00:5310375 0 EOF
2: FLOCK  ADVISORY  READ 23369 fe:00:16039943 0 EOF
3: POSIX  ADVISORY  WRITE 7 fe:00:16039944 0 EOF
"""


def test_segments_and_their_owners_are_read_from_the_kernel() -> None:
    sizes = mapped_segments(MAPS)
    assert sizes == {"/dev/shm/fastrtps_95cf1a4643b846fe": 70258688, "/dev/shm/fastrtps_1d46e14bdefc786a": 548864}
    assert lock_holders(LOCKS) == {5310375: 23084}
    assert largest([(7, 70255136), (8, 549408), (7, 549408)]) == {7: 70255136, 8: 549408}
    assert process_half(bytes.fromhex("010f78fd1e5c08210000000000001303")) == 23582


def test_a_small_segment_is_named_with_its_process_and_what_to_do() -> None:
    large, silent = Segment(64 << 20, 1, ("/image",)), Segment(548864, 2)
    small = Segment(548864, 3, tuple(f"/camera/{i}" for i in range(5)))
    (cause,) = causes([large, silent, small], 1 << 30, "camera (process {})".format)
    assert cause.startswith("camera (process 3) publishes /camera/0, /camera/1, /camera/2 and 2 more")
    assert "0.5 MiB" in cause
    assert "fastdds.xml" in cause
    assert causes([large, silent], 1 << 30, str) == []
    assert "enlarge" in causes([large], 1 << 20, str)[0]
    assert "UDP" in causes([], 1 << 30, str)[0]


SENDER = """
import sys
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("a")
publisher = node.create_publisher(String, sys.argv[1], 10)
node.create_timer(0.05, lambda: publisher.publish(String(data="a")))
rclpy.spin(node)
"""


def test_only_the_process_whose_messages_are_recorded_is_named() -> None:
    """Two processes without the profile, and both are heard; one of their topics is recorded."""
    environment = {**os.environ, "RCUTILS_COLORIZED_OUTPUT": "0"}
    environment.pop("FASTRTPS_DEFAULT_PROFILES_FILE", None)
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    heard: set[str] = set()
    senders = []
    try:
        for topic in ("recorded", "other"):
            node.create_subscription(String, topic, lambda _, topic=topic: heard.add(topic), 10)  # type: ignore[misc]
            senders.append(subprocess.Popen([sys.executable, "-c", SENDER, topic], env=environment))
        end = time.monotonic() + 60.0
        found: list[str] = []
        while time.monotonic() < end and not (len(heard) == 2 and found):
            executor.spin_once(0.1)
            ids = [bytes(info.endpoint_gid) for info in node.get_publishers_info_by_topic("/recorded")]
            found = [line for line in look("rmw_fastrtps_cpp", {"/recorded": ids}) if "segment" in line]
        (line,) = found
        assert f"(process {senders[0].pid}) publishes /recorded through" in line
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()
        executor.shutdown()
        node.destroy_node()
        context.try_shutdown()


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
