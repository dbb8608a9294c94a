# SPDX-License-Identifier: Apache-2.0
"""The page holds what it should, for good, bad and broken episodes, and needs nothing from outside."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml
from synthetic import ROBOT_CONFIG, TYPES, Plan, Recorded, change, freeze, lose, write_episode

from humanoid_dataset import report
from humanoid_dataset.episode import Episode
from humanoid_dataset.figures import false_color
from humanoid_dataset.latency import latency
from humanoid_dataset.picture_checks import spread
from humanoid_dataset.svg import Chart, thinned, ticks

HEAD = "camera/head/color/image_raw/compressed"
VOID = {"meta", "img", "link", "br"}


class Tags(HTMLParser):
    """Finds tags that are not closed, and everything that points outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in {"src", "href"} and value and not value.startswith(("data:", "#")):
                self.outside.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} is closed and was not open"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def robot_config(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("robot") / "testbot.yaml"
    path.write_text(yaml.safe_dump(ROBOT_CONFIG))
    return str(path)


def test_page_of_a_good_day(tmp_path, robot_config, capsys):
    write_episode(tmp_path / "testbot" / "first")
    write_episode(tmp_path / "testbot" / "second", Plan(seconds=2.0))
    assert report.main([str(tmp_path), "--robot-config", robot_config, "--expect", "2"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"first +passed +3\.0 s", out)
    page = (tmp_path / "report.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert tags.outside == []
    assert "http" not in re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page)
    assert "2 of 2 episodes passed" in page
    for title in [
        "Timeline",
        "Left arm",
        "Joint tracking error",
        "Wrist, commanded against measured",
        "Wrist, operator against robot",
        "Latency, operator frame to command",
        "Skew inside",
        "Rates and gaps",
        "LiDAR from above",
        "Bytes by topic",
        "Touch",
        "Force at the wrists",
        "Joint effort",
        "Objects",
    ]:
        assert title in page, title
    assert page.count("<figure>") == 2 * 3 * 8  # episodes, picture streams, pictures
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["passed"] is True
    assert [e["episode"] for e in document["episodes"]] == ["first", "second"]


def test_failures_are_named_on_page_and_screen_and_in_the_exit_code(tmp_path, robot_config, capsys):
    write_episode(tmp_path / "gap", Plan(defect=lose(HEAD, lambda t: not 1.0 < t < 2.0)))
    assert report.main([str(tmp_path), "--robot-config", robot_config]) == 1
    assert "gap: FAILED (rates, gaps, missed_samples)" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "0 of 1 episode passed" in page
    assert "nothing from" in page


def test_missing_episodes_fail(tmp_path, robot_config, capsys):
    write_episode(tmp_path / "only")
    assert report.main([str(tmp_path), "--robot-config", robot_config, "--expect", "2"]) == 1
    assert "only 1 of 2 episodes" in capsys.readouterr().out
    assert "2 were expected" in (tmp_path / "report.html").read_text()


def test_empty_and_absent_folders(tmp_path, capsys):
    assert report.main([str(tmp_path)]) == 1
    assert report.main([str(tmp_path / "nowhere")]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_broken_episodes_are_drawn_as_far_as_they_go(tmp_path, robot_config):
    cut = write_episode(tmp_path / "cut")
    bag = next(cut.glob("*.mcap"))
    with bag.open("r+b") as stream:
        stream.truncate(bag.stat().st_size // 2)
    torn = write_episode(tmp_path / "torn", Plan(defect=change(HEAD, lambda t: t == 0.0, _tear)))
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "junk_0.mcap").write_bytes(b"nothing")
    assert report.main([str(tmp_path), "--robot-config", robot_config]) == 1
    page = (tmp_path / "report.html").read_text()
    assert "breaks off at byte" in page
    assert "does not decode" in page
    assert torn.name in page
    assert "nothing readable in it" in page


def _tear(message: object) -> None:
    message.data = np.full(50, 7, np.uint8)  # type: ignore[attr-defined]


def test_names_from_a_recording_cannot_inject_markup(tmp_path, robot_config):
    write_episode(tmp_path / "e", Plan(sidecar=lambda s: s | {"instruction": "<script>alert(1)</script>"}))
    report.main([str(tmp_path), "--robot-config", robot_config])
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_latency_by_reception_is_the_time_to_the_first_command_after_the_targets(tmp_path):
    # Targets reach the recorder 0.5 ms after their stamp, commands come every 2 ms on the same grid.
    found = latency(Episode.open(write_episode(tmp_path / "e")))
    assert len(found.seconds) > 100
    assert found.seconds == pytest.approx(0.0005, abs=1e-6)


def test_latency_by_trace_follows_one_frame_through_the_stages(tmp_path):
    def traced(item: Recorded) -> Recorded:
        # Use the slow tf topic as carrier of traces.
        if item.topic == "tf":
            index = round(item.seconds * 50)
            stage, offset = (("device", 0.0), ("retargeting", 0.003), ("safety", 0.005))[index % 3]
            frame = (index // 3) * 0.06
            item.topic = "trace"
            item.message = TYPES.new(
                "humanoid_interfaces/msg/StageTrace",
                header=TYPES.header(frame + offset),
                stage=stage,
                source_stamp=TYPES.stamp(frame),
                received=TYPES.stamp(frame + offset - 0.001 if offset else frame),
            )
        return item

    found = latency(Episode.open(write_episode(tmp_path / "e", Plan(defect=traced))))
    assert found.seconds == pytest.approx(0.005, abs=1e-6)
    assert found.stages["retargeting"] == pytest.approx(0.001, abs=1e-6)
    assert "nodes" in found.clock


def test_figures_do_not_mind_topics_that_are_not_there(tmp_path, robot_config):
    keep = {"joint_states", "robot_description"}
    write_episode(tmp_path / "bare", Plan(defect=lambda item: item if item.topic in keep else None))
    assert report.main([str(tmp_path), "--robot-config", robot_config]) == 1
    assert "bare" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.3, 7.2), (1e-4, 3e-4), (-1000, 5)])
