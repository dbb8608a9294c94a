# SPDX-License-Identifier: Apache-2.0
"""Episodes without ROS: what goes in comes out of stock readers, is counted, and survives."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from mcap.reader import make_reader
from recording_rig import (
    IMAGE,
    JOINTS,
    SECOND,
    STRING,
    bag_of,
    by_topic,
    cdr_string,
    make,
    read_with_mcap,
    read_with_rosbag2,
    read_with_rosbags,
    record,
    topic,
    traffic,
)
from rosbags.rosbag2 import Reader

from humanoid_core.definitions import full_text, type_hash
from humanoid_recorder.backends import BACKENDS
from humanoid_recorder.bag_metadata import OfferedQos, qos_text
from humanoid_recorder.counters import SequenceTracker, TopicCounter, lost_in
from humanoid_recorder.errors import BagError, EpisodeError, StorageError
from humanoid_recorder.folders import Staging, leftovers
from humanoid_recorder.mcap_file import CHUNK_HEADER, MESSAGE_HEADER, McapFile
from humanoid_recorder.recovery import recover
from humanoid_recorder.scan import scan
from humanoid_recorder.selection import Selection, Wanted, matches
from humanoid_recorder.settings import Arrival, Request
from humanoid_recorder.sidecar import Label, read_episode
from humanoid_recorder.verification import verify
from humanoid_recorder.writers import McapWriter


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_three_readers_give_back_the_same_bytes_in_order(tmp_path, backend):
    arrivals = traffic(500)
    folder = record(make(tmp_path, backend=backend), arrivals)
    expected = by_topic(arrivals)
    bag = bag_of(folder)
    if backend != "sqlite3":
        assert read_with_mcap(bag) == expected
    assert read_with_rosbags(folder) == expected
    assert read_with_rosbag2(folder) == expected
    assert sorted(path.name for path in folder.iterdir()) == sorted([bag.name, "episode.yaml", "metadata.yaml"])
    assert verify(folder) == []


@pytest.mark.parametrize("backend", ["mcap", "rosbag2"])
def test_channels_say_what_stock_rosbag2_says(tmp_path, backend):
    folder = record(make(tmp_path, backend=backend), traffic(20))
    (bag,) = folder.glob("*.mcap")
    with open(bag, "rb") as stream:
        reader = make_reader(stream)
        summary = reader.get_summary()
        assert reader.get_header().profile == "ros2"
    channels = {channel.topic: channel for channel in summary.channels.values()}
    description = channels["/robot_description"]
    assert description.message_encoding == "cdr"
    assert description.metadata["topic_type_hash"] == type_hash(STRING)
    qos_there = description.metadata["offered_qos_profiles"].strip()
    if backend == "rosbag2":  # rosbag2_py reads an unknown history as the default depth
        qos_there = qos_there.replace("depth: 10", "depth: 0")
    assert qos_there == qos_text((OfferedQos(durability="transient_local"),))
    schema = summary.schemas[channels["/joint_states"].schema_id]
    assert (schema.name, schema.encoding) == (JOINTS, "ros2msg")
    assert schema.data.decode() == full_text(JOINTS)
    with Reader(folder) as reader:
        assert reader.topics["/robot_description"].msgcount == 0
        (qos,) = reader.topics["/robot_description"].connections[0].ext.offered_qos_profiles
        assert qos.durability.name == "TRANSIENT_LOCAL"


def test_numeric_chunks_hold_no_images(tmp_path):
    folder = record(make(tmp_path), traffic(500))
    (bag,) = folder.glob("*.mcap")
    with open(bag, "rb") as stream:
        summary = make_reader(stream).get_summary()
    images = {channel.id for channel in summary.channels.values() if "camera" in channel.topic}
    for chunk in summary.chunk_indexes:
        inside = set(chunk.message_index_offsets)
        assert inside <= images or not inside & images
        assert chunk.compression == ("" if inside <= images else "lz4")


def test_the_beginning_of_a_cloud_unpacks_without_the_cloud(tmp_path):
    clouds = [np.random.default_rng(seed).normal(size=75_000).astype("<f4").tobytes() for seed in range(2)]
    file = McapFile(tmp_path / "clouds.mcap", 0.15)
    schema = file.add_schema("sensor_msgs/msg/PointCloud2", "ros2msg", "")
    channel = file.add_channel("/lidar/points", schema, {}, "cloud")
    for number, cloud in enumerate(clouds):
        file.write(channel, cloud, number, number, number)
    file.close()
    assert [message.data for _, _, message in make_reader(file.path.open("rb")).iter_messages()] == clouds
    whole = file.path.read_bytes()
    assert len(file.summary.chunks) == 2
    for chunk, cloud in zip(file.summary.chunks, clouds):
        packed = whole[chunk.chunk_start_offset + CHUNK_HEADER.size + len("zstd") + 12 :]
        unpacked = zstandard.ZstdDecompressor().decompressobj().decompress(packed[:200])
        assert unpacked[MESSAGE_HEADER.size : 128] == cloud[: 128 - MESSAGE_HEADER.size]


def test_sidecar_counts_losses_gaps_and_what_is_missing(tmp_path):
    arrivals = [a for a in traffic(1000) if not (a.topic == "/joint_states" and 301 <= a.sequence <= 340)]
    recorder = make(tmp_path)
    recorder.receive([Arrival("/robot_description", cdr_string("<robot/>"), 5 * SECOND, 5 * SECOND, 1)])
    recorder.start(Request("a", tags={"shift": "early"}), 10 * SECOND)
    recorder.annotate(Label(11 * SECOND, 0, "grasp", "ada"))
    recorder.receive(arrivals)
    ended = recorder.stop("failure", "dropped it", 12 * SECOND)
    episode = read_episode(ended.path)
    joints, camera, description = episode.topics
    assert (joints.received, joints.written, joints.lost, joints.gaps) == (960, 960, 40, 1)
    assert joints.longest_gap == pytest.approx(0.082)
    assert (camera.lost, camera.dropped) == (0, 0)
    assert (description.received, description.written, description.repeated) == (0, 1, 1)
    assert episode.missing == ["never_there"]
    assert episode.lost == 40
    assert episode.outcome == "failure"
    assert episode.tags == {"shift": "early"}
    assert episode.annotations == [Label(11 * SECOND, 0, "grasp", "ada")]
    assert episode.robot_description_sha256 == hashlib.sha256(b"<robot/>").hexdigest()
    assert any("40 of 1000" in problem for problem in ended.problems)
    assert any("never_there" in problem for problem in ended.problems)


def test_latched_messages_are_in_every_bag_at_its_start(tmp_path):
    recorder = make(tmp_path)
    old, new = cdr_string("<old/>"), cdr_string("<new/>")
    recorder.receive([Arrival("/robot_description", old, SECOND, SECOND, 1)])
    recorder.receive([Arrival("/robot_description", new, 2 * SECOND, 2 * SECOND, 2)])
    for start in (10, 20):
        folder = record(recorder, traffic(10, start * SECOND, seed=start))
        assert read_with_rosbags(folder)["/robot_description"] == [(start * SECOND, new)]


def test_pre_roll_keeps_seconds_and_bytes(tmp_path):
    recorder = make(tmp_path, pre_roll=0.5)
    arrivals = traffic(1000)  # 2 s
    before, after = arrivals[: len(arrivals) // 2], arrivals[len(arrivals) // 2 :]
    recorder.receive(before)
    recorder.start(Request("a"), before[-1].log_ns)
    recorder.receive(after)
    folder = recorder.stop("success", "", after[-1].log_ns).path
    limit = before[-1].log_ns - SECOND // 2
    assert read_with_rosbags(folder) == by_topic([a for a in arrivals if a.log_ns >= limit])
    assert read_episode(folder).pre_roll == pytest.approx(0.5)
    small = make(tmp_path, pre_roll=10.0, pre_roll_bytes=10_000)
    small.receive(before)
    small.start(Request("b"), before[-1].log_ns)
    kept = read_with_rosbags(small.stop("unsure", "", SECOND).path).values()
    assert 0 < sum(len(data) for messages in kept for _, data in messages) <= 10_000


def test_sequence_numbers_prove_loss():
    one = SequenceTracker()
    assert [one.lost_before(n) for n in (7, 8, 11, 12)] == [0, 0, 2, 0]
    assert [one.lost_before(n) for n in (1, 2, 4)] == [0, 0, 1]  # the publisher started again
    two = SequenceTracker()
    numbers = [1, 101, 2, 102, 103, 3, 106, 5]
    assert [two.lost_before(n, publishers=2) for n in numbers] == [0, 0, 0, 0, 0, 0, 2, 1]
    assert [SequenceTracker().lost_before(0) for _ in range(3)] == [0, 0, 0]


def test_publisher_that_restarts_and_one_that_leaves():
    tracker = SequenceTracker()
    assert sum(tracker.lost_before(n, publishers=2) for n in (1, 50, 2, 51)) == 0
    assert [tracker.lost_before(n, publishers=1) for n in (52, 53, 1, 2)] == [0, 0, 0, 0]


def test_a_publisher_that_joins_is_no_loss_even_before_it_is_known():
    tracker = SequenceTracker()
    assert [tracker.lost_before(n) for n in (500, 501, 1, 502, 2, 503, 3)] == [0] * 7
    looks: list[int] = []

    def recount() -> int:
        looks.append(1)
        return 2

    tracker = SequenceTracker()
    assert [tracker.lost_before(n, 1, recount) for n in (5, 6, 40, 7, 41, 8)] == [0] * 6
    assert len(looks) == 2  # for the first number of each: looking is too slow for every message
    assert tracker.lost_before(50, 2, recount) == 8


def test_loss_afterwards_needs_no_count_of_publishers():
    assert lost_in([5, 6, 7]) == 0
    assert lost_in([5, 6, 9, 10]) == 2
    assert lost_in([1, 2, 40, 3, 41, 4, 42]) == 0
    assert lost_in([1, 2, 40, 3, 42, 4]) == 1
    assert lost_in([0, 0, 0]) == 0
    rng = random.Random(0)
    for _ in range(20):
        queues = [list(range(first, first + 50)) for first in (1, 30, 1000)]
        mixed = []
        while any(queues):
            mixed.append(rng.choice([queue for queue in queues if queue]).pop(0))
        assert lost_in(mixed) == 0
        gone = mixed.index(1020)
        assert lost_in(mixed[:gone] + mixed[gone + 1 :]) <= 1


def test_rate_is_that_of_the_last_second():
    counter = TopicCounter()
    rates = []
    for tick in range(6):
        for i in range(50 if tick < 3 else 0):
            counter.arrived(tick * SECOND // 2 + i * 10_000_000, 0)
        rates.append(counter.rate((tick + 1) * SECOND // 2))
    assert rates[2] == pytest.approx(100.0)
    assert rates[5] == 0.0


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request(""), "task"),
        (Request("a", instruction="x" * 20_000), "instruction"),
        (Request("a", operator="nul\0"), "operator"),
        (Request("a", tags={"": "x"}), "tags"),
    ],
)
def test_hostile_texts_are_refused_by_name(tmp_path, request_, complaint):
    recorder = make(tmp_path)
    with pytest.raises(EpisodeError, match=complaint):
        recorder.start(request_, SECOND)
    assert recorder.recording is None
    assert not list(leftovers(tmp_path))


def test_names_cannot_leave_the_folder(tmp_path):
    folder = record(make(tmp_path), traffic(5), task="../../etc/passwd\n\x07: 'ünï' \"{}")
    assert folder.parents[2] == tmp_path
    assert read_episode(folder).task == "../../etc/passwd\n\x07: 'ünï' \"{}"


def test_unwritable_missing_and_full_disks_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StorageError, match="file"):
        make(file).start(Request("a"), SECOND)
    with pytest.raises(StorageError, match="to start an episode"):
        make(tmp_path, disk_start=1 << 60).start(Request("a"), SECOND)


def test_episode_ends_where_the_disk_reaches_its_floor(tmp_path):
    recorder = make(tmp_path)
    recording = recorder.start(Request("a"), 10 * SECOND)
    recording._disk_floor = 1 << 60
    recorder.receive(traffic(50))
    recording._threads[0].join(timeout=0)
    while not recording.disk_full:
        assert recording._threads[0].is_alive()
    ended = recorder.tick(11 * SECOND)
    assert ended
    assert "floor" in read_episode(ended.path).note
    assert verify(ended.path) == []


def test_write_error_is_reported_and_what_was_written_recovers(tmp_path, monkeypatch):
    recorder = make(tmp_path)
    recording = recorder.start(Request("a"), 10 * SECOND)
    arrivals = traffic(200)
    recorder.receive(arrivals[:100])
    while recording._writer.bytes() < 20_000:
        assert recording._threads[0].is_alive()
    real, calls = os.writev, []

    def full(fd, parts):
        calls.append(real(fd, [b"".join(parts)[:7]]))  # seven bytes get through, as on a full disk
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("humanoid_recorder.mcap_file.os.writev", full)
    recorder.receive(arrivals[100:])
    recording._threads[0].join()
    assert "No space left" in recording.error
    assert calls
    with pytest.raises(StorageError, match="No space left"):
        recorder.tick(11 * SECOND)
    assert recorder.failed
    monkeypatch.undo()
    (part,) = leftovers(tmp_path)
    (bag,) = part.glob("*.mcap")
    assert scan(bag).good_end == bag.stat().st_size  # the torn bytes were taken back
    folder = recover(part)
    assert verify(folder) == []
    assert 0 < read_episode(folder).bag.messages <= 200


@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("place", ["os.replace", "Staging.finish"])
def test_an_ending_that_fails_can_be_made_up_for(tmp_path, monkeypatch, backend, place):
    recorder = make(tmp_path, backend=backend)
    arrivals = traffic(100)
    recorder.start(Request("a", operator="ada"), 10 * SECOND)
    recorder.receive(arrivals)

    def refuse(*_: object) -> None:
        raise StorageError(tmp_path, "No space left on device", "room")

    def refuse_system(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if place == "os.replace":
        monkeypatch.setattr("humanoid_recorder.writers.os.replace", refuse_system)
    else:
        monkeypatch.setattr("humanoid_recorder.recording.Staging.finish", refuse)
    with pytest.raises(StorageError, match="No space left"):
        recorder.stop("success", "", 11 * SECOND)
    monkeypatch.undo()
    assert recorder.failed
    assert recorder.recording is None
    (part,) = leftovers(tmp_path)
    folder = recover(part)
    assert verify(folder) == []
    episode = read_episode(folder)
    assert episode.operator == "ada"
    # where only the last rename was missing the episode is as it should be; else the outcome is not known any more
    whole = place == "Staging.finish"
    assert (episode.state, episode.outcome) == (("finished", "success") if whole else ("recovered", "unsure"))
    assert read_with_rosbags(folder) == by_topic(arrivals)


def test_one_episode_at_a_time_and_discard_deletes(tmp_path):
    recorder = make(tmp_path)
    with pytest.raises(EpisodeError, match="no episode"):
        recorder.stop("success", "", SECOND)
    recorder.start(Request("a"), SECOND)
    with pytest.raises(EpisodeError, match="is being recorded"):
        recorder.start(Request("b"), SECOND)
    (part,) = leftovers(tmp_path)
    with pytest.raises(EpisodeError, match="another recorder"):
        recover(part)
    ended = recorder.discard("clumsy")
    assert ended.outcome == "discarded"
    assert not ended.path.exists()
    assert not list(leftovers(tmp_path))
    assert "clumsy" in (ended.path.parent / "discarded.jsonl").read_text()


WRITER = """
import sys, time, random
from pathlib import Path
from recording_rig import make, traffic, Request
recorder = make(Path(sys.argv[1]), backend=sys.argv[2])
recorder.start(Request("killed", operator="ada"), 10_000_000_000)
for i, arrival in enumerate(traffic(100_000)):
    recorder.receive([arrival])
    if i % 50 == 0:
        print(i, flush=True)
        time.sleep(0.002)
