# SPDX-License-Identifier: Apache-2.0
"""The files in launch/, as an operator meets them on the command line."""

import re
import subprocess
from pathlib import Path

import pytest

FILES = sorted(path.name for path in (Path(__file__).parents[2] / "launch").glob("*.launch.py"))


def ros2_launch(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ros2", "launch", "humanoid_bringup", *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_files_are_these():
    assert [name.split(".")[0] for name in FILES] == ["collect", "demo", "replay", "robot", "station", "view"]


@pytest.mark.parametrize("name", FILES)
def test_every_argument_is_described(name):
    answer = ros2_launch(name, "--show-args")
    assert answer.returncode == 0, answer.stderr
    arguments = re.findall(r"^    '(\w+)':$", answer.stdout, re.MULTILINE)
    assert {"robot", "robot_name", "urdf", "hardware"} <= set(arguments)
    assert "no description given" not in answer.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("robot.launch.py", "robot:=asimo"), "'asimo'|\"asimo\""),
        (("robot.launch.py", "recorder:=perhaps"), "perhaps"),
        (("replay.launch.py",), "bag"),
    ],
)
def test_a_wrong_argument_ends_with_a_clear_message(words, message):
    answer = ros2_launch(*words)
    assert answer.returncode == 1
    assert re.search(message, answer.stdout + answer.stderr)
    assert (
        "Valid options are" in answer.stdout + answer.stderr
        or "missing required argument" in answer.stdout + answer.stderr
    )
