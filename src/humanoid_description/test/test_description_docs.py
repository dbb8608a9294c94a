# SPDX-License-Identifier: Apache-2.0
"""The pages about robots say what the robots are, and a maker's package is found where it is installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import humanoid_description as description
from humanoid_description import pictures
from humanoid_description.sources import find_file, known_robots

WORKSPACE = Path(__file__).resolve().parents[3]


def _row(page: str, robot: str) -> list[str]:
    text = (WORKSPACE / page).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith(f"| `{robot}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", known_robots())
def test_pages_name_each_robot_with_its_mass_and_joints(name: str) -> None:
    robot = description.load(description.find_config(name))
    _, _, _, licence, mass, joints, _ = _row("docs/robots.md", name)
    assert licence
    assert float(mass.removesuffix(" kg")) == pytest.approx(sum(i.mass for i in robot.pinocchio().inertias), abs=1e-3)
    counts = [int(number) for number in re.findall(r"\d+", joints)]
    assert counts == [len(robot.joints), len(robot.mimics)][: len(counts)]
    assert len(counts) == (2 if robot.mimics else 1)
    assert _row("README.md", name)[2] == "yes"


def test_urdf_of_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "share" / "ament_index" / "resource_index" / "packages" / "maker_description"
    marker.parent.mkdir(parents=True)
    marker.touch()
    file = tmp_path / "share" / "maker_description" / "urdf" / "g1.urdf"
    file.parent.mkdir(parents=True)
    own = description.load(description.find_config("unitree_g1"))
    heavier = own.urdf.replace('mass value="3.813"', 'mass value="4.813"')
    meshes = '<visual><geometry><mesh filename="{}"/></geometry></visual>'
    for link, mesh in (("torso_link", "package://maker_description/urdf/a.obj"), ("head_link", "b.obj")):
        heavier = heavier.replace(f'<link name="{link}">', f'<link name="{link}">{meshes.format(mesh)}')
    file.write_text(heavier, encoding="utf-8")
    for name in ("a.obj", "b.obj"):
        (file.parent / name).write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    theirs = description.load(WORKSPACE / "config/robots/unitree_g1.yaml", "package://maker_description/urdf/g1.urdf")
    masses = [sum(i.mass for i in robot.pinocchio().inertias) for robot in (own, theirs)]
    assert masses[1] - masses[0] == pytest.approx(1.0)
    assert f'"file://{file.parent}/b.obj"' in theirs.urdf  # RViz finds it
    pictures.Scene(theirs)  # MuJoCo finds both
    assert find_file(file) == file
    with pytest.raises(description.DescriptionError, match="other_description"):
        find_file("package://other_description/g1.urdf")
    with pytest.raises(description.DescriptionError, match="package://"):
        find_file("package:///g1.urdf")
