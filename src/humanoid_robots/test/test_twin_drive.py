# SPDX-License-Identifier: Apache-2.0
"""A base that rolls: set-points of base and wheels, and the physics that follows them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import humanoid_description
from humanoid_core.errors import MessageError
from humanoid_description import Robot
from humanoid_description.config import Drive, Wheel
from humanoid_robots import scene
from humanoid_robots.drive import DriveSetPoints
from humanoid_robots.settings import load_settings
from humanoid_robots.twin import Twin

CONFIG = Path(__file__).parents[3] / "config"
PERIOD = 0.002


def drive(sideways: bool = True, steering: bool = True) -> DriveSetPoints:
    """Two wheels, half a metre to the left and right of the middle, 0.1 m in radius."""
    wheels = tuple(Wheel(f"roll_{side}", f"steer_{side}" if steering else "") for side in "lr")
    figures = Drive(sideways, 1.0, 2.0, 10.0, 1.0, 2.0, 10.0, 0.1, wheels)
    return DriveSetPoints(figures, {"roll_l": np.array((0.0, 0.5)), "roll_r": np.array((0.0, -0.5))}, timeout=0.1)


def run(base: DriveSetPoints, twist: tuple[float, float, float], seconds: float, start: int = 0) -> int:
    now = start
    for _ in range(round(seconds / PERIOD)):
        base.receive(now, twist)
        base.advance(now, PERIOD)
        now += round(PERIOD * 1e9)
    return now


def test_base_keeps_to_the_drives_limits() -> None:
    base = drive()
    run(base, (3.0, 4.0, -5.0), 0.2)
    assert math.hypot(*base.twist[:2]) == pytest.approx(0.4, rel=1e-6)  # 2 m/s2
    run(base, (3.0, 4.0, -5.0), 2.0)
    np.testing.assert_allclose(base.twist, (0.6, 0.8, -1.0), rtol=1e-6)


def test_base_brakes_when_commands_cease() -> None:
    base = drive()
    now = run(base, (1.0, 0.0, 0.0), 1.0)
    for _ in range(round(0.1 / PERIOD)):
        base.advance(now, PERIOD)
        now += round(PERIOD * 1e9)
    assert base.twist[0] == pytest.approx(1.0)
    for _ in range(round(0.51 / PERIOD)):
        base.advance(now, PERIOD)
        now += round(PERIOD * 1e9)
    assert not base.twist.any()


def test_circle_is_a_circle_and_wheels_roll_on_it() -> None:
    base = drive()
    run(base, (0.5, 0.0, 1.0), 20.0)
    before = base.pose.copy()
    angles = dict(base.wheels()[0])
    run(base, (0.5, 0.0, 1.0), 2.0 * math.pi, start=10**12)
    np.testing.assert_allclose(base.pose[:2], before[:2], atol=2e-3)
    turned = {joint: angle - angles[joint] for joint, angle in base.wheels()[0].items()}
    assert abs(turned["roll_l"]) == pytest.approx(0.0, abs=0.1)  # the circle's middle is under the left wheel
    assert abs(turned["roll_r"]) == pytest.approx(2.0 * math.pi * 1.0 / 0.1, rel=1e-3)


def test_wheel_never_turns_by_more_than_a_quarter() -> None:
    base = drive()
    run(base, (0.2, 0.2, 0.0), 1.0)
    assert base.wheels()[0]["steer_l"] == pytest.approx(math.pi / 4)
    run(base, (-0.2, -0.2, 0.0), 1.0, start=10**12)
    assert base.wheels()[0]["steer_l"] == pytest.approx(math.pi / 4)
    assert base.wheels()[1]["roll_l"] < 0.0


@pytest.mark.parametrize("twist", [(float("nan"), 0.0, 0.0), (0.0, float("inf"), 0.0)])
def test_broken_command_changes_nothing(twist: tuple[float, float, float]) -> None:
    base = drive()
    base.receive(0, (0.3, 0.0, 0.0))
    with pytest.raises(MessageError):
        base.receive(1, twist)
    base.advance(2, 1.0)
    assert base.twist.tolist() == [0.3, 0.0, 0.0]


def test_sideways_is_refused_where_wheels_do_not_steer() -> None:
    with pytest.raises(MessageError, match="sideways"):
        drive(sideways=False, steering=False).receive(0, (0.0, 0.1, 0.0))


@pytest.fixture(scope="module")
def wheeled() -> Robot:
    return humanoid_description.load(CONFIG / "robots" / "agibot_g2.yaml")


def test_twin_drives_where_it_is_told_and_keeps_its_pose(wheeled: Robot) -> None:
    twin = Twin(wheeled, scene.load(CONFIG / "scenes" / "empty.yaml"), None, load_settings(lidar=False))
    for _ in range(1000):
        twin.move_base((0.4, 0.1, 0.3))
        twin.step()
    base = twin.plant.base(0)
    np.testing.assert_allclose(base.linear[:2], (0.4, 0.1), atol=5e-3)
    assert base.angular[2] == pytest.approx(0.3, abs=5e-3)
    assert base.position[2] == pytest.approx(wheeled.config.base_height)
    wheels = set(wheeled.config.groups["wheels"])
    arms = [i for i, joint in enumerate(twin.joints) if joint not in wheels]
    reading = twin.plant.joints(0)
    np.testing.assert_allclose(reading.position[arms], twin.plant.handles.home[arms], atol=0.03)
    for _ in range(1000):
        twin.step()
    assert np.abs(twin.plant.base(0).linear).max() < 1e-3


def test_twin_without_wheels_refuses(robot: Robot, empty: scene.Scene) -> None:
    with pytest.raises(MessageError, match="no wheels"):
        Twin(robot, empty, None, load_settings(lidar=False)).move_base((0.1, 0.0, 0.0))
