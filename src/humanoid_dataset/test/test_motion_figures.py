# SPDX-License-Identifier: Apache-2.0
"""The figures behind the motion checks against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from humanoid_dataset.episode import JointTable
from humanoid_dataset.errors import EpisodeError
from humanoid_dataset.kinematics import Kinematics, rotation_angle
from humanoid_dataset.motion_checks import derivatives
from humanoid_dataset.tracking import track, wrist_error

URDF = """<robot name="two_links">
<link name="base"/><link name="arm"/><link name="slide"/><link name="tip"/>
<joint name="swing" type="revolute"><parent link="base"/><child link="arm"/>
  <origin xyz="1 0 0" rpy="0 0 1.5707963267948966"/>
  <axis xyz="0 0 1"/><limit lower="-1" upper="2" velocity="3"/></joint>
<joint name="reach" type="prismatic"><parent link="arm"/><child link="slide"/><origin xyz="0.5 0 0"/><axis xyz="2 0 0"/>
  <limit lower="0" upper="0.3" velocity="1"/></joint>
<joint name="end" type="fixed"><parent link="slide"/><child link="tip"/>
  <origin xyz="0 0 0.1" rpy="0.1 0.2 0.3"/></joint>
</robot>"""


def table(stamps: np.ndarray, position: np.ndarray, names: list[str]) -> JointTable:
    shape = position.shape
    return JointTable(stamps.astype(np.int64), names, position, np.ones(shape, bool), lambda _: np.full(shape, np.nan))


def test_derivatives_of_a_parabola_are_exact_even_with_uneven_stamps():
    seconds = np.cumsum(np.random.default_rng(3).uniform(0.001, 0.004, 200))
    stamps = np.round(seconds * 1e9)
    seconds = stamps * 1e-9
    velocity, acceleration = derivatives(table(stamps, 1.5 * seconds[:, None] ** 2, ["a"]), longest=0.01)
    assert velocity[:, 0] == pytest.approx(1.5 * (seconds[1:] + seconds[:-1]), abs=1e-5)
    assert acceleration == pytest.approx(3.0, abs=1e-3)


def test_no_acceleration_across_a_pause_and_no_velocity_without_time():
    stamps = np.array([0, 2, 4, 1000, 1002, 1002, 1004]) * 1_000_000
    velocity, acceleration = derivatives(table(stamps, np.arange(7.0)[:, None], ["a"]), longest=0.01)
    assert np.isnan(acceleration[:, 0]).tolist() == [False, True, True, True, True]
    assert np.isnan(velocity[4, 0])


def test_forward_kinematics_by_hand():
    kinematics = Kinematics(URDF)
    assert kinematics.model == "two_links"
    angle = 0.4
    where, rotation = kinematics.pose("slide", ["reach", "swing"], np.array([[0.2, angle]]))
    direction = np.pi / 2 + angle  # the joint's own turn, on top of its origin's
    assert where[0] == pytest.approx([1 + 0.7 * np.cos(direction), 0.7 * np.sin(direction), 0.0])
    assert rotation[0, :, 0] == pytest.approx([np.cos(direction), np.sin(direction), 0.0])
    _, end = kinematics.pose("tip", [], np.zeros((1, 0)))
    roll, pitch, yaw = 0.1, 0.2, 0.3 + np.pi / 2  # about fixed axes, yaw last
    assert end[0, 2] == pytest.approx([-np.sin(pitch), np.cos(pitch) * np.sin(roll), np.cos(pitch) * np.cos(roll)])
    assert end[0, :, 0] == pytest.approx([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)])
    assert [j.name for j in kinematics.chain("tip")] == ["swing", "reach", "end"]
    assert not kinematics.has("nowhere")


def test_limits_of_the_urdf():
    joints = Kinematics(URDF).moving
    assert (joints["swing"].lower, joints["swing"].upper, joints["swing"].velocity) == (-1.0, 2.0, 3.0)
    assert set(joints) == {"swing", "reach"}
    with pytest.raises(EpisodeError, match="not XML"):
        Kinematics("<robot>")


def test_rotation_angle():
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    assert rotation_angle(np.stack((np.eye(3), turn))) == pytest.approx([0.0, 0.3])


@pytest.mark.parametrize("lag", [0.0, 0.03, 0.12])
def test_lag_and_error_of_a_robot_that_follows_late_and_reaches_too_short(lag):
    seconds = np.arange(0.0, 5.0, 0.002)
    stamps = 5_000_000_000 + np.round(seconds * 1e9)

    def asked(t):
        return np.stack((np.sin(2 * t), 0.1 * np.cos(t)), axis=1)

    measured = asked(seconds - lag) * np.array([0.98, 1.0])
    found = track(
        table(stamps, asked(seconds), ["swing", "reach"]),
        table(stamps, measured[:, ::-1], ["reach", "swing"]),
        moved=0.05,
        lag_max=0.5,
    )
    assert found.lag == pytest.approx(lag, abs=0.002)
    assert found.percentile(95) == pytest.approx([0.02, 0.0], abs=2e-3)
    where, turn = wrist_error(found, Kinematics(URDF), "slide")
    assert np.nanmax(where) < 0.06 + 1.5 * lag
    assert np.nanmedian(turn) == pytest.approx(np.nanmedian(np.abs(found.commanded - found.measured)[:, 0]), rel=0.05)
