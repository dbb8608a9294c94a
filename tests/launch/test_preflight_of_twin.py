# SPDX-License-Identifier: Apache-2.0
"""The pre-flight check against the twin, as a user types it: no red with the limiter, red without a stop button."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from humanoid_core import endpoints

COMMAND = ["ros2", "run", "humanoid_bringup", "preflight", "--json", "--seconds", "1", "--without", "camera/"]


@pytest.fixture(scope="module")
def robot(cell: Callable[..., Any]) -> Iterator[Any]:
    off = dict.fromkeys(("cameras", "sync", "recorder"), "false")
    with cell("robot.launch.py", **off) as running:
        running.message(endpoints.JOINT_STATES)
        running.message(endpoints.SAFETY_STATUS)
        yield running


def check(*words: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and rows by name."""
    ran = subprocess.run([*COMMAND, *words], stdout=subprocess.PIPE, text=True, timeout=300.0, check=False)
    return ran.returncode, {row["name"]: row for row in json.loads(ran.stdout.splitlines()[0])["rows"]}


def test_a_twin_is_ready_and_its_stop_stops(robot):
    status, rows = check("--press", "--wait", "120")  # at most, on a busy machine
    assert {name: row["found"] for name, row in rows.items() if row["status"] == "red"} == {}
    assert status == 0
    assert rows["stop button"]["status"] == "green"
    assert rows["joint_states"]["expected"].startswith("500 Hz")
    assert rows["lidar/points"]["status"] == "green"
    assert rows["recorder"]["status"] == "yellow"


def test_a_robot_that_is_not_there_is_not_ready(robot):
    status, rows = check("--robot-name", "nobody", "--wait", "0.5")
    assert status == 1
    assert rows["joint_states"]["found"] == "nobody publishes"
    assert rows["stop button"]["status"] == "red"
