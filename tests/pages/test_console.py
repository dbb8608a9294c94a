# SPDX-License-Identifier: Apache-2.0
"""A collector signs in, records a trial in the twin, reads the verdict, and corrects the labels: all in the browser."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from humanoid_core import endpoints
from humanoid_dataset.catalogue import Catalogue
from humanoid_interfaces.msg import EpisodeStatus

from . import browser as browsers

pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())
STEP = "document.querySelector('.step')?.dataset.step"


def click(page: browsers.Browser, what: str) -> None:
    """Click what a selector finds, as soon as it is there."""
    page.until(f"!!document.querySelector('{what}:not([disabled])')")
    page.run(f"document.querySelector('{what}').click()")


def write(page: browsers.Browser, what: str, text: str) -> None:
    """Type into a field."""
    page.until(f"!!document.querySelector('{what}')")
    page.run(
        f"(field => {{ field.value = '{text}'; field.dispatchEvent(new Event('input', {{bubbles: true}})); }})"
        f"(document.querySelector('{what}'))"
    )


def press(page: browsers.Browser, key: str, step: str) -> None:
    """Press a key, as often as the page takes it for a bouncing pedal, until a step is there."""

    def there() -> bool:
        if page.run(STEP) == step:
            return True
        page.key(key)
        return False

    page.wait(there, f"{key} leads to {step}")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[browsers.Browser]:
    with browsers.Browser(tmp_path / "profile", size=(1180, 820)) as page:
        yield page


@pytest.mark.skipif("HUMANOID_TRIAL" not in os.environ, reason="takes minutes: HUMANOID_TRIAL=1 runs it")
def test_a_whole_trial_in_the_twin(cell, page: browsers.Browser, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(os.environ, "ROS_HOME", str(tmp_path / "ros"))
    arguments = {"scene": "parcel_sorting", "console": "true", "console_port": 0, "out": tmp_path / "episodes"}
    arguments["time_scale"] = 0.2  # leaves the browser, and the checks, their share of a small machine
    with cell("collect.launch.py", operator="scripted", operator_autostart="false", **arguments) as running:
        line = running.printed(r"console: open https://")
        port, code = re.search(r":(\d+)/ and type (\d{6})", line).groups()
        running.message(endpoints.RECORDER_STATUS, lambda m: m.state == EpisodeStatus.IDLE)
        running.message(endpoints.JOINT_STATES)

        page.open(f"https://127.0.0.1:{port}/#{code}")
        write(page, "#name", "Ann")
        click(page, "#sign-in")
        click(page, "#check")  # the pre-flight table: its rows are there, whatever this machine's clock is like
        page.until("document.querySelectorAll('.looked li').length > 3", 240.0)
        click(page, "#go, #despite")
        page.until(f"{STEP} == 'trial'")
        page.until("!!document.querySelector('.variations dd')")
        page.until("document.querySelector('#picture').getContext('2d').getImageData(320, 240, 1, 1).data[3] == 255")

        press(page, " ", "recording")
        recording = running.message(endpoints.RECORDER_STATUS, lambda m: m.state == EpisodeStatus.RECORDING)
        write(page, "#note", "first one")
        states = running.collect(endpoints.JOINT_STATES)
        running.until(lambda: len(states) > 1000, "two seconds of joint states while it is recorded")
        page.wait(lambda: page.key("f") or page.run(STEP) != "recording", "the key ends the episode")
        verdict = running.message(endpoints.CONSOLE_VERDICT, lambda m: m.name == recording.episode_id)
        page.until(f"{STEP} == 'verdict'", 120.0)
        assert verdict.message in ("passed", "rejected")
        failed = {value.key for value in verdict.values}
        assert page.run("document.querySelectorAll('.reasons li').length") == len(failed)
        print(page.run("document.querySelector('.step').innerText"))

        press(page, " ", "trial")  # the next
        press(page, " ", "recording")
        click(page, "#redo")
        click(page, ".redo .wrap button")
        running.message(endpoints.RECORDER_STATUS, lambda m: m.last_outcome == EpisodeStatus.DISCARDED)
        page.until(f"{STEP} == 'verdict'")

        page.run(f"location.hash = '#/labels/{recording.episode_id}'")
        page.until("!!document.querySelector('#film')?.dataset.index", 120.0)
        page.key("3")  # names the whole episode, since nothing is labelled
        page.key("ArrowRight", shift=True)
        page.key("b")
        page.until("document.querySelectorAll('.block').length == 2")
        page.key("Enter")
        page.until("document.querySelector('.saving').innerText.includes('Saved')")
        assert not running.deaths()

    data = yaml.safe_load((Path(recording.path) / "episode.yaml").read_text(encoding="utf-8"))
    assert (data["operator"], data["note"], data["outcome"]) == ("Ann", "first one", "failure")
    assert {"light", "start_pose"} <= set(data["tags"])
    said = [(one["label"], one["author"]) for one in data["annotations"] if one["author"] != "sync"]
    assert said == [("lift", "Ann"), ("lift", "Ann")]
    with Catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        record = catalogue.show(recording.episode_id)
    assert record["verdict"] == ("failed" if failed else "passed")
    assert [label["label"] for label in record["labels"] if label["author"] == "Ann"] == ["lift", "lift"]
