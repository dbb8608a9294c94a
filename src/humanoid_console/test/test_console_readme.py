# SPDX-License-Identifier: Apache-2.0
"""The README's tables of parameters are the nodes'."""

import re
from pathlib import Path

import pytest
import yaml

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("name", "given_by_launch"),
    [
        ("foxglove_view", {"port"}),
        ("joint_sliders", {"port", "robot_config", "urdf"}),
        ("console", {"port", "robot", "tasks", "task", "recordings", "preflight"}),
    ],
)
def test_parameters_in_the_readme_are_those_of_the_node(name, given_by_launch):
    chapter = (PACKAGE / "README.md").read_text(encoding="utf-8").split(f"## {name}\n")[1]
    table = chapter.split("| parameter |")[1].split("\n\n")[0]
    listed = {
        word for row in table.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    node = (PACKAGE / "humanoid_console" / f"{name}_node.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'ros\.(?:required|optional)\(self, "(\w+)"', node))
    assert listed == declared
    (section,) = yaml.safe_load((PACKAGE / "config" / f"{name}.yaml").read_text(encoding="utf-8")).values()
    assert set(section["ros__parameters"]) == declared - given_by_launch
