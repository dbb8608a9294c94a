# SPDX-License-Identifier: Apache-2.0
"""The README's table of parameters is the node's."""

import re
from pathlib import Path

import yaml

PACKAGE = Path(__file__).resolve().parents[1]


def test_parameters_in_the_readme_are_those_of_the_node():
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    table = readme.split("| parameter |")[1].split("\n\n")[0]
    listed = {
        name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    node = (PACKAGE / "humanoid_console" / "foxglove_view_node.py").read_text(encoding="utf-8")
    declared = set(re.findall(r'ros\.(?:required|optional)\(self, "(\w+)"', node))
    assert listed == declared
    (section,) = yaml.safe_load((PACKAGE / "config" / "foxglove_view.yaml").read_text(encoding="utf-8")).values()
    assert set(section["ros__parameters"]) == declared - {"port"}  # the launch file gives the port
