# SPDX-License-Identifier: Apache-2.0
"""Poses shown in pictures, and the pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
from PIL import Image

import humanoid_description as description
from humanoid_description import pictures, poses
from humanoid_description.sources import known_robots


@pytest.fixture(scope="module")
def g1() -> description.Robot:
    return description.load(description.find_config("unitree_g1"))


@pytest.fixture(scope="module", params=known_robots())
def robot(request: pytest.FixtureRequest) -> description.Robot:
    return description.load(description.find_config(request.param))


def _limb_directions(robot: description.Robot, q: np.ndarray, side: str) -> np.ndarray:
    """Unit vectors from shoulder to wrist and from elbow to wrist in the torso's frame, (2, 3)."""
    arm, model = robot.arm(side), robot.pinocchio()
    data = model.createData()
    pin.framesForwardKinematics(model, data, q)
    torso, elbow, wrist = (data.oMf[robot.frame_id(f)] for f in (arm.torso_frame, arm.elbow_frame, arm.wrist_frame))
    ends = np.array([torso.actInv(wrist.translation)] * 2)
    ends -= [arm.shoulder, torso.actInv(elbow.translation)]
    return ends / np.linalg.norm(ends, axis=1, keepdims=True)


@pytest.mark.parametrize(("pose", "axis"), [("T", 1), ("reach", 0)])
def test_arms_stretch_out_inside_their_limits(robot: description.Robot, pose: str, axis: int) -> None:
    q = poses.named(robot)[pose]
    for side, sign in (("left", 1.0), ("right", -1.0 if pose == "T" else 1.0)):
        index, limits = robot.index(robot.arm(side).joints), robot.limits(robot.arm(side).joints)
        assert (q[index] >= limits.lower - 1e-9).all()
        assert (q[index] <= limits.upper + 1e-9).all()
        assert sign * _limb_directions(robot, q, side)[:, axis].min() > np.cos(np.radians(15.0)), side
    moved = np.setdiff1d(np.arange(len(q)), robot.index([*robot.arm("left").joints, *robot.arm("right").joints]))
    assert (q[moved] == robot.home()[moved]).all()


def test_picture_is_a_mirror_image_of_itself_from_the_front(g1: description.Robot) -> None:
    front = pictures.View(azimuth=0.0, elevation=0.0, height=0.66, distance=4.0)
    image = np.asarray(pictures.Scene(g1).picture(np.zeros(43), 96, 128, front, frames=False), float)
    robot = np.abs(image - 255.0 * pictures.BACKGROUND).max(axis=2) > 40.0
    assert 0.1 < robot.mean() < 0.5
    assert (robot != robot[:, ::-1]).mean() < 0.03  # but for the camera and the mouth of the shadow


def test_picture_shows_pose_and_frames(g1: description.Robot) -> None:
    scene, home = pictures.Scene(g1), g1.home()
    plain = np.asarray(scene.picture(home, 60, 80, frames=False), float)
    again = np.asarray(scene.picture(home, 60, 80, frames=False), float)
    raised = np.asarray(scene.picture(poses.named(g1)["T"], 60, 80, frames=False), float)
    framed = np.asarray(scene.picture(home, 60, 80), float)
    assert (plain == again).all()
    assert np.abs(raised - plain).max() > 60.0
    red = (framed[..., 0] - framed[..., 1] > 60.0) & (plain[..., 0] - plain[..., 1] < 20.0)
    assert red.any()


def test_sheet_has_a_row_per_pose_and_a_column_per_robot(
    g1: description.Robot, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = pictures.sheet([g1], 40, 60)
    assert page.height > 3 * 60
    assert 40 < page.width < 80
    monkeypatch.setattr(pictures, "sheet", lambda robots: page)
    out = tmp_path / "sheets" / "g1.png"
    pictures.main(["unitree_g1", "--out", str(out)])
    assert f"{out}: 1 robots" in capsys.readouterr().out
    assert Image.open(out).size == page.size
    with pytest.raises(SystemExit, match="unitree_g7"):
        pictures.main(["unitree_g7", "--out", str(out)])