def test_ticks_are_round_and_inside(low, high):
    values = ticks(low, high, 5)
    assert 2 <= len(values) <= 7
    assert low - 1e-9 <= values[0]
    assert values[-1] <= high + 1e-9


def test_thinning_keeps_the_spike():
    y = np.zeros(100_000)
    y[54_321] = 1.0
    _, thin = thinned(np.arange(len(y)), y)
    assert thin.max() == 1.0
    assert len(thin) < 1000


def test_line_is_broken_where_there_is_no_number():
    chart = Chart(100, 50, (0, 3), (0, 1))
    chart.line(np.arange(4.0), np.array([0, np.nan, 1, 1]), "s0")
    [path] = re.findall(r' d="([^"]*)"', chart.html())
    assert path.count("M") == 2


def test_repeats_and_spread(tmp_path):
    assert Episode.open(write_episode(tmp_path / "e")).repeats(HEAD) == []
    frozen = write_episode(tmp_path / "frozen", Plan(defect=freeze(HEAD, 1.0, 2.0)))
    assert Episode.open(frozen).repeats(HEAD) == [(30, 60)]
    assert spread(5, 8) == [0, 1, 2, 3, 4]
    assert spread(100, 3) == [0, 50, 99]
    assert spread(0, 3) == []


def test_pictures_found_by_the_index_are_those_found_by_reading_on(tmp_path):
    episode = Episode.open(write_episode(tmp_path / "e"))
    wanted = {HEAD: [0, 7, 8, 90], "lidar/points": [3]}
    stamps = {topic: episode.streams[topic].stamps[indices].tolist() for topic, indices in wanted.items()}
    found = episode.heavy(wanted)
    assert {t: [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in found[t]] for t in wanted} == stamps
    assert episode.payloads(wanted) == episode._walked(wanted)
    assert episode.frame_id(HEAD) == "camera_optical"


def test_depth_without_a_single_value_is_black():
    assert not false_color(np.zeros((4, 4), np.float32)).any()
