# SPDX-License-Identifier: Apache-2.0
"""Disks that are slow, full or gone, clocks that are set: what is given up, in which order, and who is told."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from recording_rig import IMAGE, SECOND, by_topic, make, read_with_rosbags, record, topic, traffic

from humanoid_recorder.backends import BACKENDS
from humanoid_recorder.errors import StorageError
from humanoid_recorder.folders import Staging, leftovers
from humanoid_recorder.recorder import Recorder
from humanoid_recorder.recording import Recording
from humanoid_recorder.recovery import recover
from humanoid_recorder.selection import Wanted
from humanoid_recorder.settings import Arrival, Request
from humanoid_recorder.sidecar import read_episode
from humanoid_recorder.verification import verify
from humanoid_recorder.writers import McapWriter


def until(condition: Callable[[], object], recording: Recording) -> None:
    """Wait for the writer to bring something about."""
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.002)
    raise AssertionError(f"it never came to be: {recording.error or recording.trouble}")


class StuckWriter(McapWriter):
    """A disk that takes nothing until `go` is set."""

    go = threading.Event()
    busy = threading.Event()  # it has something to write

    def write(self, topic: str, payload: bytes, log_ns: int, publish_ns: int, sequence: int) -> None:
        self.busy.set()
        self.go.wait(60.0)
        super().write(topic, payload, log_ns, publish_ns, sequence)


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    monkeypatch.setitem(BACKENDS, "stuck", StuckWriter)
    StuckWriter.go, StuckWriter.busy = threading.Event(), threading.Event()
    yield StuckWriter.go
    StuckWriter.go.set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting needs rights that this user lacks: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def image(name: str, i: int, size: int) -> Arrival:
    return Arrival(name, b"\0\1\0\0" + bytes(size - 4), 10 * SECOND + i, 0, i + 1)


def joints(i: int, size: int = 1000) -> Arrival:
    return Arrival("/joint_states", b"\0\1\0\0" + bytes(size - 4), 10 * SECOND + i, 0, i + 1)


def counters(recorder: Recorder, recording: Recording) -> dict[str, tuple[int, int]]:
    """Written and dropped, by topic."""
    found = {name: recording.counter(state) for name, state in recorder.topics.items()}
    return {name: (counter.written, counter.dropped) for name, counter in found.items()}


def test_joints_push_images_out_while_the_pre_roll_still_waits(tmp_path: Path, stuck: threading.Event) -> None:
    recorder = make(tmp_path, backend="stuck", queue_bytes=1_000_000, pre_roll=5.0, pre_roll_bytes=1 << 24)
    camera = "/camera/head/color"
    recorder.receive([joints(i, 40_000) for i in range(50)])  # 2 MB, with room of their own
    recording = recorder.start(Request("a"), 10 * SECOND)
    assert StuckWriter.busy.wait(20.0)
    recorder.receive([image(camera, i, 70_000) for i in range(10)])  # 700 of 1000 kB
    recorder.receive([joints(50 + i, 40_000) for i in range(20)])  # 800 kB: not beside the images
    assert counters(recorder, recording)["/joint_states"][1] == 0
    assert counters(recorder, recording)[camera][1] > 0
    stuck.set()
    ended = recorder.stop("success", "", 11 * SECOND)
    counts = {report.name: report for report in read_episode(ended.path).topics}
    assert (counts["/joint_states"].written, counts["/joint_states"].dropped) == (70, 0)


def test_a_slow_disk_costs_previews_then_images_and_never_joints(tmp_path: Path, stuck: threading.Event) -> None:
    recorder = make(tmp_path, backend="stuck", queue_bytes=1_000_000)
    preview = Wanted("preview", preview=True)
    recorder.add_topic(topic("/preview", IMAGE, "image"), preview, publishers=1, latched=False)
    recording = recorder.start(Request("a"), 10 * SECOND)
    camera = "/camera/head/color"
    assert recording.trouble == ""
    recorder.receive([joints(0)])
    assert StuckWriter.busy.wait(20.0)  # the rest stays in the queue
    recorder.receive([image(camera, i, 50_000) for i in range(8)])  # 400 kB wait
    recorder.receive([image("/preview", i, 50_000) for i in range(10)])  # 100 kB of 500 kB are left
    assert counters(recorder, recording)["/preview"] == (0, 8)
    recorder.receive([image(camera, i, 50_000) for i in range(8, 16)])  # 250 kB of 750 kB are left
    assert counters(recorder, recording)[camera][1] == 3
    assert "previews are dropped" in recording.trouble
    assert recording.trouble in recorder.warnings(10 * SECOND)
    recorder.receive([joints(i) for i in range(1, 900)])  # they push images out
    assert counters(recorder, recording)["/joint_states"][1] == 0
    assert counters(recorder, recording)[camera][1] > 3
    assert "images" in recording.trouble
    stuck.set()
    ended = recorder.stop("success", "", 11 * SECOND)
    episode = read_episode(ended.path)
    assert verify(ended.path) == []
    counts = {report.name: report for report in episode.topics}
    assert (counts["/joint_states"].written, counts["/joint_states"].dropped) == (900, 0)
    assert counts[camera].written + counts[camera].dropped == counts[camera].received == 16
    assert any("messages dropped by the recorder" in problem for problem in ended.problems)
    assert 700_000 <= episode.queue_high_water <= 1_000_000


def test_a_pre_roll_larger_than_the_queue_is_no_reason_to_drop(tmp_path: Path, stuck: threading.Event) -> None:
    recorder = make(tmp_path, backend="stuck", queue_bytes=200_000, pre_roll=10.0, pre_roll_bytes=1_000_000)
    early = [image("/camera/head/color", i, 50_000) for i in range(10)]
    late = [image("/camera/head/color", i, 50_000) for i in range(10, 12)]
    recorder.receive(early)
    recording = recorder.start(Request("a"), early[-1].log_ns)
    recorder.receive(late)
    assert recording.trouble == ""
    stuck.set()
    folder = recorder.stop("success", "", 11 * SECOND).path
    assert read_with_rosbags(folder) == by_topic(early + late)
    assert read_episode(folder).dropped == 0


def test_a_full_disk_ends_the_images_and_keeps_every_joint(small_disk: Path) -> None:
    recorder = make(small_disk, reserve_bytes=2 << 20)
    recording = recorder.start(Request("a"), 10 * SECOND)
    sent = 0
    while not recording.disk_full:
        recorder.receive([joints(sent), image("/camera/head/color", sent, 200_000)])
        sent += 1
        until(lambda: recording.disk_full or not recording._queue, recording)
    recorder.receive([image("/camera/head/color", sent, 100_000), *(joints(i) for i in range(sent, sent + 200))])
    assert "disk is full" in recording.trouble
    ended = recorder.tick(11 * SECOND)
    assert ended is not None
    assert verify(ended.path) == []
    episode = read_episode(ended.path)
    counts = {report.name: report for report in episode.topics}
    assert (counts["/joint_states"].written, counts["/joint_states"].dropped) == (sent + 200, 0)
    assert counts["/camera/head/color"].dropped >= 1
    assert episode.outcome == "unsure"
    assert "disk is full" in episode.note
    assert any("images and clouds end there" in problem for problem in episode.problems)
    assert len(read_with_rosbags(ended.path)["/joint_states"]) == sent + 200


def test_a_disk_that_is_full_to_the_last_byte_keeps_what_is_written(small_disk: Path) -> None:
    recorder = make(small_disk, reserve_bytes=1 << 20)
    recording = recorder.start(Request("a"), 10 * SECOND)
    recorder.receive([joints(i) for i in range(500)])
    until(lambda: recording._writer._file.summary.messages == 500, recording)
    until(lambda: list(small_disk.rglob(".reserve")), recording)
    filler = small_disk / "others"

    def fill() -> None:
        with open(filler, "ab", buffering=0) as stream:
            while stream.write(bytes(4096)):
                pass

    for i in range(100):  # the reserve goes to somebody else, too
        with pytest.raises(OSError, match="No space"):
            fill()
        recorder.receive([joints(500 + i, 50_000)])
        until(lambda: recording.error or not recording.waiting, recording)
        if recording.error:
            break
    with pytest.raises(StorageError, match="No space left"):
        recorder.tick(11 * SECOND)
    filler.unlink()
    (part,) = leftovers(small_disk)
    folder = recover(part)
    assert verify(folder) == []
    assert read_episode(folder).bag is not None
    assert len(read_with_rosbags(folder)["/joint_states"]) >= 500


def test_a_folder_that_is_taken_away_is_made_anew(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    arrivals = traffic(200)
    recording = recorder.start(Request("a", operator="ada"), 10 * SECOND)
    recorder.receive(arrivals[:100])
    until(lambda: recording.bytes > 3000, recording)
    shutil.rmtree(tmp_path / "unitree_g1")
    until(lambda: recording.events, recording)
    recorder.receive(arrivals[100:])
    ended = recorder.stop("success", "", 11 * SECOND)
    assert any("made anew" in problem for problem in read_episode(ended.path).problems)
    assert verify(ended.path) == []
    assert read_with_rosbags(ended.path) == by_topic(arrivals)


def test_a_folder_that_cannot_be_made_anew_is_an_error_at_once(tmp_path: Path) -> None:
    recorder = make(tmp_path / "disk")
    recording = recorder.start(Request("a"), 10 * SECOND)
    recorder.receive(traffic(100))
    shutil.rmtree(tmp_path / "disk")
    (tmp_path / "disk").write_text("no folder any more")
    until(lambda: recording.error, recording)
    with pytest.raises(StorageError, match="expected a folder that can be made again"):
        recorder.tick(11 * SECOND)
    assert recorder.failed
    assert recorder.recording is None


def test_a_taken_name_is_given_a_number(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    recording = recorder.start(Request("a"), 10 * SECOND)
    recording.staging.final.mkdir()
    recorder.receive(traffic(20))
    ended = recorder.stop("success", "", 11 * SECOND)
    assert ended.path.name == f"{ended.episode_id}_2"
    assert verify(ended.path) == []
    with pytest.raises(StorageError, match="an episode of this name"):
        Staging.create(tmp_path, "unitree_g1", ended.episode_id, datetime.fromisoformat(recording.episode.started))


def test_no_episode_starts_that_cannot_be_finished(tmp_path: Path) -> None:
    now = [0.0]
    free = shutil.disk_usage(tmp_path).free
    recorder = make(tmp_path, usual_length=1e9, steady=lambda: now[0])
    recorder.tick(0)
    now[0] = 1.0
    recorder.receive([joints(i, 100_000) for i in range(100)])
    recorder.tick(SECOND)
    assert recorder.byte_rate() == pytest.approx(1e7)
    assert any("needed to start" in line for line in recorder.warnings(SECOND))
    if free < 1e16:
        with pytest.raises(StorageError, match="to start an episode"):
            recorder.start(Request("a"), SECOND)


def test_a_clock_that_is_set_is_noticed_and_not_counted(tmp_path: Path) -> None:
    now = [100.0]
    recorder = make(tmp_path, steady=lambda: now[0])
    system = 10_000 * SECOND
    recorder.tick(system)
    recorder.start(Request("a"), system)
    for second in range(1, 5):
        now[0] += 1.0
        recorder.tick(system + second * SECOND)
    now[0] += 1.0
    recorder.tick(system - 3600 * SECOND)  # an hour back
    recorder.receive(traffic(100, system - 3600 * SECOND))
    ended = recorder.stop("success", "", system - 3600 * SECOND)
    episode = read_episode(ended.path)
    (step,) = episode.clock_steps
    assert step.step == pytest.approx(-3605.0)
    assert episode.duration == pytest.approx(5.0)
    assert any("clock was set by -3605" in problem for problem in episode.problems)
    assert verify(ended.path) == []


def test_pre_roll_survives_a_clock_that_is_set_back(tmp_path: Path) -> None:
    recorder = make(tmp_path, pre_roll=1.0, pre_roll_bytes=1 << 30)
    recorder.receive(traffic(100, 5000 * SECOND))
    after = traffic(100, 10 * SECOND)
    recorder.receive(after)
    recorder.start(Request("a"), after[-1].log_ns)
    folder = recorder.stop("success", "", after[-1].log_ns).path
    assert read_with_rosbags(folder) == by_topic(after)


def test_stamps_that_go_back_are_counted(tmp_path: Path) -> None:
    arrivals = [
        Arrival("/joint_states", b"\0\1\0\0" + stamp.to_bytes(4, "little") + bytes(40), 10 * SECOND + i, 0, i + 1)
        for i, stamp in enumerate([5, 6, 9, 8, 10])
    ]
    episode = read_episode(record(make(tmp_path), arrivals))
    report = episode.topics[0]
    assert (report.stamps_back, report.longest_stamp_gap) == (1, 3.0)
    assert any("1 stamps are before" in problem for problem in episode.problems)
