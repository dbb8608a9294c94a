# SPDX-License-Identifier: Apache-2.0
"""The README's tables and the shipped files name the parameters that the code has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from humanoid_core.errors import ConfigError
from humanoid_teleop.settings import NODE_PARAMETERS, Settings, load_settings

PACKAGE = Path(__file__).resolve().parents[1]


def listed(section: str) -> set[str]:
    """Names in the first column of a section's parameter table."""
    text = (PACKAGE / "README.md").read_text().split(f"## Node `{section}`")[1].split("\n## ")[0]
    table = text.split("| parameter |")[1]
    return {name for row in re.findall(r"^\| ([a-z_, ]+) \|", table, re.MULTILINE) for name in row.split(", ")}


def declared(file: str) -> set[str]:
    content = yaml.safe_load((PACKAGE / "config" / f"{file}.yaml").read_text())
    return set(content[f"/**/{file}"]["ros__parameters"])


def test_retargeting():
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert declared("retargeting") == fields | {"rate", "trace"}
    assert listed("retargeting") == fields | (set(NODE_PARAMETERS) - {"use_sim_time"})


@pytest.mark.parametrize(
    ("node", "of_the_launch_file"),
    [
        ("motion_player", {"file", "skeletons"}),
        ("webxr", {"port", "task", "instruction", "trace"}),
        ("mocap", {"protocol", "hierarchy", "skeleton", "trace"}),
        ("handheld", {"device"}),
        ("joystick", {"gamepad", "role"}),
        ("dynamixel", set()),
        ("policy", set()),
        ("leader", {"robot_config", "urdf", "mapping"}),
    ],
)
def test_devices(node, of_the_launch_file):
    assert listed(node) == in_code(node)
    assert declared(node) == in_code(node) - of_the_launch_file


def test_the_keyboard_needs_no_file():
    assert listed("keyboard") == in_code("keyboard")


def in_code(node: str) -> set[str]:
    source = (PACKAGE / "humanoid_teleop" / f"{node}_node.py").read_text()
    return set(re.findall(r"ros\.(?:required|optional)\(\s*self,\s*\"(\w+)\"", source))


def test_settings_are_strict(tmp_path):
    text = (PACKAGE / "config" / "retargeting.yaml").read_text()
    file = tmp_path / "retargeting.yaml"
    file.write_text(text.replace("clutched: false", "clutch: false"))
    with pytest.raises(ConfigError, match="clutch"):
        load_settings(file)
    with pytest.raises(ConfigError, match="smothing"):
        load_settings(PACKAGE / "config" / "retargeting.yaml", smothing=0.1)
    assert load_settings(PACKAGE / "config" / "retargeting.yaml", smoothing=0.1).smoothing == 0.1
