# SPDX-License-Identifier: Apache-2.0
"""Pieces of episodes, several as one, and their pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.serialization import serialize_message
from recording_rig import SECOND, by_topic, cdr_string, make, read_with_rosbags, record, traffic
from sensor_msgs.msg import CompressedImage

from humanoid_recorder import cli
from humanoid_recorder.editing import merge, trim
from humanoid_recorder.errors import BagError, EpisodeError
from humanoid_recorder.folders import leftovers
from humanoid_recorder.settings import Arrival, Request
from humanoid_recorder.sidecar import Label, read_episode
from humanoid_recorder.thumbnails import strip
from humanoid_recorder.verification import verify


def test_a_piece_keeps_its_messages_labels_and_latched_topics(tmp_path: Path) -> None:
    recorder = make(tmp_path)
    arrivals = traffic(1500)  # 3 s from 10 s on
    recorder.receive([Arrival("/robot_description", cdr_string("<robot/>"), SECOND, SECOND, 1)])
    recorder.start(Request("a", operator="ada"), 10 * SECOND)
    for begin, end in ((10.2, 0), (10.5, 11.5), (11.2, 0), (12.5, 12.8)):
        recorder.annotate(Label(round(begin * SECOND), round(end * SECOND), f"at {begin}"))
    recorder.receive(arrivals)
    whole = recorder.stop("success", "", 13 * SECOND).path
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    piece = trim(whole, 1.0, 2.0)
    assert verify(piece) == []
    wanted = by_topic([a for a in arrivals if 11 * SECOND <= a.log_ns < 12 * SECOND])
    wanted["/robot_description"] = [(11 * SECOND, cdr_string("<robot/>"))]
    assert read_with_rosbags(piece) == wanted
    episode = read_episode(piece)
    assert (episode.start_ns, episode.end_ns, episode.duration) == (11 * SECOND, 12 * SECOND, 1.0)
    assert [label.label for label in episode.annotations] == ["at 10.5", "at 11.2"]
    assert (episode.annotations[0].start_ns, episode.annotations[0].end_ns) == (11 * SECOND, round(11.5 * SECOND))
    assert episode.operator == "ada"
    assert before == {path.name: path.read_bytes() for path in whole.iterdir()}
    with pytest.raises(EpisodeError, match="expected a piece"):
        trim(whole, 2.0, 1.0)
    with pytest.raises(EpisodeError, match="no message"):
        trim(whole, 100.0, 101.0)
    assert not list(leftovers(tmp_path))


def test_several_become_one_in_the_order_of_arrival(tmp_path: Path) -> None:
    first, second = traffic(300), traffic(300, 10 * SECOND + 1_000_000, seed=2)
    folders = [record(make(tmp_path), arrivals, task) for arrivals, task in ((first, "a"), (second, "b"))]
    both = merge(folders)
    assert verify(both) == []
    mixed = by_topic(sorted(first + second, key=lambda arrival: arrival.log_ns))
    assert read_with_rosbags(both) == mixed
    episode = read_episode(both)
    assert episode.end_ns == read_episode(folders[1]).end_ns
    assert all(read_episode(folder).episode_id in episode.tags["merged"] for folder in folders)
    with pytest.raises(EpisodeError, match="1 episodes"):
        merge(folders[:1])


def test_thumbnails_show_each_camera_through_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrivals = []
    for i in range(20):
        image = np.full((48, 64, 3), 10 * i, np.uint8)
        made = CompressedImage(format="rgb8; jpeg", data=cv2.imencode(".jpg", image)[1].tobytes())
        arrivals.append(Arrival("/camera/head/color", serialize_message(made), (10 + i) * SECOND, 0, i + 1))
    folder = record(make(tmp_path), arrivals)
    picture = strip(folder, read_episode(folder), count=4)
    tiles = [picture[60, 80 + i * 162] for i in range(4)]
    brightness = [int(tile[0]) for tile in tiles]
    assert brightness == sorted(brightness)
    assert brightness[0] < 5
    assert brightness[-1] > 120
    empty = record(make(tmp_path / "other"), traffic(1)[:1])
    with pytest.raises(BagError, match="no pictures"):
        strip(empty, read_episode(empty))


def run(monkeypatch: pytest.MonkeyPatch, command, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["command", *map(str, words)])
    return command()


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(make(tmp_path), traffic(500))
    assert run(monkeypatch, cli.info, folder) == 0
    assert "/joint_states" in capsys.readouterr().out
    assert run(monkeypatch, cli.info, folder, "--strip", tmp_path / "strip.png") == 0  # random bytes: grey tiles
    assert (tmp_path / "strip.png").stat().st_size > 100
    assert run(monkeypatch, cli.trim_command, folder, "--begin", 0.1, "--end", 0.5) == 0
    piece = capsys.readouterr().out.strip().splitlines()[-1]
    assert run(monkeypatch, cli.verify_command, piece) == 0
    assert run(monkeypatch, cli.merge_command, folder, piece) == 0
    assert run(monkeypatch, cli.verify_command, capsys.readouterr().out.strip().splitlines()[-1]) == 0
    assert run(monkeypatch, cli.recover_command, tmp_path) == 0
    assert "nothing to recover" in capsys.readouterr().out
    assert run(monkeypatch, cli.trim_command, tmp_path / "none", "--end", 1) == 1
    assert "none" in capsys.readouterr().err
