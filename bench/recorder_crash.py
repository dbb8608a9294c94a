# SPDX-License-Identifier: Apache-2.0
"""What is left of an episode after a crash, on a full disk, and behind a slow one.

The traffic is made here and its messages carry their own numbers, so what is missing is counted without the recorder.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcap.reader import make_reader

from bench.report import BenchError, Figure
from humanoid_core.definitions import full_text, type_hash
from humanoid_core.errors import HumanoidError
from humanoid_recorder.backends import BACKENDS
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.folders import leftovers
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.recovery import recover
from humanoid_recorder.scan import scan
from humanoid_recorder.selection import Selection, Wanted
from humanoid_recorder.settings import Arrival, Request, Settings
from humanoid_recorder.sidecar import read_episode
from humanoid_recorder.verification import verify
from humanoid_recorder.writers import McapWriter, Topic

JOINTS, IMAGE = "/joint_states", "/camera/head/color/image_raw/compressed"
KILLS, CUTS = 20, 500
_TYPES = {JOINTS: ("sensor_msgs/msg/JointState", "joints"), IMAGE: ("sensor_msgs/msg/CompressedImage", "image")}
_NUMBER = struct.Struct("<Q")
_SLOW = 10e6  # of the slow disk [bytes/s]


def _recorder(out: Path, **changes: object) -> Recorder:
    """A recorder as it is shipped, but for what a test needs."""
    values: dict[str, object] = {
        "out": out,
        "robot": "bench",
        "namespace": "/",
        "backend": "mcap",
        "flush_period": 0.15,
        "sync_period": 0.5,
        "pre_roll": 0.0,
        "pre_roll_bytes": 0,
        "post_roll": 0.0,
        "queue_bytes": 1 << 28,
        "reserve_bytes": 1 << 25,
        "usual_length": 0.0,
        "disk_start": 0,
        "disk_floor": 0,
        "clock": "system",
        "software": {"ros": "jazzy"},
        "configuration": {},
        "ros_distro": "jazzy",
    }
    recorder = Recorder(Settings(**{**values, **changes}), Selection([Wanted("**")]))  # type: ignore[arg-type]
    for name, (kind, group) in _TYPES.items():
        topic = Topic(name, kind, type_hash(kind), full_text(kind), qos_text((OfferedQos(),)), group)
        recorder.add_topic(topic, Wanted(name), publishers=1, latched=False)
    return recorder


def _traffic(image_bytes: int) -> Iterator[list[Arrival]]:
    """Bursts as the taps hand them over: 500 Hz joints and three cameras of 30 Hz, 5 ms a burst, for ever."""
    noise = os.urandom(image_bytes + 4096)
    joints = images = 0
    while True:
        now = time.time_ns()
        burst = []
        for _ in range(3):
            joints += 1
            burst.append(Arrival(JOINTS, b"\0\1\0\0" + _NUMBER.pack(joints) + noise[:1800], now, now, joints))
        if joints % 18 == 0:
            for _ in range(3):
                images += 1
                payload = b"\0\1\0\0" + _NUMBER.pack(images) + noise[images % 4096 :][:image_bytes]
                burst.append(Arrival(IMAGE, payload, now, now, images))
        yield burst


def _feed(recorder: Recorder, seconds: float, image_bytes: int) -> dict[str, int]:
    """Real-time traffic for a while; gives how many messages of each topic were handed over."""
    counts = {JOINTS: 0, IMAGE: 0}
    end = time.monotonic() + seconds
    for burst in _traffic(image_bytes):
        recorder.receive(burst)
        for arrival in burst:
            counts[arrival.topic] = arrival.sequence
        if time.monotonic() > end or recorder.recording is None or recorder.recording.disk_full:
            return counts
        time.sleep(0.006)
    raise AssertionError("traffic has no end")


def child() -> None:
    """Record until killed; the time of the newest message handed over stands in a file at all times."""
    recorder = _recorder(Path(sys.argv[1]))
    with open(sys.argv[2], "r+b") as stream, mmap.mmap(stream.fileno(), 8) as newest:
        recorder.start(Request("killed"), time.time_ns())
        for burst in _traffic(100_000):
            recorder.receive(burst)
            newest[:8] = _NUMBER.pack(burst[-1].log_ns)
            time.sleep(0.006)


def crash_figures(place: Path) -> dict[str, Figure]:
    """Kill the recorder at random moments, and cut a finished bag anywhere."""
    rng = random.Random(1)
    recovered, tails = 0, []
    for number in range(KILLS):
        out, newest = place / f"kill{number}", place / f"newest{number}"
        newest.write_bytes(bytes(8))
        process = subprocess.Popen(
            [sys.executable, "-c", "from bench.recorder_crash import child; child()", str(out), str(newest)]
        )
        while not any(newest.read_bytes()):
            if process.poll() is not None:
                raise BenchError("the recorder that was to be killed ended by itself")
            time.sleep(0.01)
        time.sleep(rng.uniform(0.05, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        (offered,) = _NUMBER.unpack(newest.read_bytes())
        folder = _recovered(out)
        recovered += folder is not None
        if folder is not None:
            bag = read_episode(folder).bag
            end = scan(folder / bag.file).summary.end if bag else 0
            # An episode that was killed before its first flush has nothing; it began when its first message came.
            tails.append((offered - (end or read_episode(folder).start_ns)) * 1e-6)
    cut, expected, missing = _cuts(place)
    return {
        "killed at random moments: episodes recovered": Figure(100.0 * recovered / KILLS),
        "killed at random moments: longest tail lost": Figure(max(tails)),
        "cut at chunks' edges and 500 bytes: recovered": Figure(100.0 * cut / expected),
        "cut likewise: messages of whole chunks lost": Figure(missing),
    }


def _recovered(out: Path) -> Path | None:
    """Recover what is there; None unless that gives a sound episode."""
    try:
        (part,) = leftovers(out)
        folder = recover(part)
    except (HumanoidError, ValueError):
        return None
    return None if verify(folder) else folder


def _cuts(place: Path) -> tuple[int, int, int]:
    """Recovered, tried, and messages lost that stood in whole chunks."""
    recorder = _recorder(place / "whole")
    recorder.start(Request("whole"), time.time_ns())
    _feed(recorder, 3.0, 20_000)
    folder = recorder.stop("success", "", time.time_ns()).path
    (bag,) = folder.glob("*.mcap")
    data = bag.read_bytes()
    with open(bag, "rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    edges = [(c.chunk_start_offset, c.chunk_start_offset + c.chunk_length) for c in summary.chunk_indexes]
    sizes = _messages_of_chunks(bag)
    begin = min(first for first, _ in edges)
    random_cuts = random.Random(2).sample(range(begin, len(data)), CUTS)
    cuts = sorted({*(edge for pair in edges for edge in pair), *random_cuts})
    good = missing = 0
    for at in cuts:
        part = place / "cut" / "bench" / "day" / "cut.part"
        part.mkdir(parents=True)
        (part / "cut_0.mcap").write_bytes(data[:at])
        (part / "episode.yaml").write_bytes((folder / "episode.yaml").read_bytes())
        made = _recovered(place / "cut")
        good += made is not None
        whole = sum(sizes[first] for first, last in edges if last <= at)
        if made is not None:
            (mended,) = made.glob("*.mcap")
            missing += max(0, whole - scan(mended).summary.messages)
            for path in made.iterdir():
                path.unlink()
            made.rmdir()
    return good, len(cuts), missing


def _messages_of_chunks(bag: Path) -> dict[int, int]:
    """Messages of each chunk by its offset, counted by the mcap library."""
    from mcap.records import Chunk, MessageIndex
    from mcap.stream_reader import StreamReader

    counts: dict[int, int] = {}
    with open(bag, "rb") as stream:
        current = 0
        reader = StreamReader(stream, emit_chunks=True)
        before = stream.tell()
        for record in reader.records:
            if isinstance(record, Chunk):
                current = before if before else 8
                counts[current] = 0
            elif isinstance(record, MessageIndex):
                counts[current] += len(record.records)
            before = stream.tell()
    return counts


class _SlowWriter(McapWriter):
    """A disk that takes so many bytes a second and no more."""

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        time.sleep(len(payload) / _SLOW)
        super().write(topic, payload, log_ns, publish_ns, sequence)


def disk_figures(place: Path) -> dict[str, Figure]:
    """A disk that gets full, and one that is too slow by half."""
    figures = {}
    with _small_disk(place / "small", 96) as small:
        if small is not None:
            recorder = _recorder(small)
            recorder.start(Request("full"), time.time_ns())
            sent = _feed(recorder, 60.0, 150_000)
            ended = recorder.tick(time.time_ns())
            if ended is None or verify(ended.path):
                raise BenchError("the episode on the full disk was not finished soundly")
            written = {report.name: report.written for report in read_episode(ended.path).topics}
            figures["full disk: joints lost"] = Figure(sent[JOINTS] - written[JOINTS])
            figures["full disk: images dropped"] = Figure(sent[IMAGE] - written[IMAGE])
        else:
            figures["full disk: joints lost"] = figures["full disk: images dropped"] = Figure(float("nan"))
    BACKENDS["slow"] = _SlowWriter
    recorder = _recorder(place / "slow", backend="slow", queue_bytes=40_000_000)
    recorder.start(Request("slow"), time.time_ns())
    begin = time.monotonic()
    said = float("nan")
    sent = {JOINTS: 0, IMAGE: 0}
    for burst in _traffic(150_000):
        recorder.receive(burst)
        sent |= {arrival.topic: arrival.sequence for arrival in burst}
        dropped = recorder.counter(recorder.topics[IMAGE]).dropped
        if dropped and said != said and any("dropped" in line for line in recorder.warnings(time.time_ns())):
            said = time.monotonic() - begin
        if time.monotonic() - begin > 12.0:
            break
        time.sleep(0.006)
    ended = recorder.stop("success", "", time.time_ns())
    reports = {report.name: report for report in read_episode(ended.path).topics}
    if verify(ended.path):
        raise BenchError("the episode behind the slow disk was not finished soundly")
    figures["slow disk (10 MB/s): joints lost"] = Figure(sent[JOINTS] - reports[JOINTS].written)
    figures["slow disk (10 MB/s): images dropped, and counted"] = Figure(reports[IMAGE].dropped)
    uncounted = sent[IMAGE] - reports[IMAGE].written - reports[IMAGE].dropped
    figures["slow disk (10 MB/s): images missing uncounted"] = Figure(uncounted if said == said else float("nan"))
    return figures


@contextmanager
def _small_disk(place: Path, megabytes: int) -> Iterator[Path | None]:
    """A file of that size, with an ext4 file system in it, mounted; None where this user may not mount."""
    place.mkdir()
    with tempfile.NamedTemporaryFile(dir=place.parent) as image:
        image.truncate(megabytes << 20)
        commands = [["mkfs.ext4", "-q", "-m", "0", image.name], ["mount", "-o", "loop", image.name, str(place)]]
        if any(subprocess.run(command, capture_output=True).returncode for command in commands):
            yield None
            return
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