"""


@pytest.mark.parametrize("backend", ["mcap", "sqlite3"])
def test_killed_process_leaves_an_episode_that_recovers(tmp_path, backend):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + WRITER
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), backend], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if int(line) >= 5000:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (part,) = leftovers(tmp_path)
    folder = recover(part)
    episode = read_episode(folder)
    assert (episode.state, episode.operator, episode.lost) == ("recovered", "ada", 0)
    if backend == "mcap":
        with open(bag_of(folder), "rb") as stream:
            said = {record.name: record.metadata for record in make_reader(stream).iter_metadata()}
        assert said["humanoid_episode"].items() >= {"operator": "ada", "recovered": "true"}.items()
        assert said["humanoid_configuration"] == {"topics.yaml": "topics: []"}
    assert verify(folder) == []
    expected = by_topic(traffic(100_000)[:20_000])
    got = read_with_rosbags(folder)
    for name, messages in got.items():
        assert messages == expected[name][: len(messages)]
    assert len(got["/joint_states"]) > 3000


def test_truncated_anywhere_recovers_every_whole_chunk(tmp_path):
    arrivals = traffic(300)
    writer = McapWriter(tmp_path, "whole_0", 0.0, "jazzy")
    ends = []  # file size, messages in it
    for name, kind, group in (("/joint_states", JOINTS, "numeric"), ("/camera/head/color", IMAGE, "image")):
        writer.add_topic(topic(name, kind, group))
    for i, a in enumerate(arrivals):
        writer.write(a.topic, a.payload, a.log_ns, a.publish_ns, a.sequence)
        if i % 40 == 39:
            writer.flush_due()
            ends.append((writer.bytes(), i + 1))
    writer.close({})
    data = (tmp_path / "whole_0.mcap").read_bytes()
    chunks = scan(tmp_path / "whole_0.mcap").summary.chunks
    boundaries = [
        c.chunk_start_offset + d for c in chunks for d in (0, 1, c.chunk_length - 1, c.chunk_length, c.chunk_length + 9)
    ]
    cuts = sorted({*boundaries, *random.Random(3).sample(range(2000, len(data)), 25), len(data) - 1, len(data) - 9})
    for cut in cuts:
        part = tmp_path / "r" / "d" / f"cut{cut}.part"
        part.mkdir(parents=True)
        (part / f"cut{cut}_0.mcap").write_bytes(data[:cut])
        folder = recover(part)
        assert verify(folder) == [], cut
        whole = sum(1 for c in chunks if c.chunk_start_offset + c.chunk_length <= cut)
        with open(folder / f"cut{cut}_0.mcap", "rb") as stream:
            summary = make_reader(stream).get_summary()
        assert len(summary.chunk_indexes) == whole, cut
        assert all(chunk.message_index_offsets for chunk in summary.chunk_indexes), cut
        got = read_with_rosbags(folder) if whole else {}
        for name, messages in got.items():
            assert messages == by_topic(arrivals)[name][: len(messages)], cut
        assert sum(map(len, got.values())) >= max([0, *(n for size, n in ends if size <= cut)]), cut


def test_damage_is_found_by_verify(tmp_path):
    folder = record(make(tmp_path), traffic(200))
    (bag,) = folder.glob("*.mcap")
    data = bytearray(bag.read_bytes())
    data[len(data) // 3] ^= 1
    bag.write_bytes(data)
    wrong = "\n".join(verify(folder))
    assert "SHA-256" in wrong
    assert "checksum" in wrong
    bag.unlink()
    assert "no file" in verify(folder)[0]


def test_a_sqlite_bag_is_as_stock_rosbag2_makes_it(tmp_path):
    folder = record(make(tmp_path, backend="sqlite3"), traffic(200))
    bag = bag_of(folder)
    with contextlib.closing(sqlite3.connect(bag)) as base:
        assert base.execute("SELECT * FROM schema").fetchall() == [(4, "jazzy")]
        names = {row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert names == {"schema", "metadata", "topics", "message_definitions", "messages"}
        kinds = dict(base.execute("SELECT topic_type, encoded_message_definition FROM message_definitions"))
        assert kinds == {kind: full_text(kind) for kind in (STRING, JOINTS, IMAGE)}
        assert base.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert "storage_identifier: sqlite3" in base.execute("SELECT metadata FROM metadata").fetchone()[0]
        base.execute("DELETE FROM messages WHERE id = 7")
        base.commit()
    assert any("found 199 messages, expected 200" in line for line in verify(folder))
    data = bytearray(bag.read_bytes())
    data[8192:12288] = bytes(4096)
    bag.write_bytes(data)
    assert any("database" in line or "SHA-256" in line for line in verify(folder))


def test_what_is_no_bag_is_left_alone(tmp_path):
    part = tmp_path / "r" / "d" / "x.part"
    part.mkdir(parents=True)
    with pytest.raises(BagError, match=r"no \.mcap"):
        recover(part)
    (part / "x_0.mcap").write_bytes(b"hello, this is no bag")
    with pytest.raises(BagError, match="magic"):
        recover(part)
    assert (part / "x_0.mcap").read_bytes() == b"hello, this is no bag"
    Staging(part).release()


def test_patterns_are_relative_to_the_robot():
    assert matches("camera/*/color", "/g1/camera/head/color", "/g1")
    assert not matches("camera/*/color", "/g2/camera/head/color", "/g1")
    assert not matches("camera/*/color", "/g1/camera/a/b/color", "/g1")
    assert matches("camera/**/color", "/g1/camera/a/b/color", "/g1")
    assert matches("/diagnostics", "/diagnostics", "/g1")
    selection = Selection([Wanted("camera/**")], exclude=["camera/*/raw"])
    assert selection.find("/camera/head/info", "/")
    assert selection.find("/camera/head/raw", "/") is None
