# SPDX-License-Identifier: Apache-2.0
"""The console's pages in a browser, with everything behind them but ROS."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from . import browser as browsers
from .fake_station import FakeStation

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())
START = 1_000_000_000_000  # [ns]


@pytest.fixture
def bench(monkeypatch):
    """Generators of episodes and of a whole centre."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(ROOT)
    import bench.dataset_world
    import bench.hall

    return bench


@pytest.fixture
def template(bench, tmp_path: Path) -> Path:
    """Four seconds of a head camera, with two labels."""
    folder = bench.dataset_world.write_trial(tmp_path / "template", 4.0, cameras=("head",), size=(160, 120), rate=50.0)
    path = folder / "episode.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["annotations"] = [
        {"start_ns": START + begin, "end_ns": START + end, "label": label, "author": "Bo", "tool": "rule 1"}
        for begin, end, label in ((500_000_000, 1_500_000_000, "reach"), (1_500_000_000, 3_000_000_000, "grasp"))
    ]
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder


@pytest.fixture
def station(template: Path, tmp_path: Path) -> Iterator[FakeStation]:
    program = tmp_path / "table.py"
    row = {"name": "disk", "status": "red", "found": "1 GB", "expected": "over 3 GB", "advice": "make room"}
    program.write_text(f"import json; print(json.dumps({{'robot': 'g1', 'passed': False, 'rows': [{row}]}}))")
    station = FakeStation(tmp_path / "station", template, (sys.executable, str(program)))
    yield station
    station.stop()


@pytest.fixture
def page(station: FakeStation, tmp_path: Path) -> Iterator[browsers.Browser]:
    with browsers.Browser(tmp_path / "profile", size=(1180, 820)) as page:
        page.open(f"{station.url}#{station.pairing.code}")
        page.until("!!document.querySelector('#name')")
        yield page


def sign_in(station: FakeStation, page: browsers.Browser) -> None:
    station.desk.ask("sign_in", {"name": "Ann"}, lambda *_: None)
    page.until("document.querySelector('header').innerText.includes('Ann')")


def test_labels_are_corrected_with_the_keyboard(station: FakeStation, page: browsers.Browser) -> None:
    sign_in(station, page)
    page.until("document.querySelector('.step').dataset.step == 'preflight'")
    page.wait(lambda: station.desk.trial, "the plan")
    station.desk.start(lambda *_: None)
    station.command("end", {"outcome": "success"}, lambda *_: None)
    page.wait(lambda: station.verdicts, "the verdict")
    folder = next(station.recordings.glob("*/*/*/episode.yaml")).parent
    page.run(f"location.hash = '#/labels/{folder.name}'")
    page.until("document.querySelectorAll('.block').length == 2")
    page.until("document.querySelector('#film').dataset.index == '0'")

    page.key("Tab")  # to 0.5 s
    page.key("Tab")  # to 1.5 s
    for _ in range(3):
        page.key(".")  # three pictures later: 30 Hz
    page.until("document.querySelector('.clock').innerText.startsWith('1.60')")
    page.until("document.querySelector('#film').dataset.index == '48'")
    page.key("5")  # the second interval is a place
    page.key("ArrowRight", shift=True)  # 2.6 s
    page.key("b")
    page.until("document.querySelectorAll('.block').length == 3")
    page.key("4")
    page.key("0")
    page.key("u")
    page.until("document.querySelectorAll('.block').length == 3")
    page.key("Enter")
    page.until("document.querySelector('.saving').innerText.includes('Saved')")
    kept = yaml.safe_load((folder / "episode.yaml").read_text(encoding="utf-8"))["annotations"]
    spans = [((one["start_ns"] - START) * 1e-9, (one["end_ns"] - START) * 1e-9, one["label"]) for one in kept]
    assert spans == [
        (0.5, pytest.approx(1.6, abs=1e-6), "reach"),
        (pytest.approx(1.6, abs=1e-6), pytest.approx(2.6, abs=1e-6), "place"),
        (pytest.approx(2.6, abs=1e-6), 3.0, "carry"),
    ]
    assert {(one["author"], one["tool"]) for one in kept} == {("Ann", "console 1")}


def test_a_red_table_is_shown_and_every_step_has_its_chinese(station: FakeStation, page: browsers.Browser) -> None:
    sign_in(station, page)
    page.run("document.querySelector('#check').click()")
    page.until("document.querySelector('.looked .red')?.innerText.includes('make room')")
    assert not page.run("!!document.querySelector('#go')")
    page.run("document.querySelector('#language').click()")
    page.until("document.documentElement.lang == 'zh' && document.body.innerText.includes('尚未就绪')")
    page.run("document.querySelector('#despite').click()")
    page.until("document.querySelector('.instruction').innerText.includes('把每个包裹')")
    assert "光线" in page.run("document.querySelector('.variations').innerText")


def test_the_hall_shows_fifty_collectors(bench, station: FakeStation, page: browsers.Browser, tmp_path: Path) -> None:
    catalogue = tmp_path / "station" / "catalogue.sqlite"
    bench.hall.fill(catalogue, station.recordings, bench.hall.NOON, days=2)
    station.desk.live = bench.hall.live()
    page.resize(1920, 1080)
    page.run("location.hash = '#/workload'")
    page.until("document.querySelectorAll('.person').length == 50")
    assert page.run("document.querySelectorAll('.robot-grid div').length") == len(bench.hall.ROBOTS)
    notes = page.run("document.querySelector('.notes').innerText")
    assert "disk low: 11 GB" in notes
    assert "Emergency stop" in notes
    fits = "document.documentElement.scrollHeight <= 1080 && document.documentElement.scrollWidth <= 1920"
    assert page.run(fits)
